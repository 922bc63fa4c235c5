"""Estimates as a data frame, one row each. How a frame is printed or stored is left to whoever asked for it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from harness.checks import check_lengths, refusal
from harness.estimates import Estimate

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = tuple(field.name for field in fields(Estimate))


def table(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """A frame of the rows' own columns, followed by value, low, high, level, n, clusters and method.

    Each row is a mapping with an `Estimate` under "estimate"; all have the same keys. `clusters` is a nullable
    integer, missing where rows were independent.

    Raises `HarnessError` for no rows, a row without an estimate, keys that differ from those of the first row, or a
    key that is the name of one of the columns above.

    >>> from harness import proportion
    >>> table([{"name": "a", "estimate": proportion(3, 4)}])[["name", "value", "n", "clusters", "method"]]
      name  value  n  clusters  method
    0    a   0.75  4      <NA>  wilson
    """
    import pandas as pd  # here, because nothing else in this package needs it

    check_lengths("table", rows=rows)
    flat = [_flat(position, row, rows[0]) for position, row in enumerate(rows)]
    return pd.DataFrame(flat).astype({"clusters": "Int64"})


def _flat(position: int, row: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    where, estimate = f"table: rows[{position}]", row.get("estimate")
    if not isinstance(estimate, Estimate):
        raise refusal(where, f"estimate is {estimate!r}", "give an Estimate")
    if row.keys() != model.keys():
        raise refusal(where, f"keys are {', '.join(row)}", f"give those of the first row: {', '.join(model)}")
    if taken := [name for name in row if name in COLUMNS]:
        raise refusal(where, f"{', '.join(taken)} is a column of the estimate", "give it another name")
    own = {name: value for name, value in row.items() if name != "estimate"}
    return own | estimate.to_dict()
