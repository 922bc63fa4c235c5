"""The receipt that a step leaves when it has finished: what was done, with what, and a hash of each file."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rlaif_spec.frozen import Frozen

NAME = "step.json"
SCRATCH = "scratch"
"""Folder of what a step keeps only to be continued; no part of the artifact."""
ENGINE_NOTE = "engine.json"
"""What an engine that works in other processes says of its work: versions, command, GPU-hours."""


class FileHash(Frozen):
    """Content of one file of an artifact."""

    bytes: int
    sha256: str


class Receipt(Frozen):
    """Written last: its existence means that the artifact is whole."""

    id: str
    step: dict[str, Any]
    versions: dict[str, str]
    wall_seconds: float
    engine: dict[str, Any] | None = None
    """Where the work was done in other processes: the engine's own note."""
    files: dict[str, FileHash]


def hash_files(folder: Path) -> dict[str, FileHash]:
    """Size and sha256 of each file under `folder`, by its path relative to it; receipt and scratch left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and path != folder / NAME]
    paths = sorted(path for path in files if folder / SCRATCH not in path.parents)
    return {str(path.relative_to(folder)): _hash(path) for path in paths}


def damage(folder: Path, receipt: Receipt) -> str | None:
    """The first way in which the files differ from the receipt, in words; None where they do not."""
    for name, expected in receipt.files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != expected.bytes:
            return f"{name} has {path.stat().st_size} bytes, its receipt says {expected.bytes}"
        if _hash(path) != expected:
            return f"{name} differs from its receipt"
    return None


def sha256_of(path: Path) -> str:
    """Hash of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Version of each package that is installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _hash(path: Path) -> FileHash:
    return FileHash(bytes=path.stat().st_size, sha256=sha256_of(path))
