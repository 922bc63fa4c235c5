"""The figures a job logs about itself, by the event files that OpenRLHF writes with `--logger.tensorboard_dir`.

Read with tensorboard's `EventFileLoader`: it goes on where it stopped, so a running job is followed at the cost
of what is new; `EventAccumulator`, built on it, keeps a random sample of long series and cannot be told that a
later file replaces steps of an earlier one. `train/` is cut from names, `eval/` stays.

The job writes with up to two minutes' delay (SummaryWriter's `flush_secs`), and may write one step in two parts.
"""

import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from rlaif_spec.errors import EngineError

Row = dict[str, float]
"""Figures by name, with the `step`."""


def rows(folder: Path) -> list[Row]:
    """One row a step, in order, of all event files below `folder`; what is not finite is left out.

    Where a step was done twice, because the job was resumed, the row of the later file counts.
    """
    tail = MetricsTail(folder)
    tail.new()
    return tail.rows()


class MetricsTail:
    """Follows the event files below a folder that need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaders: dict[Path, Any] = {}
        self._rows: dict[Path, dict[int, Row]] = {}

    def new(self) -> list[Row]:
        """Rows that came or grew since the last call, in order; a row that grew comes again whole."""
        changed: dict[int, Row] = {}
        for path in sorted(self._folder.rglob("events.out.tfevents.*"), key=_age):
            found = self._rows.setdefault(path, {})
            for step, name, value in self._scalars(path):
                row = found.setdefault(step, {"step": step})
                row[name] = value
                changed[step] = row
        return [changed[step] for step in sorted(changed)]

    def rows(self) -> list[Row]:
        """Everything read so far, one row a step, in order."""
        merged: dict[int, Row] = {}
        for path in sorted(self._rows, key=_age):
            merged |= self._rows[path]
        return [dict(merged[step]) for step in sorted(merged)]

    def _scalars(self, path: Path) -> Iterator[tuple[int, str, float]]:
        if path not in self._loaders:
            self._loaders[path] = _loader(path)
        for event in self._loaders[path].Load():
            for value in event.summary.value:
                number = _number(value)
                if number is not None:
                    yield event.step, value.tag.removeprefix("train/"), number


def _age(path: Path) -> tuple[int, str]:
    """Event files carry the second in which they were begun: events.out.tfevents.SECOND.HOST.PID.COUNT."""
    second = path.name.split(".")[3]
    return (int(second) if second.isdigit() else 0, str(path))


def _number(value: Any) -> float | None:
    """A scalar that is finite; None for texts, histograms, NaN and infinity."""
    if value.HasField("simple_value"):
        number = value.simple_value
    elif value.HasField("tensor") and len(value.tensor.float_val) == 1:  # as the loader turns scalars into
        number = value.tensor.float_val[0]
    else:
        return None
    return float(number) if math.isfinite(number) else None


def _loader(path: Path) -> Any:
    try:
        module = import_module("tensorboard.backend.event_processing.event_file_loader")
    except ModuleNotFoundError:
        raise EngineError("a job's figures cannot be read without tensorboard; install it beside openrlhf") from None
    return module.EventFileLoader(str(path))
