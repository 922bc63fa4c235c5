"""Agreement and its controls: counted by hand, by scipy, and by what exchanging the responses must not change."""

import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness import HarnessError, alignment, longer_wins, majority, positional_agreement, proportion
from harness.agreement import Preference

Pairs = list[tuple[float | None, Preference]]

FLIP: dict[Preference, Preference] = {"first": "second", "second": "first", "tie": "tie"}

shares = st.integers(0, 100).map(lambda percent: percent / 100)
choices = st.sampled_from(get_args(Preference))
pairs = st.lists(st.tuples(st.none() | shares, choices), min_size=1).filter(
    lambda rows: any(label is not None and choice != "tie" for label, choice in rows)
)


def aligned(rows: Pairs) -> Any:
    return alignment([label for label, _ in rows], [choice for _, choice in rows])


def test_alignment_by_hand() -> None:
    rows: Pairs = [(0.9, "first"), (0.4, "first"), (0.2, "second"), (0.5, "second"), (0.5, "tie"), (None, "first")]
    result = aligned([*rows, (None, "tie")])
    assert result.estimate == proportion(2.5, 4)
    assert (result.human_ties, result.soft_ties, result.unparsed) == (2, 1, 1)


@given(pairs)
def test_alignment_does_not_see_the_order(rows: Pairs) -> None:
    swapped: Pairs = [(None if label is None else round(1 - label, 9), FLIP[choice]) for label, choice in rows]
    assert aligned(swapped) == aligned(rows)


@given(pairs)
def test_alignment_of_the_opposite_label_is_the_rest(rows: Pairs) -> None:
    opposite: Pairs = [(None if label is None else round(1 - label, 9), choice) for label, choice in rows]
    assert aligned(opposite).estimate.value == pytest.approx(1 - aligned(rows).estimate.value)


@given(pairs, st.integers(0, 5), st.integers(0, 5))
def test_what_is_left_out_never_moves_alignment(rows: Pairs, unparsed: int, ties: int) -> None:
    unread: Pairs = [(None, "first")] * unparsed
    tied: Pairs = [(0.8, "tie")] * ties
    plain, more = aligned(rows), aligned([*rows, *unread, *tied])
    assert more.estimate == plain.estimate
    assert (more.unparsed, more.human_ties) == (plain.unparsed + unparsed, plain.human_ties + ties)
    assert more.estimate.n + more.unparsed + more.human_ties == len(rows) + unparsed + ties


def test_position_by_hand() -> None:
    result = positional_agreement([0.9, 0.8, 0.7, 0.4, 0.5, 0.6], [0.8, 0.6, 0.2, 0.3, 0.5, 0.5])
    assert result.estimate == proportion(3, 6)
    assert result.note == "first in 67 % of them (binomial p=1)"


@pytest.mark.parametrize(("firsts", "seconds"), [(9, 1), (3, 12), (7, 7), (0, 4), (30, 12)])
def test_position_note_is_the_binomial_test(firsts: int, seconds: int) -> None:
    shown = [0.9] * firsts + [0.2] * seconds
    word = "first" if firsts >= seconds else "second"
    percent = 100 * max(firsts, seconds) / (firsts + seconds)
    p = binomtest(firsts, firsts + seconds).pvalue
    assert positional_agreement(shown, shown).note == f"{word} in {percent:.0f} % of them (binomial p={p:.1g})"


def test_position_note_of_many_and_of_none() -> None:
    assert positional_agreement([0.9] * 3000, [0.7] * 3000).note == "first in 100 % of them (binomial p<1e-9)"
    assert positional_agreement([0.9, 0.5], [0.1, 0.5]) == (proportion(0, 2), "")


@given(st.lists(st.tuples(shares, shares), min_size=1))
def test_position_does_not_see_which_order_came_first(rows: list[tuple[float, float]]) -> None:
    first, second = [one for one, _ in rows], [two for _, two in rows]
    assert positional_agreement(first, second) == positional_agreement(second, first)
    flipped = positional_agreement([round(1 - one, 9) for one in first], [round(1 - two, 9) for two in second])
    assert flipped.estimate == positional_agreement(first, second).estimate


@given(st.lists(shares.filter(lambda share: share != 0.5), min_size=1))
def test_a_labeler_that_reads_no_position_has_no_bias(prefers: list[float]) -> None:
    unmoved = positional_agreement(prefers, [round(1 - share, 9) for share in prefers])
    assert (unmoved.estimate.value, unmoved.note) == (0.0, "")


def test_longer_wins_by_hand() -> None:
    human: list[Preference] = ["first", "second", "first", "second", "tie"]
    assert longer_wins([9, 9, 2, 5, 9], [1, 1, 3, 5, 1], human) == proportion(1.5, 4)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), choices.filter(lambda c: c != "tie")), min_size=1))
def test_longer_wins_is_alignment_of_a_rule(rows: list[tuple[int, int, Preference]]) -> None:
    one, two, human = ([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    rule = [0.5 + 0.1 * (a > b) - 0.1 * (a < b) for a, b in zip(one, two, strict=True)]
    assert longer_wins(one, two, human) == alignment(rule, human).estimate
    assert longer_wins(two, one, [FLIP[choice] for choice in human]) == longer_wins(one, two, human)


@given(st.lists(choices, min_size=1).filter(lambda human: set(human) != {"tie"}))
def test_majority_is_the_better_constant_answer(human: list[Preference]) -> None:
    constants = [alignment([label] * len(human), human).estimate for label in (1.0, 0.0)]
    assert majority(human) == max(constants, key=lambda estimate: estimate.value)
    assert majority([FLIP[choice] for choice in human]) == majority(human)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alignment([], []), "alignment: prefers_first and human empty"),
        (lambda: alignment([0.5], ["first", "tie"]), r"lengths differ \(prefers_first has 1, human has 2\)"),
        (lambda: alignment([0.5, 1.2], ["first"] * 2), r"prefers_first\[1\] is 1.2; give finite numbers in \[0, 1\]"),
        (lambda: alignment([math.nan], ["first"]), r"alignment: prefers_first\[0\] is nan"),
        (
            lambda: alignment([0.5], ["1"]),  # type: ignore[list-item]
            r"alignment: human\[0\] is '1'; use one of first, second, tie",
        ),
        (lambda: alignment([0.5], ["tie"]), "alignment: every human choice is a tie; give at least one"),
        (lambda: alignment([None], ["first"]), "alignment: no soft label could be read"),
        (lambda: positional_agreement([], []), "positional_agreement: first and second empty"),
        (lambda: positional_agreement([0.5], [0.5, 0.1]), r"lengths differ \(first has 1, second has 2\)"),
        (lambda: positional_agreement([0.5], [-0.1]), r"second\[0\] is -0.1"),
        (
            lambda: positional_agreement([None], [0.1]),  # type: ignore[list-item]
            r"first\[0\] is None",
        ),
        (lambda: longer_wins([1], [2], ["tie"]), "longer_wins: every human choice is a tie"),
        (lambda: longer_wins([1], [2, 3], ["first"]), "first_lengths has 1, second_lengths has 2, human has 1"),
        (lambda: longer_wins([-1], [2], ["first"]), r"first_lengths\[0\] is -1; give finite numbers in \[0, inf\]"),
        (lambda: longer_wins([1], [math.nan], ["first"]), r"second_lengths\[0\] is nan"),
        (lambda: majority([]), "majority: human empty; give at least one row"),
        (lambda: majority(["tie"]), "majority: every human choice is a tie"),
        (lambda: majority(["first"], level=2), "level is 2"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
