"""Online Elo ratings, for those who ask: each battle moves two ratings, so the result depends on the order of rows.

A rating that is fitted to all rows at once (`harness.bradley_terry`, on the same scale with `elo()`) has no such
dependence, and has an interval.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.battles import Labels, Outcomes, Rows, readable_rows
from harness.checks import Floats, Ints, check_rng, refusal


@dataclass(frozen=True, eq=False)
class Elo:
    """Ratings after all battles."""

    systems: tuple[Any, ...]
    ratings: Floats
    """(k,); the mean over orders where rows were shuffled."""
    spread: Floats | None
    """(k,) the standard deviation over orders (ddof 1), no sampling error; None for the order of the rows."""
    n: int
    unparsed: int
    """Rows that could not be read; they move nothing."""


def elo(
    first: Labels,
    second: Labels,
    outcomes: Outcomes,
    *,
    step: float = 4.0,
    start: float = 1000.0,
    scale: float = 400.0,
) -> Elo:
    """Ratings of k systems after n battles in the order of the rows; order matters, the last rows most.

    A battle with score s (1, 0.5 for a tie, 0, or soft) of the system rated R against R' moves it by step · (s - 1 /
    (1 + 10^((R' - R) / scale))), and the other by as much the other way, so that ratings average to `start`. `step` is
    the K factor.

    Raises `HarnessError` for a step or scale that is not positive, a start that is not finite, and as `win_matrix`
    does. Reference: Elo (1978), The Rating of Chessplayers, Past and Present.

    >>> rated = elo(["a", "b"], ["b", "a"], ["first", "tie"], step=32)
    >>> rated.systems, rated.ratings.round(2).tolist()
    (('a', 'b'), [1014.53, 985.47])
    """
    rows, unparsed = _readable("elo", first, second, outcomes, step, start, scale)
    ratings = [float(start)] * len(rows.systems)
    for one, other, score in zip(rows.first.tolist(), rows.second.tolist(), rows.scores.tolist(), strict=True):
        expected = 1.0 / (1.0 + 10.0 ** ((ratings[other] - ratings[one]) / scale))
        moved = step * (score - expected)
        ratings[one] += moved
        ratings[other] -= moved
    return Elo(rows.systems, np.array(ratings), None, len(rows.scores), unparsed)


def elo_over_orders(
    first: Labels,
    second: Labels,
    outcomes: Outcomes,
    *,
    rng: np.random.Generator,
    orders: int = 100,
    step: float = 4.0,
    start: float = 1000.0,
    scale: float = 400.0,
) -> Elo:
    """Ratings of `elo` averaged over random orders of the rows, with their spread between orders.

    The spread is what the order of rows alone does; it says nothing of which rows happened to be drawn.

    Raises `HarnessError` as `elo` does, for fewer than 2 orders, and an rng that is not a Generator. Reference:
    Boubdir et al. (2023), Elo Uncovered, arXiv 2311.17295 (ratings under permuted orders).

    >>> rated = elo_over_orders(["a", "b"], ["b", "a"], ["first", "first"], step=32, rng=np.random.default_rng(0))
    >>> abs(rated.ratings - 1000).max() < 0.5, rated.spread.round(1).tolist()
    (np.True_, [1.5, 1.5])
    """
    where = "elo_over_orders"
    check_rng(where, rng)
    if orders < 2:
        raise refusal(where, f"orders is {orders}", "give 2 or more, such as 100")
    rows, unparsed = _readable(where, first, second, outcomes, step, start, scale)
    ratings = np.full((orders, len(rows.systems)), float(start))
    runs = np.arange(orders)
    for row in _shuffled(rng, len(rows.scores), orders):
        one, other = rows.first[row], rows.second[row]
        mine, theirs = ratings[runs, one], ratings[runs, other]
        moved = step * (rows.scores[row] - 1.0 / (1.0 + 10.0 ** ((theirs - mine) / scale)))
        ratings[runs, one] = mine + moved
        ratings[runs, other] = theirs - moved
    return Elo(rows.systems, ratings.mean(axis=0), ratings.std(axis=0, ddof=1), len(rows.scores), unparsed)


def _shuffled(rng: np.random.Generator, rows: int, orders: int) -> Ints:
    """Random orders of the rows, (rows, orders)."""
    return np.stack([rng.permutation(rows) for _ in range(orders)], axis=1)


def _readable(
    where: str, first: Labels, second: Labels, outcomes: Outcomes, step: float, start: float, scale: float
) -> tuple[Rows, int]:
    for name, option in (("step", step), ("scale", scale)):
        if not 0.0 < option < np.inf:
            raise refusal(where, f"{name} is {option}", "give a number above 0")
    if not np.isfinite(start):
        raise refusal(where, f"start is {start}", "give a finite number, such as 1000")
    return readable_rows(where, first, second, outcomes)
