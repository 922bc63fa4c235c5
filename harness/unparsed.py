"""Worst-case bounds of a rate with unread verdicts: what it could be, whatever the verdicts would have said.

A rate of the rows that could be read is right only where reading fails at random. A judge that fails on harmful text
does not; the bounds assume nothing about it, and cannot be narrowed without an assumption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from scipy.special import ndtr, ndtri

from harness.bootstrap import mean_of_totals
from harness.checks import Floats, check_lengths, refusal
from harness.columns import flags_of, numbers_or_none
from harness.estimates import Estimate
from harness.means import error_of_totals
from harness.preference import Outcome, credit_of
from harness.proportions import proportion
from harness.resampling import Bootstrap, Clusters, Settings, Totals, group


@dataclass(frozen=True)
class Bounds:
    """The least and the largest rate that the rows allow, each with its sampling error; n counts all rows."""

    lower: Estimate
    """Every unread row counted against."""
    upper: Estimate
    """Every unread row counted for."""
    unparsed: int
    lower_error: float
    """Analytic standard error of the lower bound, clustered where the estimate is."""
    upper_error: float

    @property
    def unparsed_share(self) -> float:
        """Unread rows among all."""
        return self.unparsed / self.lower.n

    @property
    def interval(self) -> tuple[float, float]:
        """From the low end of the lower bound to the high end of the upper: bounds and sampling error together.

        It holds the whole range of possible rates, and so the rate itself, at least as often as its level says.
        """
        return self.lower.low, self.upper.high

    def imbens_manski(self) -> tuple[float, float]:
        """The narrower interval that holds the rate, though not the whole range, as often as the level says.

        [lower - c s_l, upper + c s_u], clipped to [0, 1], where Φ(c + (upper - lower) / max(s_l, s_u)) - Φ(-c) = level:
        with a wide range the rate can be missed on one side only, so c falls from 1.96 to 1.64 (at level 0.95). At
        levels below 0.5 it would fall below 0, and stays there: the interval always holds both bounds.

        Raises `HarnessError` where a standard error is 0, as where no row that was read counts for.
        Reference: Imbens and Manski (2004), Confidence Intervals for Partially Identified Parameters, Econometrica
        72(6).

        >>> flags = [True] * 60 + [False] * 30 + [None] * 10
        >>> low, high = harmless_rate_bounds(flags).imbens_manski()
        >>> print(f"{low:.3f} {high:.3f}")
        0.519 0.776
        """
        if min(self.lower_error, self.upper_error) <= 0.0:
            raise refusal("imbens_manski", "the standard error of a bound is 0", "use interval, which is wider")
        apart = (self.upper.value - self.lower.value) / max(self.lower_error, self.upper_error)
        reach = _critical(apart, self.lower.level)
        low = self.lower.value - reach * self.lower_error
        return max(0.0, low), min(1.0, self.upper.value + reach * self.upper_error)


def win_rate_bounds(
    outcomes: Sequence[Outcome],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Bounds:
    """Bounds of `win_rate` over all n `outcomes`: the unparsed all lost, and all won.

    With none unparsed both are the estimate of `win_rate`. Raises `HarnessError` for an unknown outcome, and where
    `cluster_bootstrap` does. Reference: Manski (1989), Anatomy of the Selection Problem, Journal of Human Resources
    24(3).

    >>> verdicts = ["policy"] * 5 + ["opponent"] * 3 + ["unparsed"] * 2
    >>> result = win_rate_bounds(verdicts, rng=np.random.default_rng(0))
    >>> print(result.lower, "|", result.upper)
    0.500 [0.200, 0.800] (n=10, bootstrap) | 0.700 [0.400, 1.000] (n=10, bootstrap)
    """
    where = "win_rate_bounds"
    check_lengths(where, outcomes=outcomes)
    return _bounds(where, credit_of(where, outcomes), clusters, seeds, options)


def soft_win_rate_bounds(
    preferences: Sequence[float | None],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Bounds:
    """Bounds of the mean of n `preferences` in [0, 1]; None could not be read, and counts as 0 and as 1.

    Raises `HarnessError` for a preference outside [0, 1], and where `cluster_bootstrap` does.

    >>> result = soft_win_rate_bounds([0.9, 0.5, None, 0.6], rng=np.random.default_rng(0))
    >>> print(result.lower.value, result.upper.value, result.unparsed_share)
    0.5 0.75 0.25
    """
    where = "soft_win_rate_bounds"
    check_lengths(where, preferences=preferences)
    return _bounds(where, numbers_or_none(where, "preferences", preferences, 0.0, 1.0), clusters, seeds, options)


def harmless_rate_bounds(
    flags: Sequence[bool | None],
    *,
    level: float = 0.95,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 10_000,
) -> Bounds:
    """Bounds of `harmless_rate` over all n `flags`: those that are None all harmful, and all harmless.

    Each has Wilson's interval, or with `clusters` or `seeds` that of `cluster_bootstrap`, which then needs `rng`.
    Raises `HarnessError` as `harmless_rate` does, but not where no row could be read.

    >>> result = harmless_rate_bounds([True] * 90 + [False] * 5 + [None] * 5)
    >>> print(result.lower, "|", result.upper.value, "|", "%.3f %.3f" % result.interval)
    0.900 [0.826, 0.945] (n=100, wilson) | 0.95 | 0.826 0.978
    """
    where = "harmless_rate_bounds"
    check_lengths(where, flags=flags)
    found = flags_of(where, flags)
    if clusters is None and seeds is None:
        return _of_totals(found, *_filled(where, found, None, None), lambda totals: _wilson(totals, level))
    if rng is None:
        raise refusal(where, "clusters without rng", "give numpy.random.default_rng(seed)")
    return _bounds(where, found, clusters, seeds, {"rng": rng, "level": level, "resamples": resamples})


def _bounds(where: str, found: Floats, clusters: Clusters | None, seeds: Clusters | None, options: Bootstrap) -> Bounds:
    settings = Settings.of(where, options)
    totals = _filled(where, found, clusters, seeds)
    return _of_totals(found, *totals, lambda of: mean_of_totals(where, of, settings))


def _filled(where: str, found: Floats, clusters: Clusters | None, seeds: Clusters | None) -> tuple[Totals, Totals]:
    """Totals of (value, 1) with the rows that are NaN counted as 0, and as 1."""
    groups = group(where, len(found), clusters, seeds)
    lower, upper = (Totals.of_values(np.nan_to_num(found, nan=fill), groups) for fill in (0.0, 1.0))
    return lower, upper


def _of_totals(found: Floats, lower: Totals, upper: Totals, estimate: Callable[[Totals], Estimate]) -> Bounds:
    unparsed = int(np.isnan(found).sum())
    least = estimate(lower)
    largest = estimate(upper) if unparsed else least
    return Bounds(least, largest, unparsed, error_of_totals(lower), error_of_totals(upper))


def _wilson(totals: Totals, level: float) -> Estimate:
    successes, n = totals.whole
    return proportion(float(successes), int(n), level=level)


def _critical(apart: float, level: float) -> float:
    """The c with Φ(c + apart) - Φ(-c) = level, or 0, by bisection between its one- and two-sided values."""
    low, high = max(0.0, float(ndtri(level))), float(ndtri((1.0 + level) / 2.0))
    while high - low > 1e-12:
        middle = (low + high) / 2.0
        low, high = (middle, high) if ndtr(middle + apart) - ndtr(-middle) < level else (low, middle)
    return high
