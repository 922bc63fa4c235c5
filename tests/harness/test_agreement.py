"""Agreement with people and preferred positions: counted by hand, by scipy, and by what exchanging must not change."""

import itertools
import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness import HarnessError, cluster_bootstrap, proportion
from harness.agreement import (
    Preference,
    alignment,
    alignment_of_margins,
    positional_agreement,
)

Pairs = list[tuple[float | None, Preference]]

FLIP: dict[Preference, Preference] = {"first": "second", "second": "first", "tie": "tie"}

shares = st.integers(0, 100).map(lambda percent: percent / 100)
choices = st.sampled_from(get_args(Preference))
pairs = st.lists(st.tuples(st.none() | shares, choices), min_size=1).filter(
    lambda rows: any(label is not None and choice != "tie" for label, choice in rows)
)
few = settings(deadline=None, max_examples=25)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def aligned(rows: Pairs, **options: Any) -> Any:
    return alignment([label for label, _ in rows], [choice for _, choice in rows], **options)


def test_alignment_by_hand() -> None:
    rows: Pairs = [(0.9, "first"), (0.4, "first"), (0.2, "second"), (0.5, "second"), (0.5, "tie"), (None, "first")]
    result = aligned([*rows, (None, "tie")])
    assert result.estimate == proportion(2.5, 4)
    assert (result.human_ties, result.soft_ties, result.unparsed) == (2, 1, 1)


@given(pairs)
@few
def test_alignment_does_not_see_the_order(rows: Pairs) -> None:
    swapped: Pairs = [(None if label is None else round(1 - label, 9), FLIP[choice]) for label, choice in rows]
    assert aligned(swapped) == aligned(rows)


@given(pairs)
@few
def test_alignment_of_the_opposite_label_is_the_rest(rows: Pairs) -> None:
    opposite: Pairs = [(None if label is None else round(1 - label, 9), choice) for label, choice in rows]
    assert aligned(opposite).estimate.value == pytest.approx(1 - aligned(rows).estimate.value)


@given(pairs, st.integers(0, 5), st.integers(0, 5))
@few
def test_what_is_left_out_never_moves_alignment(rows: Pairs, unparsed: int, ties: int) -> None:
    unread: Pairs = [(None, "first")] * unparsed
    tied: Pairs = [(0.8, "tie")] * ties
    plain, more = aligned(rows), aligned([*rows, *unread, *tied])
    assert more.estimate == plain.estimate
    assert (more.unparsed, more.human_ties) == (plain.unparsed + unparsed, plain.human_ties + ties)
    assert more.estimate.n + more.unparsed + more.human_ties == len(rows) + unparsed + ties


@given(pairs, st.floats(0.1, 50.0))
@few
def test_margins_are_treated_as_soft_labels(rows: Pairs, scale: float) -> None:
    margins = [None if label is None else scale * (label - 0.5) for label, _ in rows]
    assert alignment_of_margins(margins, [choice for _, choice in rows]) == aligned(rows)


def test_alignment_of_clusters_is_the_cluster_bootstrap() -> None:
    rows: Pairs = [(0.9, "first"), (0.4, "first"), (None, "first"), (0.2, "second"), (0.5, "second"), (0.7, "tie")]
    clusters, seeds = ["a", "a", "c", "b", "c", "d"], [0, 0, 0, 1, 1, 1]
    right, inner, outer = [1.0, 0.0, 1.0, 0.5], ["a", "a", "b", "c"], [0, 0, 1, 1]
    result = aligned(rows, clusters=clusters, rng=rng(), resamples=500, level=0.9)
    assert result.estimate == cluster_bootstrap(right, inner, rng=rng(), resamples=500, level=0.9)
    assert result.estimate.clusters == 3
    seeded = aligned(rows, clusters=pd.Series(clusters), seeds=np.array(seeds), rng=rng(), resamples=500)
    assert seeded.estimate == cluster_bootstrap(right, inner, seeds=outer, rng=rng(), resamples=500)
    assert aligned(rows[:2] * 2, clusters=np.arange(4), rng=rng()).estimate.clusters == 4


def test_alignment_takes_arrays_and_series() -> None:
    labels, human = [0.9, 0.2, 0.6], ["first", "first", "second"]
    plain: Any = alignment(labels, human)  # type: ignore[arg-type]
    assert alignment(np.array(labels), np.array(human)) == plain  # type: ignore[arg-type]
    assert alignment(pd.Series(labels), pd.Series(human)) == plain


def test_position_by_hand() -> None:
    result = positional_agreement([0.9, 0.8, 0.7, 0.4, 0.5, 0.6, None], [0.8, 0.6, 0.2, 0.3, 0.5, 0.5, 0.9])
    assert result.estimate == proportion(3, 6)
    assert (result.firsts, result.seconds, result.unparsed) == (2, 1, 1)
    assert result.first_share == proportion(2, 3)
    assert result.note == "first in 67 % of them (binomial p=1)"


@pytest.mark.parametrize(("firsts", "seconds"), [(9, 1), (3, 12), (7, 7), (0, 4), (30, 12), (1, 0), (2300, 1700)])
def test_position_is_tested_by_the_binomial_test(firsts: int, seconds: int) -> None:
    shown = [0.9] * firsts + [0.2] * seconds
    word = "first" if firsts >= seconds else "second"
    percent = 100 * max(firsts, seconds) / (firsts + seconds)
    p = binomtest(firsts, firsts + seconds).pvalue
    result = positional_agreement(shown, shown)
    assert result.significance is not None
    assert result.significance.p == pytest.approx(p, rel=1e-9)
    assert result.significance[1:] == (firsts, firsts + seconds, "exact binomial")
    told = "<1e-9" if p < 1e-9 else f"={p:.1g}"
    assert result.note == f"{word} in {percent:.0f} % of them (binomial p{told})"


def test_no_pair_of_the_same_position_has_no_share() -> None:
    result = positional_agreement([0.9, 0.5], [0.1, 0.5])
    assert (result.estimate, result.firsts, result.seconds) == (proportion(0, 2), 0, 0)
    assert (result.first_share, result.significance, result.note) == (None, None, "")
    lone = positional_agreement([0.9, 0.9, 0.9], [0.9, 0.1, 0.9], clusters=["a", "b", "a"], rng=rng())
    assert lone.estimate.value == pytest.approx(2 / 3)
    assert lone.firsts == 2
    assert (lone.first_share, lone.significance) == (None, None)


@given(st.lists(st.tuples(st.sampled_from([-1, 1]), st.integers(0, 4)), min_size=2, max_size=14))
@few
def test_position_of_clusters_against_all_sign_flips(rows: list[tuple[int, int]]) -> None:
    names = sorted({cluster for _, cluster in rows})
    shown, clusters = [0.5 + 0.3 * sign for sign, _ in rows], [cluster for _, cluster in rows]
    if len(names) < 2:
        return
    sums = np.array([sum(sign for sign, cluster in rows if cluster == name) for name in names])
    flips = np.array(list(itertools.product([-1, 1], repeat=len(names)))) @ sums
    result = positional_agreement(shown, shown, clusters=clusters, rng=rng(), resamples=200)
    assert result.significance is not None
    assert result.significance.p == pytest.approx(float(np.mean(np.abs(flips) >= abs(sums.sum()))))
    assert result.significance.n == len(names)
    assert result.first_share is not None
    assert result.first_share.value == pytest.approx(sum(sign > 0 for sign, _ in rows) / len(rows))
    assert result.first_share.clusters == len(names)


def test_position_of_clusters_of_one_is_binomial_and_of_copies_no_stronger() -> None:
    shown = [0.9] * 9 + [0.2] * 2 + [0.5]
    once = positional_agreement(shown, shown)
    single = positional_agreement(shown, shown, clusters=range(12), rng=rng())
    copies = positional_agreement(shown * 5, shown * 5, clusters=list(range(12)) * 5, rng=rng())
    assert once.significance is not None
    for other in (single, copies):
        assert other.significance is not None
        assert other.significance.p == pytest.approx(once.significance.p)
    assert copies.note == "first in 82 % of them (sign flips of clusters p=0.07)"


def test_position_of_seeds_flips_seeds() -> None:
    shown = [0.9] * 8 + [0.2] * 2 + [0.9] * 6 + [0.2] * 4
    result = positional_agreement(shown, shown, seeds=[0] * 10 + [1] * 10, rng=rng(), resamples=200)
    assert result.significance is not None
    assert result.significance == (0.5, 14.0, 2, "exact sign flips of seeds")
    assert result.estimate.method == "wilson on clusters"
    assert result.first_share is not None
    assert result.first_share.method == "hierarchical bootstrap over 2 seeds"


@given(st.lists(st.tuples(shares, shares), min_size=1))
@few
def test_position_does_not_see_which_order_came_first(rows: list[tuple[float, float]]) -> None:
    first, second = [one for one, _ in rows], [two for _, two in rows]
    plain = positional_agreement(first, second)
    assert plain == positional_agreement(second, first)
    flipped = positional_agreement([round(1 - one, 9) for one in first], [round(1 - two, 9) for two in second])
    assert (flipped.estimate, flipped.firsts, flipped.seconds) == (plain.estimate, plain.seconds, plain.firsts)
    if plain.significance is not None:
        assert flipped.significance is not None
        assert flipped.significance.p == plain.significance.p


@given(st.lists(shares.filter(lambda share: share != 0.5), min_size=1))
@few
def test_a_labeler_that_reads_no_position_has_no_bias(prefers: list[float]) -> None:
    unmoved = positional_agreement(prefers, [round(1 - share, 9) for share in prefers])
    assert (unmoved.estimate.value, unmoved.note) == (0.0, "")


def test_intervals_widen_with_level() -> None:
    rows: Pairs = [(0.9, "first"), (0.4, "first"), (0.2, "second"), (0.5, "second")] * 5
    for options in ({}, {"clusters": list(range(10)) * 2, "rng": rng()}):
        widths = [
            (estimate := aligned(rows, level=level, **options).estimate).high - estimate.low
            for level in (0.5, 0.9, 0.99)
        ]
        assert widths == sorted(widths)
        assert widths[0] < widths[-1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alignment([], []), "alignment: prefers_first and human empty"),
        (lambda: alignment([0.5], ["first", "tie"]), r"lengths differ \(prefers_first has 1, human has 2\)"),
        (lambda: alignment([0.5, 1.2], ["first"] * 2), r"prefers_first\[1\] is 1.2; give finite numbers in \[0, 1\]"),
        (lambda: alignment([None, math.nan], ["first"] * 2), r"alignment: prefers_first\[1\] is nan"),
        (
            lambda: alignment([0.5], ["1"]),  # type: ignore[list-item]
            r"alignment: human\[0\] is '1'; use one of first, second, tie",
        ),
        (lambda: alignment([0.5], ["tie"]), "alignment: every human choice is a tie; give at least one"),
        (lambda: alignment([None], ["first"]), "alignment: no soft label could be read"),
        (lambda: alignment([0.5], ["first"], level=2), "alignment: level is 2"),
        (lambda: alignment([0.5], ["first"], resamples=1), "alignment: resamples is 1"),
        (lambda: alignment([0.5] * 2, ["first"] * 2, clusters=["a", "b"]), "alignment: clusters without rng; give"),
        (lambda: alignment([0.5] * 2, ["first"] * 2, seeds=["a", "b"]), "alignment: clusters without rng; give"),
        (
            lambda: alignment([0.5] * 2, ["first"] * 2, clusters=["a", "a"], rng=rng()),
            "alignment: all rows are in one cluster",
        ),
        (lambda: alignment([0.5], ["first"], clusters=["a", "b"]), "human has 1, clusters has 2"),
        (
            lambda: alignment_of_margins([math.nan], ["first"]),
            r"alignment_of_margins: margins\[0\] is nan; give",
        ),
        (lambda: alignment_of_margins([math.inf], ["first"]), r"margins\[0\] is inf; give finite numbers$"),
        (lambda: alignment_of_margins([None], ["second"]), "alignment_of_margins: no margin could be read"),
        (lambda: positional_agreement([], []), "positional_agreement: first and second empty"),
        (lambda: positional_agreement([0.5], [0.5, 0.1]), r"lengths differ \(first has 1, second has 2\)"),
        (lambda: positional_agreement([0.5], [-0.1]), r"second\[0\] is -0.1"),
        (lambda: positional_agreement([None], [0.1]), "positional_agreement: no pair could be read"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
