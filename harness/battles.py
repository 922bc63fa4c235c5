"""Battles between systems: rows of (first, second, outcome), counted once; every ranking starts from these counts.

A row counts for the same whichever side a system was shown on: pairs are kept in the order of the systems' names, so
swapping the sides of all rows changes nothing. Effects of position are left to `harness.positional_agreement`.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from harness.checks import Floats, Ints, check_lengths, check_words, numbers, refusal
from harness.resampling import BLOCK, Clusters, Groups, Settings, drawn_weights, group, weights_without_one

Labels = Sequence[Hashable] | np.ndarray[Any, Any]
"""A column of names: a list, an array, or a pandas Series or Categorical."""
Outcomes = Sequence[str] | Sequence[float] | np.ndarray[Any, Any]
"""first, second, tie or unparsed; or the probability, in [0, 1], that the first is preferred."""

MANY = 20
"""How many rows are drawn in the time that one count of a multinomial takes; either has the same law."""
SCORES = {"first": 1.0, "tie": 0.5, "second": 0.0, "unparsed": np.nan}


class Rows(NamedTuple):
    """Rows by number: the two systems of each, the one that comes earlier in `systems` first."""

    systems: tuple[Any, ...]
    """(k,) in sorted order."""
    first: Ints
    second: Ints
    scores: Floats
    """Of the first: 1 won, 0.5 tie, 0 lost, or soft; NaN where the outcome could not be read."""


class Tally(NamedTuple):
    """What happened between each pair of systems: arrays (..., pairs)."""

    battles: Floats
    points: Floats
    """Of the pair's first system, a tie being half a point."""
    ties: Floats

    def of(self, chosen: Any) -> "Tally":
        """The tallies of some resamples."""
        return Tally(*(column[chosen] for column in self))


@dataclass(frozen=True, eq=False)
class Battles:
    """Rows counted into cells, one for each pair and outcome that occurs; cells of a pair lie together."""

    systems: tuple[Any, ...]
    first: Ints
    """(pairs,) the number of the pair's first system; less than that of the second."""
    second: Ints
    starts: Ints
    """(pairs,) the pair's first cell."""
    scores: Floats
    """(cells,) of the pair's first system."""
    counts: Ints
    """(cells,) rows."""
    cells: Ints
    """(n,) the cell of each row that could be read."""
    unparsed: int

    @property
    def whole(self) -> Tally:
        """Of all rows."""
        return self.tally(self.counts.astype(np.float64))

    def tally(self, counts: Floats) -> Tally:
        """Cell counts (..., cells) summed by pair."""
        weighted = (counts, counts * self.scores, counts * (self.scores == 0.5))
        return Tally(*(np.add.reduceat(column, self.starts, axis=-1) for column in weighted))

    def table(self, values: Floats, mirrored: Floats) -> Floats:
        """Values of pairs (..., pairs) as matrices (..., k, k): [first, second], and mirrored [second, first]."""
        size = len(self.systems)
        found = np.zeros((*values.shape[:-1], size, size))
        found[..., self.first, self.second] = values
        found[..., self.second, self.first] = mirrored
        return found

    def points(self, tally: Tally) -> Floats:
        """Points of the row's system against the column's, (..., k, k)."""
        return self.table(tally.points, tally.battles - tally.points)


def read_rows(where: str, first: Labels, second: Labels, outcomes: Outcomes) -> Rows:
    """Number the systems of n rows and score their outcomes.

    Raises `HarnessError` for lengths that differ, no rows, a missing name, words mixed with other names (1 and "1"), a
    system that met itself, and an unknown outcome.
    """
    check_lengths(where, first=first, second=second, outcomes=outcomes)
    systems, one, other = _numbered(where, first, second)
    if (same := one == other).any():
        at = int(np.argmax(same))
        raise refusal(where, f"row {at} has {systems[one[at]]!r} on both sides", "compare two systems in each row")
    scores = _scores(where, outcomes)
    scores = np.where(one < other, scores, 1.0 - scores)
    return Rows(systems, np.minimum(one, other), np.maximum(one, other), scores)


def readable_rows(where: str, first: Labels, second: Labels, outcomes: Outcomes) -> tuple[Rows, int]:
    """The rows that could be read and how many could not; a system that has no readable row is left out.

    Raises `HarnessError` as `read_rows` does, and where no row could be read.
    """
    rows = read_rows(where, first, second, outcomes)
    read = ~np.isnan(rows.scores)
    if not read.any():
        raise refusal(where, "no row could be read", "give at least one that is parsed")
    return rows if read.all() else _kept(rows, read), len(read) - int(read.sum())


def count_battles(where: str, first: Labels, second: Labels, outcomes: Outcomes) -> Battles:
    """Count the rows that could be read; raises `HarnessError` as `readable_rows` does."""
    rows, unparsed = readable_rows(where, first, second, outcomes)
    return _counted(rows, unparsed)


def grouped(
    where: str, outcomes: Outcomes, battles: Battles, clusters: Clusters | None, seeds: Clusters | None
) -> Groups:
    """The clusters and seeds of the rows that could be read."""
    named = {name: column for name, column in (("clusters", clusters), ("seeds", seeds)) if column is not None}
    check_lengths(where, outcomes=outcomes, **named)
    if battles.unparsed:
        read = [word != "unparsed" for word in _plain(outcomes)]
        clusters, seeds = (
            None if column is None else [label for label, keep in zip(column, read, strict=True) if keep]
            for column in (clusters, seeds)
        )
    return group(where, len(battles.cells), clusters, seeds)


def drawn_tallies(battles: Battles, groups: Groups, settings: Settings) -> Iterator[Tally]:
    """Tallies of the resamples, block by block: memory does not grow with their number."""
    step, left = _step(battles), settings.resamples
    weights = drawn_weights(groups, settings)
    while left > 0:
        size = min(step, left)
        drawn = (
            _drawn_rows(battles, settings.rng, size) if groups.alone else _cell_counts(battles, islice(weights, size))
        )
        yield battles.tally(drawn)
        left -= size


def tallies_without_one(battles: Battles, groups: Groups) -> Iterator[tuple[Tally, Ints]]:
    """Tallies that leave out a row, a cluster or a seed in turn, and how often each occurs: what BCa needs."""
    step, weights = _step(battles), weights_without_one(groups)
    whole, kinds = battles.counts.astype(np.float64), len(battles.counts)
    left = kinds if groups.alone else len(np.unique(groups.outermost))
    for start in range(0, left, step):
        stop = min(start + step, left)
        if groups.alone:
            counts, times = whole - np.eye(stop - start, kinds, start), battles.counts[start:stop]
        else:
            counts, times = _cell_counts(battles, islice(weights, step)), np.ones(stop - start, dtype=np.intp)
        yield battles.tally(counts), times


def levels(where: str, name: str, column: Any, right: str) -> tuple[list[Any], Ints]:
    """The labels of a column, each once, and the number of each row's."""
    kinds = getattr(column, "cat", column)  # where a categorical Series keeps its codes
    if hasattr(kinds, "categories"):
        labels, codes = list(kinds.categories), np.asarray(kinds.codes, dtype=np.intp)
        missing = codes < 0
    else:
        labels, codes = _distinct_labels(_plain(column))
        absent = [label is None or type(label).__name__ in ("NAType", "NaTType") or label != label for label in labels]
        missing = np.array(absent)[codes]
    if missing.any():
        at = int(np.argmax(missing))
        raise refusal(where, f"{name}[{at}] is missing", f"{right} in each row")
    return labels, codes


def connected(beats: np.ndarray[Any, np.dtype[np.bool_]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each system leads to each other along `beats` (b, k, k): the first leads to all, and all to it."""
    return np.asarray(_reached(beats).all(axis=1) & _reached(beats.swapaxes(1, 2)).all(axis=1))


def apart(battles: Battles) -> str:
    """Which systems are apart: the fewest that nobody else won or tied against, or that never did so themselves."""
    beats = battles.points(battles.whole.of(None)) > 0.0
    systems = range(len(battles.systems))
    above = [_reached(beats.swapaxes(1, 2), start)[0] for start in systems]
    below = [_reached(beats, start)[0] for start in systems]
    fewest = min(above + below, key=lambda part: int(part.sum()))
    names = ", ".join(repr(battles.systems[at]) for at in np.flatnonzero(fewest))
    if any(fewest is part for part in above):
        return f"no other system won or tied against {names}"
    return f"{names} never won or tied against another system"


def _step(battles: Battles) -> int:
    return max(1, BLOCK // max(len(battles.counts), len(battles.systems) ** 2))


def _drawn_rows(battles: Battles, rng: np.random.Generator, size: int) -> Floats:
    """Cell counts (size, cells) of resamples of rows: one draw over the cells, or where those are many, row by row."""
    count, kinds = len(battles.cells), len(battles.counts)
    if MANY * kinds < count:
        return rng.multinomial(count, battles.counts / count, size=size).astype(np.float64)
    cells = np.repeat(np.arange(kinds), battles.counts)
    drawn = (cells[rng.integers(count, size=count)] for _ in range(size))
    return np.array([np.bincount(picked, minlength=kinds) for picked in drawn], dtype=np.float64)


def _cell_counts(battles: Battles, weights: Iterator[Floats]) -> Floats:
    return np.array([np.bincount(battles.cells, drawn, len(battles.counts)) for drawn in weights])


def _counted(rows: Rows, unparsed: int) -> Battles:
    doubled = 2.0 * rows.scores
    hard = bool((doubled == np.floor(doubled)).all())
    values = np.array([0.0, 0.5, 1.0]) if hard else np.unique(rows.scores)
    codes = doubled.astype(np.intp) if hard else np.searchsorted(values, rows.scores)
    size = len(rows.systems)
    cells = (rows.first * size + rows.second) * len(values) + codes
    present, cells, counts = _distinct(cells, size * size * len(values))
    pairs, starts = np.unique(present // len(values), return_index=True)
    scores = values[present % len(values)]
    return Battles(rows.systems, pairs // size, pairs % size, starts, scores, counts, cells, unparsed)


def _distinct(codes: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """The codes below `size` that occur, the place of each row's among them, and counts; sorting only sparse ones."""
    if size > 4 * len(codes) + 1000:
        return np.unique(codes, return_inverse=True, return_counts=True)
    counts = np.bincount(codes, minlength=size)
    present = np.flatnonzero(counts)
    return present, (np.cumsum(counts > 0) - 1)[codes], counts[present]


def _kept(rows: Rows, read: np.ndarray[Any, np.dtype[np.bool_]]) -> Rows:
    first, second = rows.first[read], rows.second[read]
    present, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    systems = tuple(rows.systems[number] for number in present)
    return Rows(systems, codes[: len(first)], codes[len(first) :], rows.scores[read])


def _scores(where: str, outcomes: Outcomes) -> Floats:
    plain = _plain(outcomes)
    if not isinstance(plain[0], str):
        return numbers(where, "outcomes", plain, 0.0, 1.0)
    words, codes = levels(where, "outcomes", outcomes, "say unparsed")
    if set(words) - set(SCORES):
        check_words(where, "outcomes", plain, SCORES)
    return np.array([SCORES.get(str(word), np.nan) for word in words])[codes]


def _numbered(where: str, first: Labels, second: Labels) -> tuple[tuple[Any, ...], Ints, Ints]:
    """The systems that occur, sorted, and their numbers in both columns."""
    columns = [
        levels(where, name, labels, "name the system") for name, labels in (("first", first), ("second", second))
    ]
    present = {names[at] for names, codes in columns for at in np.flatnonzero(np.bincount(codes)).tolist()}
    systems = sorted(present, key=lambda name: (type(name).__name__, name))
    kinds = {isinstance(name, str): name for name in reversed(systems)}
    if len(kinds) > 1:
        told = f"{kinds[False]!r} and {kinds[True]!r} are both systems"
        raise refusal(where, told, "give words everywhere, or nowhere")
    known = {name: number for number, name in enumerate(systems)}
    one, other = (np.array([known.get(name, -1) for name in names], dtype=np.intp)[codes] for names, codes in columns)
    return tuple(systems), one, other


def _distinct_labels(column: Any) -> tuple[list[Any], Ints]:
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        low, high = int(column.min()), int(column.max())
        if high - low <= 4 * len(column):
            return list(range(low, high + 1)), column.astype(np.intp) - low
    listed = column.tolist() if isinstance(column, np.ndarray) else column
    known = {label: number for number, label in enumerate(dict.fromkeys(listed))}
    return list(known), np.fromiter(map(known.__getitem__, listed), dtype=np.intp, count=len(listed))


def _plain(column: Any) -> Any:
    """A column as an array or a list."""
    return getattr(column, "to_numpy", lambda: column)()


def _reached(beats: np.ndarray[Any, np.dtype[np.bool_]], start: int = 0) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The systems (b, k) that can be come to from one of them."""
    reached = np.zeros(beats.shape[:2], dtype=bool)
    reached[:, start] = True
    while True:
        further = reached | (reached[:, :, None] & beats).any(axis=1)
        if (further == reached).all():
            return reached
        reached = further
