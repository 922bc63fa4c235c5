"""The simulator's moments against their formulas, and simulated power against the designs' closed forms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness import HarnessError, proportion, win_rate
from harness.design import win_rate_detectable, win_rate_sample_size
from harness.planning import intracluster_correlation_value
from harness.power import ClusteredVerdicts, Verdicts, differs_from_half, differs_over_seeds, simulated_power

SHAPES = [
    ClusteredVerdicts(0.6, prompts=60),
    ClusteredVerdicts(0.55, ties=0.2, prompts=60, correlation=0.66),
    ClusteredVerdicts(0.3, ties=0.1, prompts=30, rows_per_prompt=5, correlation=0.3),
    ClusteredVerdicts(0.6, ties=0.1, prompts=20, correlation=0.5, seeds=4, seed_sd=0.08),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", SHAPES)
def test_moments_of_the_mean(shape: ClusteredVerdicts) -> None:
    generator = rng(1)
    means = np.array([shape(generator).credit.mean() for _ in range(2000)])
    assert means.mean() == pytest.approx(shape.rate, abs=4 * shape.standard_error / 2000**0.5)
    assert means.std() == pytest.approx(shape.standard_error, rel=0.065)  # 4 standard errors of a deviation


@pytest.mark.parametrize("shape", SHAPES[1:3])
def test_rows_have_the_ties_and_the_correlation_asked(shape: ClusteredVerdicts) -> None:
    drawn = ClusteredVerdicts(shape.rate, shape.ties, 20_000, shape.rows_per_prompt, shape.correlation)(rng(2))
    assert np.mean(drawn.credit == 0.5) == pytest.approx(shape.ties, abs=0.01)
    assert np.mean(drawn.credit == 1.0) == pytest.approx(shape.rate - shape.ties / 2, abs=0.015)
    assert intracluster_correlation_value(drawn.credit, drawn.clusters) == pytest.approx(shape.correlation, abs=0.03)
    rows = drawn.credit.reshape(20_000, -1)
    assert np.corrcoef(rows.T)[0, -1] == pytest.approx(shape.correlation, abs=0.03)
    assert np.corrcoef(rows.T)[0, 1] == pytest.approx(shape.correlation, abs=0.03)


def test_full_correlation_repeats_and_none_does_not() -> None:
    alike = ClusteredVerdicts(0.5, prompts=200, rows_per_prompt=4, correlation=1.0)(rng()).credit.reshape(200, 4)
    assert (alike == alike[:, :1]).all()
    assert 0 < alike[:, 0].sum() < 200
    apart = ClusteredVerdicts(0.5, prompts=2000)(rng()).credit.reshape(2000, 2)
    assert abs(np.corrcoef(apart.T)[0, 1]) < 0.09


def test_prompts_lie_within_seeds() -> None:
    drawn = ClusteredVerdicts(0.5, prompts=2, rows_per_prompt=2, seeds=2)(rng())
    assert drawn.seeds.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert drawn.clusters.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert drawn.credit.shape == (8,)


def test_outcomes_are_those_of_win_rate() -> None:
    assert Verdicts(np.array([1.0, 0.5, 0.0]), np.arange(3), np.zeros(3, dtype=int)).outcomes == [
        "policy",
        "tie",
        "opponent",
    ]
    drawn = ClusteredVerdicts(0.6, ties=0.2, prompts=50)(rng())
    found = win_rate(drawn.outcomes, clusters=drawn.clusters, rng=rng(), resamples=100)
    assert found.estimate.value == pytest.approx(drawn.credit.mean())
    assert found.ties == np.sum(drawn.credit == 0.5)


@pytest.mark.parametrize("ties", [0.0, 0.2])
def test_power_is_that_of_the_closed_form(ties: float) -> None:
    design = win_rate_sample_size(0.57, ties=ties, rows_per_cluster=2, correlation=0.66)
    shape = ClusteredVerdicts(0.57, ties=ties, prompts=design.clusters, correlation=0.66)
    power = simulated_power(shape, differs_from_half, rng=rng(3), rounds=800)
    assert power.low <= 0.8 <= power.high
    distance = win_rate_detectable(600, ties=ties, rows_per_cluster=2, correlation=0.66, power=0.9).detectable
    shape = ClusteredVerdicts(0.5 - distance, ties=ties, prompts=300, correlation=0.66)
    assert simulated_power(shape, differs_from_half, rng=rng(4), rounds=800).value == pytest.approx(0.9, abs=0.03)


def test_no_difference_is_found_as_often_as_the_level_says() -> None:
    shape = ClusteredVerdicts(0.5, prompts=200, correlation=0.66)
    alarms = simulated_power(shape, lambda drawn: differs_from_half(drawn, level=0.9), rng=rng(5), rounds=1000)
    assert alarms.low < 0.1 < alarms.high
    assert alarms.n == 1000


def test_seeds_that_differ_are_counted_by_seeds_alone() -> None:
    shape = ClusteredVerdicts(0.5, prompts=200, correlation=0.5, seeds=3, seed_sd=0.05)
    by_prompt = simulated_power(shape, differs_from_half, rng=rng(6), rounds=400)
    by_seed = simulated_power(shape, differs_over_seeds, rng=rng(6), rounds=400)
    assert by_seed.low < 0.05 < by_seed.high
    assert by_prompt.low > 0.2


def test_estimate_is_a_share_of_rounds() -> None:
    coin = simulated_power(lambda generator: generator.random(), lambda x: x < 0.3, rng=rng(7), rounds=500, level=0.9)
    assert coin.value == pytest.approx(np.mean(rng(7).random(500) < 0.3))
    expected = proportion(round(500 * coin.value), 500, level=0.9)
    assert (coin.low, coin.high, coin.level, coin.n) == (expected.low, expected.high, 0.9, 500)
    assert coin.method == "wilson over simulated rounds"
    again = simulated_power(lambda generator: generator.random(), lambda x: x < 0.3, rng=rng(7), rounds=500, level=0.9)
    assert again == coin


def one(**options: Any) -> object:
    return simulated_power(lambda generator: 1, lambda data: True, **{"rng": rng(), "rounds": 2, **options})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one(rng=0), "simulated_power: rng is 0; give numpy.random.default_rng"),
        (lambda: one(rounds=0), "simulated_power: rounds is 0; give at least 1, such as 1000"),
        (lambda: one(level=2), "level is 2"),
        (
            lambda: simulated_power(lambda g: 1, lambda d: 0.5, rng=rng()),
            "decision 0 is 0.5; let decide return True or",
        ),  # type: ignore[arg-type,return-value]
        (lambda: ClusteredVerdicts(0.5, prompts=0), "ClusteredVerdicts: prompts is 0; give 1 or more"),
        (lambda: ClusteredVerdicts(0.5, ties=1.0), "ties is 1.0; give a share from 0 to below 1"),
        (lambda: ClusteredVerdicts(0.95, ties=0.2), "rate is 0.95 with ties 0.2; give one from 0.1 to 0.9"),
        (lambda: ClusteredVerdicts(0.5, correlation=-0.1), "correlation is -0.1; give one from 0 to 1"),
        (lambda: ClusteredVerdicts(0.5, seed_sd=0.5), "seed_sd is 0.5; give 0 to below 0.5"),
        (lambda: ClusteredVerdicts(0.5, seed_sd=-0.1), "seed_sd is -0.1"),
        (lambda: differs_from_half(ClusteredVerdicts(0.5)(rng()), level=0), "differs_from_half: level is 0"),
        (lambda: differs_over_seeds(ClusteredVerdicts(0.5)(rng()), level=0), "differs_over_seeds: level is 0"),
        (lambda: differs_from_half(ClusteredVerdicts(0.5, prompts=1)(rng())), "all rows are in one cluster"),
        (lambda: differs_over_seeds(ClusteredVerdicts(0.5)(rng())), "differs_over_seeds: all rows are in one cluster"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
