"""Means with an analytic error: the standard error that papers print, and Student's t interval made of it."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from harness.checks import Floats, Ints, check_lengths, check_level, numbers, refusal
from harness.estimates import Estimate
from harness.resampling import Clusters, Groups, Totals, group


def standard_error(values: Sequence[float] | Floats, *, clusters: Clusters | None = None) -> float:
    """Standard error of the mean of n `values`, in their unit.

    Without clusters s / √n with s² = Σ(x - x̄)² / (n - 1). With clusters, whose residual sums are e_k = S_k - m_k x̄:
    √(K / (K - 1) Σe_k²) / n, which is the same where every cluster has one row.

    Raises `HarnessError` for fewer than 2 rows or clusters (an undefined error is not 0), lengths that differ, and a
    value that is not finite. Reference: Miller (2024), Adding Error Bars to Evals, arXiv 2411.00640, section 2.2.

    >>> round(standard_error([1, 0, 1, 1]), 4)
    0.25
    >>> round(standard_error([1, 1, 0, 0], clusters=["a", "a", "b", "b"]), 4)
    0.5
    """
    check_lengths("standard_error", values=values)
    found = numbers("standard_error", "values", values)
    return clustered_error(found, group("standard_error", len(found), clusters))


def mean(values: Sequence[float] | Floats, *, clusters: Clusters | None = None, level: float = 0.95) -> Estimate:
    """Mean of n `values` ± t · standard error, with K - 1 degrees of freedom (K clusters; n - 1 where there are none).

    For few clusters, such as the three training seeds of an experiment, this is wider than a bootstrap and covers; it
    wants cluster means that are not far from normal. Raises `HarnessError` as `standard_error` does, for a level
    outside (0, 1), and where all clusters have the same mean.

    >>> print(mean([0.71, 0.74, 0.70], clusters=[0, 1, 2]))
    0.717 [0.665, 0.768] (n=3, 3 clusters, t on clusters)
    """
    check_level("mean", level)
    check_lengths("mean", values=values)
    found = numbers("mean", "values", values)
    groups = group("mean", len(found), clusters)
    error, value = clustered_error(found, groups), float(found.mean())
    if error <= 1e-12 * abs(value):
        raise refusal("mean", f"every cluster has the mean {value:g}", "give rows that differ, or use proportion")
    return t_interval(value, error, groups.count - 1, groups, level, name="t")


def t_interval(value: float, error: float, degrees: float, groups: Groups, level: float, *, name: str) -> Estimate:
    """Value ± t · standard error, of the rows of `groups`."""
    reach = float(stdtrit(degrees, (1.0 + level) / 2.0)) * error
    method, rows = name if groups.alone else f"{name} on clusters", len(groups.codes)
    return Estimate(value, value - reach, value + reach, level, n=rows, clusters=groups.named, method=method)


def clustered_error(values: Floats, groups: Groups) -> float:
    """The standard error of the mean of checked values (n,); see `standard_error`."""
    return error_of_totals(Totals.of_values(values, groups))


def error_of_totals(totals: Totals) -> float:
    """The standard error of a mean from totals of (value, 1); over seeds where there are any.

    Where seeds share clusters it is √(over seeds² + over clusters²), which counts the noise of a row twice: too large
    rather than too small.
    """
    errors = [_error(*totals.exchanged(), totals.whole)]
    if totals.groups.prompts is not None:
        errors.append(_error(*totals.shared(), totals.whole))
    return math.hypot(*errors)


def _error(sums: Floats, times: Ints, whole: Floats) -> float:
    count = int(times.sum())
    residuals = sums[:, 0] - sums[:, 1] * whole[0] / whole[1]
    return float(np.sqrt(count / (count - 1) * (times @ residuals**2)) / whole[1])
