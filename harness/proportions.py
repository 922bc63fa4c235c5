"""Intervals of a proportion of independent trials. Left out: anything clustered (see `bootstrap`)."""

import math
from typing import Literal

from harness.estimates import Estimate, HarnessError, check_level

Method = Literal["wilson", "clopper-pearson", "jeffreys"]


def proportion(successes: float, n: int, *, level: float = 0.95, method: Method = "wilson") -> Estimate:
    """Share of successes in `n` independent trials, with an interval.

    - wilson: score interval, (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) (Wilson 1927)
    - clopper-pearson: exact, never covers less than `level` (Clopper and Pearson 1934)
    - jeffreys: equal-tailed Beta(s + 1/2, n - s + 1/2), ends closed at s = 0 and s = n (Brown, Cai, DasGupta 2001)

    `successes` may hold halves (a tie counted as half a win). Raises `HarnessError` for n = 0, successes outside
    [0, n], an unknown method or a level outside (0, 1).

    >>> print(proportion(5, 8))
    0.625 [0.306, 0.863] (n=8, wilson)
    >>> print(proportion(0, 10, method="clopper-pearson"))
    0.000 [0.000, 0.308] (n=10, clopper-pearson)
    """
    check_level(level)
    if n < 1:
        raise HarnessError(f"proportion: n is {n}; a share of nothing is undefined")
    if not 0.0 <= successes <= n:
        raise HarnessError(f"proportion: {successes} successes of {n}; must lie between 0 and n")
    if method not in _INTERVALS:
        raise HarnessError(f"proportion: unknown method {method!r}; use {', '.join(_INTERVALS)}")
    low, high = _INTERVALS[method](successes, n, 1.0 - level)
    return Estimate(successes / n, low, high, level, n, None, method)


def _wilson(successes: float, n: int, alpha: float) -> tuple[float, float]:
    from scipy.special import ndtri

    z = float(ndtri(1.0 - alpha / 2.0))
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return max(0.0, low), min(1.0, high)


def _clopper_pearson(successes: float, n: int, alpha: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, alpha / 2))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - alpha / 2))
    return low, high


def _jeffreys(successes: float, n: int, alpha: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    a, b = successes + 0.5, n - successes + 0.5
    low = 0.0 if successes == 0 else float(betaincinv(a, b, alpha / 2))
    high = 1.0 if successes == n else float(betaincinv(a, b, 1 - alpha / 2))
    return low, high


_INTERVALS = {"wilson": _wilson, "clopper-pearson": _clopper_pearson, "jeffreys": _jeffreys}
