"""Cohen's kappa: how far two raters agree on labels beyond what their own label shares would give by chance.

Weighted or not, pooled or averaged over groups, or over the pairs of several raters; Fleiss' is in `harness.fleiss`.
All are functions of totals over items, so a bootstrap never touches rows. Gaps, grades and numbers suit
`harness.krippendorff_alpha` better. Kappa of raters who all say one thing is 0 / 0: it is refused, and so is its share
in an average, which is counted.
"""

from collections.abc import Hashable, Sequence
from itertools import combinations
from numbers import Real
from typing import Literal, NamedTuple, Unpack

import numpy as np

from harness.checks import Floats, Ints, check_lengths, refusal
from harness.columns import Labels, Mask
from harness.estimates import Estimate
from harness.intervals import bootstrap_totals
from harness.ratings import RaterAgreement, Table, encode, read_ratings, rows_kept
from harness.resampling import Bootstrap, Clusters, group

Weights = Literal["linear", "quadratic"] | None


class PairwiseKappa(NamedTuple):
    """The mean kappa over pairs of raters, and what is not in it."""

    estimate: Estimate
    left_out: int
    """Items with fewer than two ratings."""
    pairs: int
    """Pairs of raters in the mean."""
    undefined: int
    """Pairs that are not: no item in common, or only one label on those."""


def cohen_kappa(
    first: Labels,
    second: Labels,
    *,
    weights: Weights = None,
    categories: Sequence[Hashable] | None = None,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """κ = 1 - Σ w_ij o_ij / Σ w_ij e_ij of two raters' labels (n each), its interval from resampling rows or clusters.

    o_ij is the share of rows that the first calls i and the second j, e_ij the product of their own shares of i and j.
    w_ij is 1 where i and j differ; `linear` takes |i - j|, `quadratic` (i - j)², i and j being positions in
    `categories`, lowest first. Without those, numbers stand in their own order and only those that occur have a
    position: name the categories where a grade of the scale may be absent. Unweighted, κ = (p_o - p_e) / (1 - p_e).

    Raises `HarnessError` for lengths that differ, None or NaN, words mixed with other labels ("1" is not 1), a label
    that is no category, weights of words without categories, both raters giving one and the same label (0 / 0), and
    where the bootstrap does: with perfect agreement the interval is undefined, and `cohen_kappa_value` gives the 1.
    Reference: Cohen (1960), A Coefficient of Agreement for Nominal Scales; Cohen (1968), Weighted Kappa, Psychological
    Bulletin 70(4).

    >>> human, judge = [1, 1, 0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 0, 0, 1, 0, 1]
    >>> print(cohen_kappa(human, judge, rng=np.random.default_rng(0)))
    0.583 [-0.087, 1.000] (n=10, bootstrap, 9 of 10000 resamples undefined)
    """
    where = "cohen_kappa"
    columns, distances = _two_raters(where, first, second, weights, categories)
    groups = group(where, len(columns), clusters, seeds)
    _defined(where, columns, distances)
    return bootstrap_totals(where, columns, lambda totals: _kappa(totals, distances), groups, options)


def cohen_kappa_value(
    first: Labels, second: Labels, *, weights: Weights = None, categories: Sequence[Hashable] | None = None
) -> float:
    """The kappa of `cohen_kappa` without an interval; it refuses what that refuses of the labels.

    >>> cohen_kappa_value(["a", "b", "a", "b"], ["a", "b", "b", "b"])
    0.5
    """
    return _defined("cohen_kappa_value", *_two_raters("cohen_kappa_value", first, second, weights, categories))


def mean_kappa(
    first: Labels,
    second: Labels,
    groups: Clusters,
    *,
    weights: Weights = None,
    categories: Sequence[Hashable] | None = None,
    **options: Unpack[Bootstrap],
) -> RaterAgreement:
    """Cohen's kappa within each group, averaged over groups, its interval from resampling those.

    `groups` (n hashables) names the group of each row (the data set, the prompt's topic). Every group counts the same,
    whatever its size, and label shares are its own. Groups where kappa is undefined (both raters give one and the same
    label) are in `left_out` and not in the mean; n of the estimate is the number of groups that are.

    Raises `HarnessError` as `cohen_kappa` does, for fewer than 2 groups, and where kappa is undefined in all of them or
    the same in all. Reference: Barlow, Lai and Azen (1991), A Comparison of Methods for Calculating a Stratified Kappa,
    Statistics in Medicine 10(9), where this is the mean with equal weights.

    >>> first, second = [1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1], [1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1]
    >>> result = mean_kappa(first, second, list("aaaabbbbccdd"), rng=np.random.default_rng(0))
    >>> print(result.estimate, result.left_out)
    0.167 [-1.000, 1.000] (n=3, bootstrap over groups) 1
    """
    kappas, left_out = _kappas_of_groups("mean_kappa", first, second, groups, weights, categories)
    columns = kappas[:, None]
    alone = group("mean_kappa", len(kappas))
    estimate = bootstrap_totals(
        "mean_kappa", columns, lambda totals: totals[..., 0] / len(kappas), alone, options, name="bootstrap over groups"
    )
    return RaterAgreement(estimate, left_out)


def mean_kappa_value(
    first: Labels,
    second: Labels,
    groups: Clusters,
    *,
    weights: Weights = None,
    categories: Sequence[Hashable] | None = None,
) -> float:
    """The mean of `mean_kappa` without an interval; groups where kappa is undefined are not in it.

    >>> mean_kappa_value([1, 0, 1, 0, 1, 1], [1, 0, 0, 1, 1, 1], list("aabbcc"))
    0.0
    """
    return float(_kappas_of_groups("mean_kappa_value", first, second, groups, weights, categories)[0].mean())


def pairwise_kappa(
    ratings: Table,
    *,
    weights: Weights = None,
    categories: Sequence[Hashable] | None = None,
    missing: Hashable = None,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> PairwiseKappa:
    """Cohen's kappa averaged over all pairs of raters (Light's kappa), its interval from resampling items.

    `ratings` (items, raters), None or `missing` where a rater gave none; a pair is compared on the items that both
    rated. Pairs where kappa is undefined are counted and not in the mean. The cost grows with the square of the number
    of raters: from about 30 on, take `krippendorff_alpha`.

    Raises `HarnessError` as `cohen_kappa` does, for a table that is ragged or empty, and where no pair has a kappa.
    Reference: Light (1971), Measures of Response Agreement for Qualitative Data, Psychological Bulletin 76(5).

    >>> table = [[1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, None], [1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]
    >>> result = pairwise_kappa(table, rng=np.random.default_rng(0))
    >>> print(result.estimate, result.pairs, result.undefined)
    0.460 [-0.005, 0.833] (n=8, bootstrap, 84 of 10000 resamples undefined) 3 0
    """
    where = "pairwise_kappa"
    columns, distances, keep, lost = _pairs(where, ratings, weights, categories, missing)
    inner, outer = rows_kept(where, keep, clusters=clusters), rows_kept(where, keep, seeds=seeds)
    groups = group(where, len(columns), inner, outer)
    pairs = columns.shape[1] // (1 + 2 * len(distances))

    def mean(totals: Floats) -> Floats:
        return np.asarray(_kappa(totals.reshape(*totals.shape[:-1], pairs, -1), distances).mean(axis=-1))

    estimate = bootstrap_totals(where, columns, mean, groups, options)
    return PairwiseKappa(estimate, int((~keep).sum()), pairs, lost)


def pairwise_kappa_value(
    ratings: Table, *, weights: Weights = None, categories: Sequence[Hashable] | None = None, missing: Hashable = None
) -> float:
    """The mean of `pairwise_kappa` without an interval.

    >>> pairwise_kappa_value([["a", "a", "b"], ["b", "b", "a"]])
    -0.3333333333333333
    """
    columns, distances, _, _ = _pairs("pairwise_kappa_value", ratings, weights, categories, missing)
    return float(_kappa(columns.sum(axis=0).reshape(-1, 1 + 2 * len(distances)), distances).mean())


def _two_raters(
    where: str, first: Labels, second: Labels, weights: Weights, categories: Sequence[Hashable] | None
) -> tuple[Floats, Floats]:
    """Columns (n, 1 + 2 labels): the distance of the two labels, then each label as 0 and 1; and all distances."""
    check_lengths(where, first=first, second=second)
    rows = len(first)

    def place(at: int) -> str:
        return f"first[{at}]" if at < rows else f"second[{at - rows}]"

    codes, labels = encode(where, place, _end_to_end(first, second), categories=categories)
    if (codes < 0).any():
        at = int(np.argmax(codes < 0))
        raise refusal(where, f"{place(at)} is None", "leave out the rows that one of the two did not label")
    distances = _distances(where, labels, weights, categories)
    return _compared(codes[:rows], codes[rows:], distances), distances


def _end_to_end(*raters: Labels) -> Labels:
    arrays = [getattr(labels, "to_numpy", lambda labels=labels: labels)() for labels in raters]
    if all(isinstance(labels, np.ndarray) and labels.dtype.kind in "biuf" for labels in arrays):
        return np.concatenate(arrays)
    return [label for labels in arrays for label in labels]


def _distances(where: str, labels: list[Hashable], weights: Weights, categories: Sequence[Hashable] | None) -> Floats:
    if weights not in (None, "linear", "quadratic"):
        raise refusal(where, f"weights is {weights!r}", "use None, linear or quadratic")
    positions = np.arange(len(labels), dtype=np.float64)
    apart = np.abs(positions[:, None] - positions)
    if weights is None:
        return np.minimum(apart, 1.0)
    if categories is None and not all(isinstance(label, Real) for label in labels):
        raise refusal(where, f"{weights} weights of words", "give categories, from lowest to highest")
    return apart if weights == "linear" else apart**2


def _compared(first: Ints, second: Ints, distances: Floats) -> Floats:
    """The columns of two raters; all 0 in rows where one of them gave no label (-1)."""
    both = ((first >= 0) & (second >= 0))[:, None]
    ones = np.eye(len(distances))
    return np.concatenate([distances[first, second][:, None], ones[first], ones[second]], axis=1) * both


def _kappa(totals: Floats, distances: Floats) -> Floats:
    """Kappa from the totals (..., 1 + 2 labels) of `_compared`; NaN where it is 0 / 0."""
    middle = 1 + len(distances)
    first, second = totals[..., 1:middle], totals[..., middle:]
    expected = ((first @ distances) * second).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = first.sum(axis=-1) * totals[..., 0] / expected
    return np.asarray(np.where(expected > 0.0, 1.0 - ratio, np.nan))


def _defined(where: str, columns: Floats, distances: Floats) -> float:
    value = float(_kappa(columns.sum(axis=0), distances))
    if np.isnan(value):
        raise refusal(where, "both raters give one and the same label", "give rows that differ: kappa is 0 / 0")
    return value


def _kappas_of_groups(
    where: str,
    first: Labels,
    second: Labels,
    groups: Clusters,
    weights: Weights,
    categories: Sequence[Hashable] | None,
) -> tuple[Floats, int]:
    columns, distances = _two_raters(where, first, second, weights, categories)
    kappas = _kappa(group(where, len(columns), groups).totals(columns), distances)
    defined = kappas[np.isfinite(kappas)]
    if not len(defined):
        raise refusal(where, "kappa is undefined in every group", "give groups in which labels differ")
    return defined, len(kappas) - len(defined)


def _pairs(
    where: str, ratings: Table, weights: Weights, categories: Sequence[Hashable] | None, missing: Hashable
) -> tuple[Floats, Floats, Mask, int]:
    """The columns of every pair that has a kappa, side by side; distances; the items kept; pairs without a kappa."""
    found, keep = read_ratings(where, ratings, missing=missing, categories=categories).pairable(where)
    distances = _distances(where, found.labels, weights, categories)
    columns = [_compared(one, other, distances) for one, other in combinations(found.codes.T, 2)]
    defined = [pair for pair in columns if np.isfinite(_kappa(pair.sum(axis=0), distances))]
    if not defined:
        raise refusal(where, "kappa is undefined for every pair of raters", "give items on which labels differ")
    return np.concatenate(defined, axis=1), distances, keep, len(columns) - len(defined)
