"""Stratified win rates against hand-computed fractions, row-by-row resampling and their laws."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.length_strata import length_balanced_win_rate, length_balanced_win_rate_value, length_stratified_win_rate

SEEDS = st.integers(0, 2**32 - 1)
Columns = tuple[Any, Any, Any]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def comparisons(seed: int, rows: int = 400) -> Columns:
    """Few lengths, so that many are equal and many lie on an edge."""
    generator = rng(seed)
    return generator.integers(0, 3, rows) / 2.0, generator.integers(1, 12, rows), generator.integers(1, 11, rows)


def exchanged(columns: Columns) -> Columns:
    preferences, policy, opponent = columns
    return 1.0 - preferences, opponent, policy


def test_balanced_by_hand() -> None:
    columns = [1, 1, 0, 1, 0, 0.5] * 6, [9, 8, 7, 3, 3, 5] * 6, [5] * 36
    clusters = [f"{row % 6} {row // 12}" for row in range(36)]
    mine = length_balanced_win_rate(*columns, clusters=clusters, rng=rng(), resamples=100)
    assert (mine.when_longer, mine.when_shorter) == pytest.approx((2 / 3, 1 / 2))
    assert (mine.longer, mine.shorter, mine.equal) == (18, 12, 6)
    assert mine.estimate.value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (mine.estimate.n, mine.estimate.clusters) == (30, 15)
    assert length_balanced_win_rate_value(*columns) == pytest.approx(mine.estimate.value)


def test_balanced_equals_naive_resampling() -> None:
    generator = rng(1)
    columns = generator.integers(0, 2, 90), generator.integers(1, 30, 90), np.full(90, 15)
    clusters = np.arange(90) // 3
    mine = length_balanced_win_rate(*columns, clusters=clusters, rng=rng(), resamples=20_000)
    drawn = []
    for _ in range(2_000):
        rows = (3 * generator.integers(0, 30, 30)[:, None] + np.arange(3)).ravel()
        drawn.append(length_balanced_win_rate_value(*(column[rows] for column in columns)))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((low, high), abs=0.06 * (high - low))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(2, 6))
def test_exchange_order_and_unit(seed: int, strata: int) -> None:
    columns, order = comparisons(seed), rng(seed).permutation(400)
    shuffled = columns[0][order], columns[1][order] * 8, columns[2][order] * 8
    balanced = length_balanced_win_rate_value(*columns)
    assert length_balanced_win_rate_value(*shuffled) == pytest.approx(balanced, abs=1e-12)
    assert length_balanced_win_rate_value(*exchanged(columns)) == pytest.approx(1.0 - balanced, abs=1e-12)
    options: Any = {"strata": strata, "resamples": 100}
    whole = length_stratified_win_rate(*columns, **options, rng=rng()).estimate
    moved = length_stratified_win_rate(*shuffled, **options, rng=rng()).estimate
    other = length_stratified_win_rate(*exchanged(columns), **options, rng=rng()).estimate
    assert (moved.value, other.value) == pytest.approx((whole.value, 1.0 - whole.value), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 6))
def test_own_differences_as_reference_give_the_raw_rate(seed: int, strata: int) -> None:
    columns = comparisons(seed)
    own = columns[1] - columns[2]
    mine = length_stratified_win_rate(*columns, strata=strata, reference=own, rng=rng(), resamples=100)
    assert mine.estimate.value == pytest.approx(columns[0].mean(), abs=1e-12)
    assert sum(stratum.weight for stratum in mine.strata) == pytest.approx(1.0)
    assert sum(stratum.rows for stratum in mine.strata) == pytest.approx(400.0)
    assert [stratum.weight * 400 for stratum in mine.strata] == pytest.approx([stratum.rows for stratum in mine.strata])


def test_two_strata_are_the_balanced_rate() -> None:
    generator = rng(2)
    columns = generator.random(60), 2.0 * generator.integers(1, 9, 60), 2.0 * generator.integers(1, 9, 60) + 1.0
    balanced = length_balanced_win_rate(*columns, rng=rng())
    mine = length_stratified_win_rate(*columns, strata=2, rng=rng())
    assert mine.estimate.value == pytest.approx(balanced.estimate.value, abs=1e-12)
    expected = balanced.estimate.low, balanced.estimate.high
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx(expected, abs=0.01)
    shorter, longer = mine.strata
    assert (shorter.low, shorter.high, longer.low, longer.high) == (-math.inf, 0.0, 0.0, math.inf)
    assert (shorter.win_rate, longer.win_rate) == pytest.approx((balanced.when_shorter, balanced.when_longer))


def test_reweighting_by_hand() -> None:
    """The reference is cut at -4.5, which one of four lengths of the data is below."""
    columns = [0.2, 0.4, 0.6, 0.8] * 10, [94, 97, 102, 104] * 10, [100] * 40
    mine = length_stratified_win_rate(*columns, strata=2, reference=[-7, -5, -4, 5], rng=rng(), resamples=200)
    assert [tuple(stratum) for stratum in mine.strata] == [
        pytest.approx((-math.inf, -4.5, 0.5, 10.0, 0.2)),
        pytest.approx((-4.5, math.inf, 0.5, 30.0, 0.6)),
    ]
    assert mine.estimate.value == pytest.approx(0.4)
    assert mine.estimate.low < 0.4 < mine.estimate.high


def test_ends_on_an_edge_are_halved() -> None:
    columns = [1.0, 0.0, 1.0, 0.0] * 5, [6, 4, 5, 5] * 5, [5] * 20
    lower, upper = length_stratified_win_rate(*columns, strata=2, rng=rng(), resamples=200).strata
    assert (lower.rows, upper.rows, lower.weight) == (10.0, 10.0, 0.5)
    assert (lower.win_rate, upper.win_rate) == (0.25, 0.75)


def test_removes_a_length_effect() -> None:
    """The longer wins at 70 %, whoever wrote it; the policy is the longer in four of five."""
    generator = rng(3)
    longer = generator.random(4_000) < 0.8
    preferences = generator.random(4_000) < np.where(longer, 0.7, 0.3)
    columns = preferences, np.where(longer, 20, 10), np.full(4_000, 15)
    mine = length_balanced_win_rate(*columns, rng=rng())
    assert mine.estimate.low < 0.5 < mine.estimate.high
    assert mine.estimate.high < preferences.mean()


BALANCED = [
    (([1.0], [2.0, 3.0], [4.0]), {}, "lengths differ"),
    (([1.0, 2.0], [1, 3], [2, 2]), {}, r"preferences\[1\] is 2.0"),
    (([1.0, 0.0], [-1, 3], [2, 2]), {}, r"policy_lengths\[0\] is -1"),
    (([1.0, 0.0], [1, 3], [2, 2]), {"clusters": [1]}, "lengths differ"),
    (([1.0, 0.0] * 9, [1, 3] * 9, [2, 2] * 9), {}, "every resample gives 0.5"),
]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        *BALANCED,
        (([1.0, 0.0], [3, 3], [2, 3]), {}, "the policy's response is never shorter; give rows of both kinds"),
        (([1.0, 0.0], [1, 3], [2, 3]), {}, "the policy's response is never longer"),
        (([1.0, 0.0, 1.0], [1, 3, 1], [2, 2, 2]), {}, r"undefined in \d+ of 10000 resamples"),
    ],
)
def test_balanced_refusals(columns: Columns, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=f"length_balanced_win_rate: .*{message}"):
        length_balanced_win_rate(*columns, **{"rng": rng()} | options)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        *[case if case[2] != "every resample gives 0.5" else (*case[:1], {"strata": 2}, case[2]) for case in BALANCED],
        (([1.0, 0.0], [1, 3], [2, 2]), {"strata": 1}, "strata is 1; give 2 or more"),
        (
            ([1.0, 0.0, 1.0] * 5, [1, 3, 2] * 5, [2] * 15),
            {"strata": 8},
            "quantiles of the reference are 3 distinct ones where 8 strata need 7; use fewer strata",
        ),
        (([1.0, 0.0], [2, 2], [2, 2]), {}, "every length difference of the reference is 0; give some that differ"),
        (([1.0, 0.0], [1, 3], [2, 2]), {"reference": []}, "reference empty"),
        (([1.0, 0.0], [1, 3], [2, 2]), {"reference": [1.0, math.nan]}, r"reference\[1\] is nan"),
        (
            ([1.0, 0.0], [4, 4], [2, 2]),
            {"strata": 2},
            "no row has a length difference from -inf to 0; use fewer strata or another reference",
        ),
    ],
)
def test_stratified_refusals(columns: Columns, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=f"length_stratified_win_rate: .*{message}"):
        length_stratified_win_rate(*columns, **{"rng": rng()} | options)
