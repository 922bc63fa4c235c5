"""Adjusted p-values against statsmodels, by hand, and by what they must never do."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from harness import HarnessError
from harness.multiplicity import adjust

tables = st.lists(st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.01, 0.02, 0.05])), min_size=1, max_size=30)


@settings(max_examples=12, deadline=None)
@given(tables)
def test_adjusted_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert adjust(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert adjust(p_values, method="benjamini-hochberg") == pytest.approx(multipletests(p_values, method="fdr_bh")[1])


@settings(max_examples=50, deadline=None)
@given(tables)
def test_adjusted_is_that_of_scipy(p_values: list[float]) -> None:
    expected = scipy.stats.false_discovery_control(p_values)
    assert adjust(p_values, method="benjamini-hochberg") == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(tables, st.randoms())
def test_laws(p_values: list[float], random: Any) -> None:
    order = list(range(len(p_values)))
    random.shuffle(order)
    holm, hochberg = adjust(p_values), adjust(p_values, method="benjamini-hochberg")
    assert adjust([p_values[at] for at in order]) == pytest.approx(holm[order])
    assert np.all(np.array(p_values) <= hochberg * (1 + 1e-12))
    assert np.all(hochberg <= holm * (1 + 1e-12))
    assert holm.max() <= 1.0
    assert np.all(np.diff(holm[np.argsort(p_values)]) >= 0)


def test_by_hand() -> None:
    assert adjust([0.04, 0.01, 0.5, 0.03]) == pytest.approx([0.09, 0.04, 0.5, 0.09])
    assert adjust([0.04, 0.01, 0.5, 0.03], method="benjamini-hochberg") == pytest.approx(
        [4 * 0.04 / 3, 0.04, 0.5, 4 * 0.04 / 3]
    )
    assert adjust([0.3]).tolist() == [0.3]


@pytest.mark.parametrize(
    ("p_values", "method", "message"),
    [
        ([], "holm", "adjust: p_values empty; give at least one row"),
        ([0.1, math.nan], "holm", r"adjust: p_values\[1\] is nan; give finite numbers in \[0, 1\]"),
        ([0.1, None], "holm", r"adjust: p_values\[1\] is None"),
        ([1.1], "holm", r"adjust: p_values\[0\] is 1.1"),
        ([0.1], "bonferroni", r"adjust: method\[0\] is 'bonferroni'; use one of holm, benjamini-hochberg"),
    ],
)
def test_refusals(p_values: Any, method: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        adjust(p_values, method=method)
