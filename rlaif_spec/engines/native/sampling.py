"""Generation: a batch of prompts continued token by token, with a key-value cache and a generator of its own."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from rlaif_spec.engines.native.models import Tokens, left_padded, positions

Stopped = Callable[[Sequence[int]], bool]


@torch.inference_mode()
def sample(
    model: PreTrainedModel,
    tokens: Tokens,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator | None = None,
    stopped: Stopped | None = None,
) -> list[list[int]]:
    """The tokens after each prompt, up to and with end of text, or up to where `stopped` says so.

    Temperature 0 is greedy and draws nothing; else `generator` is needed and decides every draw.
    """
    tokens.check(max(map(len, prompts)) + max_new_tokens)
    ids, mask = left_padded(prompts, tokens.pad, model.device)
    place = positions(mask)
    cache = DynamicCache(config=model.config)
    rows: list[list[int]] = [[] for _ in prompts]
    open_rows = [True] * len(prompts)
    for _ in range(max_new_tokens):
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=place,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        chosen = _choose(output.logits[:, -1], temperature, generator)
        for at, token in enumerate(chosen.tolist()):
            if open_rows[at]:
                rows[at].append(token)
                open_rows[at] = token != tokens.end and not (stopped is not None and stopped(rows[at]))
        if not any(open_rows):
            break
        ids = chosen[:, None]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        place = place[:, -1:] + 1
    return rows


def sample_all(
    model: PreTrainedModel,
    tokens: Tokens,
    prompts: Sequence[Sequence[int]],
    *,
    batch_size: int,
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator | None = None,
    stopped: Stopped | None = None,
) -> list[list[int]]:
    """As `sample`, for any number of prompts: in batches of similar length, answers in the order of the prompts."""
    rows: list[list[int]] = [[] for _ in prompts]
    for batch in in_batches([len(prompt) for prompt in prompts], batch_size):
        answers = sample(
            model,
            tokens,
            [prompts[at] for at in batch],
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            generator=generator,
            stopped=stopped,
        )
        for at, answer in zip(batch, answers, strict=True):
            rows[at] = answer
    return rows


def in_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Indices in batches of similar length, so that little is padded; the same for the same lengths."""
    order = sorted(range(len(lengths)), key=lambda at: (lengths[at], at))
    return [order[start : start + size] for start in range(0, len(order), size)]


def _choose(logits: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    if temperature == 0.0:
        return logits.argmax(-1)
    probabilities = (logits / temperature).softmax(-1)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)
