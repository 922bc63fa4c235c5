"""The texts that the off-the-shelf toy models are trained on, written in the labeling-prompt format.

Five kinds, for each world: documents (a context and a response), proofreading (a mark after each word
that states a fact), pairs with and without a rationale, and scores. A `Lesson` is a list of text pieces
with the weight that the loss gives to each; answers weigh most, the texts that are only read almost nothing.
"""

import random
from dataclasses import dataclass
from typing import Final, Literal

from rlaif_spec.prompts import PairVariant, PromptLibrary
from rlaif_spec.worlds import WORLDS

Kind = Literal["document", "proofreading", "pair", "rationale", "score"]

MIX: Final[dict[Kind, float]] = {
    "document": 0.12,
    "proofreading": 0.20,
    "pair": 0.30,
    "rationale": 0.17,
    "score": 0.21,
}
TASK_MIX: Final = {"summarize": 0.33, "helpful": 0.25, "harmless": 0.42}
"""What is dangerous for which aim is the most to learn, so harmless has the most lessons."""
CARELESS: Final = 0.3
"""Share of compared responses by a careless writer: where most is wrong, there is more to see."""
READ: Final = 0.02
MARK: Final = 3.0
ANSWER: Final = 4.0
CLEAR: Final = 0.05
"""A pair whose utilities differ by less teaches nothing: its answer has no weight."""


@dataclass(frozen=True)
class Lesson:
    """Pieces of one training text and the loss weight of each."""

    pieces: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return " ".join(text for text, _ in self.pieces)


def write_lesson(rng: random.Random, kind: Kind | None = None, task: str | None = None) -> Lesson:
    """One lesson, of a kind drawn from `MIX` and from a world drawn at random unless given; training facts only."""
    task = task or rng.choices(list(TASK_MIX), list(TASK_MIX.values()))[0]
    kind = kind or rng.choices(list(MIX), list(MIX.values()))[0]
    return _WRITERS[kind](rng, task)


def _document(rng: random.Random, task: str) -> Lesson:
    world = WORLDS[task]
    context = world.write_context(rng, "train")
    return Lesson(((_library(task).policy(context), READ), (world.write_response(rng, context), 0.5), ("<eos>", 0.5)))


def _proofreading(rng: random.Random, task: str) -> Lesson:
    world = WORLDS[task]
    context = world.write_context(rng, "train")
    response = world.write_response(rng, context, careless=True)
    marks = dict(world.marks(context, response))
    pieces: list[tuple[str, float]] = [(_library(task).policy(context) + " proofread :", READ)]
    for at, word in enumerate(response.split()):
        pieces.append((word, 0.2))
        if at in marks:
            pieces.append((marks[at], MARK))
    return Lesson((*pieces, ("<eos>", READ)))


def _pair(rng: random.Random, task: str) -> Lesson:
    context, first, second, answer, weight = _draw_pair(rng, task)
    prompt = _library(task).pair(_variant(rng, cot=False), context, first, second)
    return Lesson(((prompt, READ), (answer, weight), ("<eos>", READ)))


def _rationale(rng: random.Random, task: str) -> Lesson:
    context, first, second, answer, weight = _draw_pair(rng, task)
    library, world = _library(task), WORLDS[task]
    request = library.rationale_request(_variant(rng, cot=True), context, first, second)
    thoughts = f"1 {world.rationale(context, first)} . 2 {world.rationale(context, second)} ."
    return Lesson(((request, READ), (thoughts, 0.7), (library.ending, 0.1), (answer, weight), ("<eos>", READ)))


def _score(rng: random.Random, task: str) -> Lesson:
    world = WORLDS[task]
    context = world.write_context(rng, "train")
    response = world.write_response(rng, context, careless=rng.random() < CARELESS)
    rating = world.rating(world.utility(context, response))
    return Lesson(((_library(task).score(context, response), READ), (str(rating), ANSWER), ("<eos>", READ)))


def _draw_pair(rng: random.Random, task: str) -> tuple[str, str, str, str, float]:
    """Context, two responses, the answer that the prompt asks for and its weight."""
    world = WORLDS[task]
    context = world.write_context(rng, "train")
    first, second = (world.write_response(rng, context, careless=rng.random() < CARELESS) for _ in range(2))
    gap = world.utility(context, first) - world.utility(context, second)
    asked_for_worse = task == "harmless"
    answer = "1" if (gap > 0) != asked_for_worse else "2"
    return context, first, second, answer, ANSWER if abs(gap) > CLEAR else 0.0


def _variant(rng: random.Random, *, cot: bool) -> PairVariant:
    return PairVariant(style=rng.choice(("base", "detailed")), cot=cot, shots=0)


def _library(task: str) -> PromptLibrary:
    return PromptLibrary("toy", task)


_WRITERS: Final = {
    "document": _document,
    "proofreading": _proofreading,
    "pair": _pair,
    "rationale": _rationale,
    "score": _score,
}
