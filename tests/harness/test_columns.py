"""How columns are read: what stays, what is None, and every refusal."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness import HarnessError
from harness.checks import sorted_labels
from harness.columns import (
    check_apart,
    check_columns,
    check_present,
    check_read,
    flags_of,
    joined_clusters,
    kept,
    labels_of,
    numbers_or_none,
    rows_to_count,
    soft_labels_of,
)

NONE, SOME = np.array([False, False]), np.array([True, False])


def test_labels_of_any_column_are_lists() -> None:
    for column in ([1, None, 2], np.array([1, None, 2], dtype=object), pd.Series([1, None, 2], dtype=object)):
        assert labels_of("test", one=column, other=[3]) == [[1, None, 2], [3]]
    assert labels_of("test", one=[("a", 1)], other=[0.5]) == [[("a", 1)], [0.5]]
    assert sorted_labels(["b", "a"]) == ["a", "b"]
    assert sorted_labels([2, 0.5, True]) == [0.5, True, 2]
    assert sorted_labels([("b", 1), ("a", 2)]) == [("a", 2), ("b", 1)]


def test_none_is_nan() -> None:
    np.testing.assert_array_equal(flags_of("test", [True, None, np.bool_(False)]), [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(numbers_or_none("test", "values", [0.5, None, 2], low=0.5), [0.5, np.nan, 2.0])
    np.testing.assert_array_equal(numbers_or_none("test", "values", np.array([-1.0, 3.0])), [-1.0, 3.0])


def test_rows_that_stay() -> None:
    assert rows_to_count("test", SOME, "left out").tolist() == [False, True]
    assert rows_to_count("test", SOME, "wrong").tolist() == [True, True]
    assert kept(None, SOME) is None
    names = ["a", "b"]
    assert kept(names, np.array([True, True])) is names
    assert kept(names, SOME) == ["a"]


def test_clusters_of_two_samples() -> None:
    assert joined_clusters("test", (None, 2), (None, 3)) is None
    check_apart("test", None, None)
    check_apart("test", [1, 2], [3])
    check_columns("test", values=[1], clusters=None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_columns("test", a=[1], b=[1, 2], c=None), r"test: lengths differ \(a has 1, b has 2\)"),
        (lambda: labels_of("test", one=[1, math.nan]), r"test: one\[1\] is nan; give a label, or None where there"),
        (lambda: labels_of("test", one=["a", pd.NA]), r"test: one\[1\] is <NA>; give a label, or None where there"),
        (lambda: labels_of("test", one=[pd.NaT]), r"test: one\[0\] is NaT; give a label, or None where there"),
        (lambda: labels_of("test", one=pd.Series([1, None], dtype="Int64")), r"test: one\[1\] is <NA>"),
        (
            lambda: labels_of("test", one=["a"], other=[1]),
            r"one\[0\] is 'a' but other\[0\] is 1; give words everywhere",
        ),
        (lambda: flags_of("test", [None, 1]), r"test: flags\[1\] is 1; use True, False or None"),  # type: ignore[list-item]
        (lambda: numbers_or_none("test", "x", [None, math.nan]), r"test: x\[1\] is nan; give finite numbers"),
        (lambda: soft_labels_of("test", [0.5], [2]), r"test: human\[0\] is 2; give finite numbers in \[0, 1\]"),
        (
            lambda: check_present("test", "gold", [1, None]),
            r"test: gold\[1\] is None; leave out rows without an answer",
        ),
        (lambda: check_read("test", NONE), "test: no row could be read; give at least one that is not None"),
        (
            lambda: check_read("test", NONE, "pair", right="parsed"),
            "no pair could be read; give at least one that is pa",
        ),
        (lambda: rows_to_count("test", ~NONE, "left out"), "test: no row could be read"),
        (
            lambda: rows_to_count("test", NONE, "tie"),  # type: ignore[arg-type]
            "test: unparsed is 'tie'; use 'wrong' or 'left out'",
        ),
        (lambda: check_apart("test", [1], None), "test: clusters of one sample only; give ours_clusters and"),
        (lambda: check_apart("test", [1], [2, 1]), "test: cluster 1 is in both samples; use paired_difference"),
        (lambda: joined_clusters("test", ([1], 1), (None, 1)), "test: only one of the two samples has clusters; name"),
        (
            lambda: joined_clusters("test", ([1], 2), ([1], 1)),
            r"test: lengths differ \(clusters have 1, rows are 2\); give one a row",
        ),
    ],
)
def test_refusals(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
