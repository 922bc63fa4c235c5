"""Typed JSONL: one record a line."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from rlaif_spec.errors import ArtifactError
from rlaif_spec.frozen import Frozen
from rlaif_spec.store.store import write_whole

Row = TypeVar("Row", bound=Frozen)


def write_rows(path: Path, rows: Iterable[Frozen]) -> None:
    """Write records, whole or not at all."""
    write_whole(path, "".join(f"{row.model_dump_json()}\n" for row in rows))


def append_rows(path: Path, rows: Iterable[Frozen]) -> None:
    """Add records to a file that a killed run may have left."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{row.model_dump_json()}\n" for row in rows)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read records of one kind."""
    with path.open("rb") as file:
        return [_read(path, number, line, kind) for number, line in enumerate(file, start=1)]


def read_whole_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read what a killed run left: the complete lines; the rest of the file is cut off."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [_read(path, number, line, kind) for number, line in enumerate(whole.splitlines(), start=1)]


def _read(path: Path, number: int, line: bytes, kind: type[Row]) -> Row:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "row"
        raise ArtifactError(f"{path}:{number}: {field}: {first['msg']}; expected a {kind.__name__} row") from None
