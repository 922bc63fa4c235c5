"""Tables of ratings: as they were given, whatever holds them; and the commonest label against counting."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.ratings import Ratings, consensus, rated_items, read_ratings, rows_kept

ratings = st.lists(st.lists(st.none() | st.integers(0, 3), max_size=6), min_size=1, max_size=12)
few = settings(deadline=None, max_examples=25)


def as_given(found: Ratings) -> list[list[Any]]:
    return [[None if code < 0 else found.labels[code] for code in row] for row in found.codes.tolist()]


@given(st.lists(st.lists(st.none() | st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=10))
@few
def test_a_table_is_read_as_it_was_given(rows: list[list[int | None]]) -> None:
    found = read_ratings("test", rows)
    assert as_given(found) == rows
    assert found.labels == sorted({label for row in rows for label in row} - {None})
    frame = pd.DataFrame(rows, dtype="Int64")
    assert as_given(read_ratings("test", frame, missing=math.nan)) == rows
    flat = [(item, label) for item, row in enumerate(rows) for label in row if label is not None]
    items, codes = found.given
    assert [(item, found.labels[code]) for item, code in zip(items.tolist(), codes.tolist(), strict=True)] == flat
    assert found.sizes.tolist() == [len(row) - row.count(None) for row in rows]
    assert found.counts().tolist() == [[row.count(label) for label in found.labels] for row in rows]


def test_words_are_numbered_as_met_and_categories_as_named() -> None:
    rows = [["b", None], ["a", "b"]]
    assert read_ratings("test", rows).labels == ["b", "a"]
    assert read_ratings("test", rows, categories=["a", "b", "c"]).codes.tolist() == [[1, -1], [0, 1]]
    pairs, keep = read_ratings("test", rows).pairable("test")
    assert (pairs.codes.tolist(), keep.tolist()) == ([[1, 0]], [False, True])
    assert rows_kept("test", keep, clusters=["x", "y"]) == ["y"]
    assert rows_kept("test", keep, clusters=None) is None


def test_a_boolean_equals_its_number_but_is_no_gap_written_as_one() -> None:
    rows = [[True, 1, False], [0, None, 1.0]]
    assert read_ratings("test", rows).codes.tolist() == [[1, 1, 0], [0, -1, 1]]
    assert read_ratings("test", rows, missing=0).codes.tolist() == [[1, 1, 0], [-1, -1, 1]]
    assert read_ratings("test", rows, missing=np.False_).codes.tolist() == [[1, 1, -1], [0, -1, 1]]


def test_a_gap_may_be_a_word_beside_numbers() -> None:
    assert read_ratings("test", [[1, "-"], [2, 1]], missing="-").codes.tolist() == [[0, -1], [1, 0]]
    assert read_ratings("test", [["a", 0], ["b", "a"]], missing=0).codes.tolist() == [[0, -1], [1, 0]]


def test_items_of_any_numbers_of_raters() -> None:
    found = rated_items("test", [["b"], [], ["a", None, "b"]])
    assert (found.labels, found.codes.tolist()) == (["a", "b"], [[1, -1, -1], [-1, -1, -1], [0, -1, 1]])


@given(ratings.filter(lambda rows: any(label is not None for row in rows for label in row)))
@few
def test_consensus_is_the_single_commonest_label(rows: list[list[int | None]]) -> None:
    expected = []
    for row in rows:
        most = Counter(label for label in row if label is not None).most_common()
        single = len(most) == 1 or (len(most) > 1 and most[0][1] > most[1][1])
        expected.append(most[0][0] if single else None)
    assert consensus(rows, split="none") == expected
    assert consensus([[label, *row, label] for row, label in zip(rows, range(len(rows)), strict=True)], split="none")


def test_consensus_of_arrays_and_frames() -> None:
    rows = [[1, 1, 2], [0, 2, 2], [2, 2, 2]]
    assert consensus(rows) == [1, 2, 2]
    assert consensus(np.array(rows)) == [1, 2, 2]
    assert consensus(pd.DataFrame(rows)) == [1, 2, 2]
    assert consensus(pd.Series(rows)) == [1, 2, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: consensus([]), "consensus: ratings empty; give at least one row"),
        (
            lambda: consensus([[1, 2], [1, 1]]),
            r"ratings\[0\] has no commonest label; add a rater, or give split=",
        ),
        (lambda: consensus([[1], []]), r"ratings\[1\] has no commonest label"),
        (lambda: consensus([[None], []], split="none"), "consensus: no item has a rating; give at least one"),
        (lambda: consensus([[1, 1], [1, math.nan]]), r"ratings\[1\]\[1\] is nan; give a label, or None"),
        (lambda: consensus([["1"], [1]]), r"ratings\[0\]\[0\] is '1' but ratings\[1\]\[0\] is 1; give words"),
        (lambda: consensus([1, 2]), r"ratings\[0\] is 1; give the labels of each item as a list"),  # type: ignore[list-item]
        (lambda: consensus(["aab"]), r"ratings\[0\] is 'aab'; give the labels of each item as a list"),
        (lambda: consensus([[1]], split="tie"), "split is 'tie'; use 'refuse' or 'none'"),  # type: ignore[arg-type]
        (lambda: read_ratings("test", [[1, 2], [1]]), r"test: ratings\[1\] has 1 entries; give 2 for every item"),
        (
            lambda: read_ratings("test", [[None, 2], ["2", 2]]),
            r"test: ratings\[0\]\[1\] is 2 but ratings\[1\]\[0\] is '2'; give words everywhere, or nowhere",
        ),
        (lambda: read_ratings("test", np.array([1])), "test: ratings have 1 dimensions; give items in rows and raters"),
        (
            lambda: rows_kept("test", np.array([True]), seeds=[1, 2]),
            "test: seeds has 2 entries with 1 items; give one for each item",
        ),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
