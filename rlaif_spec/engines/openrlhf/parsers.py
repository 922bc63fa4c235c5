"""OpenRLHF's own argument parsers and checks, taken from the source of a release without importing it.

They stand inside `if __name__ == "__main__":` of `openrlhf/cli/<program>.py`, behind imports of torch, deepspeed and
ray, so there is nothing to import. Here that file is read, and of its syntax tree only this is executed: the imports
of the standard library, and the statements of that block up to `parse_args()`, which give the parser, or up to
`train(args)`, which run OpenRLHF's checks. `print` and `hierarchize` are ours, so nothing outside is touched.

`python -m rlaif_spec.engines.openrlhf.parsers` writes the table of the installed release's flags.
"""

import argparse
import ast
import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any, Final, NoReturn, get_args

from rlaif_spec.engines.openrlhf.command import Program
from rlaif_spec.engines.openrlhf.flags import VERSION, Flag, Table
from rlaif_spec.errors import UserError

PROGRAMS: Final[tuple[Program, ...]] = get_args(Program)

PARSED: Final = "args = parser.parse_args()"
STARTED: Final = "train(args)"
PATCHES_HUB: Final = "args.use_ms"
"""The condition of a statement that would patch the model hub's client in this process; it is left out."""


@dataclass(frozen=True)
class Checked:
    """What OpenRLHF makes of a command's arguments before it loads anything."""

    arguments: SimpleNamespace | None
    """As `train` would get them (`arguments.algo.kl.init_coef`); None where OpenRLHF refuses."""
    problems: list[str]
    """One line for what is refused, and one for each setting that is silently changed."""


def installed() -> Path | None:
    """The folder of the installed package, or None."""
    spec = find_spec("openrlhf")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def source_text(path: str, source: Path | None = None) -> str:
    """The source of a module of OpenRLHF, such as `cli/train_rm.py`.

    `source` is a wheel, the package's folder or the folder it lies in; without it, the installed package is read.
    UserError where there is none.
    """
    if source is not None and source.is_file():
        return _in_wheel(path, source)
    folder = installed() if source is None else source
    if folder is None:
        raise UserError(f"openrlhf: not installed; install it with `pip install --no-deps openrlhf=={VERSION}`")
    for file in (folder / path, folder / "openrlhf" / path):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise UserError(f"{folder}: holds no openrlhf/{path}; openrlhf {VERSION} has it")


def _in_wheel(path: str, wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if f"/{name}".endswith(f"/openrlhf/{path}"):
                return archive.read(name).decode()
    raise UserError(f"{wheel}: holds no openrlhf/{path}; openrlhf {VERSION} has it")


class _Parser(argparse.ArgumentParser):
    """Takes no flag that is cut short, and raises where argparse would end the process."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "allow_abbrev": False, "add_help": False})

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {_line(message)}")


class _Moment:
    """Stands for `datetime`: a default names the minute, and a table must be the same in every minute."""

    @staticmethod
    def now() -> datetime:
        return datetime(2000, 1, 1)


@dataclass(frozen=True)
class _Main:
    """The `__main__` block of one program."""

    program: Program
    imports: CodeType
    parser: CodeType
    checks: CodeType

    def names(self) -> dict[str, Any]:
        """The names that its statements use, with `parser` made."""
        names: dict[str, Any] = {}
        _run(self.imports, names)
        names |= {
            "argparse": SimpleNamespace(**{**vars(argparse), "ArgumentParser": _Parser}),
            "datetime": _Moment,
            "hierarchize": hierarchize,
            "print": lambda *words: None,
        }
        _run(self.parser, names)
        names["parser"].prog = self.program
        return names


def _run(code: CodeType, names: dict[str, Any]) -> None:
    exec(code, names)  # noqa: S102  # the source of the release that the command is about to start


def _main(program: Program, source: Path | None) -> _Main:
    return _main_of(program, source_text(f"cli/{program}.py", source))


@cache
def _main_of(program: Program, text: str) -> _Main:
    tree = ast.parse(text)
    blocks = [node.body for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)]
    body = blocks[0] if blocks else []
    lines = [ast.unparse(statement) for statement in body]
    if PARSED not in lines or STARTED not in lines:
        raise UserError(f"openrlhf/cli/{program}.py: not laid out as in {VERSION}; install openrlhf=={VERSION}")
    parsed, started = lines.index(PARSED), lines.index(STARTED)
    return _Main(
        program,
        imports=_compiled(program, [node for node in tree.body if _is_standard_import(node)]),
        parser=_compiled(program, body[:parsed]),
        checks=_compiled(program, [line for line in body[parsed + 1 : started] if not _is_left_out(line)]),
    )


def _compiled(program: Program, statements: list[ast.stmt]) -> CodeType:
    return compile(ast.Module(body=statements, type_ignores=[]), f"openrlhf/cli/{program}.py", "exec")


def _is_standard_import(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(name.name.partition(".")[0] in sys.stdlib_module_names for name in node.names)
    return isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in sys.stdlib_module_names


def _is_left_out(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):
        return ast.unparse(statement.test) == PATCHES_HUB
    return isinstance(statement, ast.Import | ast.ImportFrom) and not _is_standard_import(statement)


def hierarchize(flat: argparse.Namespace) -> SimpleNamespace:
    """Settings with dots in their names as settings within settings: `algo.kl.target` is found at that path."""
    root = SimpleNamespace()
    for name, value in vars(flat).items():
        *path, last = name.split(".")
        node = root
        for part in path:
            if not hasattr(node, part):
                setattr(node, part, SimpleNamespace())
            node = getattr(node, part)
        setattr(node, last, value)
    return root


def _settings(node: SimpleNamespace, before: str = "") -> Iterator[tuple[str, object]]:
    """The opposite of `hierarchize`."""
    for name, value in vars(node).items():
        if isinstance(value, SimpleNamespace):
            yield from _settings(value, f"{before}{name}.")
        else:
            yield before + name, value


def parser_of(program: Program, source: Path | None = None) -> argparse.ArgumentParser:
    """The parser of a program; it takes no flag that is cut short, and raises UserError on wrong arguments."""
    parser = _main(program, source).names()["parser"]
    assert isinstance(parser, argparse.ArgumentParser)  # noqa: S101
    return parser


def checked(program: Program, arguments: Sequence[str], source: Path | None = None) -> Checked:
    """What OpenRLHF's own checks say to the arguments, and what they silently change."""
    main = _main(program, source)
    names = main.names()
    try:
        flat = _parsed(names["parser"], arguments)
    except UserError as error:
        return Checked(None, [str(error)])
    given = deepcopy(vars(flat))
    names["args"] = flat
    refusal: list[str] = []
    try:
        _run(main.checks, names)
    except Exception as error:  # whatever their checks raise, a start of the program would have ended with
        refusal = [f"{program}: {type(error).__name__}: {_line(str(error))}"]
    rewritten = [
        _line(f"{program} --{name} {given[name]}: OpenRLHF silently makes it {value}; change what makes it do so")
        for name, value in _settings(names["args"])
        if _is_rewritten(name, given[name], value)
    ]
    return Checked(None if refusal else names["args"], refusal + rewritten)


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments as they stand. The values of unknown flags are not repeated: a key may stand there."""
    flat, rest = parser.parse_known_args(arguments)
    if rest:
        flags = [word.partition("=")[0] for word in rest if word.startswith("--")]
        raise UserError(f"{parser.prog}: unrecognized arguments: {' '.join(flags) or 'values without a flag'}")
    return flat


def _is_rewritten(name: str, given: object, value: object) -> bool:
    if given is None or given == value:
        return False
    if name == "reward.remote_url":
        return value != str(given).split(",")
    if name == "algo.advantage.is_correction_threshold" and isinstance(given, list):
        return value != [0.0, *given]
    return True


def _line(text: str) -> str:
    return " ".join(text.split())


def table_of(source: Path | None = None) -> Table:
    """Every flag of every program, as the parsers have them."""
    return {
        program: {
            name: _flag(action) for action in parser_of(program, source)._actions for name in action.option_strings
        }
        for program in PROGRAMS
    }


def _flag(action: argparse.Action) -> Flag:
    nargs: Any = 1 if action.nargs is None else action.nargs
    if nargs == 0:
        return Flag("switch", 0, None, bool(action.default))
    words = action.default if isinstance(action.default, list | tuple) else [action.default]
    return Flag(
        kind=getattr(action.type, "__name__", "str"),
        nargs=nargs,
        choices=None if action.choices is None else tuple(map(str, action.choices)),
        default=None if action.default is None else tuple(map(str, words)),
    )


def table_text(table: Table, release: str) -> str:
    """The table as JSON, a flag a line, so that two releases can be compared line by line."""
    programs = [
        f"  {json.dumps(program)}: {{\n"
        + ",\n".join(f"   {json.dumps(name)}: {json.dumps(asdict(flag))}" for name, flag in rows.items())
        + "\n  }"
        for program, rows in table.items()
    ]
    return f'{{\n "version": {json.dumps(release)},\n "programs": {{\n' + ",\n".join(programs) + "\n }\n}\n"


def main() -> None:
    """Write the table of the installed release beside this module."""
    release = version("openrlhf")
    path = Path(__file__).parent / "tables" / f"{release}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(table_text(table_of(), release), encoding="utf-8")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
