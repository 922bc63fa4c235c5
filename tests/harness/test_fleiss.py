"""Fleiss' kappa against statsmodels and published examples, and its interval against resampling rows."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as peer_fleiss

from harness import HarnessError
from harness.fleiss import (
    fleiss_kappa,
    fleiss_kappa_of_counts,
    fleiss_kappa_of_counts_value,
    fleiss_kappa_value,
)

NAN = math.nan


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


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(2, 6), st.integers(2, 3))
def test_equals_statsmodels(seed: int, items: int, count: int, labels: int) -> None:
    table = raters(seed, items, count, labels)
    expected = peer_fleiss(aggregate_raters(table)[0])
    assert fleiss_kappa_value(table) == pytest.approx(expected)
    counts = [[int((row == label).sum()) for label in range(labels)] for row in table]
    assert fleiss_kappa_of_counts_value(counts) == pytest.approx(expected)
    shuffled = rng(seed).permuted(table[::-1], axis=1).astype(str)
    assert fleiss_kappa_value(shuffled) == pytest.approx(expected)


def test_equals_a_widely_reprinted_example() -> None:
    # 10 items, 14 raters, 5 categories: 0.210
    counts = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    assert fleiss_kappa_of_counts_value(counts) == pytest.approx(0.210, abs=5e-4)


POSITIVE = [2, 0, 2, 3, 3, 1, 0, 0, 0, 4, 5, 3, 4, 3, 0, 2, 1, 1, 1, 4, 2, 0, 0, 3, 2]
RATERS = [2, 2, 3, 4, 3, 4, 3, 5, 2, 4, 5, 3, 4, 4, 2, 2, 3, 2, 4, 5, 3, 4, 3, 3, 2]
UNEQUAL = [[positive, raters - positive] for positive, raters in zip(POSITIVE, RATERS, strict=True)]
"""25 subjects with 2 to 5 raters each of Fleiss, Levin and Paik (2003), section 18.3, as in the manual of Stata."""


def test_with_unequal_numbers_equals_the_printed_example() -> None:
    assert fleiss_kappa_of_counts_value(UNEQUAL) == pytest.approx(0.5415, abs=5e-5)


def test_with_unequal_numbers_is_the_ratio_of_mean_squares() -> None:
    positive, size = np.array(POSITIVE), np.array(RATERS)
    share, mean = positive.sum() / size.sum(), size.mean()
    between = np.mean((positive - size * share) ** 2 / size)
    within = np.sum(positive * (size - positive) / size) / (len(size) * (mean - 1))
    assert fleiss_kappa_of_counts_value(UNEQUAL) == pytest.approx((between - within) / (between + (mean - 1) * within))


def test_interval() -> None:
    table, generator = raters(12, items=50, count=5), rng(13)
    drawn = [peer_fleiss(aggregate_raters(table[generator.integers(50, size=50)])[0]) for _ in range(300)]
    low, high = np.quantile(drawn, [0.1, 0.9])
    mine = fleiss_kappa(table, rng=rng(), level=0.8)
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((low, high), abs=0.2 * (high - low))
    counts = fleiss_kappa_of_counts(aggregate_raters(table)[0], rng=rng(), level=0.8)
    assert (counts.estimate.low, counts.estimate.high) == pytest.approx((low, high), abs=0.2 * (high - low))
    assert (mine.estimate.n, mine.left_out, mine.estimate.method) == (50, 0, "bootstrap")


def test_leaves_out_items_of_one_rating() -> None:
    table = [["a", "a"], ["b", "b"], ["a", None], ["b", "a"], [None, None], ["b", "b"], ["a", "a"], ["a", "b"]] * 3
    pairs = [row for row in table if None not in row]
    mine = fleiss_kappa(table, clusters=range(24), seeds=[at % 3 for at in range(24)], rng=rng())
    assert mine.estimate.value == pytest.approx(fleiss_kappa_value(pairs))
    assert (mine.estimate.n, mine.left_out) == (18, 6)
    assert fleiss_kappa_value(np.where(np.array(table) == None, "-", table), missing="-") == pytest.approx(  # noqa: E711
        mine.estimate.value
    )
    assert fleiss_kappa_of_counts([[2, 0], [0, 2], [1, 0], [1, 1]] * 9, rng=rng()).left_out == 9


def test_a_boolean_is_no_gap_written_as_a_number() -> None:
    table = [[True, False], [False, False], [True, True], [False, False]]
    assert fleiss_kappa_value(table, missing=0) == fleiss_kappa_value(table) == pytest.approx(7 / 15)


def test_perfect_agreement_has_no_interval() -> None:
    labels = [0, 1] * 30
    with pytest.raises(HarnessError, match="fleiss_kappa: every resample gives 1; give rows that differ"):
        fleiss_kappa(list(zip(labels, labels, strict=True)), rng=rng())


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
    with pytest.raises(HarnessError, match="fleiss_kappa_value: " + message):
        fleiss_kappa_value(ratings)


def test_refusals_of_one_label_and_of_clusters() -> None:
    with pytest.raises(HarnessError, match="fleiss_kappa_value: all ratings are the same; give items that differ"):
        fleiss_kappa_value([[1, 1], [1, 1]])
    with pytest.raises(HarnessError, match="fleiss_kappa: all ratings are the same; give items that differ"):
        fleiss_kappa([[1, 1], [1, 1]], rng=rng())
    with pytest.raises(HarnessError, match="clusters has 1 entries with 2 items"):
        fleiss_kappa([[1, 1], [2, 1]], clusters=["a"], rng=rng())


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([], r"counts are of shape \(0,\) and type float64; give numbers, items by labels"),
        ([["a", "b"]], r"counts are of shape \(1, 2\) and type <U1; give numbers, items by labels"),
        ([[2, 0], [1.5, 1]], r"counts\[1\]\[0\] is 1.5; give whole numbers from 0"),
        ([[2, 0], [-1, 3]], r"counts\[1\]\[0\] is -1; give whole numbers from 0"),
        ([[2, NAN]], r"counts\[0\]\[1\] is nan; give whole numbers from 0"),
        ([[1, 0], [0, 1]], "no item has two ratings; give items that several raters rated"),
    ],
)
def test_refusals_of_counts(counts: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        fleiss_kappa_of_counts_value(counts)
