"""What the wait loops call while a job runs: progress for the screen, a word when nothing moves, an end when a
process beside the job has died.

Ray waits for ever, and silently, where GPUs are short; NCCL does where a rank is gone. So silence is told, once,
with its likely cause.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rlaif_spec.engines.protocol import Progress
from rlaif_spec.errors import EngineError

FIGURES: Final = ("reward", "kl", "response_length", "loss", "gpt_loss")
"""Shown beside the step where they exist; `gpt_loss` is SFT's."""


@dataclass(frozen=True)
class Checks:
    """What can be asked while a job runs."""

    health: Sequence[Callable[[], None]] = ()
    """One for each process beside the job (Ray's head, the labeler's server); raises when it died."""
    unmet: Callable[[], str | None] = lambda: None
    """What Ray cannot place, in words, or None."""
    labeler: Callable[[], bool] = lambda: True
    """Whether the labeler's server answers."""


@dataclass
class Watch:
    """Over one job of `steps` steps; `rows` gives the rows of metrics that are new, each with its `step`."""

    steps: int
    rows: Callable[[], Sequence[Mapping[str, float]]]
    tell: Callable[[Progress], None]
    say: Callable[[str], None]
    silent_minutes: float = 60.0
    figures: tuple[str, ...] = FIGURES
    checks: Checks = field(default_factory=Checks)
    clock: Callable[[], float] = time.monotonic
    """In seconds."""
    _moved: float | None = field(default=None, init=False)
    _started: bool = field(default=False, init=False)
    _said: bool = field(default=False, init=False)

    def tick(self) -> None:
        """Tell what is new; say when nothing was for long; raise what `checks.health` raises."""
        self.report()
        for healthy in self.checks.health:
            healthy()
        minutes = (self.clock() - (self._moved or 0.0)) / 60
        if minutes >= self.silent_minutes and not self._said:
            self._said = True
            self.say(f"no step for {minutes:.0f} minutes: {self._cause()}")

    def report(self) -> None:
        """Tell the last of the new rows; what was logged before this watch began counts as no step of its job."""
        first = self._moved is None
        rows = self.rows()
        if first or rows:
            self._moved = self.clock()
            self._said = False
        if rows:
            self._started = self._started or not first
            last = rows[-1]
            figures = {name: last[name] for name in self.figures if name in last}
            self.tell(Progress(int(last["step"]), self.steps, figures))

    def _cause(self) -> str:
        if not self._started and (unmet := self._unmet()):
            return unmet
        if not self._labeler_answers():
            return "the labeler's server does not answer"
        if not self._started:
            return "models are still loading, or vLLM compiles; the job's log says which"
        return "a slow step, or NCCL waits for a rank that is gone (NCCL_DEBUG=INFO tells)"

    def _unmet(self) -> str | None:
        try:
            return self.checks.unmet()
        except EngineError as error:
            return str(error)

    def _labeler_answers(self) -> bool:
        try:
            return self.checks.labeler()
        except EngineError:
            return False
