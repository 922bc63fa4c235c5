"""All cases of the study, in the order of the page."""

from benchmarks.coverage import rates
from benchmarks.coverage.study import Case


def all_cases() -> list[Case]:
    """Built anew each time: cheap, and nothing is shared."""
    return [*rates.cases()]
