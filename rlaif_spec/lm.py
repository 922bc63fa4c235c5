"""The seam between the method and whatever computes it: a language model that can be asked two things.

Labelers and judges see only `LanguageModel`; the local one lies in `engines.native`. `ScriptedModel` is
its twin without torch, for tests and for trying out prompts.
"""

from collections.abc import Callable, Sequence
from typing import Protocol


class LanguageModel(Protocol):
    """A model that continues text."""

    def choice_probabilities(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """P(the continuation is exactly this choice), for each prompt (rows) and choice (columns).

        Choices exclude each other: where one is the beginning of another ("1" and "10"), the probability of
        the longer is taken out of the shorter. Rows need not sum to 1: the rest went to other words.
        """

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, stop: str) -> Sequence[str | None]:
        """The greedy continuation of each prompt, up to the end of text or the words `stop`.

        None where the model would not take the prompt; a labeler counts that as unread.
        """


class ScriptedModel:
    """A language model whose answers are functions of the prompt."""

    def __init__(self, choose: Callable[[str, str], float], say: Callable[[str], str] | None = None) -> None:
        self._choose = choose
        self._say = say

    def choice_probabilities(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """`choose(prompt, choice)` for each."""
        return [[self._choose(prompt, choice) for choice in choices] for prompt in prompts]

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, stop: str) -> list[str]:
        """`say(prompt)` for each, cut at `stop`."""
        if self._say is None:
            raise ValueError("this scripted model has nothing to say; pass `say`")
        return [self._say(prompt).split(stop)[0] for prompt in prompts]
