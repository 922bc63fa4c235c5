"""Kendall's W against Spearman and Friedman, its permutations against all of them, and correlations against scipy."""

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness import HarnessError
from harness import concordance as module
from harness.concordance import (
    kendall_w_test,
    kendall_w_value,
    mean_kendall_w,
    mean_kendall_w_value,
    rank_correlation,
    rank_correlation_value,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rankings(seed: int, raters: int, systems: int) -> np.ndarray[Any, Any]:
    """Rankings without ties that follow a common order with noise."""
    scores = np.arange(systems) + rng(seed).normal(0.0, 2.0, size=(raters, systems))
    return scores.argsort(axis=1).argsort(axis=1) + 1


def test_by_hand() -> None:
    # rank sums 4, 5, 10, 11 around 7.5: S = 37; 12 * 37 / (9 * 60)
    assert kendall_w_value([[1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]]) == pytest.approx(float(Fraction(444, 540)))


def test_ties_by_hand() -> None:
    # ranks 1.5 1.5 3 and 1 2 3: sums 2.5 3.5 6 around 4, S = 6.5; 78 / (4 * 24 - 2 * 6)
    assert kendall_w_value([[7, 7, 9], [1, 2, 3]]) == pytest.approx(float(Fraction(78, 84)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(3, 7))
def test_is_the_mean_spearman_moved(seed: int, raters: int, systems: int) -> None:
    ranks = rankings(seed, raters, systems)
    spearman = [stats.spearmanr(one, other).statistic for one, other in itertools.combinations(ranks, 2)]
    assert kendall_w_value(ranks) == pytest.approx(((raters - 1) * np.mean(spearman) + 1) / raters)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(3, 7))
def test_is_friedmans_test_with_ties(seed: int, raters: int, systems: int) -> None:
    scores = rng(seed).integers(0, 4, size=(raters, systems))
    scores[0] = np.arange(systems)
    expected = stats.friedmanchisquare(*scores.T)
    mine = kendall_w_test(scores, method="chi-square")
    assert raters * (systems - 1) * mine.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert mine.p == pytest.approx(expected.pvalue)
    assert mine.statistic == kendall_w_value(scores)
    assert (mine.n, mine.method) == (raters, "chi-square of Kendall's W")


def test_laws() -> None:
    scores = rng(1).integers(0, 5, size=(4, 6)).astype(float)
    value = kendall_w_value(scores)
    assert kendall_w_value(scores[::-1, rng(2).permutation(6)]) == pytest.approx(value)
    assert kendall_w_value(100.0 - scores**3) == pytest.approx(value)
    assert kendall_w_value(pd.DataFrame(scores)) == value
    assert kendall_w_value([[1, 2, 3]] * 5) == 1.0
    assert kendall_w_value([[1, 2, 3], [3, 2, 1]]) == 0.0


@pytest.mark.parametrize("scores", [[[1, 2, 3], [1, 2, 3], [2, 1, 3]], [[1, 1, 3], [1, 2, 3], [2, 3, 1]]])
def test_permutations_equal_all_of_them(scores: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 20_000)
    value = kendall_w_value(scores)
    everyone = itertools.product(*(list(itertools.permutations(row)) for row in scores))
    share = np.mean([kendall_w_value(shuffled) >= value - 1e-9 for shuffled in everyone])
    mine = kendall_w_test(scores, rng=rng(), resamples=20_000)
    assert mine.p == pytest.approx(share, abs=0.015)
    assert (mine.statistic, mine.n, mine.method) == (value, 3, "permutation of Kendall's W")
    assert mine == kendall_w_test(scores, rng=rng(), resamples=20_000)


def test_permutation_is_never_zero() -> None:
    assert kendall_w_test([list(range(9))] * 6, rng=rng(), resamples=100).p == 1 / 101


def test_mean_over_items() -> None:
    tables = [rankings(seed, raters=3, systems=4) for seed in range(40)]
    each = [kendall_w_value(table) for table in tables]
    mine = mean_kendall_w(np.array(tables), rng=rng(), level=0.9)
    low, high = np.quantile(rng(9).choice(each, size=(20_000, 40)).mean(axis=1), [0.05, 0.95])
    assert mine.estimate.value == pytest.approx(np.mean(each))
    assert mine.estimate.value == pytest.approx(mean_kendall_w_value(tables))
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((low, high), abs=0.01)
    assert (mine.estimate.n, mine.estimate.clusters, mine.left_out) == (40, None, 0)


def test_items_that_say_nothing_are_left_out() -> None:
    tables = [[[1, 2], [1, 2]], [[1, 2, 3]], [[5, 5], [5, 5]], [[1, 2], [2, 1]], [[1], [1]], [[1, 2, 3], [1, 3, 2]]]
    mine = mean_kendall_w(tables, clusters=list("abcdef"), rng=rng())
    assert mean_kendall_w_value(tables) == pytest.approx((1.0 + 0.0 + 0.75) / 3)
    assert mine.estimate.value == pytest.approx((1.0 + 0.0 + 0.75) / 3)
    assert (mine.estimate.n, mine.estimate.clusters, mine.left_out) == (3, 3, 3)


def test_clusters_widen() -> None:
    tables = [rankings(seed, raters=3, systems=4) for seed in range(30)] * 4
    alone = mean_kendall_w(tables, rng=rng()).estimate
    together = mean_kendall_w(tables, clusters=[at % 30 for at in range(120)], rng=rng()).estimate
    seeded = mean_kendall_w(tables, seeds=[at % 30 // 10 for at in range(120)], rng=rng()).estimate
    assert together.value == pytest.approx(alone.value)
    assert together.high - together.low > 1.6 * (alone.high - alone.low)
    assert seeded.method == "hierarchical bootstrap over 3 seeds"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=20))
def test_correlations_equal_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = [1, 2] + [one for one, _ in pairs], [3, 1] + [other for _, other in pairs]
    spearman, kendall = (rank_correlation_value(first, second, kind=kind) for kind in ("spearman", "kendall"))
    assert spearman == pytest.approx(stats.spearmanr(first, second).statistic)
    assert kendall == pytest.approx(stats.kendalltau(first, second).statistic)
    for kind, value in (("spearman", spearman), ("kendall", kendall)):
        turned = rank_correlation_value(first, [-score for score in second], kind=kind)
        assert turned == pytest.approx(-value)
        assert rank_correlation_value(second, first, kind=kind) == pytest.approx(value)


def test_resampled_spearman_equals_ranking_anew() -> None:
    first, second = rng(3).integers(0, 9, size=12), rng(4).integers(0, 9, size=12)
    correlation, _ = module._correlation("test", first, second, "spearman")
    for seed in range(5):
        picked = rng(seed).integers(12, size=12)
        weights = np.bincount(picked, minlength=12).astype(float)
        expected = stats.spearmanr(first[picked], second[picked]).statistic
        assert float(correlation(weights)) == pytest.approx(expected)


def test_resampled_kendall_equals_tau_of_the_copies() -> None:
    first, second = rng(3).integers(0, 9, size=12), rng(4).integers(0, 9, size=12)
    correlation, _ = module._correlation("test", first, second, "kendall")
    for seed in range(5):
        picked = rng(seed).integers(12, size=12)
        weights = np.bincount(picked, minlength=12).astype(float)
        expected = stats.kendalltau(first[picked], second[picked]).statistic
        assert float(correlation(weights)) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["spearman", "kendall"])
def test_correlation_interval(kind: Any) -> None:
    first = rng(5).normal(size=60)
    second = first + rng(6).normal(size=60)
    wide, narrow = (rank_correlation(first, second, kind=kind, rng=rng(), level=level) for level in (0.95, 0.5))
    assert wide.low < narrow.low < wide.value < narrow.high < wide.high
    assert wide.value == narrow.value == pytest.approx(rank_correlation_value(first, second, kind=kind))
    order = rng(7).permutation(60)
    turned = rank_correlation(first[order], -second[order], kind=kind, rng=rng())
    assert (turned.low, turned.high) == pytest.approx((-wide.high, -wide.low), abs=0.03)
    family = rank_correlation(first, second, kind=kind, clusters=np.arange(60) // 3, rng=rng())
    assert (family.n, family.clusters) == (60, 20)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], "kendall_w_value: scores empty; give at least one row"),
        ([[1, 2, 3]], "kendall_w_value: scores have 1 raters and 3 systems; give at least 2 of each"),
        ([[1], [2]], "scores have 2 raters and 1 systems"),
        ([[1, 2], [1, 2, 3]], r"lengths differ \(scores\[0\] has 2, scores\[1\] has 3\); give one entry for each row"),
        ([[1, 2], [1, None]], r"scores\[1\]\[1\] is None; give finite numbers"),
        (np.array([[1, np.nan], [1, 2]]), r"scores\[0\]\[1\] is nan; give finite numbers"),
        (np.array([1, 2]), "scores has 1 dimensions; give raters in rows and systems in columns"),
        ([[1, 1], [2, 2]], "all raters tie all systems; give rankings that tell systems apart"),
    ],
)
def test_refusals_of_w(scores: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        kendall_w_value(scores)


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ([[1, 1], [2, 2]], {}, "kendall_w_test: all raters tie all systems; give rankings that tell systems apart"),
        ([[1, 2], [2, 1]], {"method": "exact"}, "method is 'exact'; use permutation or chi-square"),
        ([[1, 2], [2, 1]], {}, r"rng is None; give numpy.random.default_rng\(seed\)"),
        ([[1, 2], [2, 1]], {"rng": rng(), "resamples": 1}, "resamples is 1; give at least 100, such as 10000"),
    ],
)
def test_refusals_of_the_test(scores: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        kendall_w_test(scores, **options)


@pytest.mark.parametrize(
    ("tables", "options", "message"),
    [
        ([], {}, "mean_kendall_w: tables empty; give at least one row"),
        ([[[1, 2]], [[1, 2]]], {}, "no item has two raters who tell systems apart; give items that several raters"),
        ([[[1, 2], [1, 2]], [[1, np.inf], [1, 2]]], {}, r"tables\[1\]\[0\]\[1\] is inf; give finite numbers"),
        ([[[1, 2], [1, 2]], [[1, 2], [1, 2]]], {}, "every resample gives 1; give rows that differ"),
        ([[[1, 2], [1, 2]], [[1, 2], [2, 1]]], {"clusters": ["a"]}, "clusters has 1 entries with 2 items; give one"),
    ],
)
def test_refusals_of_the_mean(tables: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        mean_kendall_w(tables, rng=rng(), **options)


@pytest.mark.parametrize(
    ("first", "second", "kind", "message"),
    [
        ([1, 2], [1], "kendall", r"rank_correlation_value: lengths differ \(first has 2, second has 1\)"),
        ([1, 2], [1, None], "kendall", r"second\[1\] is None; give finite numbers"),
        ([1, 2], [1, 2], "pearson", "kind is 'pearson'; use spearman or kendall"),
        ([1, 2], [1, 1], "spearman", "second ties all systems; give scores that tell systems apart"),
    ],
)
def test_refusals_of_the_correlation(first: Any, second: Any, kind: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        rank_correlation_value(first, second, kind=kind)
