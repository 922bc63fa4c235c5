"""Rows come out the same from every kind of file, and a faulty file says where it is faulty."""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rlaif_spec.datasets.reading import RawRow, read_source
from rlaif_spec.errors import DataError
from rlaif_spec.spec.scale import Source

ROWS: list[dict[str, Any]] = [
    {"id": 1, "text": "naïve\u2028line", "parts": [{"text": "x"}, {"text": "y"}]},
    {"id": 2, "text": "two", "parts": [{"text": "z"}]},
]


def values(path: str) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_source(Source(format="posts", path=path))]


def problem(source: Source) -> str:
    with pytest.raises(DataError) as caught:
        list(read_source(source))
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_packed_and_plain_lines_are_equal(write: Callable[..., str], tmp_path: Path) -> None:
    plain = write(*ROWS)
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(Path(plain).read_bytes()))
    assert values(plain) == values(str(packed)) == ROWS


def test_lines_in_any_script_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"text": "a\u2028b"}\n\n{"text": "c"}\n', encoding="utf-8")
    rows = list(read_source(Source(format="posts", path=str(path))))
    assert [row.values["text"] for row in rows] == ["a\u2028b", "c"]
    assert [row.number for row in rows] == [1, 3]


def test_parquet_round_trip(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas

    path = tmp_path / "rows.parquet"
    pandas.DataFrame([*ROWS, {"id": 3, "text": None, "parts": None}]).to_parquet(path)
    assert values(str(path)) == [*ROWS, {"id": 3, "text": None, "parts": None}]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas

    def missing(path: Path) -> None:
        raise ImportError("Unable to find a usable engine;\ntried pyarrow")

    monkeypatch.setattr(pandas, "read_parquet", missing)
    path = tmp_path / "rows.parquet"
    path.touch()
    assert problem(Source(format="posts", path=str(path))).endswith("pip install pyarrow")


def test_missing_file() -> None:
    assert problem(Source(format="posts", path="nowhere.jsonl")).startswith("nowhere.jsonl: no such file;")


def test_unknown_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.touch()
    assert "give a .jsonl, .jsonl.gz or .parquet file" in problem(Source(format="posts", path=str(path)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{'id': 1}", "rows.jsonl:2: not JSON (Expecting property name enclosed in double quotes, column 2)"),
        ("[1, 2]", "rows.jsonl:2: [1, 2] is not an object"),
        ('{"id": 1', "rows.jsonl:2: not JSON"),
    ],
)
def test_faulty_line_says_which(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"id": 0}}\n{line}\n')
    assert expected in problem(Source(format="posts", path=str(path)))


@pytest.mark.parametrize("content", [b"not packed", gzip.compress(b'{"id": 1}\n' * 1000)[:30], gzip.compress(b"\xff")])
def test_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(content)
    assert "could not be read to its end" in problem(Source(format="posts", path=str(path)))


HUB = Source(format="hh", hub="someone/something", config="part", split="test", revision="abc")


def test_hub_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "pip install 'rlaif-spec[hub]'" in problem(HUB)


def test_hub_takes_config_for_a_folder_where_it_is_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*names: str, **options: str) -> list[dict[str, str]]:
        asked.append((names, options))
        if len(names) == 2:
            raise ValueError("BuilderConfig 'part' not found")
        return [{"chosen": "a"}]

    _install(monkeypatch, load_dataset)
    (row,) = read_source(HUB)
    assert row == RawRow("someone/something (test): row 1", 1, {"chosen": "a"})
    options = {"split": "test", "revision": "abc"}
    assert asked == [
        (("someone/something", "part"), options),
        (("someone/something",), {"data_dir": "part", **options}),
    ]


def test_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*names: str, **options: str) -> None:
        raise ConnectionError("no network\nand much more")

    _install(monkeypatch, load_dataset)
    assert problem(HUB).startswith("someone/something: could not be loaded (no network);")


def _install(monkeypatch: pytest.MonkeyPatch, load_dataset: Any) -> None:
    library = ModuleType("datasets")
    library.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", library)
