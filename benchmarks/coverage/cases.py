"""All cases of the study, in the order of the page."""

from benchmarks.coverage import comparisons, judges, labelers, lengths, ranking, raters, rates
from benchmarks.coverage.study import Case


def all_cases() -> list[Case]:
    """Built anew each time: cheap, and nothing is shared."""
    return [case for part in (rates, comparisons, labelers, raters, lengths, ranking, judges) for case in part.cases()]
