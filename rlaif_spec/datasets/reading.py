"""Where rows come from: a .jsonl, .jsonl.gz or .parquet file, or a data set of the Hugging Face Hub.

A row remembers its place, so that whoever finds fault with it can say where it stands. What the keys mean is
left to `formats`.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rlaif_spec.errors import DataError
from rlaif_spec.spec.scale import Source


@dataclass(frozen=True)
class RawRow:
    """A row as it was found."""

    place: str
    """Where it stands: file and line, or file and row."""
    number: int
    """Its line or row, counted from 1."""
    values: Mapping[str, Any]

    def has(self, key: str) -> bool:
        """Whether there is anything under this key."""
        return self.values.get(key) is not None

    def value(self, key: str) -> Any:
        """What is under this key."""
        if key not in self.values:
            raise self.error(f"no key {key!r}; it has {', '.join(map(str, self.values)) or 'no keys'}")
        return self.values[key]

    def text(self, key: str) -> str:
        """The text under this key."""
        value = self.value(key)
        if not isinstance(value, str):
            raise self.error(f"{key}: {shorten(value)} is not a text; write it in quotes")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self.error(f"{key}: holds half a character (a lone surrogate); write the text in UTF-8") from error
        return value

    def label(self, key: str) -> str:
        """The text or whole number under this key: a name."""
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.error(f"{key}: {shorten(value)} is no name; use a text or a whole number")
        return str(value)

    def choice(self, key: str, allowed: Mapping[Any, Any]) -> Any:
        """What the value under this key stands for in `allowed`."""
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, str | int) or value not in allowed:
            raise self.error(f"{key}: {shorten(value)} is not allowed; use one of {', '.join(map(str, allowed))}")
        return allowed[value]

    def rows(self, key: str) -> "list[RawRow]":
        """The list of rows under this key."""
        value = self.value(key)
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise self.error(f"{key}: {shorten(value)} is not a list of objects")
        return [RawRow(f"{self.place}: {key}[{at}]", self.number, item) for at, item in enumerate(value)]

    def row(self, key: str) -> "RawRow":
        """The row under this key."""
        value = self.value(key)
        if not isinstance(value, Mapping):
            raise self.error(f"{key}: {shorten(value)} is not an object")
        return RawRow(f"{self.place}: {key}", self.number, value)

    def error(self, problem: str) -> DataError:
        """A problem with this row, and where it stands."""
        return DataError(f"{self.place}: {problem}")


def read_source(source: Source) -> Iterator[RawRow]:
    """The rows of a data file or Hub data set, in their order."""
    if source.path is None:
        return _read_hub(source)
    path = Path(source.path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; give a .jsonl, .jsonl.gz or .parquet file")
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _read_jsonl(path)
    if path.suffix == ".parquet":
        return _read_parquet(path)
    raise DataError(f"{path}: an unknown kind of file; give a .jsonl, .jsonl.gz or .parquet file")


def shorten(value: object) -> str:
    """A value as one short line."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _read_jsonl(path: Path) -> Iterator[RawRow]:
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    place = f"{path}:{number}"
                    yield RawRow(place, number, _parse(place, line))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: could not be read to its end ({_first_line(error)}); fetch the file again") from error


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _parse(place: str, line: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not JSON ({error.msg}, column {error.colno}); write one object a line") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: {shorten(value)} is not an object; write one object a line")
    return value


def _read_parquet(path: Path) -> Iterator[RawRow]:
    import pandas

    try:
        frame = pandas.read_parquet(path)
    except ImportError as error:
        raise DataError(f"{path}: reading parquet needs pyarrow; install it: pip install pyarrow") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a parquet file ({_first_line(error)}); fetch the file again") from error
    for number, values in enumerate(frame.to_dict("records"), start=1):
        yield RawRow(f"{path}: row {number}", number, {str(key): _plain(value) for key, value in values.items()})


def _read_hub(source: Source) -> Iterator[RawRow]:
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"{source.hub}: the Hub needs one more package; pip install 'rlaif-spec[hub]'") from error
    try:
        table = _load_hub(datasets.load_dataset, source)
    except Exception as error:  # the library raises errors of many libraries; all of them mean: not to be had
        raise DataError(
            f"{source.hub}: could not be loaded ({_first_line(error)}); check hub, config, split and revision"
        ) from error
    for number, values in enumerate(table, start=1):
        yield RawRow(f"{source.hub} ({source.split}): row {number}", number, values)


def _load_hub(load_dataset: Any, source: Source) -> Any:
    """By configuration where the data set has one of that name, else by folder."""
    options = {"split": source.split, "revision": source.revision}
    try:
        return load_dataset(source.hub, source.config, **options)
    except ValueError:
        if source.config is None:
            raise
        return load_dataset(source.hub, data_dir=source.config, **options)


def _plain(value: Any) -> Any:
    """A value of pandas as JSON would have given it."""
    import pandas

    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if pandas.isna(value) else value


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
