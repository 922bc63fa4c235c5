"""The command line: `rlaif-spec validate | plan | run | slurm | compare | schema`.

Exit codes: 0 done, 1 it broke, 2 what was asked cannot be done. Errors are one line each on standard error.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rlaif_spec.errors import RlaifSpecError, SpecError


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except RlaifSpecError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same command continues where it was", file=sys.stderr)  # noqa: T201
        return 130
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{where}{error.strerror or error}; nothing that was finished is lost", file=sys.stderr)  # noqa: T201
        return 1
    return code


def _validate(options: argparse.Namespace) -> int:
    from rlaif_spec.run import problems_of
    from rlaif_spec.spec import default_scale

    name = options.scale or default_scale()[0]
    problems = list(dict.fromkeys(line for path in options.specs for line in problems_of(path, name)))
    if options.json:
        _print(json.dumps({"scale": name, "specs": [str(path) for path in options.specs], "problems": problems}))
        return 2 if problems else 0
    if problems:
        raise SpecError(problems)
    _print(f"{len(options.specs)} valid at scale {name}")
    return 0


def _plan(options: argparse.Namespace) -> int:
    from rlaif_spec.run import plan_jobs, plan_lines, plan_rows, prepare

    prepared = prepare(_request(options))
    jobs = plan_jobs(prepared)
    if options.json:
        _print(json.dumps(plan_rows(prepared), indent=2))
    else:
        _print("\n".join([*plan_lines(prepared), *([""] if jobs.lines else []), *jobs.lines]).rstrip())
    jobs.refuse()
    return 0


def _run(options: argparse.Namespace) -> int:
    from rlaif_spec.run import Screen, run_experiment

    outcome = run_experiment(_request(options), Screen(quiet=options.quiet))
    _print(outcome.report)
    return 0


def _slurm(options: argparse.Namespace) -> int:
    from rlaif_spec.run import BatchOptions, Request, slurm_script

    wanted = BatchOptions(options.time, options.cpus_per_node, tuple(options.option), tuple(options.setup))
    request = Request(spec=options.spec, scale=options.scale, seeds=options.seeds)
    sys.stdout.write(slurm_script(request, wanted))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from rlaif_spec.report import compare_results, render

    figures = compare_results(options.results)
    _print(json.dumps([f.model_dump(mode="json") for f in figures], indent=2) if options.json else render(figures))
    return 0


def _schema(options: argparse.Namespace) -> int:
    from rlaif_spec.spec.schema import schema_text

    sys.stdout.write(schema_text(options.of))
    return 0


def _request(options: argparse.Namespace):  # type: ignore[no-untyped-def]
    from rlaif_spec.run import Request

    return Request(
        spec=options.spec, scale=options.scale, runs=options.runs, results=options.results, seeds=options.seeds
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rlaif-spec", description="Declare an RLAIF experiment, run it, compare.")
    commands = parser.add_subparsers(required=True, metavar="command")

    validate = commands.add_parser("validate", help="check specs; prints every error at once")
    validate.add_argument("specs", nargs="+", type=Path, metavar="SPEC")
    _add_scale(validate)
    validate.add_argument("--json", action="store_true", help="the errors as a list of lines")
    validate.set_defaults(command=_validate)

    plan = commands.add_parser("plan", help="what would be done, and what is done already")
    run = commands.add_parser("run", help="do it; the same command continues a run that was stopped")
    for command in (plan, run):
        command.add_argument("spec", type=Path, metavar="SPEC")
        _add_scale(command)
        command.add_argument("--seeds", type=_seeds, help="instead of the spec's, as in 0,1,2")
        command.add_argument("--runs", type=Path, default=Path("runs"), help="artifacts (default: runs/)")
        command.add_argument("--results", type=Path, default=Path("results"), help="tables (default: results/)")
    plan.add_argument("--json", action="store_true", help="a row a step")
    plan.set_defaults(command=_plan)
    run.add_argument("--quiet", action="store_true", help="print nothing but the tables")
    run.set_defaults(command=_run)

    slurm = commands.add_parser(
        "slurm", help="a script for sbatch that runs a spec over several nodes (engine openrlhf)"
    )
    slurm.add_argument("spec", type=Path, metavar="SPEC")
    _add_scale(slurm)
    slurm.add_argument("--time", default="24:00:00", help="hours:minutes:seconds (default: a day)")
    slurm.add_argument("--seeds", type=_seeds, help="instead of the spec's, as in 0,1,2")
    slurm.add_argument("--cpus-per-node", type=int, default=32, help="default: 32")
    slurm.add_argument("--option", action="append", default=[], help="for sbatch, as in --option=--partition=gpu")
    slurm.add_argument("--setup", action="append", default=[], help="a shell line that comes first")
    slurm.set_defaults(command=_slurm)

    compare = commands.add_parser("compare", help="tables over all results: every policy against every other")
    compare.add_argument("results", nargs="?", type=Path, default=Path("results"))
    compare.add_argument("--json", action="store_true", help="long rows instead of tables")
    compare.set_defaults(command=_compare)

    schema = commands.add_parser("schema", help="JSON Schema of specs or scales, for editors")
    schema.add_argument("of", nargs="?", choices=("spec", "scale"), default="spec")
    schema.set_defaults(command=_schema)
    return parser


def _add_scale(parser: argparse.ArgumentParser) -> None:
    scale = os.environ.get("RLAIF_SPEC_SCALE") or None
    parser.add_argument("--scale", default=scale, help="a built-in scale or a file; default: chosen by the machine")


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 0,1,2") from None


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
