"""Win and harmless rates: what could not be read never moves them, and neither side is favoured."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness import (
    HarnessError,
    cluster_bootstrap,
    harmless_rate,
    proportion,
    soft_win_rate,
    standard_error,
    win_rate,
)
from harness.preference import Outcome

Rows = list[tuple[Outcome, int]]

MIRROR: dict[Outcome, Outcome] = {"policy": "opponent", "opponent": "policy", "tie": "tie", "unparsed": "unparsed"}

verdict_rows = st.lists(
    st.tuples(st.sampled_from(get_args(Outcome)), st.integers(0, 9)), min_size=2, max_size=60
).filter(lambda rows: len({cluster for outcome, cluster in rows if outcome != "unparsed"}) > 1)


def rate(rows: Rows, resamples: int = 4_000) -> Any:
    outcomes, clusters = [outcome for outcome, _ in rows], [cluster for _, cluster in rows]
    return win_rate(outcomes, clusters=clusters, rng=np.random.default_rng(0), resamples=resamples)


def test_counts_each_outcome() -> None:
    rows: Rows = [("policy", 0), ("policy", 0), ("tie", 1), ("opponent", 2), ("unparsed", 2), ("unparsed", 3)]
    result = rate(rows)
    assert result.estimate.value == 2.5 / 4
    assert (result.estimate.n, result.estimate.clusters, result.ties, result.unparsed) == (4, 3, 1, 2)


@settings(max_examples=50, deadline=None)
@given(verdict_rows)
def test_equals_the_mean_of_credits(rows: Rows) -> None:
    credit = {"policy": 1.0, "tie": 0.5, "opponent": 0.0}
    parsed = [(credit[outcome], cluster) for outcome, cluster in rows if outcome in credit]
    values, clusters = [value for value, _ in parsed], [cluster for _, cluster in parsed]
    assume(len({np.mean([v for v, c in parsed if c == cluster]) for cluster in clusters}) > 1)
    expected = cluster_bootstrap(values, clusters, rng=np.random.default_rng(0), resamples=300)
    assert rate(rows, resamples=300).estimate == expected


@settings(max_examples=50, deadline=None)
@given(verdict_rows)
def test_exchanging_the_policies_mirrors(rows: Rows) -> None:
    one, other = rate(rows), rate([(MIRROR[outcome], cluster) for outcome, cluster in rows])
    assert other.estimate.value == pytest.approx(1.0 - one.estimate.value, abs=1e-12)
    assert (other.ties, other.unparsed, other.estimate.method) == (one.ties, one.unparsed, one.estimate.method)
    if one.estimate.method == "wilson on clusters":
        mirrored = (1.0 - one.estimate.high, 1.0 - one.estimate.low)
        assert (other.estimate.low, other.estimate.high) == pytest.approx(mirrored, abs=1e-9)


def test_exchanging_the_policies_mirrors_the_interval() -> None:
    generator = np.random.default_rng(1)
    rows: Rows = [(("policy", "opponent", "tie")[generator.integers(3)], at // 3) for at in range(600)]
    one, other = rate(rows, 20_000), rate([(MIRROR[outcome], cluster) for outcome, cluster in rows], 20_000)
    assert other.estimate.low == pytest.approx(1.0 - one.estimate.high, abs=0.003)
    assert other.estimate.high == pytest.approx(1.0 - one.estimate.low, abs=0.003)


@settings(max_examples=50, deadline=None)
@given(verdict_rows, st.lists(st.integers(0, 12), max_size=10))
def test_unparsed_never_moves_the_estimate(rows: Rows, more: list[int]) -> None:
    result = rate(rows, 300)
    noisy = rate([*rows, *(("unparsed", cluster) for cluster in more)], 300)
    assert noisy.estimate == result.estimate
    assert noisy.unparsed == result.unparsed + len(more)


@pytest.mark.parametrize(
    ("outcomes", "clusters", "message"),
    [
        ([], [], "win_rate: outcomes and clusters empty; give at least one row"),
        (["policy"], ["a", "b"], r"win_rate: lengths differ \(outcomes has 1, clusters has 2\)"),
        (["unparsed"] * 2, ["a", "b"], "win_rate: no row could be read; give at least one that is parsed"),
        (["policy", "draw"], ["a", "b"], r"outcomes\[1\] is 'draw'; use one of policy, tie, opponent, unparsed"),
        (["policy", "unparsed"], ["a", "b"], "all rows are in one cluster"),
    ],
)
def test_win_rate_refusals(outcomes: list[Any], clusters: list[str], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        win_rate(outcomes, clusters=clusters, rng=np.random.default_rng(0))


@given(st.lists(st.sampled_from([True, False, None]), min_size=1).filter(lambda flags: set(flags) != {None}))
def test_harmless_rate_is_wilson_of_what_was_read(flags: list[bool | None]) -> None:
    read = [flag for flag in flags if flag is not None]
    result = harmless_rate(flags, level=0.9)
    assert result.estimate == proportion(sum(read), len(read), level=0.9)
    assert result.unparsed == len(flags) - len(read)


def test_harmless_rate_by_clusters() -> None:
    flags, clusters = [True, False, None, True, True, False], ["a", "a", "a", "b", "b", "c"]
    result = harmless_rate(flags, clusters=clusters, rng=np.random.default_rng(0))
    expected = cluster_bootstrap([1, 0, 1, 1, 0], list("aabbc"), rng=np.random.default_rng(0))
    assert (result.estimate, result.unparsed) == (expected, 1)


@pytest.mark.parametrize(
    ("flags", "options", "message"),
    [
        ([], {}, "harmless_rate: flags empty"),
        ([None, None], {}, "harmless_rate: no row could be read"),
        ([True, "yes"], {}, r"harmless_rate: flags\[1\] is 'yes'; use True, False or None"),
        ([True, 0.5], {}, r"flags\[1\] is 0.5"),
        ([True, False], {"clusters": ["a", "b"]}, "harmless_rate: clusters without rng; give numpy.random"),
        ([True, False], {"clusters": ["a"]}, r"lengths differ \(flags has 2, clusters has 1\)"),
        ([True, False], {"level": 0}, "level is 0"),
    ],
)
def test_harmless_rate_refusals(flags: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        harmless_rate(flags, **options)


@settings(max_examples=40, deadline=None)
@given(verdict_rows)
def test_soft_preferences_of_hard_verdicts_are_the_win_rate(rows: Rows) -> None:
    credit = {"policy": 1.0, "tie": 0.5, "opponent": 0.0}
    hard = rate(rows, 300)
    read = [(credit[outcome], cluster) for outcome, cluster in rows if outcome in credit]
    soft = soft_win_rate(
        [value for value, _ in read],
        clusters=[cluster for _, cluster in read],
        unparsed=len(rows) - len(read),
        rng=np.random.default_rng(0),
        resamples=300,
    )
    assert soft == hard
    assert (soft.wins + soft.losses + soft.ties, soft.discrete) == (len(read), pytest.approx(soft.estimate.value))
    assert soft.tie_share == soft.ties / len(read)


def test_discrete_win_rate_counts_each_preference_whole() -> None:
    result = soft_win_rate([0.6, 0.7, 0.5, 0.1], rng=np.random.default_rng(0))
    assert (result.wins, result.ties, result.losses, result.discrete) == (2, 1, 1, 0.625)
    assert result.estimate.value == pytest.approx(0.475)


def test_error_is_clustered_as_the_interval_is() -> None:
    generator = np.random.default_rng(2)
    values = generator.random(300)
    prompts, seeds = np.arange(300) // 2, np.arange(300) // 100
    options = {"rng": generator, "resamples": 100}
    alone, clustered, seeded = (
        soft_win_rate(values, **given, **options)  # type: ignore[arg-type]
        for given in ({}, {"clusters": prompts}, {"clusters": prompts, "seeds": seeds})
    )
    assert alone.standard_error == pytest.approx(standard_error(values))
    assert clustered.standard_error == pytest.approx(standard_error(values, clusters=prompts))
    assert seeded.standard_error == pytest.approx(standard_error(values, clusters=seeds))
    assert seeded.estimate.method == "hierarchical bootstrap over 3 seeds"


@pytest.mark.parametrize(
    ("preferences", "options", "message"),
    [
        ([0.5, 1.2], {}, r"soft_win_rate: preferences\[1\] is 1.2; give finite numbers in \[0, 1\]"),
        ([0.5, float("nan")], {}, r"preferences\[1\] is nan"),
        ([0.5, 1.0], {"unparsed": -1}, "soft_win_rate: unparsed is -1; give how many rows were left out"),
        ([0.5, 1.0], {"clusters": ["a"]}, r"lengths differ \(preferences has 2, clusters has 1\)"),
    ],
)
def test_soft_win_rate_refusals(preferences: list[float], options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        soft_win_rate(preferences, rng=np.random.default_rng(0), **options)
