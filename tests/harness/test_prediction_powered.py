"""Prediction-powered means: the formula by hand, the laws of a perfect and of a useless judge, and coverage."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_ind

from harness import HarnessError, mean
from harness.prediction_powered import prediction_powered_mean


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rows(seed: int, n: int = 60, rest: int = 600, agreement: float = 0.85) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Human labels of rate 0.6, and a judge that says 1 too often where it errs."""
    generator = rng(seed)
    people = (generator.random(n + rest) < 0.6).astype(float)
    judge = np.where(generator.random(n + rest) < agreement, people, (generator.random(n + rest) < 0.8).astype(float))
    return people[:n], judge[:n], judge[n:]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_is_the_formula_of_the_paper(seed: int) -> None:
    people, judge, rest = rows(seed)
    mine = prediction_powered_mean(people, judge, rest)
    tuned = np.cov(people, judge)[0, 1] / len(people)
    tuned /= judge.var(ddof=1) / len(people) + rest.var(ddof=1) / len(rest)
    assert mine.lambda_ == pytest.approx(min(max(tuned, 0.0), 1.0))
    for lambda_ in (mine.lambda_, 0.3, 1.0):
        at = prediction_powered_mean(people, judge, rest, lambda_=lambda_).estimate
        assert at.value == pytest.approx(people.mean() + lambda_ * (rest.mean() - judge.mean()))
        welch = ttest_ind(people - lambda_ * judge, -lambda_ * rest, equal_var=False).confidence_interval()
        assert (at.low, at.high) == pytest.approx((welch.low, welch.high))
        assert mine.estimate.high - mine.estimate.low <= (at.high - at.low) * 1.02
    order = rng(seed).permutation(len(people))
    assert prediction_powered_mean(people[order], judge[order], rest[::-1]).estimate.low == pytest.approx(
        mine.estimate.low
    )


def test_turning_labels_turns_the_mean() -> None:
    people, judge, rest = rows(1)
    mine, turned = (
        prediction_powered_mean(people, judge, rest),
        prediction_powered_mean(1 - people, 1 - judge, 1 - rest),
    )
    assert (turned.estimate.value, turned.estimate.low) == pytest.approx(
        (1 - mine.estimate.value, 1 - mine.estimate.high)
    )
    wider = prediction_powered_mean(people, judge, rest, level=0.99).estimate
    assert wider.low < mine.estimate.low < mine.estimate.high < wider.high


def test_a_perfect_judge_is_worth_labels_of_all_rows() -> None:
    people, _, rest = rows(2, rest=800, agreement=1.0)
    mine = prediction_powered_mean(people, people, rest)
    everything = mean(np.concatenate([people, rest]))
    assert mine.estimate.value == pytest.approx(everything.value, abs=0.002)
    assert mine.estimate.high - mine.estimate.low == pytest.approx(everything.high - everything.low, rel=0.03)
    assert mine.effective_labels == pytest.approx(860, rel=0.05)
    assert mine.lambda_ == pytest.approx(800 / 860, abs=0.02)
    assert (mine.human, mine.rest, mine.estimate.n) == (60, 800, 860)


def test_a_useless_or_contrary_judge_is_left_out() -> None:
    people, _, _ = rows(3)
    alone = mean(people)
    noise = rng(4).random(660)
    useless = prediction_powered_mean(people, noise[:60], noise[60:])
    assert useless.estimate.high - useless.estimate.low == pytest.approx(alone.high - alone.low, rel=0.05)
    for judge in (1.0 - people, np.full(60, 0.7)):
        mine = prediction_powered_mean(people, judge, np.full(600, 0.7))
        assert mine.lambda_ == 0.0
        assert (mine.estimate.value, mine.estimate.low, mine.estimate.high) == pytest.approx(
            (alone.value, alone.low, alone.high)
        )
        assert mine.effective_labels == pytest.approx(60)


def test_is_right_on_average_and_covers_where_the_judge_alone_does_not() -> None:
    covered, drawn, believed, width = 0, [], 0, []
    for seed in range(500):
        people, judge, rest = rows(seed, agreement=0.7)
        mine = prediction_powered_mean(people, judge, rest).estimate
        covered += mine.low <= 0.6 <= mine.high
        drawn.append(mine.value)
        width.append((mine.high - mine.low) / (mean(people).high - mean(people).low))
        trusting = mean(rest)
        believed += trusting.low <= 0.6 <= trusting.high
    assert 0.92 <= covered / 500 <= 0.98
    assert float(np.mean(drawn)) == pytest.approx(0.6, abs=4 * float(np.std(drawn)) / math.sqrt(500))
    assert believed / 500 < 0.3
    assert float(np.mean(width)) < 0.9


def test_bootstrap_agrees_with_the_analytic_error() -> None:
    people, judge, rest = rows(5, n=150)
    analytic = prediction_powered_mean(people, judge, rest).estimate
    drawn = prediction_powered_mean(people, judge, rest, rng=rng(), resamples=4_000)
    assert (drawn.estimate.low, drawn.estimate.high) == pytest.approx((analytic.low, analytic.high), abs=0.015)
    assert drawn.estimate.method == "prediction-powered bootstrap"
    basic = prediction_powered_mean(people, judge, rest, rng=rng(), resamples=200, interval="basic")
    assert basic.estimate.method.endswith("bootstrap basic")


def test_copies_in_a_cluster_do_not_narrow() -> None:
    people, judge, rest = rows(6)
    once = prediction_powered_mean(people, judge, rest)
    copied = prediction_powered_mean(
        np.tile(people, 4), np.tile(judge, 4), np.tile(rest, 4),
        clusters=np.tile(np.arange(60), 4), rest_clusters=100 + np.tile(np.arange(600), 4),
    )  # fmt: skip
    assert (copied.estimate.low, copied.estimate.high) == pytest.approx((once.estimate.low, once.estimate.high))
    assert (copied.estimate.n, copied.estimate.clusters, copied.lambda_) == (2640, 660, pytest.approx(once.lambda_))
    assert copied.estimate.method == "prediction-powered on clusters"


def test_a_prompt_in_both_parts_is_one_cluster() -> None:
    generator, covered, apart = rng(7), 0, 0
    for _ in range(300):
        hard = generator.normal(size=200)
        people = hard[:80] + 0.3 * generator.normal(size=80)
        judge, rest = hard[:80] + 0.3 * generator.normal(size=80), hard + 0.3 * generator.normal(size=200)
        options: dict[str, Any] = {"clusters": np.arange(80), "lambda_": 1.0}
        mine = prediction_powered_mean(people, judge, rest, rest_clusters=np.arange(200), **options).estimate
        other = prediction_powered_mean(people, judge, rest, lambda_=1.0).estimate
        covered += mine.low <= 0.0 <= mine.high
        apart += other.high - other.low != pytest.approx(mine.high - mine.low, rel=1e-6)
    assert 0.92 <= covered / 300 <= 0.98
    assert apart == 300


def test_wide_quantile_with_few_human_labels() -> None:
    people = np.array([1.0, 0.0, 1.0, 1.0])
    mine = prediction_powered_mean(people, np.zeros(4), np.zeros(50)).estimate
    assert mine.high - mine.value == pytest.approx(student.ppf(0.975, 3) * 0.25)


A, B = [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prediction_powered_mean(A, [1.0], B), r"lengths differ \(human has 3, judge_on_human has 1\)"),
        (lambda: prediction_powered_mean(A, B, []), "prediction_powered_mean: judge_on_rest empty"),
        (lambda: prediction_powered_mean([1, None, 0], B, B), r"human\[1\] is None"),  # type: ignore[list-item]
        (lambda: prediction_powered_mean(A, B, B, lambda_=2), r"lambda_ is 2; give one in \[0, 1\], or None to tune"),
        (lambda: prediction_powered_mean(A, B, B, level=0), "level is 0"),
        (lambda: prediction_powered_mean([1, 1], [1, 1], [1, 1]), "the standard error is 0; give rows that differ"),
        (lambda: prediction_powered_mean([1], [1], A), "human labels are in one cluster; give 2 or more: the interval"),
        (lambda: prediction_powered_mean(A, B, [1]), "the rest are in one cluster"),
        (
            lambda: prediction_powered_mean(A, B, B, clusters=[1, 2, 3]),
            "only one of the two samples has clusters; name",
        ),
        (
            lambda: prediction_powered_mean(A, B, B, clusters=[1, 2], rest_clusters=[1, 2, 3]),
            r"lengths differ \(clusters have 2, rows are 3\); give one a row",
        ),
        (lambda: prediction_powered_mean(A, B, B, rng=7), "rng is 7"),  # type: ignore[arg-type]
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
