"""The machinery under every bootstrap: its options, who is resampled together, and the draws.

A statistic is a function of column totals (a mean is ΣS / Σm), so a resample never touches rows. Groups with equal
totals are interchangeable: one multinomial draw over the distinct totals has the law of drawing the groups one by one,
at a cost that does not grow with the rows. Statistics that must be fitted take the drawn weights instead. What is made
of the draws is in `harness.intervals`.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Required, TypedDict

import numpy as np

from harness.checks import Floats, Ints, check_level, check_rng, is_itself, refusal, sorted_labels

Interval = Literal["percentile", "basic", "bca"]
Clusters = Sequence[Hashable] | np.ndarray[Any, Any]

BLOCK = 200_000
"""Counts that are drawn at once: 1.6 MB, whatever the number of groups and of resamples."""


class Bootstrap(TypedDict, total=False):
    """Options of every bootstrap: `rng` is required; level 0.95, resamples 10,000, interval percentile."""

    rng: Required[np.random.Generator]
    level: float
    resamples: int
    interval: Interval


@dataclass(frozen=True)
class Settings:
    """Checked options of a bootstrap."""

    rng: np.random.Generator
    level: float
    resamples: int
    interval: Interval

    @classmethod
    def of(cls, where: str, options: Bootstrap) -> "Settings":
        """Fill in what is not given and refuse what cannot be."""
        known = ("rng", "level", "resamples", "interval")
        if unknown := set(options) - set(known):
            raise refusal(where, f"{', '.join(sorted(unknown))} is no option", f"give some of {', '.join(known)}")
        made = cls(
            check_rng(where, options.get("rng")),
            options.get("level", 0.95),
            options.get("resamples", 10_000),
            options.get("interval", "percentile"),
        )
        check_level(where, made.level)
        if made.resamples < 100:
            raise refusal(where, f"resamples is {made.resamples}", "give at least 100, such as 10000")
        if made.interval not in ("percentile", "basic", "bca"):
            raise refusal(where, f"interval is {made.interval!r}", "use percentile, basic or bca")
        return made


@dataclass(frozen=True)
class Groups:
    """Which rows are resampled together: `codes` (n,) is the cluster of each row, `seeds` (count,) the seed of each."""

    codes: Ints
    count: int
    seeds: Ints | None = None
    alone: bool = False
    """Every row is its own cluster, and nobody named any."""
    prompts: Ints | None = None
    """Where seeds share clusters, the two are crossed: `codes` numbers cells, and this is the cluster of each."""

    @property
    def named(self) -> int | None:
        """The number of clusters to report: None where rows are independent."""
        if self.prompts is not None:
            return int(self.prompts.max()) + 1
        return None if self.alone else self.count

    @property
    def seed_count(self) -> int:
        """How many seeds there are: 0 where nobody named any."""
        return 0 if self.seeds is None else int(self.seeds.max()) + 1

    @property
    def outermost(self) -> Ints:
        """What is resampled first, for each row: its seed where there are seeds, or else its cluster."""
        return self.codes if self.seeds is None else self.seeds[self.codes]

    def totals(self, columns: Floats) -> Floats:
        """Column totals of each cluster: (n, k) to (count, k)."""
        if self.alone:
            return columns
        return np.stack([np.bincount(self.codes, column, self.count) for column in columns.T], axis=1)


def group(where: str, rows: int, clusters: Clusters | None = None, seeds: Clusters | None = None) -> Groups:
    """Number the clusters of n rows; with `seeds` both are resampled: nested, or crossed where a cluster recurs.

    A cluster whose name occurs under several seeds is one cluster (the prompt that all of them answered).

    Raises `HarnessError` for lengths that differ, a NaN, and fewer than two clusters or seeds.
    """
    if clusters is None and seeds is None:
        _at_least_two(where, rows, "rows", f"rows are {rows}")
        return Groups(np.arange(rows), rows, alone=True)
    inner = np.arange(rows) if clusters is None else _numbered(where, "clusters", clusters, rows)
    if seeds is None:
        count = int(inner.max()) + 1
        _at_least_two(where, count, "clusters", "all rows are in one cluster")
        return Groups(inner, count)
    outer = _numbered(where, "seeds", seeds, rows)
    _at_least_two(where, int(outer.max()) + 1, "seeds", "all rows are of one seed")
    pairs, codes = np.unique(outer * (int(inner.max()) + 1) + inner, return_inverse=True)
    of_seed, of_cluster = np.divmod(pairs, int(inner.max()) + 1)
    nested = len(pairs) == int(inner.max()) + 1
    return Groups(codes, len(pairs), seeds=of_seed, prompts=None if nested else of_cluster)


@dataclass(frozen=True)
class Totals:
    """Column totals of clusters, equal ones once: for each seed (or once) the distinct totals and their counts.

    Where seeds and clusters are crossed, there is one part, and a row of it holds a cluster's totals under each seed.
    """

    parts: tuple[tuple[Floats, Ints], ...]
    groups: Groups

    @classmethod
    def of(cls, columns: Floats, groups: Groups) -> "Totals":
        """Of columns (n, k), one row a row of the data."""
        totals = groups.totals(columns)
        if groups.seeds is None:
            return cls((_kinds(totals),), groups)
        if groups.prompts is not None:
            profiles = np.zeros((int(groups.prompts.max()) + 1, groups.seed_count, totals.shape[1]))
            profiles[groups.prompts, groups.seeds] = totals
            return cls((_kinds(profiles.reshape(len(profiles), -1)),), groups)
        return cls(tuple(_kinds(totals[groups.seeds == seed]) for seed in range(groups.seed_count)), groups)

    @classmethod
    def of_values(cls, values: Floats, groups: Groups) -> "Totals":
        """Of (value, 1), which means are made of, for checked values (n,)."""
        return cls.of(np.stack([values, np.ones(len(values))]).T, groups)  # each column lies together

    @property
    def whole(self) -> Floats:
        """The totals over all rows (k,)."""
        return np.asarray(sum(self.by_seed(counts @ kinds).sum(axis=-2) for kinds, counts in self.parts))

    @property
    def cells(self) -> Floats:
        """The distinct totals of clusters within seeds (m, k); one that a seed lacks is all zeros."""
        within = [self.by_seed(kinds) for kinds, _ in self.parts]
        return np.concatenate([totals.reshape(-1, totals.shape[-1]) for totals in within])

    def by_seed(self, totals: Floats) -> Floats:
        """Totals (..., columns) with seeds as an axis of their own where they are crossed: (..., seeds, k)."""
        seeds = 1 if self.groups.prompts is None else self.groups.seed_count
        return totals.reshape(*totals.shape[:-1], seeds, -1)

    def exchanged(self) -> tuple[Floats, Ints]:
        """The totals of what is resampled first (seeds, or else clusters), and how often each occurs."""
        if self.groups.seeds is None:
            return self.parts[0]
        seeds = np.concatenate([self.by_seed(counts @ kinds) for kinds, counts in self.parts])
        return seeds, np.ones(len(seeds), dtype=np.intp)

    def shared(self) -> tuple[Floats, Ints]:
        """The totals of clusters over all seeds, and how often each occurs, where the two are crossed."""
        kinds, counts = self.parts[0]
        return self.by_seed(kinds).sum(axis=-2), counts


def drawn_totals(totals: Totals, settings: Settings) -> Iterator[Floats]:
    """The column totals of each resample, in blocks (size, k) that together are all of them."""
    step = max(1, BLOCK // max(len(counts) for _, counts in totals.parts))
    for start in range(0, settings.resamples, step):
        yield _draw(totals, settings.rng, min(step, settings.resamples - start))


def drawn_weights(groups: Groups, settings: Settings) -> Iterator[Floats]:
    """For each resample, how often each row is in it: (n,) whole numbers. For statistics that are fitted."""
    rng, count, seeds = settings.rng, groups.count, groups.seeds
    even = np.full(count, 1.0 / count)
    for _ in range(settings.resamples):
        if seeds is None:
            drawn = rng.multinomial(count, even)
        elif groups.prompts is not None:
            drawn = _evenly(rng, groups.seed_count)[seeds] * _evenly(rng, int(groups.prompts.max()) + 1)[groups.prompts]
        else:
            sizes = np.bincount(seeds)
            times = _evenly(rng, len(sizes))
            drawn = np.empty(count, dtype=np.int64)
            for seed, size in enumerate(sizes):
                drawn[seeds == seed] = rng.multinomial(times[seed] * size, np.full(size, 1.0 / size))
        yield drawn.astype(np.float64)[groups.codes]


def weights_without_one(groups: Groups) -> Iterator[Floats]:
    """Row weights that leave out one cluster, or one seed, in turn: what BCa needs."""
    outer = groups.outermost
    for left_out in range(int(outer.max()) + 1):
        yield (outer != left_out).astype(np.float64)


def _draw(totals: Totals, rng: np.random.Generator, size: int) -> Floats:
    """Column totals of that many resamples, (size, k)."""
    kinds, counts = totals.parts[0]
    if totals.groups.seeds is None or totals.groups.prompts is not None:
        drawn = rng.multinomial(counts.sum(), counts / counts.sum(), size=size) @ kinds
        if totals.groups.seeds is None:
            return np.asarray(drawn)
        by_seed = totals.by_seed(drawn)
        seeds = by_seed.shape[-2]
        times = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=size)
        return np.asarray(np.einsum("bs,bsk->bk", times, by_seed))
    times = rng.multinomial(len(totals.parts), np.full(len(totals.parts), 1.0 / len(totals.parts)), size=size)
    found = np.zeros((size, totals.parts[0][0].shape[1]))
    for seed, (kinds, counts) in enumerate(totals.parts):
        # m draws of a seed's clusters with replacement, one after another, are one draw of m times as many
        found += rng.multinomial(times[:, seed] * int(counts.sum()), counts / counts.sum()) @ kinds
    return found


def _evenly(rng: np.random.Generator, count: int) -> Ints:
    """How often each of that many is drawn in as many draws with replacement."""
    return np.asarray(rng.multinomial(count, np.full(count, 1.0 / count)))


def _kinds(totals: Floats) -> tuple[Floats, Ints]:
    """The distinct rows and how often each occurs; by numbering the values of each column, which beats sorting rows."""
    varying = [at for at, column in enumerate(totals.T) if column.min() < column.max()]
    if len(varying) == 1:  # independent rows of one value each, most often
        values, counts = np.unique(totals[:, varying[0]], return_counts=True)
        kinds = np.repeat(totals[:1], len(values), axis=0)
        kinds[:, varying[0]] = values
        return kinds, counts
    codes, size = np.zeros(len(totals), dtype=np.intp), 1
    for column in totals.T[varying]:
        values = np.unique(column)
        found = np.searchsorted(values, column)
        codes = found if size == 1 else codes * len(values) + found
        size *= len(values)
        if size > 4 * len(totals):
            values, codes = np.unique(codes, return_inverse=True)
            size = len(values)
    counts = np.bincount(codes, minlength=size)
    last = np.empty(size, dtype=np.intp)
    last[codes] = np.arange(len(codes))
    present = np.flatnonzero(counts)
    return totals[last[present]], counts[present]


def _numbered(where: str, name: str, labels: Clusters, rows: int) -> Ints:
    if len(labels) != rows:
        raise refusal(where, f"lengths differ ({name} has {len(labels)}, rows are {rows})", "give one for each row")
    array = getattr(labels, "to_numpy", lambda: labels)()
    if isinstance(array, np.ndarray) and array.dtype.kind in "iu" and int(array.max()) - int(array.min()) <= 4 * rows:
        return _renumbered(array.astype(np.uint64 if array.dtype.kind == "u" else np.int64))
    if isinstance(array, np.ndarray) and array.dtype.kind in "biufUS":
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise refusal(where, f"{name}[{int(np.argmax(np.isnan(array)))}] is nan", "name the cluster of each row")
        return np.unique(array, return_inverse=True)[1]
    known: dict[Hashable, int] = {}
    codes = np.array([known.setdefault(label, len(known)) for label in array], dtype=np.intp)
    for label, code in known.items():
        if label is None or not is_itself(label):
            at = int(np.argmax(codes == code))
            raise refusal(where, f"{name}[{at}] is {label}", "name the cluster of each row")
    places = np.empty(len(known), dtype=np.intp)
    places[[known[label] for label in sorted_labels(known)]] = np.arange(len(known))
    return places[codes]


def _renumbered(labels: np.ndarray[Any, Any]) -> Ints:
    """Whole numbers that lie close together, by counting instead of sorting."""
    shifted = (labels - labels.min()).astype(np.intp)
    places: Ints = np.cumsum(np.bincount(shifted) > 0) - 1
    return np.asarray(places[shifted], dtype=np.intp)


def _at_least_two(where: str, count: int, many: str, wrong: str) -> None:
    if count < 2:
        raise refusal(where, wrong, f"give 2 or more {many}: the interval is undefined")
