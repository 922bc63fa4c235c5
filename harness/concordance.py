"""How far rankings agree: Kendall's W of several raters who rank the same systems, and the correlation of two rankings.

Raters give ranks or scores of whole rankings; which response an item had and how it was ranked is not asked here. W of
one table has no interval: to resample its few raters would count some of them twice, and those agree with themselves.
Over many items it has one.
"""

from collections.abc import Sequence
from typing import Any, Literal, Unpack

import numpy as np
from scipy.special import chdtrc

from harness.checks import Floats, check_lengths, check_rng, numbers, refusal
from harness.estimates import Estimate, Significance
from harness.intervals import Statistic, bootstrap_totals, ratio
from harness.ratings import RaterAgreement, rows_kept
from harness.resampling import BLOCK, Bootstrap, Clusters, group

Scores = Sequence[Sequence[float]] | np.ndarray[Any, Any] | Any
"""Raters in rows, systems in columns: lists, an array or a DataFrame; ranks or scores, one direction for all raters."""
Kind = Literal["spearman", "kendall"]


def kendall_w_value(scores: Scores) -> float:
    """Kendall's W of k raters (rows) who each rank or score the same m systems (columns); equal scores share a rank.

    W = (12 Σ_j (R_j - R̄)²) / (k² (m³ - m) - k Σ_i T_i), R_j the sum of system j's ranks, T_i = Σ (t³ - t) over the
    ties of t systems at rater i. 1 is one ranking by all. Chance is not 0 but 1 / k (a third for three raters):
    without ties (k W - 1) / (k - 1) is the mean Spearman correlation over pairs of raters, for which chance is 0.

    Raises `HarnessError` for fewer than 2 raters or systems, rows of unequal length, what is not a finite number, and
    raters who all tie all systems (0 / 0). Reference: Kendall and Babington Smith (1939), The Problem of m Rankings,
    Annals of Mathematical Statistics 10(3); Siegel and Castellan (1988), Nonparametric Statistics, section 9.6.

    >>> round(kendall_w_value([[1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]]), 4)
    0.8222
    """
    where = "kendall_w_value"
    value = _concordance(_table(where, "scores", scores))
    if np.isnan(value):
        raise refusal(where, "all raters tie all systems", "give rankings that tell systems apart")
    return value


def kendall_w_test(
    scores: Scores,
    *,
    method: Literal["permutation", "chi-square"] = "permutation",
    rng: np.random.Generator | None = None,
    resamples: int = 10_000,
) -> Significance:
    """Whether raters agree more than if each ranked at random: one-sided, the statistic is W.

    - permutation: shuffles the ranks of every rater; p = (1 + shuffles with W at least as high) / (1 + resamples).
      Valid for any number of raters and systems. Needs `rng`.
    - chi-square: k (m - 1) W against m - 1 degrees of freedom, Friedman's test. It is only right for many raters or
      systems; below 8 systems with few raters it is off, and the permutation is cheap.

    n is the number of raters. Raises `HarnessError` as `kendall_w_value` does, for an unknown method, resamples < 100,
    and a permutation without rng. Reference: Siegel and Castellan (1988), section 9.6; Phipson and Smyth (2010),
    Permutation P-values Should Never Be Zero.

    >>> ranks = [[1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]]
    >>> print(kendall_w_test(ranks, method="chi-square"))
    p=0.060 (n=3, chi-square of Kendall's W)
    >>> print(kendall_w_test(ranks, rng=np.random.default_rng(0)))
    p=0.032 (n=3, permutation of Kendall's W)
    """
    where = "kendall_w_test"
    table = _table(where, "scores", scores)
    raters, systems = table.shape
    value = _concordance(table)
    if np.isnan(value):
        raise refusal(where, "all raters tie all systems", "give rankings that tell systems apart")
    if method == "chi-square":
        p = float(chdtrc(systems - 1, raters * (systems - 1) * value))
        return Significance(p, value, raters, "chi-square of Kendall's W")
    if method != "permutation":
        raise refusal(where, f"method is {method!r}", "use permutation or chi-square")
    generator = check_rng(where, rng)
    if resamples < 100:
        raise refusal(where, f"resamples is {resamples}", "give at least 100, such as 10000")
    reached = _reached(_ranks(table), generator, resamples)
    return Significance((1 + reached) / (1 + resamples), value, raters, "permutation of Kendall's W")


def mean_kendall_w(
    tables: Sequence[Scores] | np.ndarray[Any, Any],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> RaterAgreement:
    """Kendall's W of each item's raters, averaged over n items, its interval from resampling items, or `clusters`.

    `tables` holds one table (raters, systems) an item, as for `kendall_w_value`; an array (items, raters, systems) will
    do, and numbers of raters and systems may differ between items. Items with one rater (W is 1 whatever was said), one
    system, or nothing but ties are in `left_out`. Compare with chance, 1 / k for k raters.

    Raises `HarnessError` for a table that `kendall_w_value` refuses otherwise, no item left, fewer than 2 items or
    clusters, and where all items have the same W. Reference: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267, whose
    raters rank several responses to an item and agree with W of 0.6 to 0.7.

    >>> tables = [[[1, 2, 3], [1, 2, 3]], [[1, 2, 3], [2, 1, 3]], [[3, 1, 2], [1, 3, 2]], [[1, 2, 3], [1, 3, 2]]]
    >>> result = mean_kendall_w(tables, rng=np.random.default_rng(0))
    >>> print(result.estimate, result.left_out)
    0.625 [0.188, 0.938] (n=4, bootstrap) 0
    """
    where = "mean_kendall_w"
    values = _each(where, tables)
    keep = np.isfinite(values)
    inner, outer = rows_kept(where, keep, clusters=clusters), rows_kept(where, keep, seeds=seeds)
    found = values[keep]
    columns = np.stack([found, np.ones(len(found))], axis=1)
    groups = group(where, len(found), inner, outer)
    estimate = bootstrap_totals(where, columns, ratio, groups, options)
    return RaterAgreement(estimate, int((~keep).sum()))


def mean_kendall_w_value(tables: Sequence[Scores] | np.ndarray[Any, Any]) -> float:
    """The mean of `mean_kendall_w` without an interval.

    >>> mean_kendall_w_value([[[1, 2, 3], [1, 2, 3]], [[1, 2, 3], [2, 1, 3]]])
    0.875
    """
    values = _each("mean_kendall_w_value", tables)
    return float(values[np.isfinite(values)].mean())


def rank_correlation(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    *,
    kind: Kind,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Rank correlation of two scores of the same n systems, its interval from resampling systems.

    - spearman: Pearson's correlation of the ranks, equal scores sharing one; every resample ranks anew.
    - kendall: tau-b, (C - D) / √((P - X) (P - Y)) with C pairs in the same order and D in the opposite one, X and Y of
      the P pairs tied in each. Copies of a system in a resample make no pair.

    The interval asks how the correlation would vary with other systems of this kind (`clusters` may be the families of
    models). It knows nothing of the error in each score: for that, resample the prompts and rank again.

    Raises `HarnessError` for lengths that differ, what is not a finite number, an unknown kind, a score that ties all
    systems, and where the bootstrap does. Reference: Kendall (1945), The Treatment of Ties in Ranking Problems,
    Biometrika 33(3).

    >>> ours, theirs = [10, 20, 30, 40, 50, 60, 70, 80], [1, 3, 2, 4, 6, 5, 8, 7]
    >>> print(rank_correlation(ours, theirs, kind="spearman", rng=np.random.default_rng(0)))
    0.929 [0.615, 1.000] (n=8, bootstrap)
    """
    where = "rank_correlation"
    correlation, systems = _correlation(where, first, second, kind)
    groups = group(where, systems, clusters, seeds)
    return bootstrap_totals(where, np.eye(systems), correlation, groups, options)


def rank_correlation_value(first: Sequence[float] | Floats, second: Sequence[float] | Floats, *, kind: Kind) -> float:
    """The correlation of `rank_correlation` without an interval.

    >>> round(rank_correlation_value([1, 2, 3, 4], [1, 2, 4, 3], kind="kendall"), 4)
    0.6667
    """
    correlation, systems = _correlation("rank_correlation_value", first, second, kind)
    return float(correlation(np.ones(systems)))


def _table(where: str, name: str, scores: Scores) -> Floats:
    """Scores (raters, systems), at least 2 of each."""
    table = _rows(where, name, scores)
    if min(table.shape) < 2:
        raters, systems = table.shape
        raise refusal(where, f"{name} have {raters} raters and {systems} systems", "give at least 2 of each")
    return table


def _rows(where: str, name: str, scores: Scores) -> Floats:
    array = getattr(scores, "to_numpy", lambda: scores)()
    if isinstance(array, np.ndarray) and array.ndim != 2:
        raise refusal(where, f"{name} has {array.ndim} dimensions", "give raters in rows and systems in columns")
    check_lengths(where, **{name: array})
    check_lengths(where, **{f"{name}[{rater}]": row for rater, row in enumerate(array)})
    return np.stack([numbers(where, f"{name}[{rater}]", row) for rater, row in enumerate(array)])


def _each(where: str, tables: Sequence[Scores] | np.ndarray[Any, Any]) -> Floats:
    """W of each item; NaN where it says nothing."""
    check_lengths(where, tables=tables)
    found = [_rows(where, f"tables[{item}]", scores) for item, scores in enumerate(tables)]
    values = np.array([_concordance(table) if len(table) > 1 else np.nan for table in found])
    if np.isnan(values).all():
        raise refusal(where, "no item has two raters who tell systems apart", "give items that several raters ranked")
    return values


def _concordance(table: Floats) -> float:
    raters, systems = table.shape
    alike = (table[:, :, None] == table[:, None, :]).sum(axis=-1)
    ties = float((alike**2 - 1).sum())  # t systems in a tie add t (t² - 1)
    most = raters**2 * (systems**3 - systems) - raters * ties
    return 12.0 * float(_spread(_ranks(table).sum(axis=0))) / most if most > 0.0 else np.nan


def _ranks(scores: Floats) -> Floats:
    """Ranks from 1 along the last axis; equal scores share the mean of theirs."""
    above = (scores[..., :, None] > scores[..., None, :]).sum(axis=-1)
    alike = (scores[..., :, None] == scores[..., None, :]).sum(axis=-1)
    return np.asarray(above + (alike + 1.0) / 2.0)


def _spread(sums: Floats) -> Floats:
    return np.asarray(((sums - sums.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1))


def _reached(ranks: Floats, rng: np.random.Generator, resamples: int) -> int:
    """How many shuffles within raters give a W at least as high."""
    spread, found = _spread(ranks.sum(axis=0)), 0
    step = max(1, BLOCK // ranks.size)
    for start in range(0, resamples, step):
        copies = np.broadcast_to(ranks, (min(step, resamples - start), *ranks.shape))
        found += int(np.sum(_spread(rng.permuted(copies, axis=-1).sum(axis=1)) >= spread - 1e-9))
    return found


def _correlation(
    where: str, first: Sequence[float] | Floats, second: Sequence[float] | Floats, kind: Kind
) -> tuple[Statistic, int]:
    """The correlation as a function of how often each system counts (..., systems), and the number of systems."""
    check_lengths(where, first=first, second=second)
    if kind not in ("spearman", "kendall"):
        raise refusal(where, f"kind is {kind!r}", "use spearman or kendall")
    scores = {"first": numbers(where, "first", first), "second": numbers(where, "second", second)}
    for name, values in scores.items():
        if np.ptp(values) == 0.0:
            raise refusal(where, f"{name} ties all systems", "give scores that tell systems apart")
    signs = [np.sign(values - values[:, None]) for values in scores.values()]
    return (_spearman if kind == "spearman" else _kendall)(*signs), len(signs[0])


def _spearman(first: Floats, second: Floats) -> Statistic:
    """From the signs (systems, systems) of all differences: column j of weights @ signs is system j's rank, doubled."""

    def correlation(weights: Floats) -> Floats:
        ranks = [weights @ signs for signs in (first, second)]  # Σ w ranks is 0: every pair is in it with both signs
        shared, *alone = [(weights * one * other).sum(axis=-1) for one, other in _products(ranks)]
        return _over_root(shared, *alone)

    return correlation


def _kendall(first: Floats, second: Floats) -> Statistic:
    tables = [one * other for one, other in _products([first, second])]

    def correlation(weights: Floats) -> Floats:
        return _over_root(*(((weights @ table) * weights).sum(axis=-1) for table in tables))

    return correlation


def _products(pair: list[Floats]) -> list[tuple[Floats, Floats]]:
    first, second = pair
    return [(first, second), (first, first), (second, second)]


def _over_root(shared: Floats, first: Floats, second: Floats) -> Floats:
    apart = first * second
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(apart > 0.0, shared / np.sqrt(apart), np.nan))
