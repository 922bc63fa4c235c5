"""The area under the ROC curve against scikit-learn, sums over all pairs, the variance of placements, and laws."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from harness import HarnessError
from harness.auc import auc, auc_value, delong_auc

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


def pairwise_auc(found: np.ndarray, chosen: np.ndarray) -> float:
    beats = (found[:, None] > found[None, :]) + 0.5 * (found[:, None] == found[None, :])
    weights = chosen[:, None] * (1 - chosen[None, :])
    return float((weights * beats).sum() / weights.sum())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_auc_is_that_of_scikit_learn_and_of_all_pairs(seed: int) -> None:
    found, chosen = labels(seed)
    assert auc_value(found, chosen) == pytest.approx(roc_auc_score(chosen, found), abs=1e-12)
    shares = rng(seed + 1).random(len(found)).round(1)
    assert auc_value(found, shares) == pytest.approx(pairwise_auc(found, shares), abs=1e-12)
    order = rng(seed).permutation(len(found))
    assert auc_value(found[order], chosen[order]) == pytest.approx(auc_value(found, chosen), abs=1e-12)
    assert auc_value(1 - found, chosen) == pytest.approx(1 - auc_value(found, chosen), abs=1e-12)
    assert auc_value(1 - found, 1 - chosen) == pytest.approx(auc_value(found, chosen), abs=1e-12)


def test_auc_resamples_rows_and_ranks_them_anew() -> None:
    found, chosen = labels(1, rows=40)
    mine = auc(found, chosen, rng=rng(), resamples=500, level=0.9)
    drawn = []
    for weights in (rng(2).multinomial(40, np.full(40, 1 / 40), size=2_000)).astype(int):
        rows = np.repeat(np.arange(40), weights)
        drawn.append(pairwise_auc(found[rows], chosen[rows]))
    assert (mine.low, mine.high) == pytest.approx(tuple(np.quantile(drawn, [0.05, 0.95])), abs=0.02)
    bca = auc(found, chosen, clusters=np.arange(40) // 2, rng=rng(), interval="bca", **FEW)
    assert bca.low < bca.value < bca.high
    assert (bca.clusters, bca.method) == (20, "cluster bootstrap bca")


def test_delong_is_the_variance_of_placements() -> None:
    found, chosen = labels(3, rows=50)
    wins = (found[chosen == 1][:, None] > found[chosen == 0]) + 0.5 * (
        found[chosen == 1][:, None] == found[chosen == 0]
    )
    error = math.sqrt(wins.mean(axis=1).var(ddof=1) / wins.shape[0] + wins.mean(axis=0).var(ddof=1) / wins.shape[1])
    mine = delong_auc(found, chosen)
    ends = np.log([mine.low / (1 - mine.low), mine.high / (1 - mine.high)])
    assert mine.value == pytest.approx(wins.mean())
    assert np.ptp(ends) == pytest.approx(2 * 1.959964 * error / (mine.value * (1 - mine.value)), rel=1e-6)
    assert delong_auc(found, chosen, level=0.5).high < mine.high
    assert mine.method == "DeLong"


def test_delong_of_clusters_counts_copies_once_and_agrees_with_the_bootstrap() -> None:
    found, chosen = labels(4, rows=100, decimals=3)
    once = delong_auc(found, chosen, clusters=np.arange(100))
    copied = delong_auc(np.repeat(found, 3), np.repeat(chosen, 3), clusters=np.repeat(np.arange(100), 3))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert (copied.n, copied.clusters, copied.method) == (300, 100, "clustered DeLong")
    clusters = np.arange(100) // 4
    drawn = auc(found, chosen, clusters=clusters, rng=rng(), resamples=1_000)
    analytic = delong_auc(found, chosen, clusters=clusters)
    assert analytic.high - analytic.low == pytest.approx(drawn.high - drawn.low, rel=0.15)


GOOD: tuple[list[float], list[float]] = ([0.9, 0.2, 0.6], [1, 0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auc_value([], []), "auc: probabilities and human empty; give at least one row"),
        (lambda: auc_value([0.5], [1, 0]), "auc: lengths differ"),
        (lambda: auc_value([1.5, 0], [1, 0]), r"probabilities\[0\] is 1.5; give finite numbers in \[0, 1\]"),
        (lambda: auc_value([0.5, 0.4], [1, math.nan]), r"auc: human\[1\] is nan"),
        (lambda: auc_value([0.5, 0.4], [1, 1]), "every human choice is 1; give both kinds: the area is undefined"),
        (lambda: auc([0.9, 0.4, 0.2], [1, 0, 0], rng=rng()), "auc: undefined in .* of 10000 resamples"),
        (lambda: delong_auc([0.5, 0.4], [1, 0.5]), r"delong_auc: human\[1\] is a share; give 0 or 1, or use auc"),
        (lambda: delong_auc([0.9, 0.8, 0.1], [1, 1, 0]), "the variance is nan at 1; give more rows, or use auc_value"),
        (lambda: delong_auc(*GOOD, level=2), "delong_auc: level is 2"),
        (lambda: auc(*GOOD, clusters=["a", "a", "a"], rng=rng()), "auc: all rows are in one cluster"),
        (lambda: auc(*GOOD, rng=rng(), resamples=1), "auc: resamples is 1; give at least 100"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
