"""What is asked of input: every refusal in one line that says where, what is wrong, and what would be right."""

from typing import Any

import numpy as np
import pytest

from harness import HarnessError
from harness.checks import among, numbers, whole


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [2.0]], "mean: values has 2 dimensions; give one number a row"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="M8[ns]"), r"values\[0\] is 2020-01-01T00:00:00.*; give finite"),
        (np.array([5, 6], dtype="m8[ns]"), r"values\[0\] is 5 nanoseconds; give finite numbers"),
        (["0.5"], r"mean: values\[0\] is 0.5; give finite numbers"),
        (np.array([1.0, np.inf]), r"mean: values\[1\] is inf"),
        ([1.0, None], r"mean: values\[1\] is None"),
        ([-2.0], r"mean: values\[0\] is -2.0; give finite numbers in \[-1, inf\]"),
    ],
)
def test_refused_numbers(values: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        numbers("mean", "values", values, low=-1.0 if "-1" in message else -np.inf)


def test_numbers_among_objects() -> None:
    assert numbers("mean", "values", np.array([1, 0.5, True], dtype=object)).tolist() == [1.0, 0.5, 1.0]


def test_among_and_whole() -> None:
    assert among("here", "rows", [True, 0.5, 0], (0.0, 0.5, 1.0)).tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(HarnessError, match=r"here: rows\[1\] is 0.25; use one of 0, 0.5, 1"):
        among("here", "rows", [1, 0.25], (0.0, 0.5, 1.0))
    assert whole("here", "n", 3.0) == 3
    for count in (-1, 0.5, float("nan")):
        with pytest.raises(HarnessError, match=f"here: n is {count}; give a whole number, 0 or more"):
            whole("here", "n", count)
