"""Two systems on different rows, or taken so: z test of two shares, t test of two means, with the difference.

Where both systems answered the same prompts, `harness.paired_difference` is narrower and right; a paper that compared
such samples by a two-sample test is reproduced here.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from harness.checks import Floats, check_lengths, check_level, numbers, refusal
from harness.columns import check_apart
from harness.estimates import Estimate, Significance
from harness.means import clustered_error
from harness.proportions import wilson_interval
from harness.resampling import Clusters, Groups, group


class TwoSample(NamedTuple):
    """Ours minus theirs with its interval, and the two-sided test that it is 0. `n` counts the rows of both."""

    difference: Estimate
    significance: Significance


def two_sample_z(
    ours_successes: float, ours_n: int, theirs_successes: float, theirs_n: int, *, level: float = 0.95
) -> TwoSample:
    """Pooled z test of two independent shares p₁ = s₁ / n₁ and p₂, and their difference with Newcombe's interval.

    z = (p₁ - p₂) / √(p̂ (1 - p̂)(1/n₁ + 1/n₂)), p̂ = (s₁ + s₂) / (n₁ + n₂). With Wilson's intervals [l, u] of each, low
    = p₁ - p₂ - √((p₁ - l₁)² + (u₂ - p₂)²) and high = p₁ - p₂ + √((u₁ - p₁)² + (p₂ - l₂)²). Successes may be fractional
    (a tie is one half); both are then on the safe side. Rows are taken as independent: where a prompt has several,
    use `two_sample_t` with clusters.

    Raises `HarnessError` for n < 1 or not whole, successes outside [0, n], a level outside (0, 1), and where all rows
    of both are alike. Reference: Newcombe (1998), Interval Estimation for the Difference Between Independent
    Proportions, Statistics in Medicine 17, method 10.

    >>> result = two_sample_z(1079, 1520, 1034, 1520)
    >>> print(result.difference, result.significance)
    0.030 [-0.003, 0.062] (n=3040, newcombe) p=0.076 (n=3040, pooled z)
    """
    where = "two_sample_z"
    check_level(where, level)
    _check_share(where, "ours", ours_successes, ours_n)
    _check_share(where, "theirs", theirs_successes, theirs_n)
    rows, right = ours_n + theirs_n, ours_successes + theirs_successes
    if not 0.0 < right < rows:
        raise refusal(where, "all rows of both are alike", "give rows that differ: the z statistic is undefined")
    ours, theirs = ours_successes / ours_n, theirs_successes / theirs_n
    error = math.sqrt(right / rows * (1.0 - right / rows) * (1.0 / ours_n + 1.0 / theirs_n))
    z = (ours - theirs) / error
    low, high = _newcombe(ours, ours_n, theirs, theirs_n, level)
    difference = Estimate(ours - theirs, low, high, level, n=rows, clusters=None, method="newcombe")
    return TwoSample(difference, Significance(2.0 * float(ndtr(-abs(z))), z, rows, "pooled z"))


def two_sample_t(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    *,
    equal_variances: bool = False,
    ours_clusters: Clusters | None = None,
    theirs_clusters: Clusters | None = None,
    level: float = 0.95,
) -> TwoSample:
    """t test of the means of n₁ `ours` and n₂ `theirs`, and their difference ± t · standard error.

    Welch's: error² = e₁² + e₂² with e the `standard_error` of each, which is clustered where clusters are given, and
    (e₁² + e₂²)² / (e₁⁴ / (K₁ - 1) + e₂⁴ / (K₂ - 1)) degrees of freedom, K counting clusters or rows. With
    `equal_variances` Student's, with n₁ + n₂ - 2.

    Raises `HarnessError` for fewer than 2 rows or clusters of either, a value that is not finite, clusters of one
    sample only, clusters that both share (those are paired), clusters with `equal_variances`, a level outside (0, 1),
    and where neither varies. Reference: Welch (1947), The Generalization of "Student's" Problem when Several Different
    Population Variances are Involved, Biometrika 34.

    >>> result = two_sample_t([1, 1, 0, 1, 1], [0, 1, 0, 0, 1, 0])
    >>> print(result.difference, result.significance)
    0.467 [-0.191, 1.124] (n=11, welch t) p=0.143 (n=11, welch t)
    """
    where = "two_sample_t"
    check_level(where, level)
    check_lengths(where, ours=ours)
    check_lengths(where, theirs=theirs)
    mine, other = numbers(where, "ours", ours), numbers(where, "theirs", theirs)
    check_apart(where, ours_clusters, theirs_clusters)
    first, second = group(where, len(mine), ours_clusters), group(where, len(other), theirs_clusters)
    if equal_variances and not first.alone:
        raise refusal(where, "equal_variances with clusters", "leave one of them out")
    error, degrees = _pooled(mine, other) if equal_variances else _welch(mine, other, first, second)
    if error <= 1e-12 * max(float(np.abs(mine).max()), float(np.abs(other).max())):
        raise refusal(where, "neither ours nor theirs varies", "give rows that differ: the error is undefined")
    return _student(float(mine.mean() - other.mean()), error, degrees, (first, second), level, equal_variances)


def _check_share(where: str, name: str, successes: float, n: int) -> None:
    if n < 1:
        raise refusal(where, f"{name}_n is {n}", "give n >= 1: no rows have no share")
    if not float(n).is_integer():
        raise refusal(where, f"{name}_n is {n}", "give a whole number of rows")
    if not 0.0 <= successes <= n:
        raise refusal(where, f"{name}_successes is {successes} with n {n}", "give 0 <= successes <= n")


def _newcombe(ours: float, ours_n: int, theirs: float, theirs_n: int, level: float) -> tuple[float, float]:
    ours_low, ours_high = wilson_interval(ours, ours_n, level)
    theirs_low, theirs_high = wilson_interval(theirs, theirs_n, level)
    low = ours - theirs - math.hypot(ours - ours_low, theirs_high - theirs)
    high = ours - theirs + math.hypot(ours_high - ours, theirs - theirs_low)
    return low, high


def _welch(ours: Floats, theirs: Floats, first: Groups, second: Groups) -> tuple[float, float]:
    """The standard error of the difference, and its degrees of freedom (any, where it is 0)."""
    a, b = clustered_error(ours, first), clustered_error(theirs, second)
    error = math.hypot(a, b)
    share = (a / error) ** 2 if error > 0.0 else 1.0
    return error, 1.0 / (share**2 / (first.count - 1) + (1.0 - share) ** 2 / (second.count - 1))


def _pooled(ours: Floats, theirs: Floats) -> tuple[float, float]:
    degrees = len(ours) + len(theirs) - 2
    squares = float(np.sum((ours - ours.mean()) ** 2) + np.sum((theirs - theirs.mean()) ** 2))
    return math.sqrt(squares / degrees * (1.0 / len(ours) + 1.0 / len(theirs))), float(degrees)


def _student(
    value: float, error: float, degrees: float, groups: tuple[Groups, Groups], level: float, equal_variances: bool
) -> TwoSample:
    rows, clusters = sum(len(each.codes) for each in groups), sum(each.count for each in groups)
    kind, alone = "pooled t" if equal_variances else "welch t", groups[0].alone
    method = kind if alone else f"{kind} on clusters"
    reach = float(stdtrit(degrees, (1.0 + level) / 2.0)) * error
    named = None if alone else clusters
    difference = Estimate(value, value - reach, value + reach, level, n=rows, clusters=named, method=method)
    p = 2.0 * float(stdtr(degrees, -abs(value / error)))
    return TwoSample(difference, Significance(p, value / error, rows if alone else clusters, method))
