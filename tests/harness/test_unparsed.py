"""Worst-case bounds by hand, against the rates without them, and how often they hold the rate of all verdicts."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from harness import HarnessError, harmless_rate, win_rate
from harness.unparsed import harmless_rate_bounds, soft_win_rate_bounds, win_rate_bounds


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


VERDICTS: list[Any] = ["policy"] * 5 + ["tie"] * 2 + ["opponent"] * 4 + ["unparsed"] * 3


def test_by_hand() -> None:
    mine = win_rate_bounds(VERDICTS, rng=rng(), resamples=500)
    assert (mine.lower.value, mine.upper.value) == pytest.approx((6 / 14, 9 / 14))
    assert (mine.unparsed, mine.unparsed_share, mine.lower.n) == (3, 3 / 14, 14)
    assert mine.interval == (mine.lower.low, mine.upper.high)
    values = np.array([1.0] * 5 + [0.5] * 2 + [0.0] * 7)
    assert mine.lower_error == pytest.approx(values.std(ddof=1) / math.sqrt(14))


def test_none_unparsed_is_the_ordinary_rate() -> None:
    read, prompts = VERDICTS[:11], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    mine = win_rate_bounds(read, clusters=prompts, rng=rng())
    ordinary = win_rate(read, clusters=prompts, rng=rng())
    assert mine.lower == mine.upper == ordinary.estimate
    assert mine.lower_error == mine.upper_error == ordinary.standard_error
    low, high = mine.imbens_manski()
    assert high - low == pytest.approx(2 * norm.ppf(0.975) * ordinary.standard_error)
    flags = [True] * 9 + [False] * 2
    assert harmless_rate_bounds(flags).upper == harmless_rate(flags).estimate
    seeded = harmless_rate_bounds(flags, clusters=prompts, rng=rng(), level=0.9)
    assert seeded.lower == harmless_rate(flags, clusters=prompts, rng=rng(), level=0.9).estimate


def test_soft_bounds_of_hard_preferences_are_those_of_verdicts() -> None:
    soft = [{"policy": 1.0, "tie": 0.5, "opponent": 0.0, "unparsed": None}[word] for word in VERDICTS]
    hard = win_rate_bounds(VERDICTS, rng=rng(), resamples=200)
    assert soft_win_rate_bounds(soft, rng=rng(), resamples=200) == hard


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["policy", "opponent", "tie", "unparsed"]), min_size=4, max_size=40))
def test_bounds_hold_every_completion_and_turn_with_the_sides(words: list[Any]) -> None:
    mine = win_rate_bounds(words, rng=rng(), resamples=100)
    completed = [
        rng(len(words)).choice(["policy", "opponent", "tie"]) if word == "unparsed" else word for word in words
    ]
    rate = win_rate(completed, rng=rng(), resamples=100).estimate.value
    assert mine.interval[0] <= mine.lower.value <= rate <= mine.upper.value <= mine.interval[1]
    assert mine.upper.value - mine.lower.value == pytest.approx(mine.unparsed_share)
    other = {"policy": "opponent", "opponent": "policy"}
    turned = win_rate_bounds([other.get(word, word) for word in words], rng=rng(), resamples=100)  # type: ignore[misc]
    assert turned.lower.value == pytest.approx(1 - mine.upper.value)


@pytest.mark.parametrize("unparsed", [0, 1, 3, 30])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_imbens_manski_against_a_root_finder(unparsed: int, level: float) -> None:
    mine = harmless_rate_bounds([True] * 50 + [False] * 40 + [None] * unparsed, level=level)
    apart = (mine.upper.value - mine.lower.value) / max(mine.lower_error, mine.upper_error)
    reach = brentq(lambda c: norm.cdf(c + apart) - norm.cdf(-c) - level, 0.1, 5.0, xtol=1e-12)
    assert norm.ppf(level) - 1e-9 <= reach <= norm.ppf((1 + level) / 2) + 1e-9
    expected = (mine.lower.value - reach * mine.lower_error, mine.upper.value + reach * mine.upper_error)
    assert mine.imbens_manski() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("level", [0.05, 0.3, 0.5])
def test_imbens_manski_holds_the_bounds_at_any_level(level: float) -> None:
    mine = harmless_rate_bounds([True] * 50 + [False] * 40 + [None] * 30, level=level)
    low, high = mine.imbens_manski()
    assert (low, high) == pytest.approx((mine.lower.value, mine.upper.value), abs=1e-6)
    assert low <= mine.lower.value <= mine.upper.value <= high


def test_holds_the_rate_of_all_verdicts_where_the_read_ones_do_not() -> None:
    generator, held, narrow, ignored = rng(1), 0, 0, 0
    for _ in range(400):
        harmless = generator.random(300) < 0.8
        unread = generator.random(300) < np.where(harmless, 0.02, 0.4)
        flags = [None if gone else bool(flag) for gone, flag in zip(unread, harmless, strict=True)]
        mine, read = harmless_rate_bounds(flags), harmless_rate(flags).estimate
        held += mine.interval[0] <= 0.8 <= mine.interval[1]
        narrow += mine.imbens_manski()[0] <= 0.8 <= mine.imbens_manski()[1]
        ignored += read.low <= 0.8 <= read.high
    assert held / 400 >= 0.95
    assert 0.92 <= narrow / 400 <= held / 400
    assert ignored / 400 < 0.6


def test_clusters_widen_and_nothing_read_is_all_of_it() -> None:
    flags: list[bool | None] = [True, False, None, True] * 10
    copies, prompts = flags * 5, list(range(40)) * 5
    clustered = harmless_rate_bounds(copies, clusters=prompts, rng=rng())
    alone = harmless_rate_bounds(copies)
    assert clustered.interval[0] < alone.interval[0] < alone.interval[1] < clustered.interval[1]
    assert clustered.lower_error > 2 * alone.lower_error
    assert clustered.lower.clusters == 40
    nothing = harmless_rate_bounds([None, None, None])
    assert nothing.interval == (0.0, 1.0)
    assert nothing.unparsed_share == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: win_rate_bounds([], rng=rng()), "win_rate_bounds: outcomes empty"),
        (lambda: win_rate_bounds(["win", "tie"], rng=rng()), r"outcomes\[0\] is 'win'; use one of policy, tie"),  # type: ignore[list-item]
        (lambda: win_rate_bounds(["tie", "tie"], rng=7), "rng is 7"),  # type: ignore[arg-type]
        (lambda: win_rate_bounds(["tie", "tie"], clusters=[1], rng=rng()), r"lengths differ \(clusters has 1"),
        (lambda: soft_win_rate_bounds([0.5, 1.5], rng=rng()), r"preferences\[1\] is 1.5; give finite numbers in"),
        (lambda: soft_win_rate_bounds([], rng=rng()), "preferences empty"),
        (lambda: harmless_rate_bounds([True, "no"]), r"flags\[1\] is 'no'; use True, False or None"),  # type: ignore[list-item]
        (lambda: harmless_rate_bounds([]), "flags empty"),
        (lambda: harmless_rate_bounds([True, False], clusters=[1, 2]), "clusters without rng; give numpy"),
        (lambda: harmless_rate_bounds([True, False], level=1), "level is 1"),
        (
            lambda: harmless_rate_bounds([True, True, None]).imbens_manski(),
            "imbens_manski: the standard error of a bound is 0; use interval, which is wider",
        ),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
