"""Paired differences against scipy and resampling row by row; that exchange negates; that nothing is dropped unsaid."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError, standard_error
from harness.paired import aligned, paired_difference, paired_difference_value, paired_t, paired_t_test

Values = list[float]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def systems(seed: int, prompts: int, samples: int = 3) -> tuple[Any, Any, Any]:
    """Two systems on the same rows, with something of the prompt in their difference."""
    generator = rng(seed)
    clusters = np.repeat(np.arange(prompts), samples)
    hard = generator.normal(size=prompts)[clusters]
    ours = hard + 0.2 + 0.5 * generator.normal(size=prompts)[clusters] + 0.5 * generator.normal(size=len(clusters))
    return ours, hard + 0.5 * generator.normal(size=len(clusters)), clusters


@pytest.mark.parametrize("interval", ["percentile", "basic", "BCa"])
def test_interval_is_that_of_scipy(interval: Any) -> None:
    ours, theirs, _ = systems(1, 60, 1)
    mine = paired_difference(ours, theirs, rng=rng(), level=0.9, interval=interval.lower())
    other = scipy.stats.bootstrap(
        (ours, theirs),
        lambda a, b: float(np.mean(a) - np.mean(b)),
        paired=True,
        vectorized=False,
        n_resamples=4000,
        confidence_level=0.9,
        method=interval,
        rng=rng(1),
    ).confidence_interval
    assert mine.value == pytest.approx(ours.mean() - theirs.mean())
    assert (mine.low, mine.high) == pytest.approx(tuple(other), abs=0.06 * (other.high - other.low))


def test_clusters_of_pairs_are_drawn_whole() -> None:
    ours, theirs, clusters = systems(2, 40)
    generator, rows, means = rng(3), (ours - theirs).reshape(40, 3), []
    for _ in range(4000):
        means.append(rows[generator.integers(40, size=40)].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    mine = paired_difference(ours, theirs, clusters=clusters, rng=rng())
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.06 * (high - low))
    assert (mine.n, mine.clusters, mine.method) == (120, 40, "cluster paired bootstrap")
    alone = paired_difference(ours, theirs, rng=rng())
    assert alone.high - alone.low < 0.9 * (mine.high - mine.low)


def test_seeds_are_drawn_first() -> None:
    ours, theirs, clusters = systems(4, 30)
    seeds = np.tile([0, 1, 2], 30)
    shifted = ours + 2.0 * (seeds == 2)
    mine = paired_difference(shifted, theirs, clusters=clusters, seeds=seeds, rng=rng())
    alone = paired_difference(shifted, theirs, clusters=clusters, rng=rng())
    assert mine.high - mine.low > 2.0 * (alone.high - alone.low)
    assert mine.method == "crossed paired bootstrap over 3 seeds"


verdicts = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 8)),
    min_size=6,
    max_size=40,
).filter(lambda rows: np.ptp(_sums(rows)) > 0.01)


def _sums(rows: list[tuple[float, float, int]]) -> Any:
    """Mean differences of the clusters; two zeros, which a filter refuses, where there is one."""
    table = pd.DataFrame(rows)
    means = (table[0] - table[1]).groupby(table[2]).mean()
    return means if len(means) > 1 else np.zeros(2)


@settings(max_examples=40, deadline=None)
@given(verdicts, st.sampled_from(["percentile", "basic"]))
def test_exchange_negates(rows: list[tuple[float, float, int]], interval: Any) -> None:
    ours, theirs, clusters = (list(column) for column in zip(*rows, strict=True))
    options: Any = {"clusters": clusters, "resamples": 500, "interval": interval}
    forth = paired_difference(ours, theirs, rng=rng(), **options)
    back = paired_difference(theirs, ours, rng=rng(), **options)
    assert forth.value == -back.value == paired_difference_value(ours, theirs)
    assert forth.value == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert forth.low <= forth.value <= forth.high
    if forth.value:
        assert (forth.low, forth.high) == (-back.high, -back.low)
    t_forth, t_back = paired_t(ours, theirs, clusters=clusters), paired_t(theirs, ours, clusters=clusters)
    assert (t_forth.low, t_forth.high) == pytest.approx((-t_back.high, -t_back.low))
    first, second = paired_t_test(ours, theirs, clusters=clusters), paired_t_test(theirs, ours, clusters=clusters)
    assert (first.p, first.statistic) == pytest.approx((second.p, -second.statistic))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_order_and_names_do_not_matter(seed: int) -> None:
    ours, theirs, clusters = systems(seed, 12)
    order = rng(seed).permutation(len(ours))
    names = np.array([f"prompt {cluster}" for cluster in clusters])
    kept = paired_difference(ours, theirs, clusters=clusters, rng=rng(), resamples=200)
    moved = paired_difference(ours[order], theirs[order], clusters=names[order], rng=rng(), resamples=200)
    assert (moved.value, moved.low, moved.high) == pytest.approx((kept.value, kept.low, kept.high))
    wider = paired_difference(ours, theirs, clusters=clusters, rng=rng(), resamples=200, level=0.99)
    assert wider.low <= kept.low
    assert wider.high >= kept.high


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.5, 0.99))
def test_t_is_that_of_scipy(seed: int, level: float) -> None:
    ours, theirs, _ = systems(seed, 15, 1)
    other = scipy.stats.ttest_rel(ours, theirs)
    mine, test = paired_t(ours, theirs, level=level), paired_t_test(ours, theirs)
    assert (mine.low, mine.high) == pytest.approx(tuple(other.confidence_interval(level)))
    assert (test.p, test.statistic, test.n) == pytest.approx((other.pvalue, other.statistic, 15))
    assert (mine.method, test.method) == ("paired t", "paired t")


def test_clustered_t_has_the_sandwich_of_statsmodels() -> None:
    ours, theirs, clusters = systems(5, 25)
    ours, theirs, clusters = ours[:70], theirs[:70], clusters[:70]
    fit = sm.OLS(ours - theirs, np.ones(70)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}, use_t=True
    )
    error = float(fit.bse[0]) * math.sqrt(24 / 23)
    reach = scipy.stats.t.ppf(0.975, 23) * error
    mine, test = paired_t(ours, theirs, clusters=clusters), paired_t_test(ours, theirs, clusters=clusters)
    assert (mine.value, mine.high) == pytest.approx((fit.params[0], fit.params[0] + reach))
    assert standard_error(ours - theirs, clusters=clusters) == pytest.approx(error)
    assert test.p == pytest.approx(2 * scipy.stats.t.sf(abs(fit.params[0] / error), 23))
    assert (mine.clusters, mine.method, test.n, test.method) == (24, "paired t on clusters", 24, "paired t on clusters")


def test_aligned_is_an_inner_join() -> None:
    generator = rng(6)
    ours = pd.Series(generator.normal(size=50), index=generator.permutation(80)[:50])
    theirs = pd.Series(generator.normal(size=40), index=generator.permutation(80)[:40])
    kept = aligned(ours.index, ours, theirs.index, theirs)
    joined = pd.concat([ours, theirs], axis=1, join="inner")
    assert list(kept.items) == list(joined.index)
    assert kept.ours.tolist() == joined[0].tolist()
    assert kept.theirs.tolist() == joined[1].tolist()
    assert (kept.only_ours, kept.only_theirs, kept.unparsed) == (50 - len(joined), 40 - len(joined), 0)


def test_aligned_counts_what_could_not_be_read() -> None:
    kept = aligned(["a", "b", "c", "d", "e"], [1, None, 0, True, None], ["e", "d", "c", "b"], [None, 0.5, None, 1.0])
    assert (kept.items, kept.ours.tolist(), kept.theirs.tolist()) == (("d",), [1.0], [0.5])
    assert (kept.only_ours, kept.only_theirs, kept.unparsed) == (1, 0, 3)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((["a", "a"], [1, 1], ["a"], [1]), r"ours_items\[1\] is 'a' again; name each item once: \(prompt, sample\)"),
        ((["a"], [1], ["a", "b", "b"], [1, 1, 1]), r"theirs_items\[2\] is 'b' again"),
        (([None], [1], ["a"], [1]), r"ours_items\[0\] is None; name the item of each value"),
        ((["a"], [1], ["a", math.nan], [1, 1]), r"theirs_items\[1\] is nan"),
        ((["a", "b"], [1], ["a"], [1]), r"lengths differ \(ours_items has 2, ours has 1\)"),
        ((["a"], [1], ["a", "b"], [1]), r"lengths differ \(theirs_items has 2, theirs has 1\)"),
        ((["a"], [1], ["b"], [1]), "no item has a value of both; give at least one that both systems answered"),
        ((["a"], [None], ["a"], [1]), "no item has a value of both"),
        ((["a"], [1], ["a"], [math.nan]), r"theirs\[0\] is nan; give finite numbers"),
    ],
)
def test_aligned_refuses(columns: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=f"aligned: {message}"):
        aligned(*columns)


@pytest.mark.parametrize(
    ("ours", "theirs", "options", "message"),
    [
        ([1.0], [1.0, 0.0], {}, "lengths differ"),
        ([], [], {}, "ours and theirs empty"),
        ([1.0, math.inf], [1.0, 0.0], {}, r"ours\[1\] is inf"),
        ([1.0, 0.0], [1.0, None], {}, r"theirs\[1\] is None"),
        ([1.0], [0.0], {}, "rows are 1; give 2 or more rows"),
        ([1.0, 0.0], [1.0, 1.0], {"clusters": ["a", "a"]}, "all rows are in one cluster"),
    ],
)
def test_refusals(ours: Any, theirs: Any, options: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=f"paired_difference: .*{message}"):
        paired_difference(ours, theirs, rng=rng(), **options)
    with pytest.raises(HarnessError, match=f"paired_t: .*{message}"):
        paired_t(ours, theirs, **options)
    with pytest.raises(HarnessError, match=f"paired_t_test: .*{message}"):
        paired_t_test(ours, theirs, **options)


def test_an_undefined_interval_is_refused_but_not_its_value() -> None:
    with pytest.raises(HarnessError, match="paired_difference: every resample gives 1; give rows that differ"):
        paired_difference([1, 2], [0, 1], rng=rng())
    with pytest.raises(HarnessError, match="paired_t: every cluster has the difference 1; give rows that differ"):
        paired_t([1, 2], [0, 1])
    with pytest.raises(HarnessError, match="paired_t_test: every cluster has the difference 0"):
        paired_t_test([1, 2], [1, 2])
    with pytest.raises(HarnessError, match="paired_t: level is 1"):
        paired_t([1, 2], [0, 2], level=1.0)
    assert paired_difference_value([1], [0]) == 1.0


def test_rows_of_two_frames_are_not_paired_by_position() -> None:
    ours, theirs = (
        pd.Series([1.0, 0.0, 1.0, 1.0], index=list("wxyz")),
        pd.Series([1.0, 1.0, 0.0, 0.0], index=list("zyxw")),
    )
    with pytest.raises(HarnessError, match=r"paired_t: the two have different indexes; match them by item first, with"):
        paired_t(ours, theirs)
    assert paired_t(ours, theirs.to_numpy()).value == paired_t(ours, theirs.set_axis(ours.index)).value == 0.25
