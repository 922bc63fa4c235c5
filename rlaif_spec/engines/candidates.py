"""The candidates of an RL training: policies kept on the way, of which one becomes the policy."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rlaif_spec.store import SCRATCH, copy_folder, write_json

FIGURES = "candidates.json"


class Candidates:
    """Model folders `scratch/candidates/<step>`, and their figures in `candidates.json`, which stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, step: int, save: Callable[[Path], object], figures: dict[str, float]) -> None:
        """Keep the policy after `step` steps, which `save` writes; kept again by a resumed training, it is the same."""
        path = self._path(step)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path)
        rows = [row for row in self._rows() if row["step"] < step]
        self._write([*rows, {"step": float(step), **figures}], chosen=None)

    def choose(self, choose: Callable[[Sequence[dict[str, float]]], int]) -> None:
        """Make one candidate the model; chosen again by a resumed training, it is the same."""
        rows = self._rows()
        chosen = choose(rows)
        copy_folder(self._path(int(rows[chosen]["step"])), self._folder / "model")
        self._write(rows, chosen=chosen)

    def _path(self, step: int) -> Path:
        return self._folder / SCRATCH / "candidates" / str(step)

    def _rows(self) -> list[dict[str, float]]:
        path = self._folder / FIGURES
        rows: list[dict[str, float]] = json.loads(path.read_bytes())["candidates"] if path.is_file() else []
        return rows

    def _write(self, rows: list[dict[str, float]], chosen: int | None) -> None:
        write_json(self._folder / FIGURES, {"candidates": rows, "chosen": chosen})
