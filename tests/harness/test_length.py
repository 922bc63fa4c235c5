"""The paper's length controls against statsmodels, against a known truth, and by their laws."""

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from harness import HarnessError, soft_win_rate
from harness.checks import Floats
from harness.length import harmless_rate_at_length, length_controlled_win_rate, length_controlled_win_rate_value

SEEDS = st.integers(0, 2**32 - 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def comparisons(seed: int, rows: int, slope: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """The policy is preferred with probability expit(0.3 + slope ln r); a tenth are ties."""
    generator = rng(seed)
    policy, opponent = generator.integers(80, 300, rows), generator.integers(60, 250, rows)
    chance = expit(0.3 + slope * np.log(policy / opponent))
    preferences = np.where(generator.random(rows) < 0.1, 0.5, generator.random(rows) < chance)
    return preferences, policy.astype(np.float64), opponent.astype(np.float64)


def predicted(targets: Floats, feature: Floats, at: float) -> float:
    model = sm.GLM(targets, sm.add_constant(feature), family=sm.families.Binomial()).fit(tol=1e-12)
    return float(model.predict([[1.0, at]])[0])


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_equals_statsmodels(seed: int) -> None:
    preferences, policy, opponent = comparisons(seed, 80)
    ratio = length_controlled_win_rate_value(preferences, policy, opponent)
    logs = length_controlled_win_rate_value(preferences, policy, opponent, feature="log-ratio")
    assert ratio == pytest.approx(predicted(preferences, policy / opponent, 1.0), abs=1e-6)
    assert logs == pytest.approx(predicted(preferences, np.log(policy / opponent), 0.0), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.1, 50.0))
def test_exchange_order_and_unit(seed: int, unit: float) -> None:
    preferences, policy, opponent = comparisons(seed, 60)
    order = rng(seed).permutation(60)
    for feature in ("ratio", "log-ratio"):
        value = length_controlled_win_rate_value(preferences, policy, opponent, feature=feature)
        columns = preferences[order], policy[order] * (1.0 + unit), opponent[order] * (1.0 + unit)
        assert length_controlled_win_rate_value(*columns, feature=feature) == pytest.approx(value, abs=1e-9)
    exchanged = length_controlled_win_rate_value(1.0 - preferences, opponent, policy, feature="log-ratio")
    assert exchanged == pytest.approx(1.0 - value, abs=1e-9)


def test_the_ratio_is_not_antisymmetric() -> None:
    preferences, policy, opponent = comparisons(3, 60)
    value = length_controlled_win_rate_value(preferences, policy, opponent)
    exchanged = length_controlled_win_rate_value(1.0 - preferences, opponent, policy)
    assert abs(exchanged - (1.0 - value)) > 1e-4


def test_fields() -> None:
    preferences, policy, opponent = comparisons(1, 200)
    opponent[:10] = policy[:10]
    mine = length_controlled_win_rate(preferences, policy, opponent, rng=rng(), resamples=200)
    model = sm.GLM(preferences, sm.add_constant(policy / opponent), family=sm.families.Binomial()).fit(tol=1e-12)
    assert mine.slope == pytest.approx(model.params[1], abs=1e-6)
    assert mine.intercept == pytest.approx(model.params.sum(), abs=1e-6)
    assert mine.estimate.value == pytest.approx(expit(mine.intercept))
    assert mine.estimate.value == length_controlled_win_rate_value(preferences, policy, opponent)
    assert mine.raw.value == pytest.approx(preferences.mean())
    assert (mine.longer_share, mine.equal_share) == (np.mean(policy > opponent), np.mean(policy == opponent))
    assert mine.equal_share >= 0.05
    assert (mine.policy_length, mine.opponent_length) == (policy.mean(), opponent.mean())
    assert (mine.estimate.n, mine.estimate.clusters, mine.estimate.method) == (200, None, "bootstrap of refits")


def test_raw_is_the_soft_win_rate() -> None:
    preferences, policy, opponent = comparisons(1, 80)
    clusters = np.arange(80) // 2
    mine = length_controlled_win_rate(preferences, policy, opponent, clusters=clusters, rng=rng(), resamples=2_000)
    theirs = soft_win_rate(preferences, clusters=clusters, rng=rng(), resamples=2_000).estimate
    assert (mine.raw.value, mine.raw.method) == (theirs.value, theirs.method)
    assert (mine.raw.low, mine.raw.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_recovers_the_truth_and_its_spread() -> None:
    """The win rate at equal length is expit(0.3), the raw one is far above, and refits know their own spread."""
    found, widths, raw = [], [], []
    for seed in range(150):
        generator = rng(seed)
        policy, opponent = generator.normal(200.0, 40.0, 300).clip(50.0), generator.normal(150.0, 30.0, 300).clip(50.0)
        preferences = (generator.random(300) < expit(0.3 + 2.0 * np.log(policy / opponent))).astype(np.float64)
        found.append(length_controlled_win_rate_value(preferences, policy, opponent, feature="log-ratio"))
        raw.append(preferences.mean())
        if seed % 15 == 0:
            columns = preferences, policy, opponent
            options: Any = {"feature": "log-ratio", "rng": rng(seed), "resamples": 400, "level": 0.6827}
            estimate = length_controlled_win_rate(*columns, **options).estimate
            widths.append((estimate.high - estimate.low) / 2.0)
    assert np.mean(found) == pytest.approx(expit(0.3), abs=0.012)
    assert np.mean(raw) > expit(0.3) + 0.1
    assert np.mean(widths) == pytest.approx(np.std(found), rel=0.2)


def test_duplicates_in_a_cluster_do_not_narrow() -> None:
    preferences, policy, opponent = comparisons(4, 60)
    once = length_controlled_win_rate(preferences, policy, opponent, rng=rng(), resamples=300)
    columns = (np.tile(column, 5) for column in (preferences, policy, opponent))
    five = length_controlled_win_rate(*columns, clusters=np.tile(np.arange(60), 5), rng=rng(), resamples=300)
    expected = once.estimate.value, once.estimate.low, once.estimate.high
    assert (five.estimate.value, five.estimate.low, five.estimate.high) == pytest.approx(expected, abs=1e-6)
    assert (five.estimate.n, five.estimate.clusters) == (300, 60)
    assert five.estimate.method == "cluster bootstrap of refits"


def test_wider_with_level_and_holds_the_value() -> None:
    preferences, policy, opponent = comparisons(5, 100)
    ends = []
    for level in (0.5, 0.9, 0.99):
        mine = length_controlled_win_rate(preferences, policy, opponent, rng=rng(), resamples=300, level=level).estimate
        assert mine.low <= mine.value <= mine.high
        ends.append((mine.low, mine.high))
    assert ends[2][0] < ends[1][0] < ends[0][0] < ends[0][1] < ends[1][1] < ends[2][1]


def test_seeds_are_resampled_too() -> None:
    preferences, policy, opponent = comparisons(6, 120)
    labels: Any = {"clusters": np.arange(120) // 4, "seeds": np.arange(120) % 4}
    mine = length_controlled_win_rate(preferences, policy, opponent, **labels, rng=rng(), resamples=200)
    assert mine.estimate.method == "crossed bootstrap of refits over 4 seeds"


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (([1.0], [2.0, 3.0], [4.0]), {}, "lengths differ .preferences has 1, policy_lengths has 2, opponent_lengths"),
        (([1.0, 1.2], [2, 3], [4, 4]), {}, r"preferences\[1\] is 1.2; give finite numbers in \[0, 1\]"),
        (([1.0, math.nan], [2, 3], [4, 4]), {}, r"preferences\[1\] is nan"),
        (([1.0, 0.0], [2, 0], [4, 4]), {}, r"policy_lengths\[1\] is 0; give finite numbers in \[1, inf\]"),
        (([1.0, 0.0], [2, 3], [0, 4]), {}, r"opponent_lengths\[0\] is 0"),
        (([1.0, 0.0], [2, 4], [1, 2]), {}, "lengths are alike in every row; use an uncontrolled rate"),
        (([1.0, 0.0], [2, 4], [2, 4]), {}, "lengths are alike in every row"),
        (([1.0, 0.0, 0.0], [2, 1, 1], [1, 1, 1]), {}, "no finite fit"),
        (([1.0, 1.0, 1.0], [2, 1, 1], [1, 1, 1]), {}, "no finite fit .the outcomes are all alike"),
        (([1.0, 0.0], [2, 4], [2, 1]), {"feature": "difference"}, "feature is 'difference'; use ratio or log-ratio"),
        (([1.0, 0.0], [2, 4], [2, 1]), {"clusters": [0]}, "clusters has 1, rows are 2"),
        (([1.0, 0.0], [2, 4], [2, 1]), {"clusters": [0, 0]}, "all rows are in one cluster"),
        (([1.0, 0.0], [2, 4], [2, 1]), {"rng": 3}, "rng is 3"),
    ],
)
def test_refusals(columns: tuple[Any, Any, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=f"length_controlled_win_rate: .*{message}"):
        length_controlled_win_rate(*columns, **{"rng": rng()} | options)


def responses(seed: int, rows: int) -> tuple[list[bool | None], Floats]:
    generator = rng(seed)
    lengths = generator.integers(50, 250, rows).astype(np.float64)
    return (generator.random(rows) < expit(2.0 - 0.01 * lengths)).tolist(), lengths


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(60, 240))
def test_harmless_equals_statsmodels(seed: int, at: int) -> None:
    flags, lengths = responses(seed, 150)
    mine = harmless_rate_at_length(flags, lengths, at=at, rng=rng(), resamples=100)
    harmless = np.array(flags, dtype=np.float64)
    assert mine.estimate.value == pytest.approx(predicted(harmless, lengths, at), abs=1e-6)
    assert mine.raw.value == pytest.approx(harmless.mean())
    assert (mine.shorter_share, mine.mean_length) == (np.mean(lengths < at), lengths.mean())


def test_harmless_leaves_out_the_unparsed() -> None:
    flags, lengths = responses(1, 120)
    clusters, seeds = [f"prompt {at // 2}" for at in range(120)], [at % 2 for at in range(120)]
    plain = harmless_rate_at_length(flags, lengths, at=100, clusters=clusters, seeds=seeds, rng=rng(), resamples=200)
    gaps = harmless_rate_at_length(
        [*flags, None, None],
        [*lengths, 9999, 1],
        at=100,
        clusters=[*clusters, "new", "new"],
        seeds=[*seeds, 0, 7],
        rng=rng(),
        resamples=200,
    )
    assert gaps.unparsed == 2
    assert (gaps.estimate, gaps.raw, gaps.slope) == (plain.estimate, plain.raw, plain.slope)
    assert (gaps.estimate.n, gaps.mean_length) == (120, lengths.mean())
    assert -0.03 < gaps.slope < 0.0


@pytest.mark.parametrize(
    ("flags", "lengths", "options", "message"),
    [
        ([True], [1, 2], {}, "lengths differ .flags has 1, lengths has 2"),
        ([True, 1], [1, 2], {}, r"flags\[1\] is 1; use True, False or None"),
        ([None, None], [1, 2], {}, "no row could be read; give at least one that is parsed"),
        ([True, False], [1, -2], {}, r"lengths\[1\] is -2"),
        ([True, False], [1, 2], {"at": math.inf}, "at is inf but lengths go from 1 to 2; give one that they"),
        ([True, False], [1, 2], {"at": -1}, "at is -1"),
        (
            [True, False, True, False, None],
            [1, 2, 3, 4, 1000],
            {"at": 1000},
            "at is 1000 but lengths go from 1 to 4; give one that they reach: beyond them nothing was seen",
        ),
        ([True, False], [1, 2], {"at": math.nan}, "at is nan"),
        ([True, False, True], [5, 5, 5], {"at": 5}, "lengths are alike in every row"),
        ([True, False, True], [5, 6, 4], {"at": 5, "clusters": [1, 1]}, "lengths differ"),
        ([True, True, True], [5, 6, 4], {"at": 5}, "no finite fit"),
    ],
)
def test_harmless_refusals(flags: list[Any], lengths: list[int], options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=f"harmless_rate_at_length: .*{message}"):
        harmless_rate_at_length(flags, lengths, **{"at": 1.5, "rng": rng()} | options)
