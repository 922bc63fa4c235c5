"""The one thing that every function of this package returns or carries: a figure with its interval."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ROUNDING = 1e-9


class HarnessError(ValueError):
    """What was asked is undefined, or an argument is wrong; one line."""


@dataclass(frozen=True)
class Estimate:
    """A value, its interval [low, high] at `level`, and what it rests on.

    `n` counts the observations, `clusters` the independent groups they fall into (None: each is its own).
    Raises `HarnessError` where a number is not finite or they do not fit each other.

    >>> print(Estimate(0.625, 0.306, 0.863, 0.95, 8, None, "wilson"))
    0.625 [0.306, 0.863] (n=8, wilson)
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    clusters: int | None
    method: str

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            if not math.isfinite(getattr(self, name)):
                raise HarnessError(f"Estimate: {name} is {getattr(self, name)}; an undefined figure is not an estimate")
        check_level(self.level)
        if self.n < 1:
            raise HarnessError(f"Estimate: n is {self.n}; a figure needs at least one observation")
        if not self.low - ROUNDING <= self.value <= self.high + ROUNDING:
            raise HarnessError(f"Estimate: {self.value} is not inside [{self.low}, {self.high}]")

    def __str__(self) -> str:
        groups = "" if self.clusters is None else f"{self.clusters} clusters, "
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n}, {groups}{self.method})"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Estimate":
        """Back from `to_dict`."""
        return cls(**fields)


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0.0 < level < 1.0:
        raise HarnessError(f"level: {level} is not between 0 and 1; use e.g. 0.95")


def check_lengths(**arrays: int) -> None:
    """Refuse arguments of different lengths, and empty ones."""
    if len(set(arrays.values())) > 1:
        sizes = ", ".join(f"{name} has {size}" for name, size in arrays.items())
        raise HarnessError(f"arguments differ in length: {sizes}")
    for name, size in arrays.items():
        if size == 0:
            raise HarnessError(f"{name}: is empty; there is nothing to estimate")
