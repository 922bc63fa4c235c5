"""Intervals of a share of independent rows. Rows that belong together need `harness.cluster_bootstrap` instead."""

import math
from statistics import NormalDist
from typing import Literal

from harness.checks import check_level, refusal
from harness.estimates import Estimate

Method = Literal["wilson", "clopper-pearson", "jeffreys"]


def proportion(successes: float, n: int, *, level: float = 0.95, method: Method = "wilson") -> Estimate:
    """Share p = successes / n with a two-sided interval; z and quantiles are taken at (1 ± level) / 2.

    - wilson: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). Successes may be fractional (a tie is one half).
    - clopper-pearson: [B(α/2; s, n-s+1), B(1-α/2; s+1, n-s)], B a beta quantile; never covers less than `level`.
    - jeffreys: [B(α/2; s+½, n-s+½), B(1-α/2; s+½, n-s+½)], widened to p where it leaves p out (at 0 and n).

    Raises `HarnessError` for n < 1 or not whole, successes outside [0, n], fractional ones except in wilson, a level
    outside (0, 1), or an unknown method. Reference: Brown, Cai, DasGupta (2001), Interval Estimation for a Binomial
    Proportion, Statistical Science 16(2).

    >>> print(proportion(2.5, 4))
    0.625 [0.219, 0.908] (n=4, wilson)
    >>> print(proportion(0, 10, method="clopper-pearson"))
    0.000 [0.000, 0.308] (n=10, clopper-pearson)
    """
    _check(successes, n, level, method)
    low, high = _interval(float(successes), int(n), level, method)
    value = float(successes) / n
    return Estimate(value, min(low, value), max(high, value), level=level, n=int(n), clusters=None, method=method)


def wilson_interval(share: float, n: int, level: float) -> tuple[float, float]:
    """The Wilson interval of a share of n rows, clipped to [0, 1]; see `proportion`.

    >>> low, high = wilson_interval(0.5, 100, 0.95)
    >>> f"{low:.3f} {high:.3f}"
    '0.404 0.596'
    """
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    centre = share + z * z / (2.0 * n)
    reach = z * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    scale = 1.0 + z * z / n
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def _interval(successes: float, n: int, level: float, method: Method) -> tuple[float, float]:
    if method == "wilson":
        return wilson_interval(successes / n, n, level)
    from scipy.special import betaincinv  # here, because a Wilson interval does without scipy

    tail, failures = (1.0 - level) / 2.0, n - successes
    if method == "jeffreys":
        low, high = betaincinv(successes + 0.5, failures + 0.5, [tail, 1.0 - tail])
    else:
        low = betaincinv(successes, failures + 1.0, tail) if successes > 0 else 0.0
        high = betaincinv(successes + 1.0, failures, 1.0 - tail) if failures > 0 else 1.0
    return float(low), float(high)


def _check(successes: float, n: int, level: float, method: str) -> None:
    check_level("proportion", level)
    if n < 1:
        raise refusal("proportion", f"n is {n}", "give n >= 1: no rows have no share")
    if not float(n).is_integer():
        raise refusal("proportion", f"n is {n}", "give a whole number of rows")
    if not 0.0 <= successes <= n:
        raise refusal("proportion", f"successes is {successes} with n {n}", "give 0 <= successes <= n")
    if method not in ("wilson", "clopper-pearson", "jeffreys"):
        raise refusal("proportion", f"method is {method!r}", "use wilson, clopper-pearson or jeffreys")
    if method != "wilson" and successes != int(successes):
        raise refusal("proportion", f"successes is {successes} in {method}", "give a whole number, or use wilson")
