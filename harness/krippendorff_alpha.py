"""Krippendorff's alpha of a table of ratings with gaps: items in rows, raters in columns.

Alpha takes any number of raters, gaps, and words, grades or numbers. Which rater gave a rating does not enter it, so
an item counts by its totals alone and a bootstrap over items never touches ratings. Kappas are in `harness.kappa`.
"""

from collections.abc import Callable, Hashable, Sequence
from numbers import Real
from typing import Literal, Unpack

import numpy as np

from harness.checks import Floats, Ints, refusal
from harness.intervals import Statistic, bootstrap_totals, bootstrap_weights
from harness.ratings import RaterAgreement, Ratings, Table, read_ratings, rows_kept
from harness.resampling import Bootstrap, Clusters, group

Metric = Literal["nominal", "ordinal", "interval", "ratio"]

METRICS = ("nominal", "ordinal", "interval", "ratio")
GRADES = 50
"""Distinct values up to which the ordinal bootstrap runs on the coincidence table, whose cells grow as the square."""


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
    it then stands for NaT and NA too; 0 is not False). A NaN that was not declared is refused. 1 is perfect, 0 is
    chance.

    Raises `HarnessError` for rows of unequal length, NaN, words mixed with other labels, an unknown metric, words where
    numbers are needed, no item with two ratings, ratings that are all the same (D_e is 0), and where the bootstrap
    does: where all raters agree on everything the interval is undefined, and `krippendorff_alpha_value` gives the 1.
    Reference: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, University of Pennsylvania.

    >>> table = [["a", "a", None], ["b", "b", "b"], ["a", "b", "a"], ["b", "b", None], ["a", "a", "a"], ["b", "a", "b"]]
    >>> result = krippendorff_alpha(table, metric="nominal", rng=np.random.default_rng(0))
    >>> print(result.estimate, result.left_out)
    0.531 [-0.083, 1.000] (n=6, bootstrap, 32 of 10000 resamples undefined) 0
    """
    where = "krippendorff_alpha"
    whole = _read(where, ratings, metric, categories, missing)
    found, keep = whole.pairable(where)
    inner, outer = rows_kept(where, keep, clusters=clusters), rows_kept(where, keep, seeds=seeds)
    groups = group(where, len(found.codes), inner, outer)
    if metric == "ordinal" and len(found.labels) > GRADES:
        estimate = bootstrap_weights(where, _ordinal_refit(found), groups, options)
    else:
        columns, statistic = _coincidences(found) if metric == "ordinal" else _spreads(found, metric)
        estimate = bootstrap_totals(where, columns, statistic, groups, options)
    return RaterAgreement(estimate, len(keep) - len(found.codes))


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
    items, codes = found.given
    values = np.array(found.labels, dtype=np.float64)[codes]
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
    (items, codes), sizes = found.given, found.sizes

    def alpha(weights: Floats) -> float:
        counts: Floats = np.bincount(codes, weights[items], len(found.labels)).astype(np.float64)
        parts = _moments_of(items, _middles(counts)[codes], len(sizes))
        observed = weights @ (_squares(parts) / (sizes - 1.0))
        return float(_alpha(observed, _squares(weights @ parts), weights @ parts[:, 0]))

    return alpha
