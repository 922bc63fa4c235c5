"""Krippendorff's alpha, and how a table of ratings with gaps is read: items in rows, raters in columns.

Alpha takes any number of raters, gaps, and words, grades or numbers. Which rater gave a rating does not enter it, so
an item counts by its totals alone and a bootstrap over items never touches ratings. Kappas are in `harness.kappa`.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, NamedTuple, Unpack

import numpy as np

from harness.bootstrap import bootstrap
from harness.checks import Floats, Ints, check_lengths, refusal
from harness.estimates import Estimate
from harness.resampling import Bootstrap, Clusters, Statistic, bootstrap_totals, group

Metric = Literal["nominal", "ordinal", "interval", "ratio"]
Table = Sequence[Sequence[Hashable]] | np.ndarray[Any, Any] | Any
"""Items in rows, raters in columns: lists, an array or a DataFrame."""

METRICS = ("nominal", "ordinal", "interval", "ratio")
GRADES = 50
"""Distinct values up to which the ordinal bootstrap runs on the coincidence table, whose cells grow as the square."""


class RaterAgreement(NamedTuple):
    """How far raters agree, and how many items (or groups) had to be left out."""

    estimate: Estimate
    left_out: int
    """Items with fewer than two ratings, or whatever the function that made it says."""


@dataclass(frozen=True)
class Ratings:
    """Who said what of which item: `codes` (items, raters) is a position in `labels`, -1 where there is no rating."""

    codes: Ints
    labels: list[Hashable]

    @property
    def sizes(self) -> Ints:
        """Ratings of each item (items,)."""
        return np.asarray((self.codes >= 0).sum(axis=1))

    def counts(self) -> Floats:
        """How often each item was given each label (items, labels)."""
        items, kinds = len(self.codes), len(self.labels)
        cells = (np.arange(items)[:, None] * kinds + self.codes)[self.codes >= 0]
        return np.bincount(cells, minlength=items * kinds).reshape(items, kinds).astype(np.float64)

    def pairable(self, where: str) -> tuple["Ratings", np.ndarray[Any, np.dtype[np.bool_]]]:
        """The items with two ratings or more, and which of all they are."""
        keep = self.sizes >= 2
        if not keep.any():
            raise refusal(where, "no item has two ratings", "give items that several raters rated")
        return Ratings(self.codes[keep], self.labels), keep


def krippendorff_alpha(
    ratings: Table,
    *,
    metric: Metric,
    categories: Sequence[Hashable] | None = None,
    missing: Hashable = None,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> RaterAgreement:
    """α = 1 - D_o / D_e of `ratings` (items, raters), its interval from resampling items, or `clusters` of them.

    With n_uc the number of raters who gave item u the value c, m_u = Σ_c n_uc, n_c = Σ_u n_uc and n = Σ_c n_c, over
    the items with m_u >= 2 (the others are left out and counted):
    D_o = Σ_u Σ_ck n_uc n_uk δ²_ck / (m_u - 1) / n and D_e = Σ_ck n_c n_k δ²_ck / (n (n - 1)).

    - nominal: δ² is 1 where c and k differ.
    - ordinal: δ = |R_c - R_k|, R_c = Σ_{g<c} n_g + n_c / 2. Numbers are in their own order; words need `categories`,
      from lowest to highest. Every resample takes R from its own n_c, since they are part of the statistic. On a scale
      of many grades that few items fill (40 grades, 50 items) α and its interval lie too low: take interval there.
    - interval: δ = c - k. ratio: δ = (c - k) / (c + k), for numbers from 0.

    None is no rating, and neither is an entry equal to `missing` (give `float("nan")` for a table of floats with gaps;
    it then stands for NaT and NA too). A NaN that was not declared is refused. 1 is perfect, 0 is chance.

    Raises `HarnessError` for rows of unequal length, NaN, an unknown metric, words where numbers are needed, no item
    with two ratings, ratings that are all the same (D_e is 0), and where the bootstrap does: where all raters agree on
    everything the interval is undefined, and `krippendorff_alpha_value` gives the 1. Reference: Krippendorff (2011),
    Computing Krippendorff's Alpha-Reliability, University of Pennsylvania.

    >>> table = [["a", "a", None], ["b", "b", "b"], ["a", "b", "a"], ["b", "b", None], ["a", "a", "a"], ["b", "a", "b"]]
    >>> result = krippendorff_alpha(table, metric="nominal", rng=np.random.default_rng(0))
    >>> print(result.estimate, result.left_out)
    0.531 [-0.083, 1.000] (n=6, bootstrap, 32 of 10000 resamples undefined) 0
    """
    where = "krippendorff_alpha"
    whole = _read(where, ratings, metric, categories, missing)
    found, keep = whole.pairable(where)
    inner, outer = rows_kept(where, keep, clusters=clusters), rows_kept(where, keep, seeds=seeds)
    left_out = len(keep) - len(found.codes)
    if metric == "ordinal" and len(found.labels) > GRADES:
        return RaterAgreement(
            bootstrap(_ordinal_refit(found), len(found.codes), clusters=inner, seeds=outer, **options), left_out
        )
    columns, statistic = _coincidences(found) if metric == "ordinal" else _spreads(found, metric)
    groups = group(where, len(columns), inner, outer)
    return RaterAgreement(bootstrap_totals(where, columns, statistic, groups, options), left_out)


def krippendorff_alpha_value(
    ratings: Table, *, metric: Metric, categories: Sequence[Hashable] | None = None, missing: Hashable = None
) -> float:
    """The alpha of `krippendorff_alpha` without an interval; it refuses what that refuses of the ratings.

    >>> krippendorff_alpha_value([[1, 1], [2, 2], [3, 3]], metric="interval")
    1.0
    """
    where = "krippendorff_alpha_value"
    found, _ = _read(where, ratings, metric, categories, missing).pairable(where)
    if metric == "ordinal":
        value = _ordinal_refit(found)(np.ones(len(found.codes)))
    else:
        columns, statistic = _spreads(found, metric)
        value = float(statistic(columns.sum(axis=0)))
    if np.isnan(value):
        raise refusal(where, "all ratings are the same", "give items that differ: alpha is 0 / 0")
    return value


def read_ratings(
    where: str, ratings: Table, *, missing: Hashable = None, categories: Sequence[Hashable] | None = None
) -> Ratings:
    """The table as codes; numbers are in their own order, `categories` in theirs, anything else as first met.

    Raises `HarnessError` for a table that is empty, flat or ragged, a NaN that is not `missing`, and an unknown label.
    """
    array = getattr(ratings, "to_numpy", lambda: ratings)()
    if isinstance(array, np.ndarray) and array.ndim != 2:
        raise refusal(where, f"ratings have {array.ndim} dimensions", "give items in rows and raters in columns")
    check_lengths(where, ratings=array)
    width = len(array[0])
    for item, row in enumerate(array):
        if len(row) != width or width == 0:
            raise refusal(where, f"ratings[{item}] has {len(row)} entries", f"give {width or 'some'} for every item")
    if isinstance(array, np.ndarray) and array.dtype.kind in "biuf":
        flat: Sequence[Hashable] | np.ndarray[Any, Any] = array.ravel()
    else:
        flat = [entry for row in array for entry in row]
    codes, labels = encode(
        where, lambda at: f"ratings[{at // width}][{at % width}]", flat, missing=missing, categories=categories
    )
    return Ratings(codes.reshape(-1, width), labels)


def encode(
    where: str,
    place: Callable[[int], str],
    flat: Sequence[Hashable] | np.ndarray[Any, Any],
    *,
    missing: Hashable = None,
    categories: Sequence[Hashable] | None = None,
) -> tuple[Ints, list[Hashable]]:
    """Labels as positions in a list of them, -1 for gaps; `place` names an entry by its position, for refusals."""
    codes, labels = _distinct(flat)
    kept = [code for code, label in enumerate(labels) if not _is_gap(label, missing)]
    for code in kept:
        if not _is_itself(labels[code]):
            at = place(int(np.argmax(codes == code)))
            raise refusal(where, f"{at} is {labels[code]}", "give a label, or say that it is missing")
    ordered = _ordered([labels[code] for code in kept]) if categories is None else list(categories)
    order = {label: position for position, label in enumerate(ordered)}
    if len(order) != len(ordered):
        raise refusal(where, "categories repeat themselves", "give each of them once")
    for code in kept:
        if labels[code] not in order:
            at = place(int(np.argmax(codes == code)))
            raise refusal(where, f"{at} is {labels[code]!r}", f"use one of {', '.join(map(str, ordered))}")
    renumbered = np.full(len(labels), -1, dtype=np.intp)
    renumbered[kept] = [order[labels[code]] for code in kept]
    return renumbered[codes], ordered


def _ordered(labels: list[Any]) -> list[Any]:
    return sorted(labels) if all(isinstance(label, Real) for label in labels) else labels


def rows_kept(where: str, keep: np.ndarray[Any, Any], **labels: Clusters | None) -> Clusters | None:
    """One column of labels, named by its keyword, without the rows that were left out."""
    ((name, column),) = labels.items()
    if column is None:
        return None
    if len(column) != len(keep):
        raise refusal(where, f"{name} has {len(column)} entries with {len(keep)} items", "give one for each item")
    return [label for label, kept in zip(column, keep, strict=True) if kept]


def _distinct(flat: Sequence[Hashable] | np.ndarray[Any, Any]) -> tuple[Ints, list[Hashable]]:
    if isinstance(flat, np.ndarray):
        values, codes = np.unique(flat, return_inverse=True)
        return codes, values.tolist()
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in flat], dtype=np.intp), list(known)


def _is_itself(label: Hashable) -> bool:
    """False for NaN and NaT, which differ from themselves, and for NA, which cannot tell."""
    equal: object = label == label
    return isinstance(equal, (bool, np.bool_)) and bool(equal)


def _is_gap(label: Hashable, missing: Hashable) -> bool:
    if label is None or not _is_itself(label):
        return label is None or not _is_itself(missing)
    return _is_itself(missing) and label == missing


def _read(where: str, ratings: Table, metric: str, categories: Sequence[Hashable] | None, missing: Hashable) -> Ratings:
    if metric not in METRICS:
        raise refusal(where, f"metric is {metric!r}", f"use one of {', '.join(METRICS)}")
    if categories is not None and metric != "ordinal":
        raise refusal(where, f"categories with the metric {metric}", "give them to order words in the ordinal metric")
    found = read_ratings(where, ratings, missing=missing, categories=categories)
    if metric != "nominal" and categories is None:
        low = 0.0 if metric == "ratio" else -np.inf
        for code, label in enumerate(found.labels):
            if not (isinstance(label, Real) and np.isfinite(float(label)) and label >= low):
                item, rater = np.argwhere(found.codes == code)[0]
                right = {"ordinal": "numbers, or categories", "ratio": "numbers from 0"}.get(metric, "numbers")
                raise refusal(where, f"ratings[{item}][{rater}] is {label!r}", f"give {right} for the metric {metric}")
    return found


def _spreads(found: Ratings, metric: str) -> tuple[Floats, Statistic]:
    """Columns (items, 1 + k) and alpha of their totals: n D_o first, then what Σ_ck n_c n_k δ²_ck is made of."""
    parts, size, spread = _moments(found) if metric == "interval" else _counted(found, metric)

    def alpha(totals: Floats) -> Floats:
        return _alpha(totals[..., 0], spread(totals[..., 1:]), size(totals[..., 1:]))

    return np.concatenate([(spread(parts) / (size(parts) - 1.0))[:, None], parts], axis=1), alpha


def _alpha(observed: Floats, expected: Floats, size: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(expected > 0.0, 1.0 - (size - 1.0) * observed / expected, np.nan))


def _counted(found: Ratings, metric: str) -> tuple[Floats, Statistic, Statistic]:
    """Counts of each value, their number, and Σ_ck n_c n_k δ²_ck for distances that do not depend on the counts."""
    if metric == "nominal":
        return found.counts(), _total, lambda counts: _total(counts) ** 2 - _total(counts**2)
    values = np.array(found.labels, dtype=np.float64)
    apart, both = values[:, None] - values, values[:, None] + values
    distances = (apart / np.where(both > 0.0, both, 1.0)) ** 2
    return found.counts(), _total, lambda counts: _total((counts @ distances) * counts)


def _total(counts: Floats) -> Floats:
    return np.asarray(counts.sum(axis=-1))


def _moments(found: Ratings) -> tuple[Floats, Statistic, Statistic]:
    """The same for δ = c - k, from n, Σx and Σx² alone, so that many distinct values cost nothing."""
    items = np.nonzero(found.codes >= 0)[0]
    values = np.array(found.labels, dtype=np.float64)[found.codes[found.codes >= 0]]
    return _moments_of(items, values - values.mean(), len(found.codes)), lambda parts: parts[..., 0], _squares


def _moments_of(items: Ints, values: Floats, count: int) -> Floats:
    return np.stack([np.bincount(items, weights, count) for weights in (values**0, values, values**2)], axis=1)


def _squares(parts: Floats) -> Floats:
    whole = parts[..., 0] * parts[..., 2]
    apart = whole - parts[..., 1] ** 2
    return np.asarray(np.where(apart > 1e-12 * whole, 2.0 * apart, 0.0))  # equal values leave a rounding error


def _coincidences(found: Ratings) -> tuple[Floats, Statistic]:
    """The ordinal metric: columns are the cells c < k of the coincidence table, then the counts of each value."""
    counts = found.counts()
    low, high = np.triu_indices(counts.shape[1], 1)
    cells = 2.0 * counts[:, low] * counts[:, high] / (counts.sum(axis=1) - 1.0)[:, None]

    def alpha(totals: Floats) -> Floats:
        observed, marginals = totals[..., : len(low)], totals[..., len(low) :]
        ranks = _middles(marginals)
        apart = _total(observed * (ranks[..., low] - ranks[..., high]) ** 2)
        sums = np.stack([marginals, marginals * ranks, marginals * ranks**2], axis=-2)
        return _alpha(apart, _squares(_total(sums)), _total(marginals))

    return np.concatenate([cells, counts], axis=1), alpha


def _middles(counts: Floats) -> Floats:
    """R_c of each value, from the middle of them all: equal values are then exactly at 0."""
    return np.asarray(np.cumsum(counts, axis=-1) - counts / 2.0 - counts.sum(axis=-1, keepdims=True) / 2.0)


def _ordinal_refit(found: Ratings) -> Callable[[Floats], float]:
    """Ordinal alpha from how often each item counts: interval alpha on R, for any number of distinct values."""
    given = found.codes >= 0
    items, codes, sizes = np.nonzero(given)[0], found.codes[given], found.sizes

    def alpha(weights: Floats) -> float:
        counts: Floats = np.bincount(codes, weights[items], len(found.labels)).astype(np.float64)
        parts = _moments_of(items, _middles(counts)[codes], len(sizes))
        observed = weights @ (_squares(parts) / (sizes - 1.0))
        return float(_alpha(observed, _squares(weights @ parts), weights @ parts[:, 0]))

    return alpha
