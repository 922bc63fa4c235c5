"""A frame holds each estimate whole, after the row's own columns."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness import Estimate, HarnessError, cluster_bootstrap, proportion, table

SHARE = proportion(3, 4)


def test_holds_each_estimate_whole() -> None:
    grouped = cluster_bootstrap([1, 0, 1, 1], list("aabb"), rng=np.random.default_rng(0), resamples=100)
    frame = table([{"name": "a", "estimate": SHARE, "task": 1}, {"name": "b", "estimate": grouped, "task": 2}])
    assert list(frame.columns) == ["name", "task", "value", "low", "high", "level", "n", "clusters", "method"]
    assert frame["name"].tolist() == ["a", "b"]
    assert frame["clusters"].dtype == "Int64"
    for position, estimate in enumerate([SHARE, grouped]):
        stored = frame.iloc[position].drop(["name", "task"]).to_dict()
        stored["clusters"] = None if pd.isna(stored["clusters"]) else int(stored["clusters"])
        assert Estimate.from_dict(stored) == estimate


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "table: rows empty; give at least one row"),
        ([{"name": "a"}], r"table: rows\[0\]: estimate is None; give an Estimate"),
        ([{"estimate": 0.5}], "estimate is 0.5"),
        ([{"estimate": SHARE}, {"estimate": SHARE, "x": 1}], r"rows\[1\]: keys are estimate, x; give those of the"),
        ([{"estimate": SHARE, "n": 4}], "n is a column of the estimate; give it another name"),
    ],
)
def test_refusals(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        table(rows)
