"""Battles counted from rows of any kind against counting one by one, and every refusal."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness import battles as module
from harness.battles import Battles, apart, connected, count_battles, drawn_tallies, grouped, tallies_without_one
from harness.resampling import Settings

WORDS = ["first", "second", "tie", "unparsed"]
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.sampled_from(WORDS)), min_size=1, max_size=40
).filter(lambda rows: any(word != "unparsed" for _, _, word in rows))


def columns(rows: Sequence[tuple[int, int, str]]) -> tuple[list[str], list[str], list[str]]:
    names = [f"m{number}" for number in range(5)]
    return (
        [names[one] for one, _, _ in rows],
        [names[(one + ahead) % 5] for one, ahead, _ in rows],
        [word for _, _, word in rows],
    )


def naive(first: Sequence[Any], second: Sequence[Any], outcomes: Sequence[Any]) -> Counter[tuple[Any, Any, float]]:
    found: Counter[tuple[Any, Any, float]] = Counter()
    for one, other, word in zip(first, second, outcomes, strict=True):
        if word != "unparsed":
            score = {"first": 1.0, "tie": 0.5, "second": 0.0}[word]
            found[(one, other, score) if one < other else (other, one, 1.0 - score)] += 1
    return found


def cells(battles: Battles) -> dict[tuple[Any, Any, float], int]:
    pairs = np.searchsorted(battles.starts, np.arange(len(battles.counts)), side="right") - 1
    names = battles.systems
    return {
        (names[battles.first[pair]], names[battles.second[pair]], float(score)): int(count)
        for pair, score, count in zip(pairs, battles.scores, battles.counts, strict=True)
    }


def a_settings(**options: Any) -> Settings:
    return Settings.of("test", {"rng": np.random.default_rng(0), **options})  # type: ignore[typeddict-item]


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_counts_as_one_by_one(rows: list[tuple[int, int, str]]) -> None:
    first, second, outcomes = columns(rows)
    mine = count_battles("test", first, second, outcomes)
    assert cells(mine) == dict(naive(first, second, outcomes))
    assert (len(mine.cells), mine.unparsed) == (len(rows) - outcomes.count("unparsed"), outcomes.count("unparsed"))
    assert mine.systems == tuple(sorted({name for key in naive(first, second, outcomes) for name in key[:2]}))
    assert np.bincount(mine.cells).tolist() == mine.counts.tolist()


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_sides_do_not_matter(rows: list[tuple[int, int, str]]) -> None:
    first, second, outcomes = columns(rows)
    swapped = [{"first": "second", "second": "first"}.get(word, word) for word in outcomes]
    mine, other = count_battles("t", first, second, outcomes), count_battles("t", second, first, swapped)
    assert cells(mine) == cells(other)
    assert mine.cells.tolist() == other.cells.tolist()


FIRST, SECOND, OUTCOMES = ["b", "a", "c", "a", "b"], ["a", "c", "b", "b", "a"], ["first", "tie", "second", "tie", "tie"]
NUMBERS = {"a": 7, "b": 8, "c": 9}


@pytest.mark.parametrize(
    "made",
    [
        np.array,
        pd.Series,
        pd.Categorical,
        tuple,
        lambda column: np.array(column, dtype=object),
        lambda column: pd.Series(pd.Categorical(column, categories=["unused", "tie", *"cba", "second", "first"])),
        lambda column: pd.Series(column, index=range(10, 15), dtype="string"),
    ],
)
def test_any_kind_of_column(made: Any) -> None:
    mine = count_battles("test", made(FIRST), made(SECOND), made(OUTCOMES))
    assert mine.systems == ("a", "b", "c")
    assert cells(mine) == dict(naive(FIRST, SECOND, OUTCOMES))


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, np.float64, object])
@pytest.mark.parametrize("spread", [1, 11])
def test_numbers_are_names_too(kind: Any, spread: int) -> None:
    first, second = (np.array([NUMBERS[name] * spread for name in column], dtype=kind) for column in (FIRST, SECOND))
    mine = count_battles("test", first, second, OUTCOMES)
    assert mine.systems == (7 * spread, 8 * spread, 9 * spread)
    assert list(cells(mine).values()) == list(dict(sorted(naive(FIRST, SECOND, OUTCOMES).items())).values())


def test_systems_of_several_types_are_sorted_by_type() -> None:
    mine = count_battles("test", [("x", 2), 2, ("x", 1)], [2, 0.5, 0.5], ["first", "first", "tie"])
    assert mine.systems == (0.5, 2, ("x", 1), ("x", 2))


@pytest.mark.parametrize("made", [list, np.array, pd.Series, lambda column: np.array(column, dtype=object)])
def test_soft_outcomes_keep_their_value(made: Any) -> None:
    mine = count_battles("test", ["a", "b", "a", "a"], ["b", "a", "b", "c"], made([0.25, 0.25, 0.25, 1.0]))
    assert cells(mine) == {("a", "b", 0.25): 2, ("a", "b", 0.75): 1, ("a", "c", 1.0): 1}
    whole = mine.whole
    assert (whole.battles.tolist(), whole.points.tolist(), whole.ties.tolist()) == ([3, 1], [1.25, 1.0], [0, 0])
    assert mine.points(whole).tolist() == [[0, 1.25, 1], [1.75, 0, 0], [0, 0, 0]]


def test_many_systems_are_counted_by_sorting() -> None:
    first, second = np.arange(200), np.arange(200) + 1
    mine = count_battles("test", first, second, np.tile([1.0, 0.5], 100))
    assert len(mine.counts) == 200
    assert set(mine.counts.tolist()) == {1}
    assert (mine.first.tolist(), mine.second.tolist()) == (first.tolist(), second.tolist())


@pytest.mark.parametrize("many", [0.01, 1e9])
@pytest.mark.parametrize("block", [40, 200_000])
def test_resamples_of_rows_have_the_law_of_a_multinomial(
    monkeypatch: pytest.MonkeyPatch, many: float, block: int
) -> None:
    monkeypatch.setattr(module, "MANY", many)
    monkeypatch.setattr(module, "BLOCK", block)
    battles = count_battles("test", FIRST * 4, SECOND * 4, OUTCOMES * 4)
    groups = grouped("test", OUTCOMES * 4, battles, None, None)
    tallies = list(drawn_tallies(battles, groups, a_settings(resamples=2_001)))
    drawn = np.concatenate([tally.battles for tally in tallies])
    assert drawn.shape == (2_001, 3)
    assert (drawn.sum(axis=1) == 20).all()
    shares = battles.whole.battles / 20
    expected = 20 * (np.diag(shares) - np.outer(shares, shares))
    assert drawn.mean(axis=0) == pytest.approx(20 * shares, abs=0.25)
    assert np.cov(drawn.T) == pytest.approx(expected, abs=0.5)


def test_resamples_of_clusters_keep_them_whole() -> None:
    clusters = ["x", "x", "y", "y", "z"]
    battles = count_battles("test", FIRST, SECOND, OUTCOMES)
    groups = grouped("test", OUTCOMES, battles, clusters, None)
    (tally,) = drawn_tallies(battles, groups, a_settings(resamples=200))
    times = np.linalg.solve(np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]]).T, tally.battles.T)
    assert times.sum(axis=0) == pytest.approx(np.full(200, 3.0))
    assert {round(count, 6) for count in times.ravel()} <= {0.0, 1.0, 2.0, 3.0}


def test_leaving_one_out() -> None:
    battles = count_battles("test", [*FIRST, "a"], [*SECOND, "b"], [*OUTCOMES, "unparsed"])
    alone = grouped("test", [*OUTCOMES, "unparsed"], battles, None, None)
    ((tally, times),) = tallies_without_one(battles, alone)
    assert tally.battles.sum(axis=1).tolist() == [4.0] * 4
    assert times.tolist() == battles.counts.tolist() == [1, 2, 1, 1]
    seeded = grouped("test", [*OUTCOMES, "unparsed"], battles, list("uvuvuv"), [1, 1, 1, 2, 2, 2])
    ((tally, times),) = tallies_without_one(battles, seeded)
    assert (tally.battles.tolist(), times.tolist()) == ([[2.0, 0.0, 0.0], [1.0, 1.0, 1.0]], [1, 1])


def test_connected_is_reachability_both_ways() -> None:
    ring = np.roll(np.eye(4, dtype=bool), 1, axis=1)
    broken, twice = ring.copy(), ring.copy()
    broken[3, 0] = False
    twice[0, 2] = True
    assert connected(np.stack([ring, broken, twice])).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("a", "b", "first"), ("b", "c", "tie")], "no other system won or tied against 'a'"),
        ([("a", "b", "tie"), ("b", "c", "first")], "'c' never won or tied against another system"),
        ([("a", "b", "tie"), ("c", "d", "tie"), ("c", "e", "tie")], "no other system won or tied against 'a', 'b'"),
    ],
)
def test_who_is_apart(rows: list[tuple[str, str, str]], told: str) -> None:
    assert apart(count_battles("test", *(list(column) for column in zip(*rows, strict=True)))) == told


@pytest.mark.parametrize(
    ("first", "second", "outcomes", "message"),
    [
        (["a"], ["b", "c"], ["tie"], r"test: lengths differ \(first has 1, second has 2, outcomes has 1\)"),
        ([], [], [], "first and second and outcomes empty; give at least one row"),
        (["a", "c"], ["b", "c"], ["tie", "tie"], "test: row 1 has 'c' on both sides; compare two systems in each row"),
        (["a", None], ["b", "c"], ["tie", "tie"], r"test: first\[1\] is missing; name the system in each row"),
        (["a", "b"], ["b", float("nan")], ["tie", "tie"], r"second\[1\] is missing"),
        (["a", "b"], pd.Series(["b", pd.NA]), ["tie", "tie"], r"second\[1\] is missing"),
        (["a", "b"], pd.Series(["b", None]), ["tie", "tie"], r"second\[1\] is missing"),
        (["a", "b"], pd.Categorical(["b", None]), ["tie", "tie"], r"second\[1\] is missing"),
        (["a", "a"], ["b", "b"], ["tie", "draw"], r"outcomes\[1\] is 'draw'; use one of first, tie, second, unparsed"),
        (["a", "a"], ["b", "b"], ["tie", None], r"outcomes\[1\] is missing; say unparsed in each row"),
        (["a", "a"], ["b", "b"], [0.5, 1.5], r"outcomes\[1\] is 1.5; give finite numbers in \[0, 1\]"),
        (["a", "a"], ["b", "b"], [0.5, None], r"outcomes\[1\] is None; give finite numbers in \[0, 1\]"),
        (["a", "a"], ["b", "b"], [0.5, float("nan")], r"outcomes\[1\] is nan"),
        ([1, 1], ["1", 2], ["tie", "tie"], "test: 1 and '1' are both systems; give words everywhere, or nowhere"),
        (["a", "b"], ["b", ("a",)], ["tie", "tie"], r"test: \('a',\) and 'a' are both systems; give words"),
        (["a"], ["b"], ["unparsed"], "test: no row could be read; give at least one that is parsed"),
    ],
)
def test_refusals(first: Any, second: Any, outcomes: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        count_battles("test", first, second, outcomes)


def test_refused_clusters() -> None:
    battles = count_battles("test", FIRST, SECOND, OUTCOMES)
    with pytest.raises(HarnessError, match=r"lengths differ \(outcomes has 5, clusters has 1\)"):
        grouped("test", OUTCOMES, battles, ["x"], None)
    with pytest.raises(HarnessError, match="all rows are in one cluster"):
        grouped("test", OUTCOMES, battles, ["x"] * 5, None)
