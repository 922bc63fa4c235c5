"""Which flags the supported OpenRLHF release takes, and what is wrong with those that a command gives it.

OpenRLHF renamed its whole command line between two patch releases, and its parsers take a flag that is cut short for
the one it begins. So every flag is held against the table of one release: `tables/<version>.json`, which
`python -m rlaif_spec.engines.openrlhf.parsers` writes. A new release is a new table and a new VERSION.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from rlaif_spec.engines.openrlhf.command import Flags, Program
from rlaif_spec.errors import UserError
from rlaif_spec.spec.openrlhf import OPENRLHF

VERSION: Final = OPENRLHF
"""The release that commands are written for."""

PLAIN_NEGATIVE: Final = re.compile(r"-(\d+|\d*\.\d+)")
"""The negative numbers that argparse takes for values; it takes every other word that begins with - for a flag."""

Table = Mapping[Program, Mapping[str, "Flag"]]


@dataclass(frozen=True)
class Flag:
    """One flag of one program."""

    kind: Literal["str", "int", "float", "switch"]
    nargs: int | Literal["+", "*"]
    """How many values: so many, at least one, or any number; 0 for a switch."""
    choices: tuple[str, ...] | None
    default: tuple[str, ...] | bool | None
    """As words of a command line; of a switch, what holds without it."""


def load(text: str) -> Table:
    """The table that `text` (JSON of a file in `tables/`) holds."""
    programs = json.loads(text)["programs"]
    return {program: {name: _flag(row) for name, row in rows.items()} for program, rows in programs.items()}


def _flag(row: dict[str, object]) -> Flag:
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Flag(**fields)  # type: ignore[arg-type]


@cache
def table(version: str = VERSION) -> Table:
    """The flags of a release; UserError where it is not supported."""
    path = files("rlaif_spec.engines.openrlhf").joinpath("tables", f"{version}.json")
    if not path.is_file():
        raise UserError(f"OpenRLHF {version}: no table of its flags; {VERSION} is supported")
    return load(path.read_text(encoding="utf-8"))


def problems(program: Program, flags: Flags) -> list[str]:
    """One line for each flag that the program would refuse, or take for another one.

    Values of unknown flags are not repeated: a key may stand there.
    """
    known = table()[program]
    found: list[str] = []
    for name, values in flags.items():
        if name in known:
            found += (f"{program} {name}: {line}" for line in _of_values(known, known[name], values))
        else:
            found.append(f"{program} {name}: {_of_name(program, name)}")
    return found


def _of_name(program: Program, name: str) -> str:
    known = table()[program]
    begun = [flag for flag in known if name.startswith("--") and name != "--" and flag.startswith(name)]
    if len(begun) == 1:
        return f"cut short: argparse would silently take it for {begun[0]}; write that"
    if begun:
        return f"cut short: it could be {', '.join(begun)}; write one of them"
    elsewhere = [other for other, rows in table().items() if name in rows]
    if elsewhere:
        return f"OpenRLHF {VERSION} has this flag for {' and '.join(elsewhere)} only; leave it out"
    close = difflib.get_close_matches(name, known, n=1)
    return f"OpenRLHF {VERSION} has no such flag; " + (f"did you mean {close[0]}?" if close else "leave it out")


def _of_values(known: Mapping[str, Flag], flag: Flag, values: Sequence[str]) -> Iterator[str]:
    wanted = {0: "none: it is a switch", "+": "at least one", "*": "any number"}.get(flag.nargs, str(flag.nargs))
    if (flag.nargs == "+" and not values) or (isinstance(flag.nargs, int) and len(values) != flag.nargs):
        yield f"{len(values)} values; it takes {wanted}"
        return
    for value in values:
        if _read_as_flag(known, value):
            yield f"argparse reads the value {value!r} as a flag; write a number in full digits, other text without -"
        elif not _is(flag.kind, value):
            yield f"{value!r} is no {'whole number' if flag.kind == 'int' else 'number'}; write one"
        elif flag.choices is not None and value not in flag.choices:
            yield f"{value!r} is none of {', '.join(flag.choices)}; choose one of them"


def _read_as_flag(known: Mapping[str, Flag], value: str) -> bool:
    if not value.startswith("-") or value == "-":
        return False
    if value.partition("=")[0] in known:
        return True
    return PLAIN_NEGATIVE.fullmatch(value) is None and " " not in value


def _is(kind: str, value: str) -> bool:
    try:
        {"int": int, "float": float}.get(kind, str)(value)
    except ValueError:
        return False
    return True
