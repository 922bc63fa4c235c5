"""Toy worlds: what measures shares no fact with what trains, and raters are as noisy as they say."""

import pytest

from rlaif_spec.datasets import Dataset, load_data
from rlaif_spec.records import Comparison
from rlaif_spec.spec.scale import WorldData
from rlaif_spec.tasks import TASKS, TaskName
from rlaif_spec.worlds import WORLDS, rater_probability
from rlaif_spec.worlds.summarize import facts
from rlaif_spec.worlds.vocabulary import held_out

SMALL = WorldData(
    kind="world", demonstrations=40, comparisons=60, prompts=50, validation=30, evaluation=70, alignment=60
)


def load(task: TaskName, *, seed: int = 0, **counts: int) -> Dataset:
    return load_data(task, SMALL.model_copy(update=counts), seed=seed)


@pytest.mark.parametrize("task", TASKS)
def test_every_part_has_its_size_and_ids(task: TaskName) -> None:
    data = load(task)
    for part, count in SMALL.model_dump(exclude={"kind"}).items():
        assert [row.id for row in getattr(data, part)] == [f"{part}-0-{at}" for at in range(count)]
    assert all(row.reference for row in data.demonstrations)
    assert all(row.reference is None for row in [*data.prompts, *data.validation, *data.evaluation])
    assert all(row.first != row.second and row.human for row in [*data.comparisons, *data.alignment])
    assert data.skipped == {}


@pytest.mark.parametrize("task", TASKS)
def test_measured_contexts_are_distinct_and_never_trained_on(task: TaskName) -> None:
    data = load(task)
    measured = [row.context for row in [*data.validation, *data.evaluation]]
    assert len(set(measured)) == len(measured)
    trained = {row.context for row in [*data.demonstrations, *data.comparisons, *data.prompts]}
    assert trained.isdisjoint([*measured, *(row.context for row in data.alignment)])


def test_facts_of_summaries_are_on_their_side() -> None:
    data = load("summarize")
    for part, expected in {"demonstrations": False, "comparisons": False, "prompts": False, "alignment": True}.items():
        for row in getattr(data, part):
            known = facts(row.context)
            assert held_out(known["who"], known["thing"]) == expected


def test_same_seed_same_texts_other_seed_other_texts() -> None:
    assert load("helpful", seed=3) == load("helpful", seed=3)
    assert load("helpful", seed=3).prompts != load("helpful", seed=4).prompts


def test_a_part_does_not_depend_on_the_size_of_another() -> None:
    few, many = load("harmless"), load("harmless", prompts=90, validation=40)
    assert many.prompts[:50] == few.prompts
    assert (many.evaluation, many.comparisons) == (few.evaluation, few.comparisons)


@pytest.mark.parametrize("task", TASKS)
def test_raters_choose_as_often_as_they_should(task: TaskName) -> None:
    """Sum of independent Bernoulli draws: within four standard deviations of its mean."""
    rows = load(task, comparisons=1500).comparisons
    expected = [_prefers_first(task, row) for row in rows]
    variance = sum(p * (1 - p) for p in expected)
    chose_first = sum(row.human == "first" for row in rows)
    assert abs(chose_first - sum(expected)) < 4 * variance**0.5
    likely = sum((row.human == "first") == (p > 0.5) for row, p in zip(rows, expected, strict=True))
    assert abs(likely - sum(max(p, 1 - p) for p in expected)) < 4 * variance**0.5


def test_a_world_without_fresh_texts_repeats_itself() -> None:
    from rlaif_spec.datasets.from_world import _Writer

    writer = _Writer("helpful", 0)
    writer._world = _OneText()  # type: ignore[assignment]
    assert [row.context for row in writer.contexts("prompts", "train", 3, set())] == ["a text"] * 3


class _OneText:
    def write_context(self, rng: object, split: object) -> str:
        return "a text"


def _prefers_first(task: str, row: Comparison) -> float:
    world = WORLDS[task]
    return rater_probability(world.utility(row.context, row.first), world.utility(row.context, row.second))
