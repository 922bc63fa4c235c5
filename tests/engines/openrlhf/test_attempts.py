"""A job that dies is continued from its checkpoint; one that never moves is not tried again; hours add up."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rlaif_spec.engines.openrlhf import attempts as module
from rlaif_spec.engines.openrlhf.attempts import Attempts
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.protocol import Job
from rlaif_spec.errors import EngineError


class FakeJob:
    """A job that does `steps` steps in all, dying after each number of steps in `dies_at`."""

    def __init__(self, folder: Path, steps: int, dies_at: list[int]) -> None:
        self.folder = folder
        self.steps = steps
        self.dies_at = dies_at
        self.done = 0
        self.resumed: list[bool] = []
        self.said: list[str] = []
        (folder / "scratch").mkdir(exist_ok=True)

    def checkpoint(self) -> str:
        return f"global_step{self.done}" if self.done else ""

    def start(self, command: Command) -> None:
        self.resumed.append(command.has("--ckpt.load_enable"))
        until = self.dies_at.pop(0) if self.dies_at else self.steps
        if until > self.done:
            self.done = until
        if until < self.steps:
            raise EngineError(f"died at {until}")

    def attempts(self, restarts: int) -> Attempts:
        job = Job(self.folder, 0, lambda progress: None, self.said.append)
        return Attempts(job, gpus=4, restarts=restarts, checkpoint=self.checkpoint)


def make(resume: bool) -> Command:
    return Command("train_sft", ("python", "-m"), {"--ckpt.load_enable": []} if resume else {})


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, list[int]], FakeJob]:
    def begin(steps: int, dies_at: list[int]) -> FakeJob:
        job = FakeJob(tmp_path, steps, dies_at)
        monkeypatch.setattr(module, "rows", lambda folder: [{"step": job.done}] if job.done else [])
        return job

    return begin


def test_each_attempt_continues_where_the_last_one_saved(fake: Callable[[int, list[int]], FakeJob]) -> None:
    job = fake(9, [3, 6])
    job.attempts(2).run(make, job.start)
    assert job.resumed == [False, True, True]
    assert [line.split("; ")[1] for line in job.said] == [
        "continued from global_step3 (restart 1 of 2)", "continued from global_step6 (restart 2 of 2)",
    ]  # fmt: skip


def test_an_attempt_that_makes_no_step_ends_it(fake: Callable[[int, list[int]], FakeJob]) -> None:
    job = fake(9, [3, 3, 9])
    with pytest.raises(EngineError, match="died at 3"):
        job.attempts(5).run(make, job.start)
    assert len(job.resumed) == 2


def test_restarts_are_counted_and_a_later_run_goes_on(fake: Callable[[int, list[int]], FakeJob]) -> None:
    job = fake(9, [3, 6])
    with pytest.raises(EngineError, match="died at 6"):
        job.attempts(1).run(make, job.start)
    job.attempts(0).run(make, job.start)
    assert job.resumed == [False, True, True]
    job.attempts(0).run(make, job.start)
    assert len(job.resumed) == 3, "a finished job is not started again"


def test_the_note_counts_the_hours_of_all_attempts(fake: Callable[[int, list[int]], FakeJob], tmp_path: Path) -> None:
    job = fake(9, [3, 6])
    attempts = job.attempts(2)
    attempts.run(make, job.start)
    path = tmp_path / "scratch" / "attempts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["ended"] for row in rows] == ["died", "died", "finished"]
    path.write_text("".join(json.dumps({**row, "seconds": 900.0}) + "\n" for row in rows))
    attempts.note(make(False), more=1)
    note = json.loads((tmp_path / "engine.json").read_text())
    assert note["gpu_hours"] == 3 * 900 * 4 / 3600
    assert (note["attempts"], note["more"], note["engine"]) == (3, 1, "openrlhf")
    assert (tmp_path / "command.sh").read_text().startswith("#!/bin/sh\n")
