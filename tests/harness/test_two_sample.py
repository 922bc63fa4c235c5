"""Two independent samples against scipy and statsmodels, clustered ones against the sandwich, and their laws."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from harness import HarnessError, standard_error
from harness.two_sample import two_sample_t, two_sample_z

shares = st.tuples(st.integers(1, 300), st.floats(0, 1)).map(lambda given: (round(given[0] * given[1]), given[0]))


def samples(seed: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    first, second = (int(size) for size in generator.integers(2, 40, size=2))
    return generator.normal(0.3, 1.0, size=first), generator.normal(0.0, 2.0, size=second)


@settings(max_examples=50, deadline=None)
@given(shares, shares, st.floats(0.5, 0.99))
def test_z_is_that_of_statsmodels(ours: tuple[int, int], theirs: tuple[int, int], level: float) -> None:
    if ours[0] + theirs[0] in (0, ours[1] + theirs[1]):
        with pytest.raises(HarnessError, match="two_sample_z: all rows of both are alike; give rows that differ"):
            two_sample_z(*ours, *theirs)
        return
    found = two_sample_z(*ours, *theirs, level=level)
    z, p = proportions_ztest([ours[0], theirs[0]], [ours[1], theirs[1]])
    assert (found.significance.statistic, found.significance.p) == pytest.approx((z, p), abs=1e-12)
    expected = confint_proportions_2indep(*ours, *theirs, method="newcomb", alpha=1 - level)
    assert (found.difference.low, found.difference.high) == pytest.approx(expected, abs=1e-12)
    assert found.difference.value == pytest.approx(ours[0] / ours[1] - theirs[0] / theirs[1])
    assert (found.difference.n, found.significance.n) == (ours[1] + theirs[1], ours[1] + theirs[1])


@settings(max_examples=40, deadline=None)
@given(shares, shares)
def test_exchange_negates_z(ours: tuple[int, int], theirs: tuple[int, int]) -> None:
    ours, theirs = (ours[0], ours[1] + 1), (theirs[0] + 1, theirs[1] + 2)
    forth, back = two_sample_z(*ours, *theirs), two_sample_z(*theirs, *ours)
    assert forth.significance.p == pytest.approx(back.significance.p)
    assert forth.significance.statistic == pytest.approx(-back.significance.statistic)
    assert forth.difference.value == pytest.approx(-back.difference.value)
    assert (forth.difference.low, forth.difference.high) == pytest.approx((-back.difference.high, -back.difference.low))


def test_z_by_hand() -> None:
    found = two_sample_z(30, 40, 20, 40)
    assert found.significance.statistic == pytest.approx(0.25 / math.sqrt(5 / 8 * 3 / 8 * 2 / 40))
    ties = two_sample_z(30.5, 40, 20.5, 40)
    assert ties.difference.value == pytest.approx(0.25)


def test_the_p_value_of_the_paper() -> None:
    """Lee et al. print p = 0.07 for 71 % and 68 %: about 500 contexts with three ratings each give it."""
    assert two_sample_z(0.71 * 1520, 1520, 0.68 * 1520, 1520).significance.p == pytest.approx(0.07, abs=0.005)
    ours, theirs = np.repeat([1.0, 0.0], [1079, 441]), np.repeat([1.0, 0.0], [1034, 486])
    z = two_sample_z(1079, 1520, 1034, 1520).significance.p
    for equal in (True, False):
        assert two_sample_t(ours, theirs, equal_variances=equal).significance.p == pytest.approx(z, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 0.99), st.booleans())
def test_t_is_that_of_scipy(seed: int, level: float, equal: bool) -> None:
    ours, theirs = samples(seed)
    other = scipy.stats.ttest_ind(ours, theirs, equal_var=equal)
    found = two_sample_t(ours, theirs, equal_variances=equal, level=level)
    assert (found.significance.p, found.significance.statistic) == pytest.approx((other.pvalue, other.statistic))
    interval = other.confidence_interval(level)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high))
    kind = "pooled t" if equal else "welch t"
    assert (found.difference.method, found.significance.method, found.difference.clusters) == (kind, kind, None)
    assert found.difference.n == found.significance.n == len(ours) + len(theirs)
    back = two_sample_t(theirs, ours, equal_variances=equal, level=level)
    assert back.significance.statistic == pytest.approx(-found.significance.statistic)
    assert (back.difference.low, back.difference.high) == pytest.approx((-found.difference.high, -found.difference.low))


def test_clusters_of_one_row_change_nothing() -> None:
    ours, theirs = samples(3)
    names = [f"ours {at}" for at in range(len(ours))], [f"theirs {at}" for at in range(len(theirs))]
    plain, named = (
        two_sample_t(ours, theirs),
        two_sample_t(ours, theirs, ours_clusters=names[0], theirs_clusters=names[1]),
    )
    assert named.significance.p == pytest.approx(plain.significance.p)
    assert named.difference.low == pytest.approx(plain.difference.low)
    assert named.difference.clusters == named.significance.n == len(ours) + len(theirs)
    assert named.difference.method == named.significance.method == "welch t on clusters"


def test_clustered_error_is_that_of_both_samples() -> None:
    generator = np.random.default_rng(4)
    ours, theirs = generator.normal(size=60), generator.normal(size=40)
    groups = np.arange(60) // 3, 100 + np.arange(40) // 4
    found = two_sample_t(ours, theirs, ours_clusters=groups[0], theirs_clusters=groups[1])
    first, second = standard_error(ours, clusters=groups[0]), standard_error(theirs, clusters=groups[1])
    error = math.hypot(first, second)
    degrees = error**4 / (first**4 / 19 + second**4 / 9)
    assert found.significance.statistic == pytest.approx((ours.mean() - theirs.mean()) / error)
    assert found.difference.high - found.difference.value == pytest.approx(scipy.stats.t.ppf(0.975, degrees) * error)
    assert (found.difference.clusters, found.significance.n, found.difference.n) == (30, 30, 100)


def test_one_sample_may_be_constant() -> None:
    found = two_sample_t([1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0])
    error = math.sqrt(1 / 3 / 4)
    assert found.significance.p == pytest.approx(2 * scipy.stats.t.sf(0.5 / error, 3))
    assert found.difference.high == pytest.approx(0.5 + scipy.stats.t.ppf(0.975, 3) * error)


FOUR = [1.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_sample_z(1, 0, 1, 2), "two_sample_z: ours_n is 0; give n >= 1: no rows have no share"),
        (lambda: two_sample_z(1, 2.5, 1, 2), "two_sample_z: ours_n is 2.5; give a whole number"),  # type: ignore[arg-type]
        (lambda: two_sample_z(1, 2, 1, math.nan), "theirs_n is nan"),  # type: ignore[arg-type]
        (lambda: two_sample_z(1, 2, 1, 0), "two_sample_z: theirs_n is 0"),
        (lambda: two_sample_z(3, 2, 1, 2), "ours_successes is 3 with n 2; give 0 <= successes <= n"),
        (lambda: two_sample_z(1, 2, math.nan, 2), "theirs_successes is nan with n 2"),
        (lambda: two_sample_z(1, 2, 1, 2, level=0.0), "two_sample_z: level is 0.0"),
        (lambda: two_sample_t([], FOUR), "two_sample_t: ours empty"),
        (lambda: two_sample_t(FOUR, []), "two_sample_t: theirs empty"),
        (lambda: two_sample_t(FOUR, [1.0]), "two_sample_t: rows are 1; give 2 or more rows"),
        (lambda: two_sample_t(FOUR, [1.0, math.nan]), r"theirs\[1\] is nan"),
        (lambda: two_sample_t(FOUR, FOUR, level=2), "two_sample_t: level is 2"),
        (lambda: two_sample_t([1, 1], [2, 2]), "neither ours nor theirs varies; give rows that differ"),
        (lambda: two_sample_t([1, 1], [2, 2], equal_variances=True), "neither ours nor theirs varies"),
        (
            lambda: two_sample_t(FOUR, FOUR, ours_clusters=[0, 0, 1, 1]),
            "clusters of one sample only; give ours_clusters and theirs_clusters",
        ),
        (
            lambda: two_sample_t(FOUR, FOUR, ours_clusters=[0, 0, 1, 1], theirs_clusters=[2, 2, 1, 1]),
            "cluster 1 is in both samples; use paired_difference, or name them apart",
        ),
        (
            lambda: two_sample_t(
                FOUR, FOUR, ours_clusters=list("aabb"), theirs_clusters=list("ccdd"), equal_variances=True
            ),
            "equal_variances with clusters; leave one of them out",
        ),
    ],
)
def test_refusals(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
