"""Several tests in one table: p-values adjusted so that the table as a whole keeps its error rate."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.checks import Floats, check_lengths, check_words, numbers

Adjustment = Literal["holm", "benjamini-hochberg"]


def adjust(p_values: Sequence[float] | Floats, *, method: Adjustment = "holm") -> Floats:
    """Adjusted p-values (m,) of m `p_values`, in the order given; compare them with the level of the whole table.

    With p₁ ≤ … ≤ p_m:

    - holm: max over i ≤ j of min(1, (m - i + 1) p_i). The chance of any false rejection stays below the level.
    - benjamini-hochberg: min over i ≥ j of min(1, m p_i / i). The expected share of false ones among the rejections
      stays below the level, for independent or positively dependent tests.

    Count every comparison that was looked at, also those that are not printed.

    Raises `HarnessError` for no p-values, one that is NaN or outside [0, 1], and an unknown method. Reference: Holm
    (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2); Benjamini
    and Hochberg (1995), Controlling the False Discovery Rate, Journal of the Royal Statistical Society B 57(1).

    >>> adjust([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    >>> adjust([0.01, 0.04, 0.03], method="benjamini-hochberg").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    where = "adjust"
    check_words(where, "method", [method], ("holm", "benjamini-hochberg"))
    check_lengths(where, p_values=p_values)
    found = numbers(where, "p_values", p_values, 0.0, 1.0)
    order, count = np.argsort(found, kind="stable"), len(found)
    ranks = np.arange(1, count + 1)
    if method == "holm":
        steps = np.maximum.accumulate((count - ranks + 1) * found[order])
    else:
        steps = np.minimum.accumulate((count * found[order] / ranks)[::-1])[::-1]
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
