"""The shapes of a published number: an estimate and a test. How either is computed is left to others."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from harness.checks import check_level, refusal

ROUNDING = 1e-9
"""How far the value may lie outside its interval, because both were rounded."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, what it was computed from, and how.

    All three numbers are in the unit of the value (a share lies in [0, 1]). `n` counts rows; `clusters` counts the
    groups of rows that were resampled together, None where rows were taken as independent.

    Raises `HarnessError` where a number is not finite, the value is not in [low, high], n < 1, or level not in (0, 1).

    >>> print(Estimate(0.625, 0.219, 0.908, level=0.95, n=4, clusters=None, method="wilson"))
    0.625 [0.219, 0.908] (n=4, wilson)
    >>> print(Estimate(0.7, 0.66, 0.74, level=0.95, n=1500, clusters=500, method="cluster bootstrap"))
    0.700 [0.660, 0.740] (n=1500, 500 clusters, cluster bootstrap)
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    clusters: int | None
    method: str

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_counts()
        check_level("Estimate", self.level)

    def __str__(self) -> str:
        groups = "" if self.clusters is None else f"{self.clusters} clusters, "
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n}, {groups}{self.method})"

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, all of them JSON values; `from_dict` reads them back.

        >>> Estimate(0.5, 0.1, 0.9, 0.95, 4, None, "wilson").to_dict()["method"]
        'wilson'
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Estimate":
        """The estimate that `to_dict` stored.

        Raises `HarnessError` where a field is missing or unknown, or the numbers contradict each other.

        >>> kept = Estimate(0.5, 0.1, 0.9, 0.95, 4, None, "wilson")
        >>> Estimate.from_dict(kept.to_dict()) == kept
        True
        """
        names = [field.name for field in fields(cls)]
        if stored.keys() != set(names):
            raise refusal("Estimate.from_dict", f"fields are {', '.join(sorted(stored))}", f"give {', '.join(names)}")
        return cls(**stored)

    def _check_numbers(self) -> None:
        told = f"{self.value} [{self.low}, {self.high}]"
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise refusal("Estimate", f"{told} is not finite", "give three finite numbers")
        if self.low > self.high:
            raise refusal("Estimate", f"low is above high in {told}", "give low <= high")
        if not self.low - ROUNDING <= self.value <= self.high + ROUNDING:
            raise refusal("Estimate", f"the value is outside its interval in {told}", "give low <= value <= high")

    def _check_counts(self) -> None:
        if self.n < 1:
            raise refusal("Estimate", f"n is {self.n}", "give n >= 1: no rows give no estimate")
        if self.clusters is not None and not 1 <= self.clusters <= self.n:
            raise refusal("Estimate", f"clusters is {self.clusters} with n {self.n}", "give 1 <= clusters <= n")


class Significance(NamedTuple):
    """The outcome of a test: its p-value, what it rests on, and which test it was.

    >>> print(Significance(p=0.0312, statistic=5.0, n=120, method="exact McNemar"))
    p=0.031 (n=120, exact McNemar)
    """

    p: float
    """Two-sided unless `method` says otherwise."""
    statistic: float
    n: int
    """Rows, or clusters where the test exchanges those."""
    method: str

    def __str__(self) -> str:
        told = "p<0.001" if self.p < 0.001 else f"p={self.p:.3f}"
        return f"{told} (n={self.n}, {self.method})"
