"""How toy models are made: from training facts only, in the words of the labeling prompts, to the same bits."""

import random
from pathlib import Path

import pytest

from rlaif_spec.engines.native.pretrain.exercises import MIX, Lesson, write_lesson
from rlaif_spec.engines.native.pretrain.train import train_toy_model
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.worlds import WORLDS
from rlaif_spec.worlds.summarize import facts
from rlaif_spec.worlds.vocabulary import held_out


def lessons(kind: str, task: str, count: int = 200) -> list[Lesson]:
    rng = random.Random(9)
    return [write_lesson(rng, kind, task) for _ in range(count)]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", MIX)
def test_no_lesson_has_a_held_out_fact(kind: str) -> None:
    for lesson in lessons(kind, "summarize"):
        post = next(line for line in lesson.pieces[0][0].splitlines() if line.startswith("Text - "))
        known = facts(post.removeprefix("Text - "))
        assert not held_out(known["who"], known["thing"])


@pytest.mark.parametrize("task", WORLDS)
def test_answers_stand_where_labelers_are_asked(task: str) -> None:
    ending = PromptLibrary("toy", task).ending
    for kind in ("pair", "rationale"):
        for lesson in lessons(kind, task):
            at = next(at for at, (text, _) in enumerate(lesson.pieces) if text.endswith(ending))
            assert lesson.pieces[at + 1][0] in ("1", "2")
    for lesson in lessons("score", task):
        asked = [at for at, (text, _) in enumerate(lesson.pieces) if text.endswith("SCORE:")]
        assert len(asked) == 3
        assert all(lesson.pieces[at + 1][0] in map(str, range(1, 11)) for at in asked)


@pytest.mark.slow
def test_a_training_ends_in_the_same_bits(tmp_path: Path) -> None:
    for name in ("one", "two"):
        train_toy_model("toy-xs", tmp_path / name, steps=4)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
