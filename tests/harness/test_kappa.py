"""Kappas against scikit-learn, statsmodels and published examples, and their intervals against resampling rows."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from harness import HarnessError
from harness.kappa import (
    Weights,
    cohen_kappa,
    cohen_kappa_value,
    mean_kappa,
    mean_kappa_value,
    pairwise_kappa,
    pairwise_kappa_value,
)

NAN = math.nan
WEIGHTS: tuple[Weights, ...] = (None, "linear", "quadratic")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def raters(seed: int, items: int, count: int = 2, labels: int = 3) -> np.ndarray[Any, Any]:
    """Labels (items, count) that agree more often than not; every label occurs."""
    generator = rng(seed)
    truth = generator.integers(0, labels, size=(items, 1))
    noise = generator.integers(0, labels, size=(items, count))
    table = np.where(generator.random((items, count)) < 0.6, truth, noise)
    table[:labels] = np.arange(labels)[:, None]
    return table


def test_by_hand() -> None:
    # Cohen's table in fractions: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no
    first, second = [1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    agreed, expected = Fraction(35, 50), Fraction(25 * 30 + 25 * 20, 2500)
    assert cohen_kappa_value(first, second) == pytest.approx(float((agreed - expected) / (1 - expected)))


def test_one_constant_rater_is_exactly_zero() -> None:
    assert cohen_kappa_value([True] * 7, [True, False, True, True, True, True, True]) == 0.0
    assert cohen_kappa_value(["a", "b", "a"], ["b", "a", "b"]) == pytest.approx(-0.8)
    assert cohen_kappa_value(["a", "a"], ["b", "b"]) == 0.0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 60), st.integers(2, 6), st.sampled_from(WEIGHTS))
def test_equals_scikit_learn(seed: int, items: int, labels: int, weights: Weights) -> None:
    first, second = raters(seed, items, labels=labels).T
    expected = cohen_kappa_score(first, second, weights=weights)
    assert cohen_kappa_value(first, second, weights=weights) == pytest.approx(expected)
    assert cohen_kappa_value(second, first, weights=weights) == pytest.approx(expected)
    table = np.zeros((labels, labels))
    np.add.at(table, (first, second), 1.0)
    kind = {None: None, "linear": "linear", "quadratic": "quadratic"}[weights]
    assert cohens_kappa(table, wt=kind, return_results=False) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(WEIGHTS))
def test_laws(seed: int, weights: Weights) -> None:
    first, second = raters(seed, items=20, labels=4).T
    value = cohen_kappa_value(first, second, weights=weights)
    order = rng(seed).permutation(20)
    assert cohen_kappa_value(first[order], second[order], weights=weights) == pytest.approx(value)
    names = np.array(["z", "m", "a", "k"])
    assert cohen_kappa_value(
        names[first], pd.Series(names[second]), weights=weights, categories=names.tolist()
    ) == pytest.approx(value)
    assert cohen_kappa_value(3 - first, 3 - second, weights=weights) == pytest.approx(value)
    assert cohen_kappa_value(first, first, weights=weights) == 1.0


def test_absent_grades_need_categories() -> None:
    first, second = [1, 2, 5, 5, 1], [1, 5, 5, 2, 1]
    close = cohen_kappa_value(first, second, weights="linear")
    assert close == pytest.approx(cohen_kappa_score(first, second, weights="linear"))
    scale = [1, 2, 3, 4, 5]
    far = cohen_kappa_value(first, second, weights="linear", categories=scale)
    assert far == pytest.approx(cohen_kappa_score(first, second, weights="linear", labels=scale))
    assert far != pytest.approx(close)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_interval_equals_resampling_rows(weights: Weights) -> None:
    table, generator = raters(1, items=60), rng(2)
    drawn = [
        cohen_kappa_score(*table[generator.integers(60, size=60)].T, weights=weights, labels=[0, 1, 2])
        for _ in range(200)
    ]
    low, high = np.quantile(drawn, [0.1, 0.9])
    mine = cohen_kappa(*table.T, weights=weights, rng=rng(), level=0.8)
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.2 * (high - low))
    assert (mine.n, mine.clusters, mine.method) == (60, None, "bootstrap")


def test_interval_covers() -> None:
    # both raters copy a fair coin with probability 0.7: kappa is 0.49
    generator, held = rng(3), 0
    for _ in range(150):
        truth = generator.random(150) < 0.5
        first, second = (
            np.where(generator.random(150) < 0.7, truth, generator.random(150) < 0.5).astype(int) for _ in range(2)
        )
        mine = cohen_kappa(first, second, rng=generator, resamples=500)
        held += mine.low <= 0.49 <= mine.high
    assert 0.89 <= held / 150 <= 0.99


def test_clusters_widen_and_levels_too() -> None:
    first, second = np.repeat(raters(4, items=50), 4, axis=0).T
    prompts = np.repeat(np.arange(50), 4)
    alone = cohen_kappa(first, second, rng=rng())
    together = cohen_kappa(first, second, clusters=prompts, rng=rng())
    narrow = cohen_kappa(first, second, clusters=prompts, rng=rng(), level=0.5)
    seeded = cohen_kappa(first, second, clusters=prompts, seeds=prompts // 10, rng=rng())
    assert together.value == alone.value == narrow.value
    assert together.high - together.low > 1.6 * (alone.high - alone.low)
    assert together.low < narrow.low < narrow.value < narrow.high < together.high
    assert (together.n, together.clusters) == (200, 50)
    assert seeded.method == "hierarchical bootstrap over 5 seeds"


def test_many_labels() -> None:
    first, second = raters(5, items=3_000, labels=40).T
    mine = cohen_kappa(first, second, weights="quadratic", rng=rng(), resamples=100)
    assert mine.value == pytest.approx(cohen_kappa_score(first, second, weights="quadratic"))


def test_mean_over_groups() -> None:
    table, groups = raters(6, items=120), np.repeat(np.arange(12), 10)
    each = [cohen_kappa_score(*table[groups == at].T) for at in range(12)]
    mine = mean_kappa(*table.T, groups, rng=rng(), level=0.9)
    low, high = np.quantile(rng(7).choice(each, size=(20_000, 12)).mean(axis=1), [0.05, 0.95])
    assert mine.estimate.value == pytest.approx(np.mean(each))
    assert mean_kappa_value(*table.T, groups) == pytest.approx(np.mean(each))
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((low, high), abs=0.02)
    assert (mine.estimate.n, mine.left_out, mine.estimate.method) == (12, 0, "bootstrap over groups")


def test_groups_of_one_label_are_left_out() -> None:
    first, second, groups = [1, 0, 1, 1, 0, 1, 0, 0], [1, 0, 1, 1, 1, 0, 0, 0], list("aabbccdd")
    mine = mean_kappa(first, second, groups, rng=rng(), resamples=200)
    assert (mine.estimate.value, mine.estimate.n, mine.left_out) == (0.0, 2, 2)
    assert mean_kappa_value(first, second, groups) == 0.0


@pytest.mark.parametrize("weights", WEIGHTS)
def test_pairs(weights: Weights) -> None:
    table = raters(8, items=40, count=4)
    each = [cohen_kappa_score(*table[:, pair].T, weights=weights) for pair in itertools.combinations(range(4), 2)]
    mine = pairwise_kappa(table, weights=weights, rng=rng())
    assert mine.estimate.value == pytest.approx(np.mean(each))
    assert pairwise_kappa_value(table[:, ::-1], weights=weights) == pytest.approx(np.mean(each))
    assert (mine.estimate.n, mine.left_out, mine.pairs, mine.undefined) == (40, 0, 6, 0)


def test_pairs_of_two_raters_are_cohens() -> None:
    table = raters(9, items=40)
    pair, cohen = pairwise_kappa(table, rng=rng()).estimate, cohen_kappa(*table.T, rng=rng())
    assert (pair.value, pair.low, pair.high) == pytest.approx((cohen.value, cohen.low, cohen.high))


def test_a_boolean_is_no_gap_written_as_a_number() -> None:
    table = [[True, False], [False, False], [True, True], [False, False]]
    assert pairwise_kappa_value(table, missing=0) == pairwise_kappa_value(table) == pytest.approx(0.5)


def test_pairs_with_gaps() -> None:
    table = raters(10, items=60, count=3).astype(float)
    table[rng(11).random(table.shape) < 0.3] = NAN
    table = np.hstack([table, np.full((60, 1), NAN)])
    table[:2] = [[0, 0, 0, NAN], [1, NAN, NAN, NAN]]
    both = [table[:, pair][~np.isnan(table[:, pair]).any(axis=1)] for pair in itertools.combinations(range(3), 2)]
    mine = pairwise_kappa(table, missing=NAN, clusters=np.arange(60) // 2, rng=rng())
    assert mine.estimate.value == pytest.approx(np.mean([cohen_kappa_score(*rows.T) for rows in both]))
    left_out = int(((~np.isnan(table)).sum(axis=1) < 2).sum())
    assert (mine.estimate.n, mine.left_out, mine.pairs, mine.undefined) == (60 - left_out, left_out, 3, 3)


@pytest.mark.parametrize(
    ("first", "second", "options", "message"),
    [
        ([], [], {}, "cohen_kappa_value: first and second empty; give at least one row"),
        ([1, 0], [1], {}, r"lengths differ \(first has 2, second has 1\)"),
        ([1, None], [1, 0], {}, r"first\[1\] is None; leave out the rows that one of the two did not label"),
        (["b", "a"], ["a", None], {}, r"second\[1\] is None; leave out"),
        (["1", "0"], [1, 0], {}, r"first\[0\] is '1' but second\[0\] is 1; give words everywhere, or nowhere"),
        ([None, 1], ["a", 1], {"categories": ["a", 1]}, r"first\[1\] is 1 but second\[0\] is 'a'; give words"),
        (np.array([1.0, NAN]), np.array([1, 0]), {}, r"first\[1\] is nan; give a label, or say that it is missing"),
        ([1, 0], [1, NAN], {}, r"second\[1\] is nan; give a label"),
        ([1, 1], [1, 1], {}, "both raters give one and the same label; give rows that differ: kappa is 0 / 0"),
        ([1, 0], [1, 2], {"categories": [0, 1]}, r"second\[1\] is 2; use one of 0, 1"),
        ([1, 0], [1, 0], {"weights": "cubic"}, "weights is 'cubic'; use None, linear or quadratic"),
        (["a", "b"], ["a", "a"], {"weights": "linear"}, "linear weights of words; give categories, from lowest"),
        ([1, 0], [1, 0], {"categories": [0, 1, 0]}, "categories repeat themselves; give each of them once"),
    ],
)
def test_refusals_of_labels(first: Any, second: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        cohen_kappa_value(first, second, **options)


def test_perfect_agreement_has_no_interval() -> None:
    labels = [0, 1] * 30
    for made in (
        lambda: cohen_kappa(labels, labels, rng=rng()),
        lambda: pairwise_kappa(list(zip(labels, labels, strict=True)), rng=rng()),
        lambda: mean_kappa(labels, labels, [at // 4 for at in range(60)], rng=rng()),
    ):
        with pytest.raises(HarnessError, match="every resample gives 1; give rows that differ"):
            made()


def test_refusals_of_intervals() -> None:
    with pytest.raises(HarnessError, match="cohen_kappa: both raters give one and the same label"):
        cohen_kappa([1, 1], [1, 1], rng=rng())
    with pytest.raises(HarnessError, match="rows are 1; give 2 or more rows"):
        cohen_kappa([1], [0], rng=rng())
    with pytest.raises(HarnessError, match=r"undefined in \d+ of 10000 resamples; give more rows"):
        cohen_kappa([1, 0, 1], [1, 0, 0], rng=rng())
    with pytest.raises(HarnessError, match="mean_kappa: kappa is undefined in every group; give groups in which"):
        mean_kappa([1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 2, 2], rng=rng())
    with pytest.raises(HarnessError, match="all rows are in one cluster"):
        mean_kappa_value([1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1])


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        ([[1, 2], [1]], r"ratings\[1\] has 1 entries; give 2 for every item"),
        ([[1, None], [None, 1]], "no item has two ratings; give items that several raters rated"),
        ([[1, NAN], [1, 1]], r"ratings\[0\]\[1\] is nan; give a label, or say that it is missing"),
        ([["1", "1"], [0, 1]], r"ratings\[0\]\[0\] is '1' but ratings\[1\]\[0\] is 0; give words everywhere"),
    ],
)
def test_refusals_of_ratings(ratings: Any, message: str) -> None:
    with pytest.raises(HarnessError, match="pairwise_kappa_value: " + message):
        pairwise_kappa_value(ratings)


def test_refusals_of_one_label() -> None:
    with pytest.raises(HarnessError, match="kappa is undefined for every pair of raters; give items on which labels"):
        pairwise_kappa_value([[1, 1], [1, 1]])
    with pytest.raises(HarnessError, match="clusters has 1 entries with 2 items"):
        pairwise_kappa([[1, 1], [2, 1]], clusters=["a"], rng=rng())
