"""Claims that two systems are on par: two one-sided tests (TOST) and non-inferiority, paired and clustered.

A difference that is not significant shows nothing of the kind. What counts as no difference is yours to say before
looking, as `margin`, in the unit of the values (0.02 is two points of a rate); so it has no default.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import stdtr

from harness.checks import Floats, check_lengths, numbers, refusal
from harness.estimates import Estimate
from harness.paired import Student, paired_differences, student, student_interval
from harness.resampling import Clusters, group


@dataclass(frozen=True)
class Equivalence:
    """Whether a difference lies within ± margin."""

    difference: Estimate
    """At level 1 - 2 alpha: it lies within ± margin exactly where the verdict is equivalent."""
    margin: float
    p_low: float
    """One-sided, of the hypothesis that the difference is -margin or less."""
    p_high: float
    """One-sided, of the hypothesis that it is margin or more."""
    verdict: Literal["equivalent", "not shown"]

    @property
    def p(self) -> float:
        """Of the two one-sided tests together: the larger of both."""
        return max(self.p_low, self.p_high)

    def __str__(self) -> str:
        return f"{self.verdict} within ±{self.margin:g} ({_told(self.p)}): {self.difference}"


@dataclass(frozen=True)
class NonInferiority:
    """Whether ours is at most `margin` below theirs."""

    difference: Estimate
    """At level 1 - 2 alpha: above -margin where non-inferior, wholly below it where inferior."""
    margin: float
    p: float
    """One-sided, of the hypothesis that the difference is -margin or less."""
    p_inferior: float
    """One-sided, of the hypothesis that the difference is -margin or more."""
    verdict: Literal["non-inferior", "not shown", "inferior"]

    def __str__(self) -> str:
        return f"{self.verdict} at margin {self.margin:g} ({_told(self.p)}): {self.difference}"


def equivalence(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    *,
    margin: float,
    clusters: Clusters | None = None,
    alpha: float = 0.05,
) -> Equivalence:
    """TOST that mean(ours) - mean(theirs) of n paired rows lies within ± `margin`.

    With d and its clustered error e (see `paired_t`), K clusters or pairs and T of Student's law with K - 1 degrees of
    freedom: p_low = P(T ≥ (d + margin) / e), p_high = P(T ≤ (d - margin) / e). Equivalent where both are below
    `alpha`. Exchanging the systems exchanges both. For several training seeds give the seeds as clusters.

    Raises `HarnessError` for a margin that is not positive, an alpha outside (0, 0.5), lengths that differ, values that
    are not finite, fewer than 2 clusters, and where all clusters differ by the same. Reference: Schuirmann (1987), A
    Comparison of the Two One-Sided Tests Procedure and the Power Approach, Journal of Pharmacokinetics and
    Biopharmaceutics 15(6).

    >>> print(equivalence([0.6, 0.7, 0.5, 0.6, 0.4], [0.6, 0.6, 0.5, 0.7, 0.4], margin=0.1))
    equivalent within ±0.1 (p=0.017): 0.000 [-0.067, 0.067] (n=5, paired t)
    """
    differences = paired_differences("equivalence", ours, theirs)
    return _within("equivalence", differences, margin, clusters, alpha, "paired t")


def win_rate_equivalence(
    preferences: Sequence[float] | Floats,
    *,
    margin: float,
    clusters: Clusters | None = None,
    alpha: float = 0.05,
) -> Equivalence:
    """TOST that a win rate lies within ½ ± `margin`; the difference of the result is the win rate minus ½.

    `preferences` (n) are 1 for a win, 0.5 for a tie, 0 for a loss, or soft. Computed and refused as `equivalence`
    does, and a preference outside [0, 1].

    >>> verdicts, prompts = [1, 0, 1, 0.5, 0, 0.5, 1, 0] * 50, [row // 4 for row in range(400)]
    >>> print(win_rate_equivalence(verdicts, margin=0.05, clusters=prompts))
    equivalent within ±0.05 (p<0.001): 0.000 [-0.021, 0.021] (n=400, 100 clusters, t on clusters)
    """
    where = "win_rate_equivalence"
    _check_share_margin(where, margin)
    return _within(where, _above_half(where, preferences), margin, clusters, alpha, "t")


def non_inferiority(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    *,
    margin: float,
    clusters: Clusters | None = None,
    alpha: float = 0.05,
) -> NonInferiority:
    """Test that ours is at most `margin` worse than theirs, on n paired rows of which a higher value is better.

    p = P(T ≥ (d + margin) / e), p_low of `equivalence`. Non-inferior where it is below `alpha`; inferior where
    p_inferior = 1 - p is, so that the whole interval lies below -margin; else not shown. Where lower is better, negate
    both. Raises `HarnessError` as `equivalence` does.

    >>> print(non_inferiority([0.6, 0.7, 0.5, 0.6, 0.4], [0.6, 0.6, 0.5, 0.7, 0.4], margin=0.1))
    non-inferior at margin 0.1 (p=0.017): 0.000 [-0.067, 0.067] (n=5, paired t)
    """
    differences = paired_differences("non_inferiority", ours, theirs)
    return _not_below("non_inferiority", differences, margin, clusters, alpha, "paired t")


def win_rate_non_inferiority(
    preferences: Sequence[float] | Floats,
    *,
    margin: float,
    clusters: Clusters | None = None,
    alpha: float = 0.05,
) -> NonInferiority:
    """Test that a win rate is at least ½ - `margin`; `preferences` as in `win_rate_equivalence`.

    Computed and refused as `non_inferiority` does.

    >>> print(win_rate_non_inferiority([1, 0, 1, 0, 1, 1, 0.5, 0.5], margin=0.1).verdict)
    not shown
    """
    where = "win_rate_non_inferiority"
    _check_share_margin(where, margin)
    return _not_below(where, _above_half(where, preferences), margin, clusters, alpha, "t")


def _told(p: float) -> str:
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"


def _within(
    where: str, differences: Floats, margin: float, clusters: Clusters | None, alpha: float, name: str
) -> Equivalence:
    difference, found = _tested(where, differences, margin, clusters, alpha, name)
    p_low, p_high = _above(found, -margin), _below(found, margin)
    verdict: Literal["equivalent", "not shown"] = "equivalent" if max(p_low, p_high) < alpha else "not shown"
    return Equivalence(difference, margin, p_low, p_high, verdict)


def _not_below(
    where: str, differences: Floats, margin: float, clusters: Clusters | None, alpha: float, name: str
) -> NonInferiority:
    difference, found = _tested(where, differences, margin, clusters, alpha, name)
    p, p_inferior = _above(found, -margin), _below(found, -margin)
    if p < alpha:
        return NonInferiority(difference, margin, p, p_inferior, "non-inferior")
    return NonInferiority(difference, margin, p, p_inferior, "inferior" if p_inferior < alpha else "not shown")


def _tested(
    where: str, differences: Floats, margin: float, clusters: Clusters | None, alpha: float, name: str
) -> tuple[Estimate, Student]:
    if not 0.0 < margin < math.inf:
        raise refusal(where, f"margin is {margin}", "give the largest difference that does not matter, above 0")
    if not 0.0 < alpha < 0.5:
        raise refusal(where, f"alpha is {alpha}", "give one between 0 and 0.5, such as 0.05")
    groups = group(where, len(differences), clusters)
    difference = student_interval(where, differences, groups, 1.0 - 2.0 * alpha, name=name)
    return difference, student(where, differences, groups)


def _above(found: Student, bound: float) -> float:
    return float(stdtr(found.degrees, -(found.value - bound) / found.error))


def _below(found: Student, bound: float) -> float:
    return float(stdtr(found.degrees, (found.value - bound) / found.error))


def _check_share_margin(where: str, margin: float) -> None:
    """A win rate is never half a unit from one half: a margin of 5 was meant as 0.05."""
    if margin >= 0.5:
        raise refusal(where, f"margin is {margin}", "give one below 0.5, such as 0.05 for five points")


def _above_half(where: str, preferences: Sequence[float] | Floats) -> Floats:
    check_lengths(where, preferences=preferences)
    return numbers(where, "preferences", preferences, 0.0, 1.0) - 0.5
