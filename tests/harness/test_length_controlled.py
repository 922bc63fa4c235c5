"""AlpacaEval's length control against statsmodels and scipy, a known truth, and its laws."""

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from harness import HarnessError
from harness.checks import Floats, Ints
from harness.length_controlled import alpaca_win_rate, alpaca_win_rate_value, instruction_difficulty

SEEDS = st.integers(0, 2**32 - 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def comparisons(seed: int, rows: int = 80) -> tuple[Floats, Floats, Floats, Floats]:
    """Preferences (soft in half of the rows), both lengths, and a difficulty."""
    generator = rng(seed)
    policy, opponent, difficulty = generator.normal([900, 800, 0], [150, 120, 1], (rows, 3)).T
    chance = expit(0.2 + np.tanh((policy - opponent) / 190) + 0.8 * difficulty)
    hard = (generator.random(rows) < chance).astype(np.float64)
    return np.where(generator.random(rows) < 0.5, hard, chance), policy, opponent, difficulty


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_equals_statsmodels(seed: int) -> None:
    preferences, policy, opponent, difficulty = comparisons(seed)
    term = np.tanh((policy - opponent) / np.std(policy - opponent, ddof=1))
    family = sm.families.Binomial()
    plain = sm.GLM(preferences, sm.add_constant(term), family=family).fit(tol=1e-12).params
    assert alpaca_win_rate_value(preferences, policy, opponent) == pytest.approx(expit(plain[0]), abs=1e-6)
    known = sm.GLM(preferences, sm.add_constant(np.stack([term, difficulty], axis=1)), family=family).fit(tol=1e-12)
    expected = expit(known.params[0] + known.params[2] * difficulty).mean()
    mine = alpaca_win_rate_value(preferences, policy, opponent, difficulty=difficulty)
    assert mine == pytest.approx(expected, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 2.0]))
def test_exchange_order_and_unit(seed: int, ridge: float) -> None:
    preferences, policy, opponent, difficulty = comparisons(seed)
    order = rng(seed).permutation(80)
    for known in (None, difficulty):
        value = alpaca_win_rate_value(preferences, policy, opponent, difficulty=known, ridge=ridge)
        exchanged = alpaca_win_rate_value(1.0 - preferences, opponent, policy, difficulty=known, ridge=ridge)
        assert exchanged == pytest.approx(1.0 - value, abs=1e-9)
        moved = None if known is None else known[order]
        shuffled = preferences[order], policy[order] * 3.0, opponent[order] * 3.0
        assert alpaca_win_rate_value(*shuffled, difficulty=moved, ridge=ridge) == pytest.approx(value, abs=1e-9)


def test_a_baseline_against_itself_is_one_half() -> None:
    lengths, halves = [120, 80, 95, 300], [0.5] * 4
    assert alpaca_win_rate_value(halves, lengths, lengths) == 0.5
    assert alpaca_win_rate_value(halves, lengths, lengths, difficulty=[0.1, 2.0, -1.0, 0.4]) == 0.5
    assert alpaca_win_rate_value(halves, lengths, [100] * 4) == 0.5
    with pytest.raises(HarnessError, match=r"every resample gives 0\.5; give rows that differ"):
        alpaca_win_rate(halves, lengths, lengths, rng=rng())


def test_fields() -> None:
    preferences, policy, opponent, difficulty = comparisons(1)
    mine = alpaca_win_rate(preferences, policy, opponent, difficulty=difficulty, rng=rng(), resamples=200)
    assert mine.estimate.value == alpaca_win_rate_value(preferences, policy, opponent, difficulty=difficulty)
    assert mine.raw.value == pytest.approx(preferences.mean())
    assert mine.longer_share == np.mean(policy > opponent)
    assert mine.difficulty_slope is not None
    assert expit(mine.intercept + mine.difficulty_slope * difficulty).mean() == pytest.approx(mine.estimate.value)
    assert mine.estimate.method == "bootstrap of refits"
    plain = alpaca_win_rate(preferences, policy, policy, rng=rng(), resamples=200)
    assert (plain.length_slope, plain.difficulty_slope) == (None, None)
    assert plain.estimate.value == pytest.approx(preferences.mean(), abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_orders_of_a_pair_are_one_cluster(seed: int) -> None:
    """Two equal rows of each prompt give the interval of one; with difficulties, which equal rows must keep."""
    preferences, policy, opponent, difficulty = comparisons(seed, 60)
    once = alpaca_win_rate(preferences, policy, opponent, difficulty=difficulty, rng=rng(), resamples=100).estimate
    twice = [np.tile(column, 2) for column in (preferences, policy, opponent, difficulty)]
    # sd with ddof 1 differs a little between n and 2n rows
    mine = alpaca_win_rate(
        *twice[:3], difficulty=twice[3], clusters=np.tile(np.arange(60), 2), rng=rng(), resamples=100
    ).estimate
    assert (mine.value, mine.low, mine.high) == pytest.approx((once.value, once.low, once.high), abs=1e-3)
    assert (mine.n, mine.clusters) == (120, 60)


def test_ridge_makes_a_length_that_always_wins_finite() -> None:
    columns = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0], [9, 8, 1, 2, 7, 3], [5] * 6
    with pytest.raises(HarnessError, match="alpaca_win_rate_value: no finite fit"):
        alpaca_win_rate_value(*columns)
    values = [alpaca_win_rate_value(*columns, ridge=ridge) for ridge in (0.1, 1.0, 10.0)]
    assert values == pytest.approx([0.5, 0.5, 0.5])
    even = [1.0, 0.0, 0.5, 0.0, 1.0, 1.0]
    strong = alpaca_win_rate_value(even, [9, 8, 3, 2, 7, 4], [5] * 6, ridge=1e9)
    assert strong == pytest.approx(np.mean(even), abs=1e-6)  # no slope is left, so nothing is controlled


def judged(seed: int, systems: int, prompts: int) -> tuple[Floats, Ints, Ints, Floats, Floats, Floats]:
    """Every system on every prompt; difficulty is standard normal and its slope 0.6 + 0.1 m."""
    generator = rng(seed)
    which, where = np.repeat(np.arange(systems), prompts), np.tile(np.arange(prompts), systems)
    gamma = generator.normal(size=prompts)
    policy, opponent = generator.normal(860.0 + 20.0 * which, 100.0), np.full(len(which), 900.0)
    logits = 0.2 * which - 0.4 + 0.8 * np.tanh((policy - opponent) / 100.0) + (0.6 + 0.1 * which) * gamma[where]
    won = (generator.random(len(which)) < expit(logits)).astype(np.float64)
    return won, which, where, policy, opponent, gamma


@pytest.mark.parametrize("ridge", [0.5, 1.0])
def test_difficulty_equals_a_dense_fit(ridge: float) -> None:
    """By a general optimiser on all parameters at once; not every system has every prompt."""
    won, which, where, policy, opponent, _ = judged(3, 3, 12)
    keep = np.arange(len(won)) % 7 != 0
    won, which, where, policy, opponent = (column[keep] for column in (won, which, where, policy, opponent))
    term = np.empty(len(won))
    for system in range(3):
        d = (policy - opponent)[which == system]
        term[which == system] = np.tanh(d / d.std(ddof=1))
    design = np.concatenate([np.eye(3)[which], np.eye(3)[which] * term[:, None], np.eye(12)[where]], axis=1)
    penalty = np.array([0.0] * 6 + [ridge] * 12)

    def loss(at: Floats) -> tuple[float, Floats]:
        logits = design @ at
        value = np.sum(np.logaddexp(0.0, logits) - won * logits) + 0.5 * penalty @ at**2
        return float(value), np.asarray(design.T @ (expit(logits) - won) + penalty * at)

    found = minimize(loss, np.zeros(18), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    mine = instruction_difficulty(won, which, where, policy, opponent, ridge=ridge)
    assert mine == pytest.approx(found[6:][where], abs=1e-5)
    assert sum(dict(zip(where.tolist(), mine.tolist(), strict=True)).values()) == pytest.approx(0.0, abs=1e-8)


def test_difficulty_ignores_names_and_order() -> None:
    won, which, where, policy, opponent, gamma = judged(4, 8, 40)
    plain = instruction_difficulty(won, which, where, policy, opponent)
    order = rng().permutation(len(won))
    named: Any = [f"system {7 - at}" for at in which[order]], [f"prompt {at}" for at in where[order]]
    moved = instruction_difficulty(won[order], *named, policy[order], opponent[order])
    assert moved == pytest.approx(plain[order], abs=1e-8)
    assert np.corrcoef(plain[:40], gamma)[0, 1] > 0.6


def test_the_baseline_among_the_systems_changes_little() -> None:
    """Its rows are 0.5 at equal lengths: they pull every prompt towards 0 and leave the order."""
    won, which, where, policy, opponent, _ = judged(5, 3, 30)
    plain = instruction_difficulty(won, which, where, policy, opponent)[:30]
    labels = np.append(which, np.full(30, 3)), np.append(where, np.arange(30))
    lengths = np.append(policy, opponent[:30]), np.append(opponent, opponent[:30])
    joined = instruction_difficulty(np.append(won, np.full(30, 0.5)), *labels, *lengths)[:30]
    assert np.abs(joined).sum() < np.abs(plain).sum()
    assert np.corrcoef(joined, plain)[0, 1] > 0.99


def test_recovers_the_truth_and_its_spread() -> None:
    """Difficulties are estimated anew in each data set; the interval, which keeps them, has the spread all the same."""
    found, widths = [], []
    for seed in range(100):
        won, which, where, policy, opponent, _ = judged(seed, 5, 200)
        gamma = instruction_difficulty(won, which, where, policy, opponent)
        one = which == 3
        columns = won[one], policy[one], opponent[one]
        found.append(alpaca_win_rate_value(*columns, difficulty=gamma[one]))
        if seed % 10 == 0:
            options: Any = {"rng": rng(seed), "resamples": 300, "level": 0.6827}
            estimate = alpaca_win_rate(*columns, difficulty=gamma[one], **options).estimate
            widths.append((estimate.high - estimate.low) / 2.0)
    truth = expit(0.2 + 0.9 * rng(9).normal(size=100_000)).mean()
    assert np.mean(found) == pytest.approx(truth, abs=0.015)
    assert np.mean(widths) == pytest.approx(np.std(found), rel=0.25)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (([1.0], [2.0, 3.0], [4.0]), {}, "lengths differ"),
        (([1.0, 2.0], [1, 3], [2, 2]), {}, r"preferences\[1\] is 2.0"),
        (([1.0, 0.0], [1, -3], [2, 2]), {}, r"policy_lengths\[1\] is -3"),
        (([1.0, 0.0], [1, 3], [2, 2]), {"difficulty": [1.0]}, "lengths differ"),
        (([1.0, 0.0], [1, 3], [2, 2]), {"difficulty": [1.0, math.nan]}, r"difficulty\[1\] is nan"),
        (([1.0, 0.0], [1, 3], [2, 2]), {"difficulty": [4.0, 4.0]}, "every difficulty is 4; give some that differ"),
        (([1.0, 0.0], [1, 3], [2, 2]), {"ridge": -1.0}, "ridge is -1.0; give 0 or more"),
        (([1.0, 0.0], [3, 3], [2, 2]), {}, "lengths differ by the same in every row"),
        (([1.0, 0.0], [1, 3], [2, 2]), {"clusters": [1]}, "lengths differ"),
        (([1.0, 1.0, 1.0], [1, 3, 2], [2, 2, 2]), {"ridge": 1.0}, "no finite fit .the outcomes are all alike"),
    ],
)
def test_refusals(columns: tuple[Any, Any, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=f"alpaca_win_rate: .*{message}"):
        alpaca_win_rate(*columns, **{"rng": rng()} | options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": [0, 1]}, "lengths differ"),
        ({"ridge": 0.0}, "ridge is 0.0; give one above 0, such as 1"),
        ({"systems": ["a"] * 4}, "all rows are of one system; give 2 or more, or leave difficulty out"),
        ({"prompts": [0] * 4}, "all rows are in one cluster"),
        ({"policy_lengths": [3, 3, 1, 4]}, "lengths differ by the same in every row"),
        ({"systems": ["a", "b", "b", "b"]}, "lengths differ by the same in every row"),
        ({"preferences": [1, 1, 0, 1]}, "no finite fit .a system wins or loses everywhere"),
        ({"preferences": [math.nan, 1, 0, 1]}, r"preferences\[0\] is nan"),
    ],
)
def test_difficulty_refusals(change: dict[str, Any], message: str) -> None:
    given_columns = {"systems": list("aabb"), "prompts": [0, 1, 0, 1], "preferences": [1, 0.5, 0.2, 1]}
    lengths = {"policy_lengths": [3, 1, 1, 4], "opponent_lengths": [2, 2, 2, 2]}
    with pytest.raises(HarnessError, match=f"instruction_difficulty: .*{message}"):
        instruction_difficulty(**given_columns | lengths | change)
