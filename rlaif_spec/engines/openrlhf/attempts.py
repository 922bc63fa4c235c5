"""One training job through all its attempts: started, and where it died started again from its last checkpoint.

An attempt that made no step is not repeated: it would fail again. What each attempt took is kept in the step's scratch,
so that GPU-hours count those of earlier runs of `rlaif-spec` too.
"""

import json
import shlex
import time
from collections.abc import Callable
from typing import Any

from rlaif_spec.engines.openrlhf.collect import write_note
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.launch.metrics import rows
from rlaif_spec.engines.openrlhf.training import METRICS
from rlaif_spec.engines.protocol import Job
from rlaif_spec.errors import EngineError
from rlaif_spec.store import SCRATCH, write_whole

FINISHED = "finished"
ATTEMPTS = "attempts.jsonl"
SCRIPT = "command.sh"


class Attempts:
    """The attempts of the job in a step's folder, on `gpus` GPUs; at most `restarts` restarts in this run.

    `checkpoint` names the checkpoint from which the next attempt would go on; empty where there is none.
    """

    def __init__(self, job: Job, *, gpus: int, restarts: int, checkpoint: Callable[[], str]) -> None:
        self._job = job
        self._gpus = gpus
        self._restarts = restarts
        self._checkpoint = checkpoint
        self.scratch = job.folder / SCRATCH

    @property
    def finished(self) -> bool:
        """Whether an earlier run saw the job end well."""
        return (self.scratch / FINISHED).is_file()

    def run(self, make: Callable[[bool], Command], start: Callable[[Command], None]) -> None:
        """Make the command (told whether to continue from a checkpoint) and start it, until it ends well."""
        for left in range(self._restarts, -1, -1):
            if self.finished:
                return
            command = make(bool(self._checkpoint()))
            write_whole(self._job.folder / SCRIPT, f"#!/bin/sh\n{command.shell()}")
            before = self._progress()
            try:
                self._timed(command, start)
            except EngineError as error:
                if not left or self._progress() == before:
                    raise
                where, nth = self._checkpoint() or "the beginning", self._restarts - left + 1
                self._job.say(f"{error}; continued from {where} (restart {nth} of {self._restarts})")

    def note(self, command: Command, **more: Any) -> None:
        """Leave the note of the whole job."""
        path = self.scratch / ATTEMPTS
        done = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
        seconds = sum(row["seconds"] for row in done)
        write_note(
            self._job.folder,
            {
                "program": command.program,
                "command": shlex.join(command.argv),
                "gpus": self._gpus,
                "gpu_hours": round(self._gpus * seconds / 3600, 4),
                "attempts": len(done),
                **more,
            },
        )

    def _timed(self, command: Command, start: Callable[[Command], None]) -> None:
        began = time.monotonic()
        ended = "interrupted"
        try:
            start(command)
            ended = FINISHED
        except EngineError:
            ended = "died"
            raise
        finally:
            row = {"seconds": round(time.monotonic() - began, 1), "ended": ended}
            with (self.scratch / ATTEMPTS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        write_whole(self.scratch / FINISHED, "")

    def _progress(self) -> tuple[int, str]:
        """The last step that was logged and the last checkpoint: a killed job may not have written its last figures."""
        found = rows(self.scratch / METRICS)
        return (int(found[-1]["step"]) if found else 0), self._checkpoint()
