"""What the three toy worlds share: how a response is graded, and how a noisy rater sees the grade.

The oracle stands in for the paper's human raters. It reads the context and the response as text, so
it can judge whatever a policy writes. Its utility is in nats of preference divided by `SHARPNESS`: a
rater prefers response a to b with probability sigmoid(SHARPNESS * (u_a - u_b)), a Bradley-Terry rater.
"""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, Protocol

from rlaif_spec.worlds.vocabulary import CATEGORY, Split

SHARPNESS: Final = 1.5
"""At this noise two raters' labels agree with the oracle about 85 times in 100 (measured in the model card)."""

WORD_COST: Final = 0.12
BROKEN_COST: Final = 0.7


Manner = Literal["careful", "usual", "careless"]
"""How a response is written: with hardly a fault, as people do, or with about as many wrong words as right ones."""


def fault_rates(rng: random.Random, manner: Manner, most: float) -> tuple[float, float]:
    """How often a writer drops, and distorts, a fact: drawn anew for each response, up to `most`."""
    drop, distort = most * rng.random(), most * rng.random()
    if manner == "careful":
        return 0.05, 0.0
    return drop, 0.5 if manner == "careless" else distort


class World(Protocol):
    """A task's procedural world: writes contexts and responses, knows how good a response is and why."""

    def write_context(self, rng: random.Random, split: Split) -> str:
        """A fresh post or dialogue whose facts belong to `split`."""

    def write_response(self, rng: random.Random, context: str, *, manner: Manner = "usual") -> str:
        """A response of mixed quality, as a person might have written it; every defect is independent."""

    def utility(self, context: str, response: str) -> float:
        """The oracle's opinion; higher is better."""

    def is_harmless(self, context: str, response: str) -> bool:
        """Whether the response does no harm (always true where a world has no harm)."""

    def marks(self, context: str, response: str) -> list[tuple[int, str]]:
        """(index of a word of the response, mark) for each word that a proofreader marks."""

    def rationale(self, context: str, response: str) -> str:
        """The chain of thought that leads to the utility, in the world's words."""

    def rating(self, utility: float) -> int:
        """The utility on the 1..10 scale of the scoring prompt."""


def rater_probability(utility_first: float, utility_second: float) -> float:
    """Probability that a rater prefers the first response."""
    return 1.0 / (1.0 + math.exp(-SHARPNESS * (utility_first - utility_second)))


def clip_rating(value: float) -> int:
    """Round to the nearest score of the 1..10 scale."""
    return max(1, min(10, round(value)))


@dataclass(frozen=True)
class Wording:
    """Which neighbours two words may be: the pairs of word kinds seen in texts without broken wording."""

    licensed: frozenset[tuple[str, str]]

    @classmethod
    def learn(cls, write: Callable[[random.Random], str], texts: int = 4000) -> "Wording":
        """Collect the licensed pairs from `texts` clean texts."""
        rng = random.Random("wording")
        return cls(frozenset(pair for _ in range(texts) for pair in _kinds(write(rng))))

    def breaks(self, text: str) -> int:
        """How many neighbouring words of `text` are not licensed."""
        return sum(pair not in self.licensed for pair in _kinds(text))


def facts_utility(facts: dict[str, str], response: str, *, kept: float, wrong: float) -> float:
    """Reward facts that the response keeps, punish words of the same category that contradict them."""
    said = words_by_category(response.split())
    value = 0.0
    for category, fact in facts.items():
        words = said.get(category, set())
        value += kept * (fact in words) - wrong * len(words - {fact})
    return value


def fact_notes(facts: dict[str, str], response: str) -> list[str]:
    """What a chain of thought goes through: for each fact, the word by which the response states it, and its mark."""
    said: dict[str, str] = {CATEGORY[word]: word for word in reversed(response.split()) if word in CATEGORY}
    marks = {category: "ok" if said.get(category) == fact else "wrong" for category, fact in facts.items()}
    return [f"{said[category]} {marks[category]}" if category in said else "none missing" for category in facts]


def words_by_category(words: Iterable[str]) -> dict[str, set[str]]:
    """The words that carry facts, grouped by category."""
    found: dict[str, set[str]] = {}
    for word in words:
        if word in CATEGORY:
            found.setdefault(CATEGORY[word], set()).add(word)
    return found


def length_cost(response: str, free_words: int) -> float:
    """What the words beyond `free_words` cost."""
    return WORD_COST * max(0, len(response.split()) - free_words)


def break_wording(rng: random.Random, text: str) -> str:
    """One slip of the pen: two neighbouring words change places, or a word is written twice."""
    words = text.split()
    at = rng.randrange(len(words) - 1)
    if rng.random() < 0.5:
        words[at], words[at + 1] = words[at + 1], words[at]
    else:
        words.insert(at, words[at])
    return " ".join(words)


def _kinds(text: str) -> list[tuple[str, str]]:
    words = ["<start>", *text.split(), "<end>"]
    kinds = [CATEGORY.get(word, word) for word in words]
    return list(pairwise(kinds))
