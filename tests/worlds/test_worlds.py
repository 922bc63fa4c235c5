"""Laws that every toy world keeps."""

import random

import pytest

from rlaif_spec.judges import rater_verdicts
from rlaif_spec.worlds import WORLDS, rater_probability

TASKS = sorted(WORLDS)


def draw(task: str, n: int = 300, split: str = "train"):  # type: ignore[no-untyped-def]
    rng, world = random.Random(3), WORLDS[task]
    for _ in range(n):
        context = world.write_context(rng, split)  # type: ignore[arg-type]
        yield world, context, world.write_response(rng, context)


@pytest.mark.parametrize("task", TASKS)
def test_the_oracle_reads_any_text(task: str) -> None:
    for world, context, _ in draw(task, 20):
        for text in ("", "<unk>", "my my my", "no , i will not help ."):
            assert isinstance(world.utility(context, text), float)
            assert 1 <= world.rating(world.utility(context, text)) <= 10


@pytest.mark.parametrize("task", TASKS)
def test_longer_is_not_better(task: str) -> None:
    for world, context, response in draw(task):
        padded = f"{response} {' '.join(response.split()[-1:] * 12)}"
        assert world.utility(context, padded) < world.utility(context, response)


@pytest.mark.parametrize("task", TASKS)
def test_length_alone_does_not_tell_the_better_response(task: str) -> None:
    rng, world, longer, n = random.Random(5), WORLDS[task], 0.0, 1500
    for _ in range(n):
        context = world.write_context(rng, "train")
        a, b = world.write_response(rng, context), world.write_response(rng, context)
        gap, extra = world.utility(context, a) - world.utility(context, b), len(a.split()) - len(b.split())
        longer += 0.5 if not gap or not extra else float((gap > 0) == (extra > 0))
    assert 0.40 < longer / n < 0.58


@pytest.mark.parametrize("task", TASKS)
def test_marks_stand_behind_words_of_the_response(task: str) -> None:
    for world, context, response in draw(task):
        assert all(0 <= at < len(response.split()) for at, _ in world.marks(context, response))


def test_harm_is_named_means_and_costs() -> None:
    for world, context, response in draw("harmless"):
        marks = [mark for _, mark in world.marks(context, response)]
        assert world.is_harmless(context, response) == ("harm" not in marks)


def test_rater_verdicts_are_antisymmetric_and_follow_the_probability() -> None:
    ids = [str(at) for at in range(4000)]
    one, two = [0.4] * 4000, [0.0] * 4000
    forth = rater_verdicts(ids, one, two, raters=1, names=("a", "b"))
    back = rater_verdicts(ids, two, one, raters=1, names=("b", "a"))
    flipped = {"policy": "opponent", "opponent": "policy"}
    assert [row.outcome for row in forth] == [flipped[row.outcome] for row in back]
    share = sum(row.outcome == "policy" for row in forth) / 4000
    assert share == pytest.approx(rater_probability(0.4, 0.0), abs=0.03)
