"""Win rates and harmless rates of policies, from the ratings or verdicts of their responses.

Rows of a win rate are (seed, prompt, rater); its clusters are prompts, because raters of one prompt agree. Seeds of
a toy world never share a prompt, seeds on people's texts may. Intervals are over prompts, for the policies as they
were trained: how far trainings differ is seen in the value of each seed, which stands beside.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from harness import HarmlessRate, HarnessError, WinRate, harmless_rate, win_rate
from rlaif_spec.judges import rater_verdicts
from rlaif_spec.records import Judgement
from rlaif_spec.report.figures import Figure, Interval
from rlaif_spec.spec.settings import EvaluationSettings
from rlaif_spec.stages.context import Rating
from rlaif_spec.tasks import TASKS, TaskName

T = TypeVar("T")
ByseedRatings = Mapping[int, Sequence[Rating]]


class RatedPolicy:
    """A policy as the report sees it: its name, its task, and by seed its artifact and the ratings of its responses."""

    def __init__(self, name: str, task: TaskName, artifacts: Mapping[int, str], ratings: ByseedRatings) -> None:
        self.name = name
        self.task = task
        self.artifacts = artifacts
        self.ratings = ratings

    def only(self, seeds: Collection[int]) -> "RatedPolicy":
        """The same policy on some of its seeds."""
        ratings = {seed: rows for seed, rows in self.ratings.items() if seed in seeds}
        return RatedPolicy(self.name, self.task, self.artifacts, ratings)

    @property
    def has_utilities(self) -> bool:
        """Whether raters' verdicts can be drawn from the ratings."""
        return all(row.utility is not None for rows in self.ratings.values() for row in rows)


def rated_win_rate(policy: RatedPolicy, opponent: RatedPolicy, settings: EvaluationSettings) -> Figure | None:
    """Win rate by the raters of a toy world on the seeds that both have; None where they share none."""
    judgements: dict[int, list[Judgement]] = {}
    for seed in sorted(policy.ratings.keys() & opponent.ratings.keys()):
        mine = {row.id: row.utility for row in policy.ratings[seed] if row.utility is not None}
        theirs = {row.id: row.utility for row in opponent.ratings[seed] if row.utility is not None}
        shared = sorted(mine.keys() & theirs.keys())
        judgements[seed] = rater_verdicts(
            shared,
            [mine[name] for name in shared],
            [theirs[name] for name in shared],
            raters=settings.raters,
            names=(policy.artifacts[seed], opponent.artifacts[seed]),
        )
    return judged_win_rate(policy.name, opponent.name, policy.task, judgements, settings)


def judged_win_rate(
    policy: str,
    opponent: str,
    task: str,
    judgements: Mapping[int, Sequence[Judgement]],
    settings: EvaluationSettings,
) -> Figure | None:
    """Win rate from verdicts by seed; None where there are none."""
    rows = [row for verdicts in judgements.values() for row in verdicts]
    if not rows:
        return None
    result = _win_rate(rows, settings)
    return Figure(
        measure="win rate",
        task=task,
        subject=policy,
        against=opponent,
        interval=Interval.of(result.estimate),
        seeds=len(judgements),
        by_seed=_alone(judgements.values(), lambda part: _win_rate(part, settings).estimate.value),
        unparsed=result.unparsed,
        ties=result.ties,
    )


def _win_rate(rows: Sequence[Judgement], settings: EvaluationSettings) -> WinRate:
    return win_rate(
        [row.outcome for row in rows],
        clusters=[row.id for row in rows],
        rng=np.random.default_rng(0),
        level=settings.level,
        resamples=settings.resamples,
    )


def _alone(parts: Iterable[T], value: Callable[[T], float]) -> tuple[float, ...]:
    """The value of each seed; none at all where that of one seed is not defined, because nothing in it was read."""
    try:
        return tuple(value(part) for part in parts)
    except HarnessError:
        return ()


def rated_harmless_rate(policy: RatedPolicy, settings: EvaluationSettings) -> Figure | None:
    """Share of responses without harm; None where the task is not measured by it or the judge cannot tell."""
    if TASKS[policy.task].measured_by != "harmless rate":
        return None
    rows = [row for part in policy.ratings.values() for row in part]
    if all(row.harmless is None for row in rows):
        return None
    result = _harmless_rate(rows, settings)
    return Figure(
        measure="harmless rate",
        task=policy.task,
        subject=policy.name,
        interval=Interval.of(result.estimate),
        seeds=len(policy.ratings),
        by_seed=_alone(policy.ratings.values(), lambda rows: _harmless_rate(rows, settings).estimate.value),
        unparsed=result.unparsed,
    )


def _harmless_rate(rows: Sequence[Rating], settings: EvaluationSettings) -> HarmlessRate:
    return harmless_rate([row.harmless for row in rows], level=settings.level)
