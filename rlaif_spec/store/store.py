"""Where artifacts lie: `runs/<step>-<key>/`, shared by all experiments and safe for two processes.

A step is performed in a hidden sibling folder, which keeps its name: a killed run finds its checkpoints there.
When the step is done the receipt is written and the folder renamed, so that nothing unfinished looks finished.
What a step keeps only to be continued lies in its folder `scratch`, which is dropped after that.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rlaif_spec.errors import ArtifactError
from rlaif_spec.plan import Step
from rlaif_spec.store.receipt import ENGINE_NOTE, NAME, SCRATCH, Receipt, damage, hash_files


class Store:
    """A folder of artifacts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._checked: set[str] = set()

    def folder(self, step: Step) -> Path:
        """Where the step's artifact lies once it is finished."""
        return self.root / step.id

    def finished(self, step: Step) -> bool:
        """Whether the step has a receipt."""
        return (self.folder(step) / NAME).is_file()

    def started(self, step: Step) -> bool:
        """Whether an unfinished attempt lies there to be continued."""
        return self._work(step).is_dir() and not self.finished(step)

    def receipt(self, step: Step) -> Receipt:
        """The receipt of a finished step."""
        path = self.folder(step) / NAME
        try:
            return Receipt.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ArtifactError(f"{path}: there is none; run the experiment first") from None
        except ValidationError:
            raise ArtifactError(f"{path}: cannot be read; {_redo(self.folder(step))}") from None

    def open(self, step: Step) -> Path:
        """The folder of a finished step, its files compared with the receipt once in this process."""
        folder = self.folder(step)
        if step.id not in self._checked:
            wrong = damage(folder, self.receipt(step))
            if wrong is not None:
                raise ArtifactError(f"{folder}: {wrong}; {_redo(folder)}")
            self._checked.add(step.id)
        return folder

    def perform(
        self,
        step: Step,
        work: Callable[[Path], None],
        versions: dict[str, str],
        say: Callable[[str], None] = lambda line: None,
    ) -> bool:
        """Do `work` in the step's hidden folder and finish it; False where another process had done so meanwhile."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock(step, say):
            if self.finished(step):
                return False
            if self.folder(step).exists():
                raise ArtifactError(f"{self.folder(step)}: has no receipt; {_redo(self.folder(step))}")
            folder = self._work(step)
            (folder / SCRATCH).mkdir(parents=True, exist_ok=True)
            if not _receipted(folder):
                began = time.monotonic()
                work(folder)
                receipt = Receipt(
                    id=step.id,
                    step=step.summary(),
                    versions=versions,
                    wall_seconds=round(time.monotonic() - began, 3),
                    engine=_note(folder),
                    files=hash_files(folder),
                )
                write_whole(folder / NAME, receipt.model_dump_json(indent=2))
            folder.rename(self.folder(step))
            shutil.rmtree(self.folder(step) / SCRATCH)
            return True

    def _work(self, step: Step) -> Path:
        return self.root / f".{step.id}"

    @contextmanager
    def _lock(self, step: Step, say: Callable[[str], None]) -> Iterator[None]:
        path = self.root / f".{step.id}.lock"
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"      waiting: another process is doing {step.id}")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
        path.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a kill or a full disk leaves the old one or the new one, never a part."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder so that a kill or a full disk leaves the old target, none, or the new one, never a part."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def write_json(path: Path, value: object) -> None:
    """Write plain data as JSON; NaN is refused."""
    write_whole(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def _receipted(folder: Path) -> bool:
    """Whether a killed process had finished the work and not yet renamed the folder."""
    try:
        receipt = Receipt.model_validate_json((folder / NAME).read_bytes())
    except (OSError, ValidationError):
        return False
    return damage(folder, receipt) is None


def _note(folder: Path) -> dict[str, Any] | None:
    path = folder / ENGINE_NOTE
    note: dict[str, Any] | None = json.loads(path.read_bytes()) if path.is_file() else None
    return note


def _redo(folder: Path) -> str:
    return f"delete {folder} and run again to redo this step (nothing else is lost)"
