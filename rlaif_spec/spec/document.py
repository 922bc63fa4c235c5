"""A YAML file as plain data, with the line of every key: what errors need in order to point somewhere."""

from pathlib import Path
from typing import Any

import yaml

from rlaif_spec.errors import SpecError

Place = tuple[str | int, ...]


def field_name(place: Place) -> str:
    """A place as people write it: `labeler.size`, `seeds[0]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "file"


class Document:
    """Plain data read from a file, and where in the file each part of it stands."""

    def __init__(self, path: Path | str, data: dict[str, Any], lines: dict[Place, int]) -> None:
        self.path = path
        self.data = data
        self.lines = lines

    def at(self, place: Place) -> str:
        """`file:line` of a place, or of the nearest enclosing one that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path}:{self.lines.get(place, 1)}"


def read_document(path: Path) -> Document:
    """Read a mapping; everything that is wrong with the file's form is a `SpecError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError([f"{path}:1: file: there is none; name an existing YAML file"]) from None
    except (IsADirectoryError, UnicodeDecodeError, PermissionError) as error:
        raise SpecError([f"{path}:1: file: cannot be read as text ({error}); name a YAML file"]) from None
    return parse_document(path, text)


def parse_document(path: Path | str, text: str) -> Document:
    """As `read_document`, of a text that was read already."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError([f"{path}:{line}: file: {error.problem}; it must be YAML"]) from None
    except yaml.YAMLError as error:
        raise SpecError([f"{path}:1: file: {str(error).splitlines()[0]}; it must be YAML"]) from None
    if not isinstance(node, yaml.MappingNode):
        raise SpecError([f"{path}:1: file: holds no keys; it must be a mapping such as `task: summarize`"])
    lines: dict[Place, int] = {}
    problems: list[str] = []
    try:
        _walk(node, (), lines, problems, str(path))
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError([f"{path}:{line}: file: {error.problem}; use plain YAML values"]) from None
    except RecursionError:
        raise SpecError([f"{path}:1: file: an anchor holds itself; use plain YAML values"]) from None
    except ValueError as error:
        raise SpecError([f"{path}:1: file: {error}; use plain YAML values, in quotes where in doubt"]) from None
    if problems:
        raise SpecError(problems)
    return Document(path, data, lines)


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int], problems: list[str], path: str) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            if here in lines:
                first = lines[here]
                field = field_name(here)
                line = key.start_mark.line + 1
                problems.append(f"{path}:{line}: {field}: is there twice, first in line {first}; keep one")
            lines[here] = key.start_mark.line + 1
            _walk(value, here, lines, problems, path)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            _walk(value, (*place, at), lines, problems, path)
