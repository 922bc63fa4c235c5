"""Posterior probabilities against the closed sum, scipy's integral and draws; that clusters do not count as rows."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.bayes import (
    probability_above_half,
    probability_above_half_counts,
    probability_better,
    probability_better_counts,
)

shares = st.tuples(st.integers(1, 300), st.floats(0, 1)).map(lambda given: (round(given[0] * given[1]), given[0]))


def closed_sum(ours: tuple[int, int], theirs: tuple[int, int]) -> float:
    """P(p₁ > p₂) for whole parameters: Σ over i < a₁ of B(a₂ + i, b₁ + b₂) / ((b₁ + i) B(1 + i, b₁) B(a₂, b₂))."""
    (a1, b1), (a2, b2) = ((1 + right, 1 + n - right) for right, n in (ours, theirs))
    beta, i = scipy.special.betaln, np.arange(a1)
    return float(np.exp(beta(a2 + i, b1 + b2) - np.log(b1 + i) - beta(1 + i, b1) - beta(a2, b2)).sum())


@settings(max_examples=50, deadline=None)
@given(shares, shares)
def test_uniform_prior_has_a_closed_sum(ours: tuple[int, int], theirs: tuple[int, int]) -> None:
    found = probability_better_counts(*ours, *theirs, prior=(1.0, 1.0))
    assert found.probability == pytest.approx(closed_sum(ours, theirs), abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(shares, shares, st.sampled_from([(0.5, 0.5), (0.05, 0.05), (2.0, 5.0)]))
def test_other_priors_are_integrated(ours: tuple[int, int], theirs: tuple[int, int], prior: Any) -> None:
    found = probability_better_counts(*ours, *theirs, prior=prior)
    first, second = (scipy.stats.beta(prior[0] + right, prior[1] + n - right) for right, n in (ours, theirs))
    points = np.linspace(0.0, 1.0, 40_001)[1:] - 0.5 / 40_000
    expected = float(np.mean(second.cdf(first.ppf(points))))
    assert found.probability == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("ours", [(0, 3), (7, 9), (40, 40), (600_000, 1_000_000)])
@pytest.mark.parametrize("theirs", [(0, 3), (2, 4), (55, 80)])
def test_jeffreys_against_adaptive_integration(ours: tuple[int, int], theirs: tuple[int, int]) -> None:
    """Over x = sin²θ, in which the density of Beta(½, ½) is flat."""
    (a, b), other = (
        (0.5 + ours[0], 0.5 + ours[1] - ours[0]),
        scipy.stats.beta(0.5 + theirs[0], 0.5 + theirs[1] - theirs[0]),
    )

    def inner(theta: float) -> float:
        logs = scipy.special.xlogy(2 * a - 1, math.sin(theta)) + scipy.special.xlogy(2 * b - 1, math.cos(theta))
        return 2.0 * math.exp(logs - scipy.special.betaln(a, b)) * float(other.cdf(math.sin(theta) ** 2))

    centre, spread = math.asin(math.sqrt(a / (a + b))), 0.5 / math.sqrt(a + b)
    ends = max(0.0, centre - 12 * spread), min(math.pi / 2, centre + 12 * spread)
    expected = scipy.integrate.quad(inner, *ends, epsabs=1e-12, limit=400)[0]
    assert probability_better_counts(*ours, *theirs).probability == pytest.approx(expected, abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(shares, shares)
def test_exchange_gives_the_rest(ours: tuple[int, int], theirs: tuple[int, int]) -> None:
    forth, back = probability_better_counts(*ours, *theirs), probability_better_counts(*theirs, *ours)
    assert forth.probability + back.probability == pytest.approx(1.0, abs=1e-12)
    more = probability_better_counts(ours[0] + 1, ours[1] + 1, *theirs)
    assert more.probability >= forth.probability - 1e-12
    assert probability_better_counts(*ours, *ours).probability == pytest.approx(0.5)
    assert (forth.n, forth.effective_n, forth.prior) == (ours[1] + theirs[1], ours[1] + theirs[1], (0.5, 0.5))


few = st.integers(1, 20).flatmap(lambda n: st.tuples(st.sampled_from([0, n // 2, n]), st.just(n)))


@settings(max_examples=40, deadline=None)
@given(few, few, st.floats(0.01, 2.0), st.floats(0.01, 2.0))
def test_exchange_gives_the_rest_under_small_priors(
    ours: tuple[int, int], theirs: tuple[int, int], a: float, b: float
) -> None:
    forth = probability_better_counts(*ours, *theirs, prior=(a, b)).probability
    back = probability_better_counts(*theirs, *ours, prior=(a, b)).probability
    assert forth + back == pytest.approx(1.0, abs=1e-9)
    failures = ((n - right, n) for right, n in (theirs, ours))
    mirrored = probability_better_counts(*(count for pair in failures for count in pair), prior=(b, a)).probability
    assert mirrored == pytest.approx(forth, abs=1e-9)


@pytest.mark.parametrize("prior", [0.001, 0.01, 0.1])
@pytest.mark.parametrize(("ours", "theirs"), [((0, 10), (0, 20)), ((0, 2), (1, 3)), ((0, 5), (5, 5)), ((0, 9), (0, 2))])
def test_small_priors_against_adaptive_integration(
    prior: float, ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    """Over t = -a ln x, in which Beta(a, n + a) near 0 is exponential, however small a is."""
    b, other = prior + ours[1], (prior + theirs[0], prior + theirs[1] - theirs[0])

    def logs_below(log_x: float) -> float:
        if log_x > -600.0:
            return float(scipy.special.betainc(*other, math.exp(log_x)))
        return math.exp(other[0] * log_x - scipy.special.betaln(*other)) / other[0]

    def inner(t: float) -> float:
        log_x = -t / prior
        density = math.exp(scipy.special.xlog1py(b - 1.0, -math.exp(log_x)) - t - scipy.special.betaln(prior, b))
        return density / prior * logs_below(log_x)

    cuts = [0.0, *(prior * cut for cut in (0.01, 0.1, 1.0, 3.0, 10.0, 40.0, 600.0)), 60.0 + 600.0 * prior]
    expected = sum(
        scipy.integrate.quad(inner, low, high, epsabs=1e-11, limit=400)[0]
        for low, high in itertools.pairwise(sorted(cuts))
    )
    found = probability_better_counts(*ours, *theirs, prior=(prior, prior)).probability
    assert found == pytest.approx(expected, abs=1e-8)


def test_small_priors_against_draws() -> None:
    """The logarithm of a gamma variable with shape a below 1 is that of shape a + 1, plus ln(uniform) / a."""
    generator, a = np.random.default_rng(4), 0.001

    def logits(right: int, n: int) -> Any:
        shapes = [a + right, a + n - right]
        drawn = [np.log(generator.gamma(s + 1.0, size=400_000)) + np.log(generator.random(400_000)) / s for s in shapes]
        return drawn[0] - drawn[1]

    for ours, theirs in (((0, 10), (0, 20)), ((3, 3), (3, 4)), ((2, 2), (7, 7))):
        expected = float(np.mean(logits(*ours) > logits(*theirs)))
        found = probability_better_counts(*ours, *theirs, prior=(a, a)).probability
        assert found == pytest.approx(expected, abs=0.004)
    assert probability_better_counts(0, 10, 0, 20, prior=(a, a)).probability == pytest.approx(0.5, abs=0.001)


def test_a_small_probability_keeps_its_digits() -> None:
    found = probability_better_counts(0, 50, 50, 50, prior=(1.0, 1.0)).probability
    assert found == pytest.approx(closed_sum((0, 50), (50, 50)), rel=1e-9, abs=0.0)
    assert 0.0 < found < 1e-25


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 50))
def test_above_half_is_a_beta_tail(wins: int, losses: int, ties: int) -> None:
    found = probability_above_half_counts(wins, losses, ties)
    assert found.probability == pytest.approx(scipy.stats.beta.sf(0.5, 0.5 + wins, 0.5 + losses))
    back = probability_above_half_counts(losses, wins, ties)
    assert found.probability + back.probability == pytest.approx(1.0)
    assert found.n == wins + losses + ties
    assert found.probability == probability_above_half_counts(wins, losses, ties + 7).probability
    rows = [1.0] * wins + [0.0] * losses + [0.5] * (ties + 1)
    assert probability_above_half(rows).probability == pytest.approx(found.probability)


def test_ties_do_not_matter_under_a_dirichlet_prior() -> None:
    drawn = np.random.default_rng(0).dirichlet([12.5, 8.5, 30.5], size=200_000)
    expected = float(np.mean(drawn[:, 0] + drawn[:, 2] / 2 > 0.5))
    assert probability_above_half_counts(12, 8, 30).probability == pytest.approx(expected, abs=0.005)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=40), st.integers(2, 5))
def test_copies_inside_a_cluster_change_nothing(verdicts: list[float], copies: int) -> None:
    clusters = list(range(len(verdicts))) * copies
    once, more = probability_above_half(verdicts), probability_above_half(verdicts * copies, clusters=clusters)
    assert more.probability == pytest.approx(once.probability)
    assert (more.n, more.effective_n) == pytest.approx((copies * len(verdicts), len(verdicts)))
    assert more.assumption == f"clusters independent, design effect {copies:.2f}, ties left out"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=20), st.integers(2, 4), st.integers(2, 4))
def test_copies_in_either_sample_change_nothing(ours: list[float], first: int, second: int) -> None:
    theirs = [0.0, 1.0, 1.0, 0.0]
    plain = probability_better(ours, theirs)
    copied = probability_better(
        ours * first,
        theirs * second,
        ours_clusters=list(range(len(ours))) * first,
        theirs_clusters=list("abcd") * second,
    )
    assert copied.probability == pytest.approx(plain.probability)
    assert (copied.n, copied.effective_n) == pytest.approx((len(ours) * first + 4 * second, len(ours) + 4))
    effects = f"design effects {first:.2f} and {second:.2f}"
    assert copied.assumption == f"clusters and samples independent, {effects}"


def test_rows_without_clusters_are_the_counts() -> None:
    found = probability_better([True, False, True], np.array([0, 0, 1, 0]))
    assert found == probability_better_counts(2, 3, 1, 4)
    assert found.assumption == "rows and samples independent"


def test_a_design_effect_below_one_is_not_used() -> None:
    opposite = probability_above_half([1, 0, 1, 0, 1, 0, 1, 1], clusters=[0, 0, 1, 1, 2, 2, 3, 3])
    assert opposite.effective_n == 8.0
    assert opposite.probability == probability_above_half([1, 0, 1, 0, 1, 0, 1, 1]).probability


def test_clusters_make_it_less_sure() -> None:
    generator = np.random.default_rng(3)
    clusters = np.arange(400) // 4
    verdicts = (generator.random(400) < generator.beta(0.6, 0.5, size=100)[clusters]).astype(float)
    rows, grouped = probability_above_half(verdicts), probability_above_half(verdicts, clusters=clusters)
    assert rows.probability > grouped.probability > 0.5
    assert 100 < grouped.effective_n < 300


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: probability_better_counts(0, 2, 0, 2, prior=(1e-6, 1e-6)),
            r"probability_better_counts: prior is \(1e-06, 1e-06\); give parts of 0.001 or more",
        ),
        (
            lambda: probability_better_counts(3, 2, 1, 2),
            "probability_better_counts: ours is 3 of 2; give 0 <= successes",
        ),
        (lambda: probability_better_counts(1, 2, -1, 2), "theirs is -1 of 2"),
        (lambda: probability_better_counts(0, 0, 1, 2), "ours is 0 of 0; give 0 <= successes <= n and n >= 1"),
        (
            lambda: probability_better_counts(1, 2, 1, 2, prior=(0.0, 1.0)),
            r"prior is \(0.0, 1.0\); give two numbers above 0",
        ),
        (lambda: probability_above_half_counts(1, 2, prior=(1.0, math.nan)), r"prior is \(1.0, nan\)"),
        (lambda: probability_above_half_counts(1, 2, prior=(1.0,)), r"prior is \(1.0,\)"),  # type: ignore[arg-type]
        (
            lambda: probability_above_half_counts(0, 0),
            "wins, losses, ties are 0, 0, 0; give counts >= 0, and one above",
        ),
        (lambda: probability_above_half_counts(1, -1), "wins, losses, ties are 1, -1, 0"),
        (lambda: probability_above_half([1, 0.7]), r"preferences\[1\] is 0.7; use one of 0, 0.5, 1"),
        (lambda: probability_above_half([]), "probability_above_half: preferences empty"),
        (lambda: probability_above_half([1.0]), "probability_above_half: rows are 1"),
        (lambda: probability_above_half([1.0, 0.0], clusters=[1, 1]), "all rows are in one cluster"),
        (lambda: probability_better([], [1]), "probability_better: ours empty"),
        (lambda: probability_better([1], []), "probability_better: theirs empty"),
        (lambda: probability_better([1, 0.5], [1, 0]), r"ours\[1\] is 0.5; use one of 0, 1"),
        (
            lambda: probability_better([1, 0], [1, 0], ours_clusters=[1, 2]),
            "probability_better: clusters of one sample only",
        ),
        (
            lambda: probability_better([1, 0], [1, 0], ours_clusters=[1, 2], theirs_clusters=[2, 3]),
            "cluster 2 is in both samples; use paired_difference, or name them apart",
        ),
    ],
)
def test_refusals(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
