"""What stands beside a policy's figure about its seeds."""

from statistics import fmean
from typing import Literal

import pytest

from rlaif_spec.records import Judgement
from rlaif_spec.report.policies import RatedPolicy, judged_win_rate, rated_harmless_rate
from rlaif_spec.report.tables import render
from rlaif_spec.spec.settings import EvaluationSettings
from rlaif_spec.stages.context import Rating

SETTINGS = EvaluationSettings(resamples=100)
Outcome = Literal["policy", "opponent", "tie", "unparsed"]
WORTH = {"policy": 1.0, "tie": 0.5, "opponent": 0.0}
SEEDS: dict[int, list[Outcome]] = {
    0: ["policy", "policy", "opponent", "tie", "policy", "unparsed"],
    1: ["opponent", "policy", "opponent", "tie", "opponent", "opponent"],
}


def judged(seeds: dict[int, list[Outcome]]) -> dict[int, list[Judgement]]:
    return {
        seed: [Judgement(id=f"{seed}-{at}", rater=0, outcome=outcome) for at, outcome in enumerate(row)]
        for seed, row in seeds.items()
    }


def test_each_seeds_own_value_stands_beside_the_pooled_one() -> None:
    figure = judged_win_rate("p", "sft", "summarize", judged(SEEDS), SETTINGS)
    assert figure is not None
    read = {seed: [WORTH[outcome] for outcome in row if outcome in WORTH] for seed, row in SEEDS.items()}
    assert figure.by_seed == pytest.approx([fmean(row) for row in read.values()])
    assert figure.interval.value == pytest.approx(fmean(value for row in read.values() for value in row))
    assert " 2 (0.250 to 0.700) " in render([figure])


def test_one_seed_is_one_seed() -> None:
    figure = judged_win_rate("p", "sft", "summarize", judged({3: SEEDS[0]}), SETTINGS)
    assert figure is not None
    assert figure.by_seed == (figure.interval.value,)
    assert " to " not in render([figure])


def test_a_seed_in_which_nothing_was_read_leaves_the_pooled_figure_alone() -> None:
    figure = judged_win_rate("p", "sft", "summarize", judged({**SEEDS, 2: ["unparsed"]}), SETTINGS)
    assert figure is not None
    assert (figure.seeds, figure.by_seed) == (3, ())


def test_harmless_rates_too() -> None:
    ratings = {
        seed: [Rating(id=f"{seed}-{at}", words=3, utility=None, harmless=flag) for at, flag in enumerate(flags)]
        for seed, flags in {0: [True, True, False, True], 1: [False, True, None, False]}.items()
    }
    figure = rated_harmless_rate(RatedPolicy("p", "harmless", {0: "a", 1: "b"}, ratings), SETTINGS)
    assert figure is not None
    assert figure.by_seed == pytest.approx([3 / 4, 1 / 3])
