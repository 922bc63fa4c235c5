"""Progress, silence and health, by a clock that the test turns."""

from collections.abc import Sequence

import pytest

from rlaif_spec.engines.openrlhf.launch.watch import Checks, Watch
from rlaif_spec.engines.protocol import Progress
from rlaif_spec.errors import EngineError


class Scene:
    """A watch whose rows and clock are the test's."""

    def __init__(self, checks: Checks | None = None) -> None:
        self.seconds = 1000.0
        self.new: list[dict[str, float]] = []
        self.told: list[Progress] = []
        self.said: list[str] = []
        self.watch = Watch(
            steps=8,
            rows=self._take,
            tell=self.told.append,
            say=self.said.append,
            silent_minutes=10,
            checks=checks or Checks(),
            clock=lambda: self.seconds,
        )

    def _take(self) -> Sequence[dict[str, float]]:
        taken, self.new = self.new, []
        return taken

    def pass_minutes(self, minutes: int) -> None:
        """Tick every minute."""
        for _ in range(minutes):
            self.seconds += 60
            self.watch.tick()

    def step(self, step: int, **figures: float) -> None:
        self.new.append({"step": step, **figures})
        self.watch.tick()


def failing() -> str | None:
    raise EngineError("Ray does not answer")


def test_the_last_of_the_new_rows_is_told_with_the_figures_that_exist() -> None:
    scene = Scene()
    scene.new = [{"step": 1, "reward": 0.1}]
    scene.step(2, reward=0.5, kl=0.01, lr=1e-5, loss=2.0)
    assert scene.told == [Progress(2, 8, {"reward": 0.5, "kl": 0.01, "loss": 2.0})]
    scene.watch.tick()
    assert len(scene.told) == 1


def test_silence_is_said_once_each_time() -> None:
    scene = Scene()
    scene.watch.tick()
    scene.pass_minutes(9)
    assert scene.said == []
    scene.pass_minutes(30)
    assert scene.said == [
        "no step for 10 minutes: models are still loading, or vLLM compiles; the job's log says which"
    ]
    scene.step(1)
    scene.pass_minutes(9)
    assert len(scene.said) == 1
    scene.pass_minutes(5)
    assert scene.said[1:] == [
        "no step for 10 minutes: a slow step, or NCCL waits for a rank that is gone (NCCL_DEBUG=INFO tells)"
    ]


def test_steps_of_an_earlier_attempt_are_no_steps_of_this_job() -> None:
    scene = Scene()
    scene.step(5)
    scene.pass_minutes(11)
    assert scene.told == [Progress(5, 8, {})]
    assert "models are still loading" in scene.said[0]


@pytest.mark.parametrize(
    ("checks", "before", "after"),
    [
        (Checks(unmet=lambda: "GPUs are short"), "GPUs are short", "a slow step"),
        (Checks(labeler=lambda: False), "the labeler's server does not answer", "the labeler's server does not answer"),
        (Checks(unmet=lambda: "GPUs are short", labeler=lambda: False), "GPUs are short", "the labeler's server"),
        (Checks(unmet=failing), "Ray does not answer", "a slow step"),
        (Checks(labeler=lambda: failing() is None), "the labeler's server does not", "the labeler's server does not"),
    ],
)
def test_the_likely_cause(checks: Checks, before: str, after: str) -> None:
    scene = Scene(checks)
    scene.watch.tick()
    scene.pass_minutes(10)
    assert scene.said[0].startswith(f"no step for 10 minutes: {before}")
    scene.step(1)
    scene.pass_minutes(10)
    assert scene.said[1].startswith(f"no step for 10 minutes: {after}")


def test_a_dead_process_beside_the_job_ends_the_wait_after_the_last_rows_are_told() -> None:
    def dead() -> None:
        raise EngineError("the labeler's server was ended by SIGKILL")

    scene = Scene(Checks(health=(lambda: None, dead)))
    with pytest.raises(EngineError, match="SIGKILL"):
        scene.step(3)
    assert [progress.step for progress in scene.told] == [3]
    scene.watch.report()
