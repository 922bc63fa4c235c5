"""Intervals from resampling: against scipy, against drawing rows one by one, and where they must be refused."""

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.bootstrap import bootstrap, bootstrap_ratio, cluster_bootstrap
from harness.checks import Floats, numbers
from harness.resampling import Settings, _kinds, bootstrap_totals, group


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


def naive_hierarchical(values: Floats, clusters: Floats, seeds: Floats, resamples: int) -> Floats:
    """Draw seeds, then clusters of each drawn seed, then lay their rows end to end."""
    generator, means = rng(10), []
    by_seed = [
        [values[(seeds == s) & (clusters == c)] for c in np.unique(clusters[seeds == s])] for s in np.unique(seeds)
    ]
    for _ in range(resamples):
        rows: list[Floats] = []
        for pick in generator.integers(len(by_seed), size=len(by_seed)):
            inside = by_seed[pick]
            rows += [inside[at] for at in generator.integers(len(inside), size=len(inside))]
        means.append(np.concatenate(rows).mean())
    return np.array(means)


def nested() -> tuple[Floats, Floats, Floats]:
    """Four seeds of five to nine prompts of one to three rows, each level with a mean of its own."""
    generator = rng(11)
    rows = [
        (1.0 * s, 1.0 * c, s_mean + c_mean + generator.normal())
        for s, s_mean in enumerate(generator.normal(size=4))
        for c, c_mean in enumerate(generator.normal(size=generator.integers(5, 10)))
        for _ in range(generator.integers(1, 4))
    ]
    seeds, clusters, values = np.array(rows).T
    return values, clusters, seeds


def test_hierarchical_equals_drawing_seeds_then_prompts() -> None:
    values, clusters, seeds = nested()
    mine = cluster_bootstrap(values, clusters, seeds=seeds, rng=rng(), level=0.8, resamples=20_000)
    low, high = np.quantile(naive_hierarchical(values, clusters, seeds, 4_000), [0.1, 0.9])
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert mine.method == "hierarchical bootstrap over 4 seeds"
    assert mine.clusters == len({*zip(seeds, clusters, strict=True)})


def test_seeds_alone_make_every_row_a_cluster_of_its_seed() -> None:
    values, _, seeds = nested()
    one = cluster_bootstrap(values, seeds=seeds, rng=rng())
    other = cluster_bootstrap(values, np.arange(len(values)), seeds=seeds, rng=rng())
    assert one == other


def test_seeds_widen_what_they_move() -> None:
    values, clusters, seeds = nested()
    names = [f"{s} {c}" for s, c in zip(seeds, clusters, strict=True)]
    flat = cluster_bootstrap(values, names, rng=rng())
    deep = cluster_bootstrap(values, clusters, seeds=seeds, rng=rng())
    assert deep.high - deep.low > 1.2 * (flat.high - flat.low)
    bca = cluster_bootstrap(values, clusters, seeds=seeds, rng=rng(), interval="bca")
    assert bca.method == "hierarchical bootstrap bca over 4 seeds"
    assert bca.low < deep.value < bca.high


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_weights_and_totals_are_one_law(seeded: bool, interval: Any) -> None:
    values, clusters, seeds = nested()
    groups: dict[str, Any] = {"clusters": clusters, "seeds": seeds} if seeded else {"clusters": clusters + 100 * seeds}

    def mean(weights: Floats) -> float:
        return float(np.average(values, weights=weights))

    slow = bootstrap(mean, len(values), rng=rng(12), resamples=3_000, level=0.8, interval=interval, **groups)
    fast = cluster_bootstrap(values, rng=rng(13), resamples=10_000, level=0.8, interval=interval, **groups)
    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.06 * (fast.high - fast.low))
    assert (slow.n, slow.clusters, slow.method) == (fast.n, fast.clusters, fast.method)


def test_ratio_of_sums() -> None:
    top, bottom = rng(14).poisson(3.0, size=60), rng(15).integers(1, 9, size=60)
    mine = bootstrap_ratio(top, bottom, rng=rng())
    by_cluster = bootstrap_ratio(top, bottom, clusters=np.arange(60), rng=rng())
    assert mine.value == pytest.approx(top.sum() / bottom.sum())
    assert (mine.low, mine.high) == (by_cluster.low, by_cluster.high)
    assert (mine.clusters, by_cluster.clusters) == (None, 60)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=30))
def test_kinds_are_the_distinct_rows_and_their_counts(rows: list[tuple[int, int, int]]) -> None:
    kinds, counts = _kinds(np.array(rows, dtype=float))
    expected: dict[tuple[float, ...], int] = {}
    for row in rows:
        expected[tuple(map(float, row))] = expected.get(tuple(map(float, row)), 0) + 1
    assert {tuple(kind): count for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)} == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=4, max_size=30).filter(lambda names: len(set(names)) > 1))
def test_names_of_clusters_do_not_matter(names: list[str]) -> None:
    values = rng(16).normal(size=len(names))
    kinds: list[Any] = [names, np.array(names), pd.Series(names), [(name, 1) for name in names]]
    kinds.append(pd.Series(names, dtype="category"))
    results = [cluster_bootstrap(values, kind, rng=rng(), resamples=100) for kind in kinds]
    assert len({result.clusters for result in results}) == 1
    assert all(result.value == pytest.approx(results[0].value) for result in results)
    wide, narrow = (cluster_bootstrap(values, names, rng=rng(), level=level) for level in (0.9, 0.5))
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_memory_does_not_grow_with_rows_or_resamples() -> None:
    values = (rng(17).random(100_000) < 0.6).astype(float)
    clusters = np.arange(100_000) // 2

    def peak(resamples: int) -> int:
        tracemalloc.start()
        cluster_bootstrap(values, clusters, rng=rng(), resamples=resamples)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    few, many = peak(1_000), peak(200_000)
    assert many - few < 200_000 * 8 * 4  # the drawn values themselves, and copies that quantiles make of them


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


@pytest.mark.parametrize(
    ("clusters", "seeds", "message"),
    [
        (None, ["s"] * 3, "all rows are of one seed; give 2 or more seeds: the interval is undefined"),
        ([1.0, np.nan, 2.0], None, r"clusters\[1\] is nan; name the cluster of each row"),
        (np.array([1.0, np.nan, 2.0]), None, r"clusters\[1\] is nan"),
        (["a", "b", None], None, r"clusters\[2\] is None"),
        (["a", "b", "c"], ["s", "t"], r"lengths differ \(seeds has 2, rows are 3\); give one for each row"),
    ],
)
def test_refused_groups(clusters: Any, seeds: Any, message: str) -> None:
    with pytest.raises(HarnessError, match="cluster_bootstrap: " + message):
        cluster_bootstrap([1.0, 0.0, 1.0], clusters, seeds=seeds, rng=rng())


def test_refused_options() -> None:
    with pytest.raises(HarnessError, match="here: seed is no option; give some of rng, level, resamples, interval"):
        Settings.of("here", {"rng": rng(), "seed": 1})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(HarnessError, match="here: interval is 'bc'; use percentile, basic or bca"):
        Settings.of("here", {"rng": rng(), "interval": "bc"})  # type: ignore[typeddict-item]
    with pytest.raises(HarnessError, match=r"here: rng is None; give numpy.random.default_rng\(seed\)"):
        Settings.of("here", {})  # type: ignore[typeddict-item]
    with pytest.raises(HarnessError, match="rows are 1; give 2 or more rows"):
        cluster_bootstrap([1.0], rng=rng())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [2.0]], "mean: values has 2 dimensions; give one number a row"),
        (["0.5"], r"mean: values\[0\] is 0.5; give finite numbers"),
        (np.array([1.0, np.inf]), r"mean: values\[1\] is inf"),
        ([1.0, None], r"mean: values\[1\] is None"),
        ([-2.0], r"mean: values\[0\] is -2.0; give finite numbers in \[-1, inf\]"),
    ],
)
def test_refused_numbers(values: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        numbers("mean", "values", values, low=-1.0 if "-1" in message else -np.inf)


def test_numbers_among_objects() -> None:
    assert numbers("mean", "values", np.array([1, 0.5, True], dtype=object)).tolist() == [1.0, 0.5, 1.0]
