"""A local model as a labeler or judge: probabilities of whole answers, and greedy rationales."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

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
        rows = [self._prompt(text) for text in prompts]
        for path in _paths(answers):
            for batch in in_batches([len(row) for row in rows], self._batch_size):
                logs = self._log_probabilities([[*rows[at], *path] for at in batch], len(path))
                for at, log in zip(batch, logs, strict=True):
                    found[at] |= _along(log, path, answers)
        return [[_exclusive(answer, answers, row) for answer in answers] for row in found]

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, stop: str) -> list[str]:
        """The greedy continuation of each prompt, up to end of text or the words `stop`."""
        continued = sample_all(
            self._model,
            self._tokens,
            [self._prompt(text) for text in prompts],
            batch_size=self._batch_size,
            max_new_tokens=max_new_tokens,
            temperature=0.0,
            stopped=lambda ids: len(ids) % LOOK_EVERY == 0 and stop in self._tokens.text(ids[-2 * LOOK_EVERY :]),
        )
        return [self._tokens.text(ids).split(stop)[0].strip() for ids in continued]

    def _prompt(self, text: str) -> list[int]:
        if not self._chat:
            return self._tokens.prompt(text)
        messages = [{"role": "user", "content": text}]
        shaped = self._tokens.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self._tokens.continuation(str(shaped))

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


def _paths(answers: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The fewest token paths whose reading gives the probability of every answer: all but the last token of each."""
    stems = {answer[:-1] for answer in answers}
    return sorted(stem for stem in stems if not any(other != stem and other[: len(stem)] == stem for other in stems))


def _along(log: Tensor, path: tuple[int, ...], answers: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
    """Probability of each answer whose stem lies on the path."""
    found = {}
    for answer in answers:
        stem = answer[:-1]
        if path[: len(stem)] == stem:
            found[answer] = float(sum(log[at, token] for at, token in enumerate(answer)).exp())  # type: ignore[union-attr]
    return found


def _exclusive(
    answer: tuple[int, ...], answers: Sequence[tuple[int, ...]], found: dict[tuple[int, ...], float]
) -> float:
    """Take out of an answer the probability of those that begin with it; the longest are their own."""
    longer = [other for other in answers if len(other) > len(answer) and other[: len(answer)] == answer]
    nearest = [one for one in longer if not any(one != two and one[: len(two)] == two for two in longer)]
    return max(0.0, found[answer] - sum(found[other] for other in nearest))
