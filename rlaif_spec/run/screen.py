"""What a run says: one line a step when it begins and ends; progress in place on a terminal, rarely elsewhere."""

import sys
import time
from typing import TextIO

from rlaif_spec.engines.protocol import Progress


class Screen:
    """Writes lines to a stream; `quiet` says nothing."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = self._stream.isatty()
        self._last = 0.0
        self._first: tuple[int, float] | None = None

    def say(self, line: str) -> None:
        """One line; a step begins or ends with it."""
        self._first = None
        if not self._quiet:
            self._stream.write(f"{self._clear()}{line}\n")
            self._stream.flush()

    def tell(self, progress: Progress) -> None:
        """Progress of the current step: at most ten times a second on a terminal, every 15 seconds in a log."""
        now = time.monotonic()
        self._first = self._first or (progress.step, now)
        if self._quiet or now - self._last < (0.1 if self._terminal else 15.0):
            return
        self._last = now
        figures = "  ".join(f"{name} {value:.3f}" for name, value in progress.figures.items())
        line = f"    {progress.step}/{progress.steps}{self._left(progress, now)}  {figures}".rstrip()
        self._stream.write(f"{self._clear()}{line}" if self._terminal else f"{line}\n")
        self._stream.flush()

    def _left(self, progress: Progress, now: float) -> str:
        """Time left, by the pace since this process took up the step."""
        step, began = self._first or (progress.step, now)
        if progress.step <= step:
            return ""
        return f"  {(now - began) / (progress.step - step) * (progress.steps - progress.step):.0f} s left"

    def _clear(self) -> str:
        return "\r\x1b[2K" if self._terminal else ""
