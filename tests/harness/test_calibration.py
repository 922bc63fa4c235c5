"""Soft labels against scikit-learn and a bounded search, and the laws of scores and temperatures."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from harness import HarnessError, proportion
from harness.auc import auc_value
from harness.calibration import (
    apply_temperature,
    brier,
    brier_parts,
    expected_calibration_error,
    log_loss,
    reliability_table,
    temperature,
    temperature_value,
)

FEW: dict[str, Any] = {"resamples": 200}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def labels(seed: int, rows: int = 60, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with ties, and hard choices of both kinds that follow them."""
    generator = rng(seed)
    found = generator.beta(1.5, 1.2, size=rows).round(decimals)
    chosen = (generator.random(rows) < found).astype(float)
    chosen[:2] = [0.0, 1.0]
    return found, chosen


def mean_loss(found: np.ndarray, chosen: np.ndarray) -> float:
    return log_loss(found, chosen, rng=rng(), resamples=100).value


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_brier_and_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    found, chosen = labels(seed)
    assert brier(found, chosen, rng=rng(), **FEW).value == pytest.approx(brier_score_loss(chosen, found))
    inside = np.clip(found, 1e-6, 1 - 1e-6)
    assert mean_loss(found, chosen) == pytest.approx(sklearn_log_loss(chosen, inside))


def test_a_share_is_its_raters_laid_out() -> None:
    found, raters = labels(5, rows=30)[0], rng(6).integers(0, 2, size=(30, 4)).astype(float)
    shares, one_by_one = raters.mean(axis=1), (np.repeat(found, 4), raters.ravel())
    assert auc_value(found, shares) == pytest.approx(auc_value(*one_by_one))
    shares, raters = 0.5 * (shares + (found > 0.5)), np.column_stack([raters, np.tile(found > 0.5, (4, 1)).T])
    one_by_one = (np.repeat(found, 8), raters.ravel())
    assert temperature_value(found, shares) == pytest.approx(temperature_value(*one_by_one))
    for parts, laid in zip(brier_parts(found, shares), brier_parts(*one_by_one), strict=True):
        assert parts == pytest.approx(laid)
    for figure in (brier, log_loss):
        prompts = np.repeat(np.arange(30), 8)
        mine, other = figure(found, shares, rng=rng()), figure(*one_by_one, clusters=prompts, rng=rng())
        assert (mine.value, mine.low, mine.high) == pytest.approx((other.value, other.low, other.high), rel=0.02)


def temperature_is_defined(found: np.ndarray, shares: np.ndarray) -> bool:
    logits = np.log(np.clip(found, 1e-6, 1 - 1e-6) / (1 - np.clip(found, 1e-6, 1 - 1e-6)))
    return float(logits @ (shares - 0.5)) > 0.0


def test_brier_parts_by_hand_and_as_a_sum() -> None:
    parts = brier_parts([0.8, 0.8, 0.4, 0.4], [1, 1, 0, 1])
    assert parts == pytest.approx((0.5 * 0.2**2 + 0.5 * 0.1**2, 0.25**2, 0.75 * 0.25, 0.0))
    found, chosen = labels(7, decimals=3)
    score = brier(found, chosen, rng=rng(), **FEW).value
    for binning in ("width", "count"):
        parts = brier_parts(found, chosen, bins=5, binning=binning)  # type: ignore[arg-type]
        assert parts.reliability - parts.resolution + parts.uncertainty + parts.within == pytest.approx(score)
    assert brier_parts(found, chosen, bins=10_000).within == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(("binning", "strategy"), [("width", "uniform"), ("count", "quantile")])
@pytest.mark.parametrize("seed", range(5))
def test_reliability_is_that_of_scikit_learn(binning: Any, strategy: str, seed: int) -> None:
    found, chosen = labels(seed, rows=200, decimals=3)
    rows = reliability_table(found, chosen, bins=7, binning=binning)
    observed, predicted = calibration_curve(chosen, found, n_bins=7, strategy=strategy)
    assert [row.predicted for row in rows] == pytest.approx(predicted)
    assert [row.observed.value for row in rows] == pytest.approx(observed)
    assert sum(row.observed.n for row in rows) == 200
    assert all(row.low <= row.predicted <= row.high for row in rows)
    wilson = proportion(rows[0].observed.value * rows[0].observed.n, rows[0].observed.n)
    assert (rows[0].observed.low, rows[0].observed.high) == pytest.approx((wilson.low, wilson.high))
    error = expected_calibration_error(found, chosen, bins=7, binning=binning, rng=rng(), **FEW)
    gaps = [row.observed.n / 200 * abs(row.predicted - row.observed.value) for row in rows]
    assert error.estimate.value == pytest.approx(sum(gaps))
    assert error.bins == len(rows)


def test_bins_are_closed_on_the_right_and_empty_ones_left_out() -> None:
    rows = reliability_table([0.0, 0.1, 0.100001, 1.0], [0, 0, 1, 1])
    assert [(row.low, row.high, row.observed.n) for row in rows] == [
        (0.0, 0.1, 2),
        (0.1, 0.2, 1),
        (0.9, 1.0, 1),
    ]
    assert len(reliability_table([0.7, 0.7, 0.7], [0, 1, 1], binning="count")) == 1


def test_calibration_error_without_fault_is_its_floor() -> None:
    found = rng(8).random(400)
    drawn = (rng(9).random((300, 400)) < found).astype(float)
    chance = [
        expected_calibration_error(found, chosen, rng=rng(), resamples=100).estimate.value for chosen in drawn[:40]
    ]
    floor = expected_calibration_error(found, drawn[0], rng=rng(), **FEW).floor
    assert float(np.mean(chance)) == pytest.approx(floor, rel=0.12)
    few = expected_calibration_error(found[:40], drawn[0, :40], rng=rng(), **FEW)
    assert few.floor > 2 * floor
    assert few.estimate.low <= few.estimate.value <= few.estimate.high


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_temperature_is_that_of_a_bounded_search(seed: int) -> None:
    found, chosen = labels(seed, rows=80)
    if not temperature_is_defined(found, chosen):
        found = 1 - found
    mine = temperature_value(found, chosen)
    scaled = apply_temperature(found, mine)
    assert mean_loss(scaled, chosen) <= mean_loss(found, chosen) + 1e-12
    assert auc_value(scaled, chosen) == pytest.approx(auc_value(found, chosen), abs=1e-12)
    assert temperature_value(1 - found, 1 - chosen) == pytest.approx(mine, rel=1e-6)
    search = minimize_scalar(
        lambda sharpness: mean_loss(apply_temperature(found, 1 / sharpness), chosen),
        bounds=(1e-4, 20.0),
        method="bounded",
        options={"xatol": 1e-7},
    )
    assert mean_loss(scaled, chosen) <= search.fun + 1e-10


@pytest.mark.parametrize("by", [0.25, 3.0])
def test_temperature_finds_what_labels_were_sharpened_by(by: float) -> None:
    found, chosen = labels(10, rows=300, decimals=4)
    first = temperature_value(found, chosen)
    sharpened = apply_temperature(found, 1 / by, clip=1e-12)
    assert temperature_value(sharpened, chosen, clip=1e-12) == pytest.approx(by * first, rel=1e-6)
    mine = temperature(found, chosen, rng=rng(), **FEW)
    assert mine.low < mine.value == pytest.approx(first)
    assert mine.low < 1.0 < mine.high


def test_temperature_of_hard_cases_and_of_one_class() -> None:
    far = temperature_value([1.0] * 999 + [0.5 + 1e-9], [1.0] * 999 + [0.0])
    assert 0.0 < far < 1.0
    near = temperature_value([1.0] * 100 + [0.0] * 99, [1.0] * 100 + [1.0] * 99)
    assert near == pytest.approx(math.log(1e6 - 1) / math.log(100 / 99), rel=1e-6)
    found, chosen = labels(11, rows=100)
    all_first = np.where(chosen == 1.0, found, 1 - found)
    assert temperature_value(all_first, np.ones(100)) == pytest.approx(temperature_value(found, chosen))


GOOD: tuple[list[float], list[float]] = ([0.9, 0.2, 0.6], [1, 0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: brier([0.5], [1], rng=rng()), "brier: rows are 1; give 2 or more rows"),
        (lambda: brier(*GOOD, rng=7), "brier: rng is 7"),  # type: ignore[arg-type]
        (lambda: brier(*GOOD, clusters=["a"], rng=rng()), "brier: lengths differ"),
        (lambda: log_loss(*GOOD, clusters=["a"] * 3, rng=rng()), "log_loss: all rows are in one cluster"),
        (lambda: temperature([0.9, 0.8], [1, 0], rng=rng(), level=2), "temperature: level is 2"),
        (lambda: log_loss(*GOOD, clip=0.5, rng=rng()), "log_loss: clip is 0.5; give one between 0 and 0.5"),
        (lambda: reliability_table(*GOOD, bins=0), "reliability_table: bins is 0; give at least 1, such as 10"),
        (lambda: reliability_table(*GOOD, binning="x"), "binning is 'x'; use width or count"),  # type: ignore[arg-type]
        (lambda: reliability_table(*GOOD, level=0), "reliability_table: level is 0"),
        (lambda: temperature_value([0.9, 0.2], [1, 0]), "temperature: no label is on the wrong side; give rows where"),
        (lambda: temperature_value([0.8, 0.9], [1, 0]), "the labels point the wrong way, or nowhere; give labels that"),
        (lambda: temperature_value([0.5, 0.5], [1, 0]), "the labels point the wrong way, or nowhere"),
        (lambda: temperature([0.9, 0.8, 0.9], [1, 0, 1], rng=rng()), "temperature: undefined in .* resamples"),
        (lambda: apply_temperature([0.5], 0.0), "apply_temperature: the temperature is 0.0; give one above 0"),
        (lambda: apply_temperature([], 1.0), "probabilities empty"),
        (lambda: apply_temperature([0.5], 1.0, clip=0), "clip is 0"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
