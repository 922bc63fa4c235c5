"""An estimate keeps its numbers through storage, prints as the reports do, and refuses a contradiction."""

import copy
import inspect
import json
import math
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness import Estimate, HarnessError
from harness.estimates import Significance

SOUND: dict[str, Any] = {
    "value": 0.5,
    "low": 0.1,
    "high": 0.9,
    "level": 0.95,
    "n": 4,
    "clusters": None,
    "method": "wilson",
}


def test_prints_as_reports_do() -> None:
    assert str(harness.proportion(2.5, 4)) == "0.625 [0.219, 0.908] (n=4, wilson)"
    clustered = Estimate(0.7, 0.66, 0.74, 0.95, n=1500, clusters=500, method="cluster bootstrap")
    assert str(clustered) == "0.700 [0.660, 0.740] (n=1500, 500 clusters, cluster bootstrap)"


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3).map(sorted),
    st.floats(0.01, 0.99),
    st.integers(1, 10**9),
    st.booleans(),
    st.text(),
)
def test_round_trip_through_json(numbers: list[float], level: float, n: int, clustered: bool, method: str) -> None:
    low, value, high = numbers
    estimate = Estimate(value, low, high, level, n, n if clustered else None, method)
    assert Estimate.from_dict(json.loads(json.dumps(estimate.to_dict(), allow_nan=False))) == estimate
    assert pickle.loads(pickle.dumps(estimate)) == copy.deepcopy(estimate) == estimate  # noqa: S301


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": math.nan}, r"Estimate: nan \[0.1, 0.9\] is not finite; give three finite numbers"),
        ({"high": math.inf}, "is not finite"),
        ({"low": 0.95}, "low is above high"),
        ({"value": 0.91}, r"the value is outside its interval in 0.91 \[0.1, 0.9\]; give low <= value <= high"),
        ({"n": 0}, "n is 0; give n >= 1"),
        ({"clusters": 5}, "clusters is 5 with n 4"),
        ({"clusters": 0}, "clusters is 0"),
        ({"level": 1.0}, "level is 1.0; give one between 0 and 1, such as 0.95"),
        ({"level": math.nan}, "level is nan"),
    ],
)
def test_refuses_a_contradiction(change: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        Estimate(**SOUND | change)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_value_may_miss_its_interval_by_rounding() -> None:
    assert Estimate(**SOUND | {"value": 0.9 + 1e-12}).high == 0.9


def test_refuses_other_fields() -> None:
    with pytest.raises(HarnessError, match=r"Estimate.from_dict: fields are clusters, high, .*; give value, low, high"):
        Estimate.from_dict({name: value for name, value in SOUND.items() if name != "value"})
    with pytest.raises(HarnessError, match="fields are clusters, extra"):
        Estimate.from_dict(SOUND | {"extra": 1})


def test_import_is_light() -> None:
    code = "import harness, sys; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'harness'" in loaded
    assert not [
        name
        for name in ("torch", "rlaif_spec", "yaml", "pandas", "scipy.stats", "scipy.optimize")
        if f"'{name}'" in loaded
    ]


def test_every_public_name_is_documented() -> None:
    assert [name for name in harness.__all__ if not getattr(harness, name).__doc__] == []
    assert harness.__all__ == sorted(harness.__all__)


def test_every_public_function_has_an_example_that_runs() -> None:
    functions = [getattr(harness, name) for name in harness.__all__ if inspect.isfunction(getattr(harness, name))]
    assert len(functions) > 100
    assert [function.__name__ for function in functions if ">>>" not in function.__doc__] == []


def test_a_small_p_is_not_printed_as_zero() -> None:
    assert str(Significance(0.0004, 3.5, 90, "z")) == "p<0.001 (n=90, z)"
