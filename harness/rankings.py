"""Rankings of systems: win rates by opponent and by vote, ranks with their uncertainty, and what rankings are made of.

Scores of a model (Bradley-Terry) come as a `Ranking` too, from `harness.bradley_terry`. A tie is half a win
(docs/adr/0005).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Unpack

import numpy as np

from harness.battles import (
    Battles,
    Labels,
    Outcomes,
    Tally,
    count_battles,
    drawn_tallies,
    grouped,
    levels,
    read_rows,
    tallies_without_one,
)
from harness.bootstrap import share_alike
from harness.checks import Floats, Ints, check_lengths, check_level, numbers, refusal
from harness.estimates import Estimate
from harness.intervals import interval_of
from harness.resampling import Bootstrap, Clusters, Groups, Settings

NEAR = 1e-9
"""Scores nearer than this, relative to the largest, are equal: they differ by rounding only."""


class WinLoseTie(NamedTuple):
    """How often the first system of a pair won, lost and tied against the second, and what could not be read."""

    wins: int
    losses: int
    ties: int
    unparsed: int


@dataclass(frozen=True, eq=False)
class WinMatrix:
    """Points and battles of each system (row) against each other (column); a tie is half a point."""

    systems: tuple[Any, ...]
    points: Floats
    """(k, k)."""
    battles: Floats
    """(k, k), symmetric; 0 where two never met."""
    unparsed: int

    def share(self, system: Hashable, opponent: Hashable) -> float:
        """Points over battles; refused where the two never met."""
        row, column = (place("win_matrix", self.systems, name) for name in (system, opponent))
        if not self.battles[row, column]:
            raise refusal("win_matrix", f"{system!r} never met {opponent!r}", "ask for systems that met")
        return float(self.points[row, column] / self.battles[row, column])

    def averages(self, by: Literal["opponent", "vote"] = "opponent") -> Floats:
        """Each system's win rate (k,); see `average_win_rates`."""
        return _averages(self.points, self.battles, by)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Systems with a score each, higher being better, and the resampled scores behind the uncertainty of ranks."""

    systems: tuple[Any, ...]
    estimates: tuple[Estimate, ...]
    """One a system, in the order of `systems`."""
    draws: Floats
    """(resamples, k); resamples in which the scores are undefined are left out."""
    undefined: int
    """How many were left out: for Bradley-Terry, those whose systems were not connected."""
    unparsed: int
    """Rows that could not be read and were left out."""

    @property
    def values(self) -> Floats:
        """The scores (k,)."""
        return np.array([estimate.value for estimate in self.estimates])

    @property
    def ranks(self) -> Ints:
        """1 + how many systems have a higher score, (k,)."""
        return ranks_of(self.values)

    @property
    def rank_intervals(self) -> Ints:
        """The lowest and highest rank (k, 2): percentiles of the `ranks_of` each draw, rounded outwards."""
        near = _near(self.draws)
        drawn = np.stack([(self.draws > mine[:, None] + near).sum(axis=1) for mine in self.draws.T], axis=1) + 1
        level = self.estimates[0].level
        low = np.quantile(drawn, (1.0 - level) / 2.0, axis=0, method="lower")
        high = np.quantile(drawn, (1.0 + level) / 2.0, axis=0, method="higher")
        return np.stack([np.minimum(low, self.ranks), np.maximum(high, self.ranks)], axis=1).astype(np.intp)

    def significant_ranks(self, by: Literal["difference", "intervals"] = "difference") -> Ints:
        """1 + how many systems are significantly better, by more than rounding, (k,); no correction for many pairs.

        - difference: the interval of the difference, from the same draws, lies above 0.
        - intervals: the other's interval lies wholly above (Chatbot Arena's rule): stricter, since both half widths
          must fit between the scores.

        Raises `HarnessError` for another rule. Reference: Chiang et al. (2024), Chatbot Arena, arXiv 2403.04132.
        """
        if by == "intervals":
            lows = np.array([estimate.low for estimate in self.estimates])
            highs = np.array([estimate.high for estimate in self.estimates])
            return np.asarray(1 + (lows[None, :] > highs[:, None] + _near(self.values)).sum(axis=1))
        if by != "difference":
            raise refusal("significant_ranks", f"by is {by!r}", "use difference or intervals")
        tail = (1.0 - self.estimates[0].level) / 2.0
        near = _near(self.draws)
        ahead = [np.quantile(self.draws - mine[:, None], tail, axis=0) > near for mine in self.draws.T]
        return np.asarray(1 + np.sum(ahead, axis=1))

    def separability(self) -> float:
        """The share of pairs of systems whose intervals do not overlap; see the function of this name."""
        return separability([one.low for one in self.estimates], [one.high for one in self.estimates])


class Pairs(NamedTuple):
    """Comparisons that a ranking holds: columns with one entry a pair, to hand to `bradley_terry` and the like."""

    first: list[Any]
    second: list[Any]
    outcomes: list[str]
    """first, second or tie."""
    items: list[Any]
    """The ranking that each pair came from: pairs of one ranking belong together."""
    rows: Ints
    """The row of the pair's first entry, to look up its prompt or rater."""
    alone: int
    """Rankings of one entry, which hold no pair."""


def average_win_rates(
    first: Labels,
    second: Labels,
    outcomes: Outcomes,
    *,
    by: Literal["opponent", "vote"] = "opponent",
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Ranking:
    """Win rate of each system from n rows (first, second, outcome), with intervals from resampling clusters.

    With W points (wins + ties / 2) in N battles against an opponent, the rate is the mean over the opponents that were
    met of W / N (by opponent: all count the same), or ΣW / ΣN (by vote). A resample takes the mean over the opponents
    met in it. A system with the same rate in every resample has Wilson's interval, on its clusters or rows.

    Raises `HarnessError` for an unknown outcome, a system that meets itself, and as `cluster_bootstrap` does.
    Reference: Shah and Wainwright (2018), Simple, Robust and Optimal Ranking from Pairwise Comparisons, JMLR 18(199).

    >>> rows = [("a", "b", "first"), ("a", "b", "tie"), ("b", "c", "first"), ("c", "a", "first"), ("a", "c", "first")]
    >>> ranking = average_win_rates(*zip(*rows * 5), rng=np.random.default_rng(0))
    >>> ranking.systems, ranking.values.tolist(), ranking.ranks.tolist()
    (('a', 'b', 'c'), [0.625, 0.625, 0.25], [1, 1, 3])
    """
    where = "average_win_rates"
    settings = Settings.of(where, options)
    _check_by(where, by)
    battles = count_battles(where, first, second, outcomes)
    groups = grouped(where, outcomes, battles, clusters, seeds)

    def rates(tally: Tally) -> Floats:
        return _averages(battles.points(tally), battles.table(tally.battles, tally.battles), by)

    values = rates(battles.whole)
    drawn = np.concatenate([rates(tally) for tally in drawn_tallies(battles, groups, settings)])
    left = np.empty((0, len(values)))
    if settings.interval == "bca":
        without = tallies_without_one(battles, groups)
        left = np.concatenate([np.repeat(rates(tally), times, axis=0) for tally, times in without])
    fixed = np.ptp(np.where(np.isnan(drawn), values, drawn), axis=0) <= NEAR
    estimates = tuple(
        _same_everywhere(battles, groups, float(values[at]), at, settings.level)
        if fixed[at]
        else interval_of(where, float(values[at]), drawn[:, at], left[:, at], groups, settings, rows=len(battles.cells))
        for at in range(len(values))
    )
    whole = np.isfinite(drawn).all(axis=1)
    return Ranking(battles.systems, estimates, drawn[whole], int((~whole).sum()), battles.unparsed)


def win_matrix(first: Labels, second: Labels, outcomes: Outcomes) -> WinMatrix:
    """Points and battles between all pairs of systems, from n rows (first, second, outcome).

    Raises `HarnessError` for an unknown outcome, a system that meets itself, and where no row could be read.

    >>> matrix = win_matrix(["a", "b", "a"], ["b", "a", "b"], ["first", "tie", "unparsed"])
    >>> matrix.share("a", "b"), matrix.unparsed
    (0.75, 1)
    """
    battles = count_battles("win_matrix", first, second, outcomes)
    whole = battles.whole
    met = battles.table(whole.battles, whole.battles)
    return WinMatrix(battles.systems, battles.points(whole), met, battles.unparsed)


def win_table(first: Labels, second: Labels, outcomes: Outcomes) -> dict[tuple[Any, Any], WinLoseTie]:
    """Wins, losses and ties of each pair of systems that met, under both orders of their names, from n rows.

    A soft outcome above 0.5 is a win. Rows that could not be read have their own count.

    Raises `HarnessError` for an unknown outcome and a system that meets itself.

    >>> table = win_table(["a", "b", "a"], ["b", "a", "b"], ["first", "first", "tie"])
    >>> table["b", "a"]
    WinLoseTie(wins=1, losses=1, ties=1, unparsed=0)
    """
    rows = read_rows("win_table", first, second, outcomes)
    scores, size = rows.scores, len(rows.systems)
    kinds = np.select([scores > 0.5, scores < 0.5, scores == 0.5], [0, 1, 2], 3)
    cells = (rows.first * size + rows.second) * 4 + kinds
    counts = np.bincount(cells, minlength=4 * size * size).reshape(size, size, 4)
    found = {}
    for one, other in np.argwhere(counts.any(axis=2)).tolist():
        wins, losses, ties, unparsed = counts[one, other].tolist()
        found[rows.systems[one], rows.systems[other]] = WinLoseTie(wins, losses, ties, unparsed)
        found[rows.systems[other], rows.systems[one]] = WinLoseTie(losses, wins, ties, unparsed)
    return found


def pairs_of_ranking(items: Labels, systems: Labels, ranks: Sequence[float] | Floats) -> Pairs:
    """All pairs of entries that were ranked together: from n rows (item, system, rank), rank 1 being the best.

    `items` names the ranking (one rater's of one context), `systems` what was ranked (a system, or a response). A
    ranking of m entries gives m (m - 1) / 2 pairs, in the order of its rows; equal ranks are ties. These pairs are not
    independent: hand on `items`, or the prompts of `rows`, as clusters.

    Raises `HarnessError` for lengths that differ, a rank that is not finite, an entry that was ranked twice in one
    ranking, and where no ranking holds a pair. Reference: Ouyang et al. (2022), arXiv 2203.02155, section 3.5 (pairs
    of one ranking).

    >>> pairs = pairs_of_ranking(["q"] * 3, ["a", "b", "c"], [2, 1, 2])
    >>> list(zip(pairs.first, pairs.second, pairs.outcomes))
    [('a', 'b', 'second'), ('a', 'c', 'tie'), ('b', 'c', 'first')]
    """
    where = "pairs_of_ranking"
    check_lengths(where, items=items, systems=systems, ranks=ranks)
    found = numbers(where, "ranks", ranks)
    kinds, codes = levels(where, "items", items, "name the ranking")
    entries, entry = levels(where, "systems", systems, "name the entry")
    counts = np.bincount(codes, minlength=len(kinds))
    rankings = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    if len(np.unique(codes * len(entries) + entry)) < len(codes):
        twice = next(kinds[at] for at, rows in enumerate(rankings) if len(set(entry[rows])) < len(rows))
        raise refusal(where, f"item {twice!r} has an entry twice", "give each ranking its own item")
    one, other = _pairs_of_rows(rankings)
    if not len(one):
        raise refusal(where, "no item has two entries", "give the ranks of entries that were ranked together")
    words = np.array(["first", "tie", "second"])[np.sign(found[one] - found[other]).astype(np.intp) + 1]
    return Pairs(
        [entries[at] for at in entry[one].tolist()],
        [entries[at] for at in entry[other].tolist()],
        words.tolist(),
        [kinds[at] for at in codes[one].tolist()],
        one,
        int((counts == 1).sum()),
    )


def percentile_interval(samples: Sequence[float] | Floats, level: float = 0.95) -> tuple[float, float]:
    """Quantiles (1 - level) / 2 and (1 + level) / 2 of n samples, with linear interpolation (Hyndman and Fan type 7).

    Raises `HarnessError` for no samples, a sample that is not finite, and a level outside (0, 1).

    >>> percentile_interval([0.0, 1.0, 2.0, 3.0, 4.0], level=0.5)
    (1.0, 3.0)
    """
    check_level("percentile_interval", level)
    check_lengths("percentile_interval", samples=samples)
    found = numbers("percentile_interval", "samples", samples)
    low, high = np.quantile(found, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def overlaps(lows: Sequence[float] | Floats, highs: Sequence[float] | Floats) -> int:
    """How many pairs of k intervals overlap: sorted by lower end, the later begins below the end of the earlier.

    Intervals that only touch do not overlap. Raises `HarnessError` for lengths that differ, an end that is not finite,
    and a low above its high. Reference: Li et al. (2024), Arena-Hard, arXiv 2406.11939 (separability with confidence).

    >>> overlaps([0.0, 0.5, 2.0], [1.0, 2.0, 3.0])
    1
    """
    check_lengths("overlaps", lows=lows, highs=highs)
    low, high = numbers("overlaps", "lows", lows), numbers("overlaps", "highs", highs)
    if (wrong := low > high).any():
        at = int(np.argmax(wrong))
        raise refusal("overlaps", f"interval {at} is [{low[at]:g}, {high[at]:g}]", "give low <= high")
    order = np.lexsort((high, low))
    low, high = low[order], high[order]
    begun = np.searchsorted(low, high, side="left")
    return int(np.maximum(begun - np.arange(1, len(low) + 1), 0).sum())


def separability(lows: Sequence[float] | Floats, highs: Sequence[float] | Floats) -> float:
    """1 - overlaps / (k (k - 1) / 2): the share of pairs of k systems that their intervals tell apart.

    Raises `HarnessError` as `overlaps` does, and for fewer than 2 intervals.

    >>> round(separability([0.0, 0.5, 2.0], [1.0, 2.0, 3.0]), 4)
    0.6667
    """
    count = overlaps(lows, highs)
    if len(lows) < 2:
        raise refusal("separability", "there is 1 interval", "give 2 or more")
    return 1.0 - 2.0 * count / (len(lows) * (len(lows) - 1))


def ranks_of(values: Floats) -> Ints:
    """1 + how many of `values` (k,) are higher; what differs by rounding only is equal.

    >>> ranks_of(np.array([0.2, 0.9, 0.2 + 1e-15])).tolist()
    [2, 1, 2]
    """
    return np.asarray(1 + (values[None, :] > values[:, None] + _near(values)).sum(axis=1))


def _near(values: Floats) -> float:
    return NEAR * max(1.0, float(np.abs(values).max()))


def place(where: str, systems: tuple[Any, ...], name: Hashable) -> int:
    """The number of a system, or a refusal that names those there are."""
    if name not in systems:
        raise refusal(where, f"{name!r} is no system", f"use one of {', '.join(map(repr, systems))}")
    return systems.index(name)


def _averages(points: Floats, battles: Floats, by: str) -> Floats:
    """Win rates (..., k) from points and battles (..., k, k); NaN where a system met nobody."""
    _check_by("averages", by)
    with np.errstate(invalid="ignore", divide="ignore"):
        if by == "vote":
            return np.asarray(points.sum(axis=-1) / battles.sum(axis=-1))
        shares = np.where(battles > 0.0, points / battles, 0.0)
        return np.asarray(shares.sum(axis=-1) / (battles > 0.0).sum(axis=-1))


def _same_everywhere(battles: Battles, groups: Groups, value: float, at: int, level: float) -> Estimate:
    pairs = (battles.first == at) | (battles.second == at)
    pair_of_cell = np.searchsorted(battles.starts, np.arange(len(battles.counts)), side="right") - 1
    clusters = groups.codes if groups.prompts is None else groups.prompts[groups.codes]
    count = len(np.unique(clusters[pairs[pair_of_cell][battles.cells]]))
    return share_alike(value, count, groups, level, rows=len(battles.cells))


def _pairs_of_rows(rankings: list[Ints]) -> tuple[Ints, Ints]:
    """Rows of all pairs, ranking by ranking."""
    found = [rows[np.triu_indices(len(rows), 1)[side]] for rows in rankings for side in (0, 1)]
    return np.concatenate(found[0::2]), np.concatenate(found[1::2])


def _check_by(where: str, by: str) -> None:
    if by not in ("opponent", "vote"):
        raise refusal(where, f"by is {by!r}", "use opponent or vote")
