"""Intervals made of resamples: against scipy, and where they must be refused."""

from typing import Any

import numpy as np
import pytest
import scipy.stats

from harness import HarnessError
from harness.bootstrap import bootstrap, bootstrap_ratio, cluster_bootstrap
from harness.checks import Floats
from harness.intervals import bootstrap_totals, bootstrap_weights
from harness.resampling import group


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ratio(totals: Floats) -> Floats:
    return np.asarray(totals[..., 0] / totals[..., 1])


@pytest.mark.parametrize("interval", ["percentile", "basic", "BCa"])
def test_equals_scipy(interval: Any) -> None:
    values = rng(1).exponential(size=50)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method=interval, n_resamples=20_000, vectorized=True, rng=rng(2)
    ).confidence_interval
    mine = cluster_bootstrap(values, rng=rng(3), interval=interval.lower(), resamples=20_000)
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert mine.method == {"percentile": "bootstrap", "basic": "bootstrap basic", "BCa": "bootstrap bca"}[interval]
    assert (mine.n, mine.clusters) == (50, None)


def test_basic_mirrors_percentile() -> None:
    values = rng(4).exponential(size=30)
    plain, basic = (cluster_bootstrap(values, rng=rng(), interval=kind) for kind in ("percentile", "basic"))
    assert (basic.low, basic.high) == pytest.approx((2 * plain.value - plain.high, 2 * plain.value - plain.low))


def test_bca_of_clusters_equals_scipy_on_cluster_totals() -> None:
    sizes = rng(5).integers(1, 6, size=40)
    clusters = np.repeat(np.arange(40), sizes)
    values = rng(6).exponential(size=40)[clusters] + rng(7).normal(size=len(clusters))
    sums = np.bincount(clusters, values)

    def statistic(s: Floats, m: Floats, axis: int) -> Floats:
        return np.asarray(s.sum(axis=axis) / m.sum(axis=axis))

    theirs = scipy.stats.bootstrap(
        (sums, sizes.astype(float)), statistic, paired=True, method="BCa", n_resamples=20_000, rng=rng(8)
    ).confidence_interval
    mine = cluster_bootstrap(values, clusters, rng=rng(9), interval="bca", resamples=20_000)
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_a_few_undefined_resamples_are_left_out_and_said() -> None:
    def undefined_below(edge: float) -> Any:
        return lambda totals: np.where(ratio(totals) < edge, np.nan, ratio(totals))

    values = rng(18).normal(size=200)
    columns = np.stack([values, np.ones(200)], axis=1)
    drawn = cluster_bootstrap(values, rng=rng(), level=0.99)
    rare = bootstrap_totals("here", columns, undefined_below(drawn.low), group("here", 200), {"rng": rng()})
    assert "resamples undefined" in rare.method
    with pytest.raises(HarnessError, match=r"here: undefined in \d+ of 10000 resamples; give more rows"):
        bootstrap_totals("here", columns, undefined_below(drawn.value), group("here", 200), {"rng": rng()})
    with pytest.raises(HarnessError, match="here: the figure is undefined on these rows; give rows that differ"):
        bootstrap_totals("here", columns, undefined_below(99.0), group("here", 200), {"rng": rng()})


def test_an_interval_without_width_is_refused() -> None:
    with pytest.raises(HarnessError, match="bootstrap_ratio: every resample gives 2; give rows that differ"):
        bootstrap_ratio([2, 4], [1, 2], rng=rng())
    with pytest.raises(HarnessError, match="bootstrap_ratio: every resample gives 0"):
        bootstrap_ratio([0, 0], [1, 2], rng=rng())


def test_bca_is_refused_where_it_is_undefined() -> None:
    def evenness(weights: Floats) -> float:
        """Largest on the rows themselves: no resample is above it, so the share below says nothing."""
        return -float(np.abs(weights - 1.0).sum())

    with pytest.raises(HarnessError, match="bootstrap: bca is undefined here; give more rows, or use percentile"):
        bootstrap(evenness, 50, rng=rng(), interval="bca", resamples=500)
    assert bootstrap(evenness, 50, rng=rng(), resamples=500).high == 0.0


def test_bca_without_skew_is_percentile() -> None:
    values = np.array([-1.0, 1.0] * 20)
    plain, bca = (cluster_bootstrap(values, rng=rng(), interval=kind) for kind in ("percentile", "bca"))
    assert (bca.low, bca.high) == pytest.approx((plain.low, plain.high), abs=0.06)


def test_bca_where_no_group_moves_the_figure() -> None:
    """All leave-one-out values are equal, so there is no skewness, though resamples differ."""
    mine = bootstrap(lambda w: float(w[0] > 1) - float(w[1] > 1) + 1e-3 * float(w[0] - 1), 2, rng=rng(), interval="bca")
    assert mine.low <= mine.value <= mine.high


def test_refusals_name_the_function_that_was_called() -> None:
    with pytest.raises(HarnessError, match="here: every resample gives 3; give rows that differ"):
        bootstrap_weights("here", lambda weights: 3.0, group("here", 5), {"rng": rng()})
    with pytest.raises(HarnessError, match="here: rng is 7"):
        bootstrap_weights("here", lambda weights: 3.0, group("here", 5), {"rng": 7})  # type: ignore[typeddict-item]
