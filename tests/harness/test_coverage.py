"""A quick version of the coverage study: `make coverage-study` measures all of it and writes docs/coverage.md."""

import re
from pathlib import Path

import pytest

from benchmarks.coverage.cases import all_cases
from benchmarks.coverage.exact import enumerate_proportions
from benchmarks.coverage.study import Case, measure

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
OURS = [case for case in all_cases() if "elsewhere" not in case.interval]
CLUSTERED = [case for case in all_cases() if "500 prompts" in case.group]


def percent(row: list[str]) -> float:
    return float(row[2].split()[0])


def page_rows() -> dict[tuple[str, str, str], list[str]]:
    """Of the committed page, by group, interval and design."""
    rows, group = {}, ""
    for line in PAGE.read_text().splitlines():
        group = line.removeprefix("## ") if line.startswith("## ") else group
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.match(r"[\d.]+ \[", cells[2]):
            rows[group, cells[0], cells[1]] = cells
    return rows


@pytest.mark.parametrize("case", CLUSTERED, ids=lambda case: case.interval)
def test_clustered_designs(case: Case) -> None:
    """300 data sets tell 95 % from the recipes that are in use."""
    row = measure(case, rounds=300, seed=1)
    assert row.refused == 0
    if "elsewhere" in case.interval:
        assert row.covered.high < 0.94
    else:
        assert row.covered.high > 0.95
        assert row.covered.value > 0.91


def test_proportions_by_enumeration() -> None:
    rows = enumerate_proportions()
    assert all(row.least >= 0.95 for row in rows if row.method == "clopper-pearson")
    assert all(0.945 < row.mean < 0.96 for row in rows if row.method != "clopper-pearson")
    assert all(row.least > 0.86 for row in rows)


def test_the_page_has_every_case() -> None:
    assert {(case.group, case.interval, case.design) for case in all_cases()} == set(page_rows())


def test_the_page_shows_what_is_claimed() -> None:
    """Clustered designs cover 93 to 97 %; what is in use elsewhere does not."""
    for (group, interval, _), cells in page_rows().items():
        if "500 prompts" in group:
            assert (93.0 <= percent(cells) <= 97.0) == ("elsewhere" not in interval)


@pytest.mark.parametrize("case", OURS, ids=lambda case: f"{case.interval}, {case.design}")
def test_every_interval_runs(case: Case) -> None:
    row = measure(case, rounds=20 * case.cost, seed=2)
    assert row.covered.high > 0.75
    assert row.refused <= 2
