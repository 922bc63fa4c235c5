"""Intervals of a share against scipy's own, against integration, and against the score test that defines Wilson's."""

import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import beta, binomtest, norm

from harness import HarnessError, proportion
from harness.proportions import Method

METHODS: tuple[Method, ...] = get_args(Method)
CASES = [(0, 1), (1, 1), (0, 20), (1, 20), (7, 20), (20, 20), (430, 1000), (999, 1000)]
LEVELS = [0.5, 0.8, 0.95, 0.999]

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.001, 0.999)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("successes", "n"), CASES)
@pytest.mark.parametrize(("method", "theirs"), [("wilson", "wilson"), ("clopper-pearson", "exact")])
def test_equals_scipy(successes: int, n: int, level: float, method: Method, theirs: str) -> None:
    mine = proportion(successes, n, level=level, method=method)
    reference = binomtest(successes, n).proportion_ci(confidence_level=level, method=theirs)
    assert (mine.low, mine.high) == pytest.approx((reference.low, reference.high), abs=1e-9)
    assert (mine.value, mine.n, mine.clusters, mine.method) == (successes / n, n, None, method)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("successes", "n"), [(1, 20), (7, 20), (430, 1000)])
def test_jeffreys_holds_the_posterior(successes: int, n: int, level: float) -> None:
    mine = proportion(successes, n, level=level, method="jeffreys")
    posterior = beta(successes + 0.5, n - successes + 0.5)
    inside, _ = quad(posterior.pdf, mine.low, mine.high)
    below, _ = quad(posterior.pdf, 0.0, mine.low)
    assert (inside, below) == pytest.approx((level, (1 - level) / 2), abs=1e-6)


def test_jeffreys_reaches_the_edges() -> None:
    none, every = (proportion(successes, 20, method="jeffreys") for successes in (0, 20))
    assert (none.low, every.high) == (0.0, 1.0)
    assert none.high == pytest.approx(beta(0.5, 20.5).ppf(0.975))
    assert every.low == pytest.approx(beta(20.5, 0.5).ppf(0.025))


@pytest.mark.parametrize(("successes", "n"), [(2.5, 4), (0.5, 3), (70.5, 100)])
def test_fractional_wilson_inverts_the_score_test(successes: float, n: int) -> None:
    share, z = successes / n, norm.ppf(0.975)

    def score(p: float) -> float:
        return float((share - p) ** 2 - z * z * p * (1 - p) / n)

    mine = proportion(successes, n)
    assert mine.low == pytest.approx(brentq(score, 0.0, share), abs=1e-9)
    assert mine.high == pytest.approx(brentq(score, share, 1.0), abs=1e-9)


@given(counts, levels, st.sampled_from(METHODS))
def test_laws(count: tuple[int, int], level: float, method: Method) -> None:
    successes, n = count
    one, other = (proportion(s, n, level=level, method=method) for s in (successes, n - successes))
    assert 0.0 <= one.low <= one.value <= one.high <= 1.0
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low), abs=1e-9)
    wider = proportion(successes, n, level=(1 + level) / 2, method=method)
    assert wider.low <= one.low + 1e-12
    assert wider.high >= one.high - 1e-12


@given(counts, st.sampled_from(METHODS))
def test_more_of_the_same_narrows(count: tuple[int, int], method: Method) -> None:
    successes, n = count
    few, many = proportion(successes, n, method=method), proportion(4 * successes, 4 * n, method=method)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("successes", "n", "level", "method", "message"),
    [
        (0, 0, 0.95, "wilson", "proportion: n is 0; give n >= 1: no rows have no share"),
        (5, 10.5, 0.95, "wilson", "n is 10.5; give a whole number"),
        (5, math.nan, 0.95, "wilson", "n is nan"),
        (5, 10, 1 - 1e-16, "wilson", "level is 0.9999999999999999; give one between 0 and 1"),
        (5, 10, 1e-17, "wilson", "level is 1e-17"),
        (-1, 4, 0.95, "wilson", "successes is -1 with n 4; give 0 <= successes <= n"),
        (5, 4, 0.95, "wilson", "successes is 5 with n 4"),
        (math.nan, 4, 0.95, "wilson", "successes is nan"),
        (1, 4, 0.0, "wilson", "level is 0.0"),
        (1, 4, 95, "wilson", "level is 95; give one between 0 and 1"),
        (1, 4, 0.95, "wald", "method is 'wald'; use wilson, clopper-pearson or jeffreys"),
        (2.5, 4, 0.95, "jeffreys", "successes is 2.5 in jeffreys; give a whole number, or use wilson"),
        (2.5, 4, 0.95, "clopper-pearson", "successes is 2.5 in clopper-pearson"),
    ],
)
def test_refusals(successes: float, n: Any, level: float, method: Method, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        proportion(successes, n, level=level, method=method)
