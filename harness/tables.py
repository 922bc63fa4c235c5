"""Estimates as a data frame: one row each, the interval in columns of its own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.estimates import Estimate, HarnessError

if TYPE_CHECKING:
    import pandas as pd


def table(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """A frame of rows that each hold an `Estimate` under "estimate"; other entries become columns before it.

    >>> from harness import proportion
    >>> table([{"policy": "RLAIF", "estimate": proportion(7, 10)}])[["policy", "value", "n"]]
      policy  value   n
    0  RLAIF    0.7  10
    """
    import pandas as pd

    flat = []
    for at, row in enumerate(rows):
        estimate = row.get("estimate")
        if not isinstance(estimate, Estimate):
            raise HarnessError(f"table: row {at} has no Estimate under 'estimate'")
        flat.append({**{name: value for name, value in row.items() if name != "estimate"}, **estimate.to_dict()})
    return pd.DataFrame(flat)
