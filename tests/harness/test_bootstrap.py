"""The cluster bootstrap against resampling row by row, against the analytic error, and against the truth."""

import itertools
import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError, cluster_bootstrap, proportion, soft_win_rate
from harness import resampling as module
from harness.bootstrap import bootstrap_ratio


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def naive(values: Sequence[float], clusters: Sequence[Hashable], level: float, resamples: int) -> tuple[float, float]:
    """Draw clusters, lay their rows end to end, take the mean; no sums, no multinomial."""
    groups: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        groups.setdefault(cluster, []).append(value)
    names, generator, means = list(groups), rng(99), []
    for _ in range(resamples):
        rows = [value for pick in generator.integers(len(names), size=len(names)) for value in groups[names[pick]]]
        means.append(sum(rows) / len(rows))
    return float(np.quantile(means, (1 - level) / 2)), float(np.quantile(means, (1 + level) / 2))


def uneven(seed: int, count: int) -> tuple[list[float], list[int]]:
    """Clusters of one to five rows with a mean of their own."""
    generator = rng(seed)
    clusters = np.repeat(np.arange(count), generator.integers(1, 6, size=count))
    centres = generator.normal(size=count)
    return (centres[clusters] + 0.3 * generator.normal(size=len(clusters))).tolist(), clusters.tolist()


def test_equals_naive_resampling() -> None:
    values, clusters = uneven(seed=1, count=40)
    mine = cluster_bootstrap(values, clusters, rng=rng(), level=0.9, resamples=20_000)
    low, high = naive(values, clusters, level=0.9, resamples=4_000)
    assert mine.value == pytest.approx(sum(values) / len(values))
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.06 * (high - low))
    assert (mine.n, mine.clusters, mine.method) == (len(values), 40, "cluster bootstrap")


def test_equals_all_resamples_of_few_clusters() -> None:
    groups = [[1, 1, 1], [0, 0], [0, 0], [0, 0], [1, 0]]
    means = [np.mean(list(itertools.chain(*picks))) for picks in itertools.product(groups, repeat=5)]
    clusters = [number for number, group in enumerate(groups) for _ in group]
    mine = cluster_bootstrap(list(itertools.chain(*groups)), clusters, rng=rng(), level=0.8, resamples=50_000)
    assert (mine.low, mine.high) == pytest.approx(np.quantile(means, [0.1, 0.9]), abs=0.02)


def test_singletons_have_the_analytic_error() -> None:
    values = rng(3).normal(10.0, 2.0, size=400)
    mine = cluster_bootstrap(values.tolist(), range(400), rng=rng())
    reach = 1.96 * float(values.std()) / math.sqrt(400)
    assert (mine.low, mine.high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.06 * reach)


def test_ratio_of_sums() -> None:
    top, bottom = rng(14).poisson(3.0, size=60), rng(15).integers(1, 9, size=60)
    mine = bootstrap_ratio(top, bottom, rng=rng())
    by_cluster = bootstrap_ratio(top, bottom, clusters=np.arange(60), rng=rng())
    assert mine.value == pytest.approx(top.sum() / bottom.sum())
    assert (mine.low, mine.high) == (by_cluster.low, by_cluster.high)
    assert (mine.clusters, by_cluster.clusters) == (None, 60)


def test_duplicates_in_a_cluster_do_not_narrow() -> None:
    values = [float(value) for value in rng(4).random(60) < 0.6]
    once = cluster_bootstrap(values, range(60), rng=rng())
    twenty = cluster_bootstrap(values * 20, list(range(60)) * 20, rng=rng())
    assert (twenty.value, twenty.low, twenty.high) == pytest.approx((once.value, once.low, once.high))
    rows_alone = proportion(20 * sum(values), 1200)
    assert rows_alone.high - rows_alone.low < 0.3 * (once.high - once.low)
    assert (once.n, twenty.n, twenty.clusters) == (60, 1200, 60)


def test_covers_the_truth_where_independent_rows_do_not() -> None:
    generator, clustered, alone = rng(5), 0, 0
    for _ in range(300):
        shares = generator.beta(1.0, 1.0, size=60)
        values = (generator.random((60, 5)) < shares[:, None]).astype(float).ravel().tolist()
        mine = cluster_bootstrap(values, np.repeat(np.arange(60), 5).tolist(), rng=generator, resamples=1_000)
        rows = proportion(sum(values), 300)
        clustered += mine.low <= 0.5 <= mine.high
        alone += rows.low <= 0.5 <= rows.high
    assert clustered / 300 >= 0.92
    assert alone / 300 < 0.9


def test_same_generator_same_interval() -> None:
    values, clusters = uneven(seed=6, count=20)
    order = rng(7).permutation(len(values))
    first, second = (cluster_bootstrap(values, clusters, rng=rng(8), resamples=500) for _ in range(2))
    assert first == second
    shuffled = cluster_bootstrap(
        [values[at] for at in order], [clusters[at] for at in order], rng=rng(8), resamples=500
    )
    assert (shuffled.value, shuffled.low, shuffled.high) == pytest.approx((first.value, first.low, first.high))


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values, clusters = uneven(seed=9, count=30)
    whole = cluster_bootstrap(values, clusters, rng=rng(), resamples=501)
    monkeypatch.setattr(module, "BLOCK", 100)
    parts = cluster_bootstrap(values, clusters, rng=rng(), resamples=501)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_equal_clusters_fall_back_to_wilson(share: float) -> None:
    values = [share, share] if share != 0.5 else [0.0, 1.0]
    mine = soft_win_rate(values * 12, clusters=[at // 2 for at in range(24)], rng=rng()).estimate
    wilson = proportion(12 * share, 12)
    assert (mine.value, mine.low, mine.high) == pytest.approx((share, wilson.low, wilson.high))
    assert str(mine).endswith("(n=24, 12 clusters, wilson on clusters)")


@pytest.mark.parametrize(("named", "clusters"), [(list(range(10)) * 3, 10), (list(range(30)), 30), (None, 30)])
def test_seeds_that_agree_count_clusters_once(named: Any, clusters: int) -> None:
    mine = soft_win_rate([1.0] * 30, clusters=named, seeds=np.repeat(["s", "t", "u"], 10), rng=rng()).estimate
    wilson = proportion(clusters, clusters)
    assert (mine.value, mine.low, mine.high) == pytest.approx((1.0, wilson.low, wilson.high))
    assert (mine.n, mine.clusters, mine.method) == (30, clusters, "wilson on clusters")


def test_equal_clusters_of_unequal_size_fall_back() -> None:
    third = [1.0, 0.0, 0.0]
    mine = soft_win_rate(third * 3, clusters=[0, 0, 0, 1, 1, 1, 1, 1, 1], rng=rng()).estimate
    assert mine.method == "wilson on clusters"
    assert mine.value == pytest.approx(1 / 3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 6)), min_size=2, max_size=40).filter(
        lambda rows: len({cluster for _, cluster in rows}) > 1
    ),
    st.floats(0.01, 0.99),
)
def test_interval_holds_the_value(rows: list[tuple[float, int]], level: float) -> None:
    values, clusters = [value for value, _ in rows], [cluster for _, cluster in rows]
    mine = soft_win_rate(values, clusters=clusters, rng=rng(), level=level, resamples=200).estimate
    assert 0.0 <= mine.low <= mine.value <= mine.high <= 1.0
    assert mine.value == pytest.approx(float(np.mean(values)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(-5.0, 5.0), st.floats(0.1, 10.0))
def test_interval_follows_shift_and_scale(seed: int, shift: float, scale: float) -> None:
    values, clusters = uneven(seed, count=8)
    plain = cluster_bootstrap(values, clusters, rng=rng(), resamples=4_000)
    moved = cluster_bootstrap([shift + scale * v for v in values], clusters, rng=rng(), resamples=4_000)
    width = scale * (plain.high - plain.low)
    expected = (shift + scale * plain.low, shift + scale * plain.high)
    assert (moved.low, moved.high) == pytest.approx(expected, abs=0.15 * width)


@pytest.mark.parametrize(
    ("values", "clusters", "options", "message"),
    [
        ([], [], {}, "cluster_bootstrap: values and clusters empty; give at least one row"),
        ([1.0, 0.0], ["a"], {}, r"lengths differ \(values has 2, clusters has 1\); give one entry for each row"),
        ([1.0, 0.0], ["a", "a"], {}, "all rows are in one cluster; give 2 or more clusters: the interval is undefined"),
        ([1.0, math.nan], ["a", "b"], {}, r"values\[1\] is nan; give finite numbers"),
        ([None, 1.0], ["a", "b"], {}, r"values\[0\] is None"),
        ([3.0, 3.0], ["a", "b"], {}, "every resample gives 3; give rows that differ"),
        ([1.0, 0.0], ["a", "b"], {"level": 1.5}, "level is 1.5"),
        ([1.0, 0.0], ["a", "b"], {"resamples": 0}, "resamples is 0; give at least 100, such as 10000"),
        ([1.0, 0.0], ["a", "b"], {"rng": 7}, r"rng is 7; give numpy.random.default_rng\(seed\)"),
    ],
)
def test_refusals(values: list[Any], clusters: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        cluster_bootstrap(values, clusters, **{"rng": rng()} | options)
