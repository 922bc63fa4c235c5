"""Every published number as one long row: what was measured, of whom, the interval, n, and what could not be read."""

from typing import Literal

from pydantic import Field

from harness import Estimate
from rlaif_spec.frozen import Frozen
from rlaif_spec.tasks import TaskName

Measure = Literal[
    "win rate",
    "harmless rate",
    "labeler alignment",
    "same position",
    "majority control",
    "longer-wins control",
    "reward model accuracy",
]


class Interval(Frozen):
    """An estimate as it is stored; see `harness.Estimate`."""

    value: float
    low: float
    high: float
    level: float
    n: int
    clusters: int | None
    method: str

    @classmethod
    def of(cls, estimate: Estimate) -> "Interval":
        """From the harness."""
        return cls.model_validate(estimate.to_dict())

    @property
    def estimate(self) -> Estimate:
        """To the harness."""
        return Estimate.from_dict(self.model_dump())


class Figure(Frozen):
    """One figure; every count of what is not in it stands beside it."""

    measure: Measure
    task: str
    subject: str
    """The policy, labeler or reward model that was measured."""
    against: str | None = None
    """The opponent of a win rate."""
    prompt: str | None = None
    """The prompt variant of a labeler."""
    interval: Interval
    seeds: int
    by_seed: tuple[float, ...] = ()
    """Of a policy, the value of each seed alone: the interval is over prompts and knows nothing of other trainings."""
    unparsed: int = 0
    ties: int = 0
    note: str = ""
    scale: str = ""
    """Of which scale, where figures of several stand together."""
    judge: str = ""
    """Who judged at that scale."""


class RunOfSeed(Frozen):
    """Which artifacts one seed of a policy spec ended in."""

    seed: int
    data: str
    policy: str
    opponents: dict[str, str] = Field(default_factory=dict)
    """By name, the policies that it was compared to."""


class Metrics(Frozen):
    """All figures of one experiment at one scale."""

    experiment: str
    task: TaskName | None = None
    """Of a policy spec."""
    scale: str
    judge: str
    figures: tuple[Figure, ...]
    runs: tuple[RunOfSeed, ...] = ()
    raters: int = 1
    level: float = 0.95
    resamples: int = 10_000
