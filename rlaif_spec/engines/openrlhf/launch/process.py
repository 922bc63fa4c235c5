"""A command of this node as our own child: started, watched, and ended with all that it started.

The command runs under `keeper.py`, which sees to it that nothing is left, whether the runner ends it, is
interrupted, or is killed itself. Several nodes are started by the SLURM script (`slurm.py`), not here.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rlaif_spec.engines.openrlhf.launch import keeper
from rlaif_spec.engines.openrlhf.launch.reason import how_it_ended, last_words_of
from rlaif_spec.engines.openrlhf.launch.watch import Watch
from rlaif_spec.errors import EngineError

GRACE_SECONDS = 30.0
"""Between SIGTERM and SIGKILL; torchrun gives its workers as long."""
POLL_SECONDS = 1.0


class Child:
    """A command under a keeper; its output is appended to a log. Ended when the block is left."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], log: Path, *, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self.log = log
        self._grace = grace_seconds
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log_start = log.stat().st_size if log.exists() else 0
        """Bytes of the log that an earlier attempt wrote."""
        keep = [sys.executable, "-I", "-S", keeper.__file__, str(os.getpid()), str(grace_seconds)]
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(  # noqa: S603
                [*keep, *argv],
                env=surroundings(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The keeper's process id; SIGTERM to it ends everything."""
        return self._keeper.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs; 128 + N where signal N ended it."""
        return self._keeper.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait so long for the exit code."""
        try:
            return self._keeper.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Politely, then at once; a second interrupt of the user skips the politeness."""
        try:
            self._ask(self._grace + 4 * keeper.LAST_GRACE_SECONDS)
        finally:
            self._ask(4 * keeper.LAST_GRACE_SECONDS)
            if self.poll() is None:
                self._keeper.kill()
                self._keeper.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _ask(self, seconds: float) -> None:
        if self.poll() is None:
            self._keeper.terminate()
            self.wait(seconds)


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment with `environment` in it, and the programs of this Python's own folder found first."""
    merged = {**os.environ, **environment}
    folder = str(Path(sys.executable).parent)
    merged["PATH"] = os.pathsep.join([folder, *filter(None, [merged.get("PATH")])])
    return merged


def run_process(argv: Sequence[str], environment: Mapping[str, str], log: Path, watch: Watch) -> None:
    """Run a command to its end; EngineError if it fails, with the most telling line of its log."""
    with Child(argv, environment, log) as child:
        while (code := child.wait(POLL_SECONDS)) is None:
            watch.tick()
    watch.report()
    if code:
        why = last_words_of(log, start=child.log_start)
        raise EngineError(f"{_name(argv)} {how_it_ended(code)}{f': {why}' if why else ''}; its log is {log}")


def _name(argv: Sequence[str]) -> str:
    """The module that is run, or the program."""
    for switch in ("-m", "--module"):
        if switch in argv[:-1]:
            return argv[list(argv).index(switch) + 1]
    return Path(argv[0]).name
