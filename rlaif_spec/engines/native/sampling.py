"""Generation: prompts continued token by token, with a key-value cache and random numbers of their own.

Every prompt has its own row of uniform numbers, drawn before any batch is formed; a token is the one on whose share of
the cumulative distribution the number falls. So what a prompt gets does not depend on the batch it is in.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from rlaif_spec.engines.native.models import Tokens, left_padded, positions

Stopped = Callable[[Sequence[int]], bool]


def sample_all(
    model: PreTrainedModel,
    tokens: Tokens,
    prompts: Sequence[Sequence[int]],
    *,
    batch_size: int,
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator | None = None,
    stopped: Stopped = lambda row: False,
) -> list[list[int]]:
    """The tokens after each prompt, up to and with end of text, or up to where `stopped` says so.

    Temperature 0 is greedy and draws nothing; else `generator` is needed and decides every draw.
    """
    uniform = None
    if temperature > 0.0:
        uniform = torch.rand(len(prompts), max_new_tokens, generator=generator, device=model.device)
    rows: list[list[int]] = [[] for _ in prompts]
    for batch in in_batches([len(prompt) for prompt in prompts], batch_size):
        own = None if uniform is None else uniform[batch]

        def choose(logits: Tensor, at: int, own: Tensor | None = own) -> Tensor:
            return logits.argmax(-1) if own is None else drawn_tokens(logits / temperature, own[:, at])

        continued = _continue(model, tokens, [prompts[at] for at in batch], max_new_tokens, choose, stopped)
        for at, row in zip(batch, continued, strict=True):
            rows[at] = row
    return rows


def in_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Indices in batches of similar length, so that little is padded; the same for the same lengths."""
    order = sorted(range(len(lengths)), key=lambda at: (lengths[at], at))
    return [order[start : start + size] for start in range(0, len(order), size)]


@torch.inference_mode()
def _continue(
    model: PreTrainedModel,
    tokens: Tokens,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    choose: Callable[[Tensor, int], Tensor],
    stopped: Stopped,
) -> list[list[int]]:
    """One batch."""
    tokens.check(max(map(len, prompts)) + max_new_tokens)
    ids, mask = left_padded(prompts, tokens.pad, model.device)
    place = positions(mask)
    cache = DynamicCache(config=model.config)
    rows: list[list[int]] = [[] for _ in prompts]
    open_rows = [True] * len(prompts)
    for at in range(max_new_tokens):
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=place,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        chosen = choose(output.logits[:, -1], at)
        for row, token in enumerate(chosen.tolist()):
            if open_rows[row]:
                rows[row].append(token)
                open_rows[row] = token != tokens.end and not stopped(rows[row])
        if not any(open_rows):
            break
        ids = chosen[:, None]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        place = place[:, -1:] + 1
    return rows


def drawn_tokens(logits: Tensor, uniform: Tensor) -> Tensor:
    """The token on which each row's number in [0, 1) falls: (rows, words) and (rows,) to (rows,)."""
    cumulative = logits.softmax(-1).cumsum(-1)
    threshold = uniform[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, threshold, right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1)
