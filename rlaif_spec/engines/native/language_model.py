"""A local model as a labeler or judge: probabilities of whole answers, and greedy rationales."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rlaif_spec.engines.choices import exclusive, paths
from rlaif_spec.engines.native.models import Tokens, left_padded, positions
from rlaif_spec.engines.native.sampling import in_batches, sample_all

LOOK_EVERY = 4
"""Tokens between two looks for the stop words; what comes after them is cut off, so this only saves time."""


class LocalLanguageModel:
    """`rlaif_spec.lm.LanguageModel` on torch."""

    def __init__(self, model: PreTrainedModel, tokens: Tokens, *, chat: bool, batch_size: int) -> None:
        self._model = model
        self._tokens = tokens
        self._chat = chat
        self._batch_size = batch_size

    def choice_probabilities(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """P(the continuation is exactly this choice); see `rlaif_spec.lm.LanguageModel`.

        An answer of several tokens has the product of their probabilities. One forward pass reads a whole path of
        tokens, so that "10" written as "1", "0" costs no second look at the prompt.
        """
        answers = [tuple(self._tokens.continuation(choice)) for choice in choices]
        found: list[dict[tuple[int, ...], float]] = [{} for _ in prompts]
        rows = [prompt_ids(self._tokens, text, chat=self._chat) for text in prompts]
        for path in paths(answers):
            for batch in in_batches([len(row) for row in rows], self._batch_size):
                logs = self._log_probabilities([[*rows[at], *path] for at in batch], len(path))
                for at, log in zip(batch, logs, strict=True):
                    found[at] |= _along(log, path, answers)
        return [[exclusive(answer, answers, row) for answer in answers] for row in found]

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, stop: str) -> list[str]:
        """The greedy continuation of each prompt, up to end of text or the words `stop`."""
        continued = sample_all(
            self._model,
            self._tokens,
            [prompt_ids(self._tokens, text, chat=self._chat) for text in prompts],
            batch_size=self._batch_size,
            max_new_tokens=max_new_tokens,
            temperature=0.0,
            stopped=lambda ids: len(ids) % LOOK_EVERY == 0 and stop in self._tokens.text(ids[-2 * LOOK_EVERY :]),
        )
        return [self._tokens.text(ids).split(stop)[0].strip() for ids in continued]

    @torch.inference_mode()
    def _log_probabilities(self, rows: list[list[int]], path: int) -> Tensor:
        """(rows, path + 1, words): what the model expects after the prompt and after each token of the path."""
        self._tokens.check(max(map(len, rows)))
        ids, mask = left_padded(rows, self._tokens.pad, self._model.device)
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions(mask),
            use_cache=False,
            logits_to_keep=path + 1,
        )
        logs: Tensor = output.logits.log_softmax(-1)
        return logs


def prompt_ids(tokens: Tokens, text: str, *, chat: bool) -> list[int]:
    """A prompt as the labeler reads it: the text itself, or the user's turn in the model's chat template."""
    if not chat:
        return tokens.prompt(text)
    messages = [{"role": "user", "content": text}]
    shaped = tokens.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokens.continuation(str(shaped))


def _along(log: Tensor, path: tuple[int, ...], answers: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
    """Probability of each answer whose stem lies on the path."""
    found = {}
    for answer in answers:
        stem = answer[:-1]
        if path[: len(stem)] == stem:
            found[answer] = float(sum(log[at, token] for at, token in enumerate(answer)).exp())  # type: ignore[union-attr]
    return found
