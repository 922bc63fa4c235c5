"""Online Elo against evalica and by hand, and what the order of rows does to it."""

import itertools
from typing import Any

import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.elo import elo, elo_over_orders

WINNERS = {"first": evalica.Winner.X, "second": evalica.Winner.Y, "tie": evalica.Winner.Draw}
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.sampled_from(list(WINNERS))), min_size=1, max_size=40
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.floats(1.0, 60.0), st.floats(100.0, 800.0))
def test_equals_evalica(rows: list[tuple[int, int, str]], step: float, scale: float) -> None:
    first, second = [one for one, _, _ in rows], [(one + ahead) % 5 for one, ahead, _ in rows]
    outcomes = [word for _, _, word in rows]
    mine = elo(first, second, outcomes, step=step, scale=scale, start=1200.0)
    theirs = evalica.elo(first, second, [WINNERS[word] for word in outcomes], k=step, scale=scale, initial=1200.0)
    assert dict(zip(mine.systems, mine.ratings, strict=True)) == pytest.approx(theirs.scores.to_dict(), abs=1e-7)
    assert mine.ratings.mean() == pytest.approx(1200.0)


def test_by_hand() -> None:
    mine = elo(["a", "b", "a"], ["b", "a", "b"], ["first", "unparsed", "second"], step=32)
    expected = 1.0 / (1.0 + 10.0 ** (-32.0 / 400.0))
    assert mine.ratings == pytest.approx([1016.0 - 32.0 * expected, 984.0 + 32.0 * expected])
    assert (mine.n, mine.unparsed, mine.spread) == (2, 1, None)


def test_soft_outcomes_move_by_their_share() -> None:
    assert elo(["a"], ["b"], [0.75], step=40).ratings.tolist() == [1010.0, 990.0]


def test_sides_do_not_matter_and_order_does() -> None:
    first, second, outcomes = ["a", "b", "c"], ["b", "c", "a"], ["first", "first", "first"]
    mine = elo(first, second, outcomes, step=32).ratings
    assert elo(second, first, ["second"] * 3, step=32).ratings == pytest.approx(mine, abs=1e-12)
    assert np.abs(elo(first[::-1], second[::-1], outcomes[::-1], step=32).ratings - mine).max() > 1.0


def test_average_over_all_orders() -> None:
    rows = [("a", "b", 1.0), ("b", "c", 1.0), ("c", "a", 0.5), ("a", "c", 0.25)]
    every = np.array([elo(*zip(*order, strict=True), step=32).ratings for order in itertools.permutations(rows)])
    mine = elo_over_orders(*zip(*rows, strict=True), step=32, rng=rng(), orders=4_000)
    assert mine.ratings == pytest.approx(every.mean(axis=0), abs=0.1)
    assert mine.spread == pytest.approx(every.std(axis=0), abs=0.1)
    again = elo_over_orders(*zip(*rows, strict=True), step=32, rng=rng(), orders=4_000)
    assert again.ratings.tolist() == mine.ratings.tolist()


@pytest.mark.parametrize("start", [1000, 1000.5])
def test_points_are_handed_on_and_never_lost(start: float) -> None:
    rows = (["a", "b", "c", "a"], ["b", "c", "a", "c"], ["first", "tie", "first", "second"])
    for mine in (elo(*rows, start=start), elo_over_orders(*rows, start=start, rng=rng(), orders=20)):
        assert mine.ratings.mean() == pytest.approx(start, abs=1e-9)
    whole, real = (elo_over_orders(*rows, start=kind(1000), rng=rng(), orders=20) for kind in (int, float))
    assert whole.ratings.tolist() == real.ratings.tolist()


def test_one_battle_has_one_order() -> None:
    mine = elo_over_orders(["a"], ["b"], ["first"], rng=rng(), orders=3)
    assert mine.ratings.tolist() == elo(["a"], ["b"], ["first"]).ratings.tolist() == [1002.0, 998.0]
    assert mine.spread is not None
    assert mine.spread.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (elo, {"step": 0.0}, "elo: step is 0.0; give a number above 0"),
        (elo, {"step": float("nan")}, "elo: step is nan"),
        (elo, {"scale": -1.0}, "elo: scale is -1.0; give a number above 0"),
        (elo, {"start": float("inf")}, "elo: start is inf; give a finite number, such as 1000"),
        (elo_over_orders, {"rng": rng(), "orders": 1}, "elo_over_orders: orders is 1; give 2 or more, such as 100"),
        (elo_over_orders, {"rng": 3}, r"elo_over_orders: rng is 3; give numpy.random.default_rng\(seed\)"),
    ],
)
def test_refusals(function: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        function(["a"], ["b"], ["tie"], **options)


def test_refuses_nothing_read() -> None:
    with pytest.raises(HarnessError, match="elo: no row could be read"):
        elo(["a"], ["b"], ["unparsed"])
