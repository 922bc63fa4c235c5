"""Prompt texts, read from package data and put together the way the paper does.

A labeling prompt has four parts: preamble, optional exemplars, the sample, an ending (paper section 2.1).
Exemplars of a chain of thought (`exemplar-cot-1` and on) carry a rationale before the label; the others do not.
Texts lie in `texts/<register>/<task>/`: `natural` for language models, `toy` for the models of the toy
worlds, who know two hundred words. Adding a variant is adding a text file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from rlaif_spec.prompts.variant import PairVariant

Register = Literal["natural", "toy"]

EXEMPLAR_HEADER = "»»»» Example »»»»"
AFTER_EXEMPLARS = "»»»» Follow the instructions and the example(s) above »»»»"


@dataclass(frozen=True)
class PromptLibrary:
    """All prompt texts of one task in one register."""

    register: Register
    task: str

    def policy(self, context: str) -> str:
        """What a policy is given; its response follows directly."""
        return self.text("policy").format(context=context)

    def score(self, context: str, response: str) -> str:
        """Ask for a score of one response; a score from 1 to 10 follows directly."""
        return self.text("score").format(context=context, response=response)

    def pair(self, variant: PairVariant, context: str, first: str, second: str) -> str:
        """Ask which of two responses is preferred; the digit follows directly."""
        return self._join(self._question(variant, context, first, second), self.ending)

    def rationale_request(self, variant: PairVariant, context: str, first: str, second: str) -> str:
        """Ask for thoughts only: the first step of a chain of thought (paper section 2.1.2)."""
        return self._join(self._question(variant, context, first, second), self.text("rationale"))

    def after_rationale(self, request: str, rationale: str) -> str:
        """The second step: the request, the thoughts, and the standard ending."""
        return self._join(f"{request} {rationale.strip()}", self.ending)

    @property
    def ending(self) -> str:
        """The words after which the digit follows; a rationale stops before them."""
        return self.text("ending")

    def exemplars(self, cot: bool) -> Sequence[str]:
        """Worked examples, with or without a rationale, in the order in which shots use them."""
        folder = files(__package__).joinpath("texts", self.register, self.task)
        wanted = re.compile(rf"(exemplar-{'cot-' if cot else ''})(\d+)\.txt")
        numbered = [match for entry in folder.iterdir() if (match := wanted.fullmatch(entry.name))]
        return [self.text(match[1] + match[2]) for match in sorted(numbered, key=lambda match: int(match[2]))]

    def has(self, name: str) -> bool:
        """Whether a text of that name exists."""
        return files(__package__).joinpath("texts", self.register, self.task, f"{name}.txt").is_file()

    def text(self, name: str) -> str:
        """One text, without its last line break."""
        return _read(self.register, self.task, name)

    def _question(self, variant: PairVariant, context: str, first: str, second: str) -> str:
        parts = [self.text(variant.preamble)]
        if variant.shots:
            parts += [f"{EXEMPLAR_HEADER}\n\n{shot}" for shot in self.exemplars(variant.cot)[: variant.shots]]
            parts.append(AFTER_EXEMPLARS)
        sample = self.text("sample").format(context=context, first=first, second=second)
        return self._join(*parts, sample)

    def _join(self, *parts: str) -> str:
        return ("\n" if self.register == "toy" else "\n\n").join(parts)


@cache
def _read(register: str, task: str, name: str) -> str:
    folder = files(__package__).joinpath("texts", register, task)
    return folder.joinpath(f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n")
