"""TOST and non-inferiority against statsmodels, against their own intervals, and against the truth."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from harness import HarnessError, standard_error
from harness.equivalence import equivalence, non_inferiority, win_rate_equivalence, win_rate_non_inferiority
from harness.paired import paired_t


def pairs(seed: int, count: int = 30) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    theirs = generator.normal(size=count)
    return theirs + generator.normal(0.1, 0.5, size=count), theirs


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1.0), st.floats(0.001, 0.4))
def test_p_values_are_those_of_statsmodels(seed: int, margin: float, alpha: float) -> None:
    ours, theirs = pairs(seed)
    p, low, high = ttost_paired(ours, theirs, -margin, margin)
    found = equivalence(ours, theirs, margin=margin, alpha=alpha)
    assert (found.p, found.p_low, found.p_high) == pytest.approx((p, low[1], high[1]))
    one = non_inferiority(ours, theirs, margin=margin, alpha=alpha)
    assert (one.p, one.p_inferior) == pytest.approx((low[1], 1 - low[1]))
    interval = paired_t(ours, theirs, level=1 - 2 * alpha)
    assert found.difference == one.difference == interval
    assert (found.verdict == "equivalent") == (-margin < interval.low and interval.high < margin)
    assert (one.verdict == "non-inferior") == (interval.low > -margin)
    assert (one.verdict == "inferior") == (interval.high < -margin)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1.0))
def test_exchange_negates(seed: int, margin: float) -> None:
    ours, theirs = pairs(seed)
    forth, back = equivalence(ours, theirs, margin=margin), equivalence(theirs, ours, margin=margin)
    assert (forth.p_low, forth.p_high) == pytest.approx((back.p_high, back.p_low))
    assert forth.verdict == back.verdict
    assert (forth.difference.low, forth.difference.value) == pytest.approx(
        (-back.difference.high, -back.difference.value)
    )
    wider = equivalence(ours, theirs, margin=2 * margin)
    assert wider.p <= forth.p


def test_clusters_have_fewer_degrees_of_freedom() -> None:
    generator = np.random.default_rng(1)
    clusters = np.arange(60) // 3
    ours = 0.1 + generator.normal(size=20)[clusters] * 0.5 + generator.normal(size=60) * 0.2
    theirs = np.zeros(60)
    found = equivalence(ours, theirs, margin=0.5, clusters=clusters)
    error = standard_error(ours, clusters=clusters)
    assert found.p_low == pytest.approx(scipy.stats.t.sf((ours.mean() + 0.5) / error, 19))
    assert found.p_high == pytest.approx(scipy.stats.t.cdf((ours.mean() - 0.5) / error, 19))
    assert (found.difference.clusters, found.difference.method) == (20, "paired t on clusters")
    assert found.p > 2 * equivalence(ours, theirs, margin=0.5).p


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 0.4))
def test_a_win_rate_is_compared_with_one_half(seed: int, margin: float) -> None:
    wins = np.random.default_rng(seed).choice([0.0, 0.5, 1.0], size=60)
    clusters = np.arange(60) // 2
    half = np.full(60, 0.5)
    rate = win_rate_equivalence(wins, margin=margin, clusters=clusters)
    same = equivalence(wins, half, margin=margin, clusters=clusters)
    assert (rate.p_low, rate.p_high, rate.verdict) == (same.p_low, same.p_high, same.verdict)
    assert rate.difference.value == pytest.approx(wins.mean() - 0.5)
    assert rate.difference.method == "t on clusters"
    one = win_rate_non_inferiority(wins, margin=margin, clusters=clusters)
    assert (one.p, one.verdict) == (same.p_low, non_inferiority(wins, half, margin=margin, clusters=clusters).verdict)


def test_the_verdicts() -> None:
    noise = np.array([0.01, -0.01] * 20)
    assert str(equivalence(noise, np.zeros(40), margin=0.05)).startswith("equivalent within ±0.05 (p<0.001): 0.000 [")
    assert equivalence(noise + 0.05, np.zeros(40), margin=0.05).verdict == "not shown"
    assert equivalence(noise + 1.0, np.zeros(40), margin=0.05).verdict == "not shown"
    assert non_inferiority(noise + 1.0, np.zeros(40), margin=0.05).verdict == "non-inferior"
    assert non_inferiority(noise - 0.05, np.zeros(40), margin=0.05).verdict == "not shown"
    assert str(non_inferiority(noise - 0.1, np.zeros(40), margin=0.05)).startswith("inferior at margin 0.05 (p=1.000)")


def test_is_wrong_at_most_alpha_of_the_time_on_the_margin() -> None:
    generator, wrong = np.random.default_rng(2), 0
    clusters = np.arange(90) // 3
    for _ in range(600):
        rows = 0.2 + 0.3 * generator.normal(size=30)[clusters] + 0.1 * generator.normal(size=90)
        wrong += equivalence(rows, np.zeros(90), margin=0.2, clusters=clusters).verdict == "equivalent"
    assert 0.025 <= wrong / 600 <= 0.08


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: equivalence([1, 0], [0, 0], margin=0.0), "equivalence: margin is 0.0; give the largest difference"),
        (lambda: equivalence([1, 0], [0, 0], margin=math.nan), "equivalence: margin is nan"),
        (lambda: equivalence([1, 0], [0, 0], margin=math.inf), "equivalence: margin is inf"),
        (lambda: non_inferiority([1, 0], [0, 0], margin=-0.1), "non_inferiority: margin is -0.1"),
        (lambda: equivalence([1, 0], [0, 0], margin=1, alpha=0.5), "alpha is 0.5; give one between 0 and 0.5, such as"),
        (lambda: non_inferiority([1, 0], [0, 0], margin=1, alpha=0.0), "non_inferiority: alpha is 0.0"),
        (lambda: equivalence([1, 0], [0], margin=1), "equivalence: lengths differ"),
        (lambda: equivalence([1], [0], margin=1), "equivalence: rows are 1"),
        (lambda: equivalence([1, 1], [0, 0], margin=1), "equivalence: every cluster has the difference 1"),
        (lambda: non_inferiority([1, None], [0, 0], margin=1), r"ours\[1\] is None"),  # type: ignore[list-item]
        (
            lambda: win_rate_equivalence([1, 2], margin=0.1),
            r"win_rate_equivalence: preferences\[1\] is 2; .* in \[0, 1\]",
        ),
        (lambda: win_rate_equivalence([], margin=0.1), "win_rate_equivalence: preferences empty"),
        (lambda: win_rate_non_inferiority([1, 1], margin=0.1), "every cluster has the difference 0.5; give rows that"),
        (
            lambda: win_rate_equivalence([1, 0], margin=0.1, clusters=["a", "a"]),
            "win_rate_equivalence: all rows are in one cluster",
        ),
    ],
)
def test_refusals(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()


@pytest.mark.parametrize("test", [win_rate_equivalence, win_rate_non_inferiority])
def test_a_margin_in_points_is_refused(test: Any) -> None:
    with pytest.raises(HarnessError, match=f"{test.__name__}: margin is 5; give one below 0.5, such as 0.05 for five"):
        test([1, 0, 1, 0.5], margin=5)
