"""Designs against statsmodels, against the power that they promise, and against each other (a pair of inverses)."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower, normal_power_het, normal_sample_size_one_tail
from statsmodels.stats.proportion import power_ztost_prop, samplesize_proportions_2indep_onetail

from harness import HarnessError, proportion
from harness.design import (
    alignment_detectable,
    alignment_sample_size,
    equivalence_detectable,
    equivalence_sample_size,
    half_width,
    half_width_sample_size,
    noninferiority_detectable,
    noninferiority_sample_size,
    paired_detectable,
    paired_sample_size,
    proportions_detectable,
    proportions_sample_size,
    sd_of_difference,
    win_rate_detectable,
    win_rate_sample_size,
)
from harness.planning import Design, design_effect, intracluster_correlation, intracluster_correlation_value

PLANS: list[dict[str, Any]] = [{}, {"power": 0.9, "level": 0.99}, {"rows_per_cluster": 2, "correlation": 0.66}]

SIZES: dict[str, Callable[..., Design]] = {
    "win rate": lambda d, **plan: win_rate_sample_size(0.5 + d, ties=0.2, **plan),
    "paired, sd": lambda d, **plan: paired_sample_size(d, sd=0.4, **plan),
    "paired, discordance": lambda d, **plan: paired_sample_size(d, discordance=0.3, **plan),
    "shares": lambda d, **plan: proportions_sample_size(0.6, 0.6 + d, **plan),
    "alignment": lambda d, **plan: alignment_sample_size(0.7, 0.7 + d, **plan),
    "alignment, discordance": lambda d, **plan: alignment_sample_size(0.7 + d, 0.7, discordance=0.3, **plan),
    "equivalence": lambda d, **plan: equivalence_sample_size(d, sd=0.5, **plan),
    "equivalence, away": lambda d, **plan: equivalence_sample_size(d, discordance=0.3, difference=-0.01, **plan),
    "non-inferiority": lambda d, **plan: noninferiority_sample_size(d, sd=0.5, difference=0.01, **plan),
}
DETECTED: dict[str, Callable[..., Design]] = {
    "win rate": lambda n, **plan: win_rate_detectable(n, ties=0.2, **plan),
    "paired, sd": lambda n, **plan: paired_detectable(n, sd=0.4, **plan),
    "paired, discordance": lambda n, **plan: paired_detectable(n, discordance=0.3, **plan),
    "shares": lambda n, **plan: proportions_detectable(n, 0.6, **plan),
    "alignment": lambda n, **plan: alignment_detectable(n, 0.7, **plan),
    "alignment, discordance": lambda n, **plan: alignment_detectable(n, 0.7, discordance=0.3, **plan),
    "equivalence": lambda n, **plan: equivalence_detectable(n, sd=0.5, **plan),
    "equivalence, away": lambda n, **plan: equivalence_detectable(n, discordance=0.3, difference=0.01, **plan),
    "non-inferiority": lambda n, **plan: noninferiority_detectable(n, sd=0.5, difference=0.01, **plan),
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("plan", PLANS)
def test_size_and_difference_are_inverse(name: str, plan: dict[str, Any]) -> None:
    for d in (0.03, 0.05, 0.1):
        design = SIZES[name](d, **plan)
        assert DETECTED[name](design.rows, **plan) == design
        assert design.rows == design.clusters * design.rows_per_cluster
        smaller = DETECTED[name](design.rows - design.rows_per_cluster, **plan)
        assert design.detectable <= d * (1 + 1e-8) < smaller.detectable * (1 + 2e-8)
        assert SIZES[name](smaller.detectable, **plan).rows == smaller.rows


@pytest.mark.parametrize("name", SIZES)
def test_rows_grow_with_power_level_and_correlation(name: str) -> None:
    by_power = [SIZES[name](0.05, power=power).rows for power in (0.5, 0.7, 0.8, 0.9, 0.99)]
    by_level = [SIZES[name](0.05, level=level).rows for level in (0.8, 0.9, 0.95, 0.99)]
    by_likeness = [
        SIZES[name](0.05, rows_per_cluster=4, correlation=likeness).rows for likeness in (-0.3, 0.0, 0.5, 1.0)
    ]
    by_difference = [SIZES[name](d).rows for d in (0.2, 0.1, 0.05, 0.02)]
    for rows in (by_power, by_level, by_likeness, by_difference):
        assert all(one < other for one, other in pairwise(rows))


@settings(deadline=None, max_examples=40)
@given(d=st.floats(0.02, 0.4), ties=st.floats(0.0, 0.2), power=st.floats(0.55, 0.95), alpha=st.floats(0.01, 0.2))
def test_win_rate_is_that_of_statsmodels(d: float, ties: float, power: float, alpha: float) -> None:
    null = (1 - ties) / 4
    theirs = normal_sample_size_one_tail(d, power, alpha / 2, std_null=null**0.5, std_alternative=(null - d * d) ** 0.5)
    mine = [win_rate_sample_size(0.5 + sign * d, ties=ties, power=power, level=1 - alpha).rows for sign in (1, -1)]
    assert mine[0] == mine[1] == max(2, math.ceil(theirs - 1e-6))
    found = win_rate_detectable(400, ties=ties, power=power, level=1 - alpha).detectable
    reached = normal_power_het(found, 400, alpha / 2, null**0.5, (null - found**2) ** 0.5, alternative="larger")
    assert reached == pytest.approx(power)


@settings(deadline=None, max_examples=40)
@given(first=st.floats(0.05, 0.95), second=st.floats(0.05, 0.95), power=st.floats(0.55, 0.95))
def test_two_shares_are_those_of_statsmodels(first: float, second: float, power: float) -> None:
    if abs(first - second) < 0.02:
        return
    theirs = samplesize_proportions_2indep_onetail(
        first - second, second, power, ratio=1, alpha=0.05, alternative="two-sided"
    )
    mine = proportions_sample_size(first, second, power=power).rows
    assert mine == proportions_sample_size(1 - second, 1 - first, power=power).rows == max(2, math.ceil(theirs - 1e-6))


def test_paired_sd_is_that_of_statsmodels() -> None:
    theirs = NormalIndPower(ddof=0).solve_power(effect_size=0.05 / 0.5, alpha=0.05, power=0.8, ratio=0)
    assert paired_sample_size(-0.05, sd=0.5).rows == math.ceil(theirs)


@pytest.mark.parametrize("difference", [0.0, 0.01, -0.02, 0.04])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_equivalence_has_the_power_of_two_tests(difference: float, power: float) -> None:
    design = equivalence_sample_size(0.05, sd=0.5, difference=difference, power=power)
    assert design.rows == equivalence_sample_size(0.05, sd=0.5, difference=-difference, power=power).rows

    def reached(rows: int) -> float:
        error, z = 0.5 / rows**0.5, norm.ppf(0.95)
        return float(norm.cdf((0.05 - difference) / error - z) - norm.cdf(z - (0.05 + difference) / error))

    assert reached(design.rows - 1) < power <= reached(design.rows)
    if difference == 0.0:  # elsewhere statsmodels takes the variance of the share at the difference
        theirs = power_ztost_prop(0.45, 0.55, design.rows, 0.5, alpha=0.05, variance_prop=0.5, discrete=False)[0]
        assert reached(design.rows) == pytest.approx(theirs)


def test_equivalence_in_closed_form() -> None:
    reach = norm.ppf(0.95) + norm.ppf(0.9)
    assert equivalence_sample_size(0.05, sd=0.5).rows == math.ceil((reach * 0.5 / 0.05) ** 2)
    assert noninferiority_sample_size(0.05, sd=0.5, difference=-0.02).rows == math.ceil(
        ((norm.ppf(0.95) + norm.ppf(0.8)) * 0.5 / 0.03) ** 2
    )


def test_rejects_as_often_as_promised() -> None:
    generator = np.random.default_rng(0)
    design = paired_sample_size(0.1, discordance=0.4)
    draws = generator.multinomial(design.rows, [0.25, 0.15, 0.6], size=4000)
    apart = np.abs(draws[:, 0] - draws[:, 1]) / np.sqrt(draws[:, 0] + draws[:, 1])
    assert np.mean(apart > 1.96) == pytest.approx(0.8, abs=0.02)


@settings(deadline=None, max_examples=40)
@given(h=st.floats(0.01, 0.3), share=st.floats(0.0, 1.0), level=st.floats(0.5, 0.99))
def test_half_width_is_that_of_wilson(h: float, share: float, level: float) -> None:
    design = half_width_sample_size(h, share=share, level=level)
    assert design.detectable <= h * (1 + 1e-9)
    assert half_width(design.rows, share=share, level=level) == design
    if design.rows > 3:
        assert half_width(design.rows - 1, share=share, level=level).detectable > h * (1 - 1e-9)
    interval = proportion(round(design.rows * 0.5), design.rows, level=level)
    if design.rows % 2 == 0:
        reach = (interval.high - interval.low) / 2
        assert half_width(design.rows, level=level).detectable == pytest.approx(reach)


def test_clusters_cost_the_design_effect() -> None:
    alone, pairs = win_rate_sample_size(0.55), win_rate_sample_size(0.55, rows_per_cluster=2, correlation=0.66)
    assert pairs.rows / alone.rows == pytest.approx(1.66, abs=0.002)
    assert win_rate_sample_size(0.55, rows_per_cluster=8, correlation=1.0).clusters == alone.rows
    assert half_width(1000, rows_per_cluster=2, correlation=1.0).detectable == half_width(500).detectable
    assert half_width(500).power is None
    assert "power" not in str(half_width(500))
    assert str(alone).startswith("783 rows in 783 clusters detect 0.0500 (80 % power, 95 % level; z test of a win rate")


def test_alignment_is_mcnemar_of_independent_errors() -> None:
    wrong_once = 0.78 * 0.26 + 0.74 * 0.22
    assert alignment_sample_size(0.78, 0.74).rows == paired_sample_size(0.04, discordance=wrong_once).rows
    assert alignment_sample_size(0.74, 0.78) == alignment_sample_size(0.78, 0.74)
    assert alignment_sample_size(1.0, 0.5).rows == math.ceil(((norm.ppf(0.975) * 0.5**0.5 + 0.8416 * 0.5) / 0.5) ** 2)


def test_the_largest_difference_is_within_reach() -> None:
    assert win_rate_sample_size(1.0).rows == 4
    assert win_rate_detectable(4).detectable == pytest.approx(0.49, abs=0.01)
    assert paired_sample_size(0.3, discordance=0.3).rows == math.ceil(
        ((norm.ppf(0.975) * 0.3**0.5 + norm.ppf(0.8) * 0.21**0.5) / 0.3) ** 2
    )


@pytest.mark.parametrize("plan", PLANS)
def test_a_base_of_zero_is_the_limit(plan: dict[str, Any]) -> None:
    for detectable in (proportions_detectable, alignment_detectable):
        found = detectable(500, 0.0, **plan).detectable
        assert found > 0.01
        assert found == pytest.approx(detectable(500, 1e-12, **plan).detectable, rel=1e-6)
    for size, detectable in (
        (proportions_sample_size, proportions_detectable),
        (alignment_sample_size, alignment_detectable),
    ):
        design = size(0.0, 0.05, **plan)
        assert design.detectable == pytest.approx(0.05, rel=0.02)
        assert design == detectable(design.rows, 0.0, **plan)
        assert size(1.0, 0.95, **plan).rows == design.rows
    reach = norm.ppf(0.975) + norm.ppf(0.8)  # where d is small, both variances are d
    assert proportions_detectable(500, 0.0).detectable == pytest.approx(reach**2 / 500, rel=0.02)


def test_a_detectable_alignment_is_possible() -> None:
    for base, discordance in ((0.4, 0.5), (0.7, 0.3), (0.9, 0.12)):
        found = alignment_detectable(800, base, discordance=discordance).detectable
        assert discordance <= min(2 * base + found, 2 - 2 * base - found)
        assert found == pytest.approx(paired_detectable(800, discordance=discordance).detectable)
    with pytest.raises(HarnessError, match=r"800 rows detect no difference; give more: none is above 0\.01"):
        alignment_detectable(800, 0.9, discordance=0.19)


def test_sd_of_difference() -> None:
    scores = np.random.default_rng(1).normal(size=(50, 2)) @ np.array([[1.0, 0.6], [0.0, 2.0]])
    first, second = scores.std(axis=0)
    mine = sd_of_difference(first, second, np.corrcoef(scores.T)[0, 1])
    assert mine == pytest.approx((scores[:, 0] - scores[:, 1]).std())
    assert sd_of_difference(0.5, 0.5, 1.0) == 0.0


def uneven(seed: int, count: int = 60) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    generator = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(count), generator.integers(1, 6, size=count))
    return generator.normal(size=count)[clusters] + generator.normal(size=len(clusters)), clusters


@pytest.mark.parametrize("seed", range(5))
def test_correlation_is_that_of_an_analysis_of_variance(seed: int) -> None:
    from scipy.stats import f_oneway

    values, clusters = uneven(seed)
    groups = [values[clusters == name] for name in np.unique(clusters)]
    n, sizes = len(values), np.array([len(rows) for rows in groups])
    usual = (n - np.sum(sizes**2) / n) / (len(groups) - 1)
    ratio = f_oneway(*[list(rows) for rows in groups]).statistic
    mine = intracluster_correlation_value(values + 1e4, clusters)
    assert mine == pytest.approx((ratio - 1) / (ratio + usual - 1))
    order = np.random.default_rng(seed).permutation(n)
    assert intracluster_correlation_value(values[order], clusters[order]) == pytest.approx(mine)
    assert intracluster_correlation_value(-2 * values, [f"p{name}" for name in clusters]) == pytest.approx(mine)


def test_correlation_has_an_interval() -> None:
    values, clusters = uneven(3, count=200)
    narrow, wide = (
        intracluster_correlation(values, clusters, rng=np.random.default_rng(0), level=level, resamples=1000)
        for level in (0.5, 0.99)
    )
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert wide.low < 0.5 < wide.high
    assert (narrow.n, narrow.clusters) == (len(values), 200)
    assert narrow.value == pytest.approx(intracluster_correlation_value(values, clusters))


def test_the_same_twice_correlates_fully_and_opposites_not_at_all() -> None:
    clusters = np.repeat(np.arange(20), 2)
    assert intracluster_correlation_value(np.repeat(np.arange(20.0), 2), clusters) == pytest.approx(1.0)
    assert intracluster_correlation_value(np.tile([0, 1], 20), clusters) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: win_rate_sample_size(0.5),
            "win_rate_sample_size: rate is 0.5; give a difference that is not 0, within",
        ),
        (lambda: win_rate_sample_size(0.95, ties=0.2), "rate is 0.95; give a difference that is not 0, within 0.4"),
        (lambda: win_rate_sample_size(math.nan), "rate is nan"),
        (lambda: win_rate_sample_size(0.6, ties=1.0), "ties is 1.0; give a share from 0 to below 1"),
        (lambda: win_rate_sample_size(0.6, power=0.4), "power is 0.4; give one from 0.5 to below 1"),
        (lambda: win_rate_sample_size(0.6, level=1.0), "level is 1.0"),
        (lambda: win_rate_sample_size(0.6, rho=0.1), "rho is no option; give some of power, level"),  # type: ignore[call-arg]
        (lambda: win_rate_sample_size(0.6, rows_per_cluster=0), "rows_per_cluster is 0; give 1 or more"),
        (lambda: win_rate_sample_size(0.6, rows_per_cluster=1.5), "is 1.5; give a whole"),  # type: ignore[arg-type]
        (lambda: win_rate_sample_size(0.6, rows_per_cluster=2, correlation=-1), "correlation is -1; give more than -1"),
        (lambda: win_rate_sample_size(0.6, correlation=1.1), r"correlation\[0\] is 1.1"),
        (
            lambda: win_rate_detectable(7, rows_per_cluster=2),
            "rows is 7 with 2 a cluster; give a multiple of 2, for at",
        ),
        (lambda: win_rate_detectable(1), "rows is 1 with 1 a cluster"),
        (lambda: win_rate_detectable(3), "3 rows detect no difference; give more: none is above 0.5"),
        (lambda: proportions_detectable(20, 0.99), "20 rows detect no difference"),
        (lambda: paired_sample_size(0.1), "both or none of sd and discordance; give one of them"),
        (lambda: paired_sample_size(0.1, sd=1, discordance=0.2), "both or none of sd and discordance"),
        (lambda: paired_sample_size(0.1, sd=0), "sd is 0; give a finite one above 0"),
        (lambda: paired_sample_size(math.inf, sd=1), "difference is inf"),
        (lambda: paired_sample_size(0.1, discordance=1.2), "discordance is 1.2; give a share above 0, at most 1"),
        (
            lambda: paired_sample_size(0.3, discordance=0.2),
            "difference is 0.3; give a difference that is not 0, within",
        ),
        (lambda: proportions_sample_size(0.3, 0.3), "first is 0.3 and second 0.3"),
        (lambda: proportions_sample_size(0.3, 1.3), "second is 1.3; give a share from 0 to 1"),
        (lambda: alignment_sample_size(0.8, 0.7, discordance=0.6), "discordance is 0.6; give 0.1 to 0.5"),
        (lambda: alignment_detectable(100, 1.5), "base is 1.5; give a share"),
        (lambda: alignment_detectable(100, 1.0), "base is 1.0; give one below 1: nothing is above it"),
        (lambda: alignment_detectable(100, 1.0, discordance=0.1), "base is 1.0; give one below 1"),
        (lambda: proportions_detectable(500, 1), "base is 1; give one below 1: nothing is above it"),
        (lambda: alignment_detectable(500, 0.98, discordance=0.3), "discordance is 0.3; give less than 0.04"),
        (
            lambda: alignment_detectable(500, 0.05, discordance=0.3),
            "discordance is 0.3 with a gain of 0.0685; give at most 0.168",
        ),
        (lambda: half_width_sample_size(0.5), "half_width is 0.5; give one between 0 and 0.5"),
        (lambda: half_width(100, share=2), "share is 2; give a share from 0 to 1"),
        (
            lambda: equivalence_sample_size(0.05, sd=1, difference=0.05),
            "margin is 0.05 with a difference of 0.05; give",
        ),
        (lambda: equivalence_sample_size(math.inf, sd=1), "margin is inf"),
        (
            lambda: equivalence_sample_size(0.5, discordance=0.2, difference=0.2),
            "difference is 0.2; give one within ±0.2",
        ),
        (lambda: noninferiority_sample_size(0.05, sd=1, difference=-0.06), "margin is 0.05 with a difference of -0.06"),
        (lambda: noninferiority_detectable(1000, sd=0.5, difference=0.2), "difference is 0.2; test for superiority"),
        (lambda: sd_of_difference(-1, 1, 0), r"sds\[0\] is -1"),
        (lambda: sd_of_difference(1, 1, 2), r"correlation\[0\] is 2"),
        (lambda: design_effect(3, -0.5), "correlation is -0.5; give more than -0.5"),
        (lambda: intracluster_correlation_value([1, 2], ["a", "b"]), "every cluster has one row; give at least one"),
        (lambda: intracluster_correlation_value([1, 1, 1], ["a", "b", "b"]), "every value is 1; give rows that differ"),
        (lambda: intracluster_correlation_value([1], ["a", "b"]), "lengths differ"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
