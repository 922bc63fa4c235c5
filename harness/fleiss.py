"""Fleiss' kappa: how far several raters agree on labels beyond what the shares of labels would give by chance.

Which rater gave a label does not enter it, so an item counts by its totals alone. Ratings that are all the same have
the kappa 0 / 0, which is refused. Two raters who are told apart are in `harness.kappa`.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Unpack

import numpy as np

from harness.checks import Floats, refusal
from harness.columns import Mask
from harness.intervals import bootstrap_totals
from harness.ratings import RaterAgreement, Table, read_ratings, rows_kept
from harness.resampling import Bootstrap, Clusters, group


def fleiss_kappa(
    ratings: Table,
    *,
    missing: Hashable = None,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> RaterAgreement:
    """Fleiss' kappa of `ratings` (items, raters); its interval from resampling items, or `clusters` of them.

    With n_ik raters giving item i the label k, m_i = Σ_k n_ik and p_k = Σ_i n_ik / Σ_i m_i:
    κ = 1 - Σ_i Σ_k n_ik (m_i - n_ik) / m_i / (Σ_i (m_i - 1) (1 - Σ_k p_k²)).
    With m raters on every item this is (P̄ - P_e) / (1 - P_e) of Fleiss (1971); with unequal numbers (None or `missing`
    are gaps) it is the form of Fleiss, Levin and Paik for those, where an item counts by m_i - 1. Items with fewer than
    two ratings are left out and counted. Other software averages P_i over items instead, which differs where m_i does.

    Raises `HarnessError` for a table that is ragged or empty, NaN that is not `missing`, words mixed with other labels,
    no item with two ratings, ratings that are all the same (0 / 0), and where the bootstrap does (perfect agreement has
    no interval, and `fleiss_kappa_value` gives the 1). Reference: Fleiss (1971), Measuring Nominal Scale Agreement
    among Many Raters, Psychological Bulletin 76(5); Fleiss, Levin and Paik (2003), Statistical Methods for Rates and
    Proportions, 3rd edition, section 18.3.

    >>> table = [[1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, None], [1, 0, 1], [0, None, None], [1, 1, 1], [0, 1, 0]]
    >>> result = fleiss_kappa(table, rng=np.random.default_rng(0))
    >>> print(result.estimate, result.left_out)
    0.378 [-0.212, 0.799] (n=7, bootstrap, 1 of 10000 resamples undefined) 1
    """
    counts = read_ratings("fleiss_kappa", ratings, missing=missing).counts()
    return _estimated("fleiss_kappa", counts, clusters, seeds, options)


def fleiss_kappa_value(ratings: Table, *, missing: Hashable = None) -> float:
    """The kappa of `fleiss_kappa` without an interval.

    >>> fleiss_kappa_value([["safe", "safe"], ["unsafe", "unsafe"]])
    1.0
    """
    where = "fleiss_kappa_value"
    return _defined(where, _columns(where, read_ratings(where, ratings, missing=missing).counts())[0])


def fleiss_kappa_of_counts(
    counts: Sequence[Sequence[int]] | np.ndarray[Any, Any] | Any,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> RaterAgreement:
    """`fleiss_kappa` from how many raters gave each item each label: `counts` (items, labels).

    Raises `HarnessError` for counts that are no whole numbers from 0, and as `fleiss_kappa` does.

    >>> result = fleiss_kappa_of_counts([[3, 0], [0, 3], [2, 1], [0, 3], [1, 2], [3, 0]], rng=np.random.default_rng(0))
    >>> print(result.estimate)
    0.556 [-0.125, 1.000] (n=6, bootstrap, 28 of 10000 resamples undefined)
    """
    where = "fleiss_kappa_of_counts"
    return _estimated(where, _whole_counts(where, counts), clusters, seeds, options)


def fleiss_kappa_of_counts_value(counts: Sequence[Sequence[int]] | np.ndarray[Any, Any] | Any) -> float:
    """The kappa of `fleiss_kappa_of_counts` without an interval.

    >>> fleiss_kappa_of_counts_value([[2, 0], [0, 2], [1, 1], [1, 1]])
    0.0
    """
    where = "fleiss_kappa_of_counts_value"
    return _defined(where, _columns(where, _whole_counts(where, counts))[0])


def _estimated(
    where: str, counts: Floats, clusters: Clusters | None, seeds: Clusters | None, options: Bootstrap
) -> RaterAgreement:
    columns, keep = _columns(where, counts)
    inner, outer = rows_kept(where, keep, clusters=clusters), rows_kept(where, keep, seeds=seeds)
    _defined(where, columns)
    groups = group(where, len(columns), inner, outer)
    return RaterAgreement(bootstrap_totals(where, columns, _kappa, groups, options), int((~keep).sum()))


def _columns(where: str, counts: Floats) -> tuple[Floats, Mask]:
    """Columns (items, 2 + labels): disagreement within the item, m - 1, and the counts; and which items are kept."""
    sizes = counts.sum(axis=1)
    keep = sizes >= 2.0
    if not keep.any():
        raise refusal(where, "no item has two ratings", "give items that several raters rated")
    counts, sizes = counts[keep], sizes[keep]
    apart = (sizes**2 - (counts**2).sum(axis=1)) / sizes
    return np.concatenate([np.stack([apart, sizes - 1.0], axis=1), counts], axis=1), keep


def _kappa(totals: Floats) -> Floats:
    counts = totals[..., 2:]
    size = counts.sum(axis=-1)
    expected = totals[..., 1] * (size**2 - (counts**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(expected > 0.0, 1.0 - totals[..., 0] * size**2 / expected, np.nan))


def _defined(where: str, columns: Floats) -> float:
    value = float(_kappa(columns.sum(axis=0)))
    if np.isnan(value):
        raise refusal(where, "all ratings are the same", "give items that differ: kappa is 0 / 0")
    return value


def _whole_counts(where: str, counts: Any) -> Floats:
    array = np.asarray(counts)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "iuf":
        raise refusal(
            where, f"counts are of shape {array.shape} and type {array.dtype}", "give numbers, items by labels"
        )
    found = array.astype(np.float64)
    wrong = ~np.isfinite(found) | (found < 0.0) | (found != np.floor(found))
    if wrong.any():
        item, label = np.argwhere(wrong)[0]
        raise refusal(where, f"counts[{item}][{label}] is {found[item, label]:g}", "give whole numbers from 0")
    return found
