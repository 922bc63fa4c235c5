"""Measure the coverage of every interval and write docs/coverage.md: `python -m benchmarks.coverage [--rounds N]`."""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.coverage import exact
from benchmarks.coverage.cases import all_cases
from benchmarks.coverage.study import Coverage, markdown, measure

ROUNDS = 4000
SEED = 20261124
HEAD = """# How often the intervals cover

Made by `make coverage-study`; a quick version is part of the tests. Every interval is nominally 95 %. "Covers" is the
share in per cent of simulated data sets whose interval holds the truth, with its own Wilson interval. Data sets on
which an interval is undefined are refused by the harness and counted apart.
"""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--into", type=Path, default=Path(__file__).parents[2] / "docs" / "coverage.md")
    options = parser.parse_args()
    with ProcessPoolExecutor(max_workers=2) as pool:
        rows = list(pool.map(partial(_measure, rounds=options.rounds), range(len(all_cases()))))
    lines = [HEAD.rstrip(), *markdown(rows), *exact.markdown()]
    options.into.write_text("\n".join(lines) + "\n")


def _measure(position: int, rounds: int) -> Coverage:
    """By position, because a case holds functions that cannot be sent to another process."""
    return measure(all_cases()[position], rounds, SEED)


if __name__ == "__main__":
    main()
