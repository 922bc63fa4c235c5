"""What a coverage study is: cases with a known truth, and the share of rounds in which their interval covers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness import Estimate, HarnessError, proportion

Generator = np.random.Generator


@dataclass(frozen=True)
class Case:
    """An interval on a design: `draw` makes one data set and its estimate."""

    group: str
    interval: str
    design: str
    truth: float
    draw: Callable[[Generator], Estimate]
    cost: int = 1
    """Rounds are divided by this: intervals that are refitted cost more."""


class Coverage(NamedTuple):
    """One row of the study."""

    group: str
    interval: str
    design: str
    covered: Estimate
    width: float
    """Mean width of the interval."""
    refused: int
    """Data sets on which the interval was undefined: neither covered nor missed."""


def measure(case: Case, rounds: int, seed: int) -> Coverage:
    """Draw that many data sets and count. A refusal is counted apart."""
    rng = np.random.default_rng([seed, *case.interval.encode(), *case.design.encode()])
    hits, widths, refused = 0, [], 0
    for _ in range(max(20, rounds // case.cost)):
        try:
            estimate = case.draw(rng)
        except HarnessError:
            refused += 1
            continue
        hits += estimate.low - 1e-12 <= case.truth <= estimate.high + 1e-12
        widths.append(estimate.high - estimate.low)
    return Coverage(
        case.group, case.interval, case.design, proportion(hits, len(widths)), float(np.mean(widths)), refused
    )


def markdown(rows: Sequence[Coverage]) -> list[str]:
    """A table for each group of cases."""
    lines: list[str] = []
    for group in dict.fromkeys(row.group for row in rows):
        lines += ["", f"## {group}", "", "| interval | design | covers | mean width | data sets | refused |"]
        lines += ["|---|---|---|---|---|---|"]
        for row in (row for row in rows if row.group == group):
            covered = f"{100 * row.covered.value:.1f} [{100 * row.covered.low:.1f}, {100 * row.covered.high:.1f}]"
            cells = (row.interval, row.design, covered, f"{row.width:.3f}", row.covered.n, row.refused)
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return lines
