"""The comparison with a published figure: its interval against a z test, its four words, and the printed digits."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep

from harness import Estimate, HarnessError, proportion, table
from harness.published import against_published, with_published

OURS = Estimate(0.70, 0.68, 0.72, 0.95, 2000, 1000, "cluster bootstrap")


def about(value: float, reach: float, level: float = 0.95) -> Estimate:
    return Estimate(value, value - reach, value + reach, level, 100, None, "t")


@settings(deadline=None, max_examples=50)
@given(
    st.floats(-1, 1), st.floats(-1, 1), st.floats(0.01, 0.3), st.floats(0.0, 0.3), st.sampled_from([0.8, 0.95, 0.99])
)
def test_is_a_z_test_of_two_normal_figures(ours: float, theirs: float, one: float, other: float, level: float) -> None:
    z = norm.ppf((1 + level) / 2)
    found = against_published(about(ours, z * one, level), f"{theirs:.12f}", standard_error=other)
    p = 2 * norm.sf(abs(ours - theirs) / math.hypot(one, other))
    if abs(p - (1 - level)) > 1e-6:
        assert (found.verdict in ("higher", "lower")) == (p < 1 - level)
    assert found.difference.high - found.difference.value == pytest.approx(z * math.hypot(one, other))


@pytest.mark.parametrize(("first", "n", "second", "m"), [(30, 40, 18, 50), (7, 9, 400, 1000), (0, 20, 5, 10)])
def test_shares_of_independent_rows_have_the_interval_of_newcombe(first: int, n: int, second: int, m: int) -> None:
    found = against_published(proportion(first, n), f"{second / m:.9f}", n=m)
    expected = confint_proportions_2indep(first, n, second, m, method="newcomb", compare="diff")
    assert (found.difference.low, found.difference.high) == pytest.approx(expected, abs=1e-7)


def test_an_interval_is_that_of_its_error_and_is_rescaled() -> None:
    by_error = against_published(OURS, "0.7200", standard_error=0.01)
    z95, z80 = norm.ppf(0.975), norm.ppf(0.9)
    at_95 = against_published(OURS, "0.7200", low=0.72 - z95 * 0.01, high=0.72 + z95 * 0.01)
    at_80 = against_published(OURS, "0.7200", low=0.72 - z80 * 0.01, high=0.72 + z80 * 0.01, level=0.8)
    for found in (at_95, at_80):
        ends = (found.difference.low, found.difference.high)
        assert ends == pytest.approx((by_error.difference.low, by_error.difference.high))
    assert by_error.difference.method == "difference, published error from its standard error"
    assert at_95.difference.method == "difference, published error from its interval"


def test_skewed_intervals_reach_to_the_side_that_faces_the_other() -> None:
    ours = Estimate(0.5, 0.4, 0.9, 0.95, 10, None, "bootstrap")
    found = against_published(ours, "0.50000000", low=0.47, high=0.7).difference
    assert found.low == pytest.approx(-math.hypot(0.1, 0.2))
    assert found.high == pytest.approx(math.hypot(0.4, 0.03))


@pytest.mark.parametrize(
    ("published", "value", "rounding"),
    [
        ("0.71", 0.71, 0.005),
        ("0.710", 0.71, 0.0005),
        ("71 %", 0.71, 0.005),
        (" 71.0% ", 0.71, 0.0005),
        ("1093", 1093.0, 0.5),
        (0.71, 0.71, 0.005),
        (0.7, 0.7, 0.005),
        (1, 1.0, 0.005),
        (np.float64(0.7123), 0.7123, 0.00005),
        ("7e-5", 7e-5, 0.5e-5),
    ],
)
def test_printed_digits_count(published: Any, value: float, rounding: float) -> None:
    ours = about(value, 0.02)
    found = against_published(ours, published, standard_error=0)
    assert found.published == pytest.approx(value)
    assert found.difference.high == pytest.approx(0.02 + rounding)
    assert found.difference.low == pytest.approx(-0.02 - rounding)


@pytest.mark.parametrize(
    ("published", "options", "verdict", "within"),
    [
        ("0.71", {"n": 2000, "margin": 0.05}, "consistent", True),
        ("0.71", {"n": 2000, "margin": 0.04}, "cannot tell", False),
        ("0.71", {"n": 2000}, "cannot tell", None),
        ("0.71", {"n": 100, "margin": 0.05}, "cannot tell", False),
        ("0.71", {"margin": 0.05}, "cannot tell", True),
        ("0.71", {"standard_error": 0, "margin": 0.05}, "consistent", True),
        ("0.80", {"margin": 0.05}, "lower", False),
        ("0.80", {"n": 2000, "margin": 0.05}, "lower", False),
        ("0.60", {"low": 0.58, "high": 0.62}, "higher", None),
        ("0.726", {"standard_error": 0, "margin": 0.05}, "lower", True),
        ("0.73", {"standard_error": 0, "margin": 0.06}, "lower", True),
        ("0.73", {"margin": 0.1}, "cannot tell", True),
        ("0.72", {"standard_error": 0}, "cannot tell", None),
    ],
)
def test_the_four_words(published: str, options: dict[str, Any], verdict: str, within: bool | None) -> None:
    found = against_published(OURS, published, **options)
    assert (found.verdict, found.within_margin) == (verdict, within)
    assert (found.difference.n, found.difference.clusters, found.difference.level) == (2000, 1000, 0.95)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(5, 5000), st.integers(5, 5000))
def test_exchanging_the_two_turns_the_verdict(one: float, other: float, n: int, m: int) -> None:
    one, other = round(one, 6), round(other, 6)
    there = against_published(proportion(one * n, n), f"{other:.9f}", n=m, margin=0.1)
    back = against_published(proportion(other * m, m), f"{one:.9f}", n=n, margin=0.1)
    turned = {"lower": "higher", "higher": "lower"}
    assert back.difference.low == pytest.approx(-there.difference.high, abs=1e-8)
    if min(abs(there.difference.low), abs(there.difference.high)) > 1e-7:
        assert back.verdict == turned.get(there.verdict, there.verdict)


def test_intervals_widen_with_level_and_narrow_with_the_published_n() -> None:
    by_level = [against_published(proportion(70, 100, level=level), 0.7, n=100) for level in (0.5, 0.8, 0.95, 0.99)]
    by_n = [against_published(OURS, 0.7, n=n) for n in (10_000, 1000, 100, 10)]
    for found in (by_level, by_n):
        widths = [one.difference.high - one.difference.low for one in found]
        assert all(narrow < wide for narrow, wide in pairwise(widths))


def framed() -> pd.DataFrame:
    rows = [("summarize", "RLAIF", OURS), ("summarize", "SFT", OURS), ("helpful", "RLAIF", proportion(6, 10))]
    return table([{"task": task, "policy": policy, "estimate": estimate} for task, policy, estimate in rows])


def test_columns_beside_a_frame() -> None:
    paper = pd.DataFrame(
        [
            ("helpful", "RLAIF", "63 %", 200.0, math.nan),
            ("summarize", "RLAIF", "80 %", math.nan, 0.01),
            ("harmless", "RLAIF", "88 %", math.nan, math.nan),
        ],
        columns=["task", "policy", "published", "published_n", "published_standard_error"],
    )
    frame = framed().set_index(pd.Index([7, 8, 9]))
    made = with_published(frame, paper, on=["task", "policy"], margin=0.05)
    assert made.index.tolist() == [7, 8, 9]
    assert list(made.columns[-5:]) == [
        "published",
        "difference",
        "difference_low",
        "difference_high",
        "against_published",
    ]
    assert made["against_published"].fillna("-").tolist() == ["lower", "-", "cannot tell"]
    assert made["published"].isna().tolist() == [False, True, False]
    alone = against_published(OURS, "80 %", standard_error=0.01, margin=0.05).difference
    assert made.iloc[0][["difference", "difference_low", "difference_high"]].tolist() == [
        alone.value,
        alone.low,
        alone.high,
    ]
    one = with_published(framed(), [{"policy": "SFT", "published": 0.5, "published_level": None}], on=["policy"])
    assert one["against_published"].fillna("-").tolist() == ["-", "higher", "-"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: against_published(OURS, "seventy"),
            "against_published: published is 'seventy'; give a number, or its",
        ),
        (lambda: against_published(OURS, math.nan), "published is nan"),
        (lambda: against_published(OURS, None), "published is None"),  # type: ignore[arg-type]
        (lambda: against_published(OURS, 0.7, n=10, standard_error=0.1), "n and standard_error given; give n, or low"),
        (lambda: against_published(OURS, 0.7, low=0.6), "low given; give n, or low and high, or standard_error"),
        (
            lambda: against_published(OURS, 0.7, low=0.71, high=0.8),
            r"published is 0.7, outside \[0.71, 0.8\]; give low",
        ),
        (lambda: against_published(OURS, 0.7, low=0.6, high=0.8, level=1), "level is 1"),
        (lambda: against_published(OURS, 0.7, n=10, level=0.9), "level is 0.9 without low and high"),
        (lambda: against_published(OURS, 71, n=100), "published is 71 and ours a share; give 0.71, or the"),
        (
            lambda: against_published(OURS, -0.7, n=100),
            "published is -0.7 with n 100; give a share of 0 to 1, of a whole",
        ),
        (lambda: against_published(OURS, 0.7, n=0), "published is 0.7 with n 0"),
        (lambda: against_published(OURS, 0.7, standard_error=-1), "standard_error is -1; give 0 or more"),
        (lambda: against_published(OURS, 0.7, margin=0), "margin is 0; give one above 0"),
        (lambda: with_published(framed(), [{"policy": "XS"}], on=["policy"]), r"records\[0\] has no published; it has"),
        (
            lambda: with_published(framed(), [{"policy": "XS", "published": 1}], on=["policy"]),
            "no published figure has a",
        ),
        (lambda: with_published(framed(), [{"size": "L", "published": 1}], on=["size"]), "no column size; name one of"),
        (
            lambda: with_published(
                framed().assign(size=[1, 2, 2]),
                [{"size": size, "published": 0.5} for size in (1, 3, "2.0")],
                on=["size"],
            ),
            "with_published: '2.0' reads like 2 of the frame but is not equal to it; name them alike",
        ),
        (
            lambda: with_published(
                framed(),
                [{"task": "helpful", "policy": name, "published": 0.5} for name in ("RLAIF", "SFT", " RLAIF")],
                on=["task", "policy"],
            ),
            "'helpful', ' RLAIF' reads like 'helpful', 'RLAIF' of the frame",
        ),
        (
            lambda: with_published(framed(), [{"policy": "SFT", "published": 1}] * 2, on=["policy"]),
            "SFT is published twice; give one figure of each name",
        ),
        (
            lambda: with_published(framed().assign(published=1), [{"policy": "SFT", "published": 1}], on=["policy"]),
            "the frame has a column published; rename it",
        ),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()


def test_points_are_not_compared_to_a_share() -> None:
    ours = Estimate(0.7, 0.68, 0.72, 0.95, 2000, None, "wilson")
    with pytest.raises(HarnessError, match=r"published is 71 and ours a share; give 0.71, or the text '71 %'"):
        against_published(ours, 71)
    with pytest.raises(HarnessError, match="give a share of 0 to 1, of a whole number n >= 1"):
        against_published(ours, 0.71, n=1.9)  # type: ignore[arg-type]
