"""Coverage by enumeration, where the law is discrete and small: no simulation, no error."""

from typing import NamedTuple, get_args

import numpy as np
from scipy.stats import binom

from harness import proportion
from harness.proportions import Method

SIZES = (10, 30, 100, 500)
SHARES = np.arange(0.01, 1.0, 0.01)


class ExactCoverage(NamedTuple):
    """Coverage of one interval at one n over shares of 0.01 to 0.99."""

    method: Method
    n: int
    mean: float
    least: float
    at: float
    """The share at which it covers least."""


def enumerate_proportions() -> list[ExactCoverage]:
    """Every interval of a proportion, at every n: Σ over outcomes of their probability where the interval covers."""
    return [_enumerate(method, n) for method in get_args(Method) for n in SIZES]


def _enumerate(method: Method, n: int) -> ExactCoverage:
    made = [proportion(successes, n, method=method) for successes in range(n + 1)]
    lows, highs = np.array([one.low for one in made]), np.array([one.high for one in made])
    inside = (lows <= SHARES[:, None]) & (SHARES[:, None] <= highs)
    covered = np.sum(binom.pmf(np.arange(n + 1), n, SHARES[:, None]) * inside, axis=1)
    return ExactCoverage(method, n, float(covered.mean()), float(covered.min()), float(SHARES[covered.argmin()]))


def markdown() -> list[str]:
    """The table of all."""
    lines = ["", "## Proportions, by enumeration over shares of 0.01 to 0.99", ""]
    lines += ["| interval | n | mean coverage | least coverage | at share |", "|---|---|---|---|---|"]
    for row in enumerate_proportions():
        lines.append(f"| {row.method} | {row.n} | {100 * row.mean:.1f} | {100 * row.least:.1f} | {row.at:.2f} |")
    return lines
