"""Alpha against Krippendorff's own examples, the `krippendorff` package, its definition over pairs, and resampling."""

import importlib
import itertools
import math
import time
from fractions import Fraction
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.krippendorff_alpha import Metric, krippendorff_alpha, krippendorff_alpha_value
from harness.ratings import read_ratings

module: Any = importlib.import_module("harness.krippendorff_alpha")
NAN = math.nan
METRICS: tuple[Metric, ...] = ("nominal", "ordinal", "interval", "ratio")

OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
"""Krippendorff (2011), section C: 4 observers of 12 units."""
UNITS = [list(unit) for unit in zip(*OBSERVERS, strict=True)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def gappy(seed: int, items: int, raters: int, values: int = 5, gaps: float = 0.4) -> np.ndarray[Any, Any]:
    """Ratings from 0 that share the item's level, NaN where there are none."""
    generator = rng(seed)
    levels = generator.integers(0, values, size=(items, 1)) + generator.integers(-1, 2, size=(items, raters))
    table = np.clip(levels, 0, values - 1).astype(float)
    table[generator.random((items, raters)) < gaps] = np.nan
    return table


def peer(table: np.ndarray[Any, Any], metric: Metric) -> float:
    return float(krippendorff.alpha(reliability_data=table.T, level_of_measurement=metric))


@pytest.mark.parametrize(
    ("metric", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_equals_the_printed_example(metric: Metric, expected: float) -> None:
    assert round(krippendorff_alpha_value(UNITS, metric=metric), 3) == expected
    mine = krippendorff_alpha(UNITS, metric=metric, rng=rng(), resamples=500)
    assert round(mine.estimate.value, 3) == expected
    assert (mine.left_out, mine.estimate.n, mine.estimate.method) == (1, 11, "bootstrap")


def test_two_observers_of_ten_units() -> None:
    # Krippendorff (2011), section A: binary data, alpha 0.095
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    value = krippendorff_alpha_value(list(zip(first, second, strict=True)), metric="nominal")
    assert value == pytest.approx(float(1 - Fraction(19) * 8 / (2 * 14 * 6)))
    assert round(value, 3) == 0.095


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 30), st.integers(2, 8), st.integers(2, 7), st.sampled_from(METRICS))
def test_equals_the_package(seed: int, items: int, raters: int, values: int, metric: Metric) -> None:
    table = gappy(seed, items, raters, values)
    table[:3, :2] = [[0, 0], [1, 1], [0, 1]]
    assert krippendorff_alpha_value(table, metric=metric, missing=NAN) == pytest.approx(peer(table, metric))


@pytest.mark.parametrize("metric", METRICS)
def test_equals_the_package_with_many_values_and_raters(metric: Metric) -> None:
    table = gappy(1, items=60, raters=123, values=80, gaps=0.9)
    table[:, :2] = np.where(np.isnan(table[:, :2]), 7.0, table[:, :2])
    assert krippendorff_alpha_value(table, metric=metric, missing=NAN) == pytest.approx(peer(table, metric))


@pytest.mark.parametrize("metric", ["interval", "ratio"])
def test_equals_its_definition_over_pairs(metric: Metric) -> None:
    rows = [[2.5, 4.0, None], [1.0, 1.5, 9.25], [7.0, None, 3.0], [0.0, 0.0, 8.0]]

    def apart(one: Any, other: Any) -> float:
        return float((one - other) ** 2 / ((one + other) ** 2 or 1) if metric == "ratio" else (one - other) ** 2)

    items = [[rating for rating in row if rating is not None] for row in rows]
    pool = [rating for item in items for rating in item]
    within = sum(
        sum(apart(*pair) for pair in itertools.permutations(item, 2)) / (len(item) - 1) for item in items
    ) / len(pool)
    between = sum(apart(*pair) for pair in itertools.permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    assert krippendorff_alpha_value(rows, metric=metric) == pytest.approx(1 - within / between)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("limit", [0, 50])
def test_interval_equals_resampling_rows(metric: Metric, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRADES", limit)
    table = gappy(2, items=40, raters=4, gaps=0.2)
    table = table[(~np.isnan(table)).sum(axis=1) >= 2]
    generator = rng(3)
    drawn = [peer(table[generator.integers(len(table), size=len(table))], metric) for _ in range(250)]
    low, high = np.quantile(drawn, [0.1, 0.9])
    mine = krippendorff_alpha(table, metric=metric, missing=NAN, rng=rng(), level=0.8, resamples=1_000).estimate
    assert mine.value == pytest.approx(peer(table, metric))
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.25 * (high - low))


def test_ordinal_ranks_are_those_of_the_resample() -> None:
    found = read_ratings("test", gappy(4, items=25, raters=5, gaps=0.0))
    columns, statistic = module._coincidences(found)
    for seed in range(10):
        picked = rng(seed).integers(25, size=25)
        weights = np.bincount(picked, minlength=25).astype(float)
        expected = peer(found.codes[picked].astype(float), "ordinal")
        assert float(statistic(weights @ columns)) == pytest.approx(expected)
        assert module._ordinal_refit(found)(weights) == pytest.approx(expected)


def test_many_grades_give_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters, table = np.arange(60) // 3, gappy(5, items=60, raters=4, gaps=0.0)
    few = krippendorff_alpha(table, metric="ordinal", clusters=clusters, rng=rng(), resamples=2_000)
    monkeypatch.setattr(module, "GRADES", 0)
    many = krippendorff_alpha(table, metric="ordinal", clusters=clusters, rng=rng(), resamples=2_000)
    assert (many.estimate.low, many.estimate.high) == pytest.approx((few.estimate.low, few.estimate.high), abs=0.03)
    assert (many.estimate.n, many.estimate.clusters) == (few.estimate.n, few.estimate.clusters) == (60, 20)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(METRICS))
def test_laws(seed: int, metric: Metric) -> None:
    table = gappy(seed, items=20, raters=4, gaps=0.3)
    table[:2, :2] = [[0, 0], [1, 2]]
    value = krippendorff_alpha_value(table, metric=metric, missing=NAN)
    generator = rng(seed)
    shuffled = generator.permuted(table[generator.permutation(20)], axis=1)  # who gave a rating does not matter
    assert krippendorff_alpha_value(shuffled, metric=metric, missing=NAN) == pytest.approx(value)
    extra = np.vstack([table, [[3.0, NAN, NAN, NAN], [NAN] * 4]])
    assert krippendorff_alpha_value(extra, metric=metric, missing=NAN) == pytest.approx(value)
    moved: dict[str, Any] = {
        "nominal": (table * 7 + 2) % 5,
        "ordinal": np.exp(table),
        "interval": 1e6 - 3 * table,
        "ratio": 8 * table,
    }
    assert krippendorff_alpha_value(moved[metric], metric=metric, missing=NAN) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("metric", ["ordinal", "interval"])
def test_ways_to_write_a_gap(metric: Metric) -> None:
    table = gappy(6, items=15, raters=3)[::-1]
    value = krippendorff_alpha_value(table, metric=metric, missing=NAN)
    listed = [[None if math.isnan(rating) else rating for rating in row] for row in table]
    frame = pd.DataFrame(table).astype("Int64")
    for same, missing in (
        (listed, None),
        (pd.DataFrame(table), NAN),
        (frame, pd.NA),
        (frame, NAN),
        (np.where(np.isnan(table), -1, table).astype(int), -1),
        ([[-1 if rating is None else rating for rating in row] for row in listed], -1),
    ):
        assert krippendorff_alpha_value(same, metric=metric, missing=missing) == pytest.approx(value)


@pytest.mark.parametrize("made", [list, np.array, pd.DataFrame, lambda table: np.array(table, dtype=object)])
def test_a_boolean_is_no_gap_written_as_a_number(made: Any) -> None:
    table = [[True, False], [False, False], [True, True], [False, False]]
    value = krippendorff_alpha_value(table, metric="nominal")
    assert value == pytest.approx(8 / 15)
    assert krippendorff_alpha_value(made(table), metric="nominal", missing=0) == value
    gaps = [[*row, False] for row in table]
    numbers = [[*map(int, row), 9] for row in table]
    assert krippendorff_alpha_value(made(numbers), metric="nominal", missing=9) == value
    assert krippendorff_alpha_value(made(gaps), metric="nominal", missing=1) != value


def test_words_with_gaps() -> None:
    words = pd.DataFrame({"ann": ["low", "high", None, "mid"], "bob": ["low", "mid", "mid", np.nan]})
    order = ["low", "mid", "high"]
    assert krippendorff_alpha_value(words, metric="ordinal", categories=order, missing=NAN) == pytest.approx(
        krippendorff_alpha_value([[0, 0], [2, 1]], metric="ordinal")
    )


def test_words_are_ordered_by_categories() -> None:
    names = {1: "very low", 2: "low", 3: "mid", 4: "high", 5: "very high", None: None}
    words = [[names[rating] for rating in unit] for unit in UNITS]
    order = [*list(names.values())[:5], "never said"]
    assert round(krippendorff_alpha_value(words, metric="ordinal", categories=order), 3) == 0.815
    assert round(krippendorff_alpha_value(words, metric="nominal"), 3) == 0.743


def test_clusters_and_seeds() -> None:
    table = np.repeat(gappy(7, items=40, raters=4, gaps=0.2), 3, axis=0)
    copies = np.repeat(np.arange(40), 3)
    alone = krippendorff_alpha(table, metric="nominal", missing=NAN, rng=rng()).estimate
    together = krippendorff_alpha(table, metric="nominal", missing=NAN, clusters=copies, rng=rng()).estimate
    seeded = krippendorff_alpha(table, metric="nominal", missing=NAN, seeds=copies // 10, rng=rng()).estimate
    assert together.value == pytest.approx(alone.value)
    assert together.high - together.low > 1.4 * (alone.high - alone.low)
    assert together.n == alone.n
    assert seeded.method == "hierarchical bootstrap over 4 seeds"


def test_interval_widens_with_the_level() -> None:
    wide, narrow = (
        krippendorff_alpha(UNITS, metric="interval", rng=rng(), level=level).estimate for level in (0.95, 0.5)
    )
    assert wide.low < narrow.low < wide.value < narrow.high <= wide.high


def test_refits_are_refused_by_the_name_that_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRADES", 0)
    with pytest.raises(HarnessError, match="krippendorff_alpha: every resample gives 1"):
        krippendorff_alpha([[1, 1], [2, 2]] * 10, metric="ordinal", rng=rng(), resamples=100)


def test_constant_resamples_are_undefined_not_perfect() -> None:
    for value in np.linspace(0.1, 0.9, 17):
        found = read_ratings("test", [[value] * 3, [value] * 3, [0.7, 0.3, None]])
        columns, statistic = module._spreads(found, "interval")
        assert np.isnan(statistic(columns[0] + 4 * columns[1]))
        assert np.isfinite(statistic(columns.sum(axis=0)))


def test_many_raters_and_items_are_fast() -> None:
    table = gappy(8, items=2_000, raters=123, gaps=0.95)
    start = time.process_time()
    mine = krippendorff_alpha(table, metric="interval", missing=NAN, rng=rng(), resamples=200)
    assert time.process_time() - start < 3.0
    assert mine.estimate.value == pytest.approx(krippendorff_alpha_value(table, metric="interval", missing=NAN))


@pytest.mark.parametrize(
    ("ratings", "options", "message"),
    [
        ([], {}, "krippendorff_alpha_value: ratings empty; give at least one row"),
        ([[1, 2], [1]], {}, r"ratings\[1\] has 1 entries; give 2 for every item"),
        ([[], []], {}, r"ratings\[0\] has 0 entries; give some for every item"),
        (np.array([1, 2]), {}, "ratings have 1 dimensions; give items in rows and raters in columns"),
        ([[1, 2], [1, NAN]], {}, r"ratings\[1\]\[1\] is nan; give a label, or say that it is missing"),
        (np.array([[1, NAN], [1, 2]]), {}, r"ratings\[0\]\[1\] is nan; give a label, or say that it is missing"),
        ([[pd.NA, 2], [1, 2]], {}, r"ratings\[0\]\[0\] is <NA>; give a label"),
        ([[1, None], [None, 2]], {}, "no item has two ratings; give items that several raters rated"),
        ([[1, 1], [1, 1]], {}, "all ratings are the same; give items that differ: alpha is 0 / 0"),
        ([[0.1] * 3] * 3, {"metric": "interval"}, "all ratings are the same"),
        ([[4, 4], [4, 4]], {"metric": "ordinal"}, "all ratings are the same"),
        ([[0, 0], [0, 0]], {"metric": "ratio"}, "all ratings are the same"),
        ([[1, 2]], {"metric": "polar"}, "metric is 'polar'; use one of nominal, ordinal, interval, ratio"),
        ([["a", "b"]], {"metric": "interval"}, r"ratings\[0\]\[0\] is 'a'; give numbers for the metric interval"),
        ([[1, None], [1, "1"]], {}, r"ratings\[0\]\[0\] is 1 but ratings\[1\]\[1\] is '1'; give words everywhere"),
        ([["a", "b"]], {"metric": "ordinal"}, r"ratings\[0\]\[0\] is 'a'; give numbers, or categories for the metric"),
        ([[1, 2], [-1, 2]], {"metric": "ratio"}, r"ratings\[1\]\[0\] is -1; give numbers from 0 for the metric ratio"),
        ([[1, math.inf]], {"metric": "interval"}, r"ratings\[0\]\[1\] is inf; give numbers for the metric interval"),
        ([[1, 2]], {"categories": [1, 2]}, "categories with the metric nominal; give them to order words"),
        (
            [["a", "b"], ["c", "a"]],
            {"metric": "ordinal", "categories": ["a", "b"]},
            r"ratings\[1\]\[0\] is 'c'; use one of a, b",
        ),
        ([["a", "b"]], {"metric": "ordinal", "categories": ["a", "b", "a"]}, "categories repeat themselves; give each"),
    ],
)
def test_refusals(ratings: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        krippendorff_alpha_value(ratings, **{"metric": "nominal"} | options)


@pytest.mark.parametrize(
    ("ratings", "options", "message"),
    [
        ([[1, 1], [2, 2]] * 10, {}, "krippendorff_alpha: every resample gives 1; give rows that differ"),
        ([[1, 1], [1, 1]], {}, "the figure is undefined on these rows; give rows that differ"),
        ([[1, 2]], {}, "rows are 1; give 2 or more rows"),
        ([[1, 2], [1, 1]], {"clusters": ["a"]}, "clusters has 1 entries with 2 items; give one for each item"),
        ([[1, 2], [1, 1]], {"seeds": [1, 2, 3]}, "seeds has 3 entries with 2 items; give one for each item"),
        ([[1, 2], [1, 1]], {"rng": 1}, "rng is 1"),
    ],
)
def test_refusals_of_the_interval(ratings: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        krippendorff_alpha(ratings, metric="nominal", **{"rng": rng()} | options)
