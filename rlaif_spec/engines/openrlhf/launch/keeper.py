"""Runs one command, and ends it with all that it started: when told to (SIGTERM), or when its parent is gone.

    python keeper.py PARENT_PID GRACE_SECONDS COMMAND [ARGUMENT ...]

A program of its own, started by its path, with nothing but the standard library. It is there because torchrun and
Ray put their workers into sessions of their own, where no signal to one process group reaches them all. On Linux
the keeper is the "child subreaper": whatever loses its parent becomes the keeper's child, so every descendant can
be found and ended. And it looks at its parent five times a second, so nothing outlives a runner that was killed.
A second SIGTERM skips the patience. The exit code is the command's, or 128 + N where signal N ended it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

TICK_SECONDS = 0.2
LAST_GRACE_SECONDS = 1.0
"""What was left behind by the command gets so long between SIGTERM and SIGKILL."""
KILLS = 50
"""How often SIGKILL is repeated; only a process that hangs in the system outlives the first."""
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class Keeper:
    """The command, and how often its end was asked for."""

    def __init__(self, argv: Sequence[str], parent: int) -> None:
        self._parent = parent
        self._asked = 0
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        # A preexec function is safe here: this process has one thread. It covers the keeper's own death by SIGKILL.
        self._command = subprocess.Popen(  # noqa: S603
            argv,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
        )
        self._status: int | None = None

    def run(self, grace: float) -> int:
        """Wait for the end and see that nothing is left; the exit code."""
        while self._running() and not self._asked and os.getppid() == self._parent:
            time.sleep(TICK_SECONDS)
        if self._running():
            _signal([self._command.pid], signal.SIGTERM)
            self._wait(grace)
        if left := descendants(os.getpid()):
            _signal(left, signal.SIGTERM)
            self._wait(LAST_GRACE_SECONDS, everything=True)
        for _ in range(KILLS):
            if not self._running() and not descendants(os.getpid()):
                break
            _signal(descendants(os.getpid()), signal.SIGKILL)
            time.sleep(TICK_SECONDS)
        return 128 + signal.SIGKILL if self._status is None else self._status

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1

    def _wait(self, seconds: float, *, everything: bool = False) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._asked < 2:
            if not self._running() and not (everything and descendants(os.getpid())):
                return
            time.sleep(TICK_SECONDS)

    def _running(self) -> bool:
        """Whether the command runs; buries what has ended, adopted orphans too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return self._status is None
            if pid == self._command.pid:
                code = os.waitstatus_to_exitcode(status)
                self._command.returncode = code
                self._status = 128 - code if code < 0 else code


def descendants(root: int) -> list[int]:
    """Every process below `root` that is no zombie, by /proc; none where there is no /proc."""
    parents: dict[int, list[int]] = {}
    dead = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (
                (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
            )
        except OSError:
            continue
        parents.setdefault(int(parent), []).append(int(entry.name))
        if state == "Z":
            dead.add(int(entry.name))
    found, todo = [], [root]
    while todo:
        below = parents.get(todo.pop(), [])
        found += [pid for pid in below if pid not in dead]
        todo += below
    return found


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main(arguments: Sequence[str]) -> int:
    """Entry point."""
    parent, grace, *argv = arguments
    try:
        keeper = Keeper(argv, int(parent))
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        return 127
    return keeper.run(float(grace))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
