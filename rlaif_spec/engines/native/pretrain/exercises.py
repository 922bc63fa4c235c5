"""The texts that the off-the-shelf toy models are trained on, written in the labeling-prompt format.

Five kinds, for each world: documents (a context and a response), proofreading (a mark after each word
that states a fact), pairs with and without a rationale, and scores. Behind the answer to a pair stand the
ratings of both responses: nobody asks for them, but they teach what the answer rests on.

A `Lesson` is a list of text pieces with the weight that the loss gives to each; answers weigh most, the texts that
are only read almost nothing.
"""

import random
from dataclasses import dataclass
from typing import Final, Literal

from rlaif_spec.prompts import PairVariant, PromptLibrary
from rlaif_spec.worlds import WORLDS
from rlaif_spec.worlds.vocabulary import CATEGORY

Kind = Literal["document", "proofreading", "pair", "rationale", "score"]

MIX: Final[dict[Kind, float]] = {
    "document": 0.20,
    "proofreading": 0.20,
    "pair": 0.25,
    "rationale": 0.17,
    "score": 0.18,
}
TASK_MIX: Final = {"summarize": 0.33, "helpful": 0.25, "harmless": 0.42}
"""What is dangerous for which aim is the most to learn, so harmless has the most lessons."""
CARELESS: Final = 0.3
"""Share of compared responses by a careless writer: where most is wrong, there is more to see."""
CAREFUL: Final = 0.7
"""Share of documents by a careful writer: copying facts is learnt from texts that do."""
READ: Final = 0.02
WRITTEN: Final = 1.0
"""A word of a document or of a rationale; one that states a fact counts three times."""
MARK: Final = 3.0
ANSWER: Final = 12.0
"""An answer is one word after eighty that are only read, so it weighs much."""
SCORED: Final = 3
"""Responses that one scoring lesson rates."""
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
    response = world.write_response(rng, context, manner="careful" if rng.random() < CAREFUL else "usual")
    return Lesson(((_library(task).policy(context), READ), *_written(response), ("<eos>", WRITTEN)))


def _proofreading(rng: random.Random, task: str) -> Lesson:
    world = WORLDS[task]
    context = world.write_context(rng, "train")
    response = world.write_response(rng, context, manner="careless")
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
    ratings = [(str(_rating(task, context, response)), ANSWER / 2) for response in (first, second)]
    return Lesson(((prompt, READ), (answer, weight), *ratings, ("<eos>", READ)))


def _rationale(rng: random.Random, task: str) -> Lesson:
    context, first, second, answer, weight = _draw_pair(rng, task)
    library, world = _library(task), WORLDS[task]
    request = library.rationale_request(_variant(rng, cot=True), context, first, second)
    thoughts = f"1 {world.rationale(context, first)} . 2 {world.rationale(context, second)} ."
    return Lesson(((request, READ), *_written(thoughts), (library.ending, 0.1), (answer, weight), ("<eos>", READ)))


def _score(rng: random.Random, task: str) -> Lesson:
    """Several responses to one context: the first as labelers are asked, the others behind it for little more."""
    context = WORLDS[task].write_context(rng, "train")
    pieces: list[tuple[str, float]] = []
    for at in range(SCORED):
        response = _compared(rng, task, context)
        asked = _library(task).score(context, response)
        text = asked if at == 0 else asked.partition(f"{context}\n")[2]
        pieces += [(text, READ), (str(_rating(task, context, response)), ANSWER)]
    return Lesson((*pieces, ("<eos>", READ)))


def _compared(rng: random.Random, task: str, context: str) -> str:
    """A response to be judged."""
    return WORLDS[task].write_response(rng, context, manner="careless" if rng.random() < CARELESS else "usual")


def _written(text: str) -> list[tuple[str, float]]:
    return [(word, WRITTEN * (3 if word in CATEGORY else 1)) for word in text.split()]


def _rating(task: str, context: str, response: str) -> int:
    return WORLDS[task].rating(WORLDS[task].utility(context, response))


def _draw_pair(rng: random.Random, task: str) -> tuple[str, str, str, str, float]:
    """Context, two responses, the answer that the prompt asks for and its weight."""
    world = WORLDS[task]
    context = world.write_context(rng, "train")
    first, second = _compared(rng, task, context), _compared(rng, task, context)
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
