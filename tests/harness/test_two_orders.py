"""Verdicts in both orders: counted by hand, and by what exchanging and renaming must not change."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError, cluster_bootstrap, proportion
from harness.agreement import Preference
from harness.two_orders import both_orders_right, two_order_agreement

shares = st.integers(0, 100).map(lambda percent: percent / 100)
choices = st.sampled_from(get_args(Preference))
words = st.sampled_from(["A", "B", "C"])
judged = st.lists(st.tuples(st.none() | words, st.none() | words, words), min_size=2, max_size=30)
few = settings(deadline=None, max_examples=25)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def two_orders(rows: Any, **options: Any) -> Any:
    return two_order_agreement(*map(list, zip(*rows, strict=True)), rng=rng(), resamples=200, **options)


def test_two_orders_by_hand() -> None:
    first, second, gold = [1, 2, 1, None, 2, None], [1, 1, 1, 1, 2, None], [1, 1, 2, 1, 2, 2]
    result = two_order_agreement(first, second, gold, rng=rng(), level=0.9)
    assert (result.right, result.agreed, result.both, result.unparsed) == ((2.0, 4.0), 3, 2, (2, 1))
    assert result.accuracy == cluster_bootstrap(
        [1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0], np.repeat(np.arange(6), 2), rng=rng(), level=0.9
    )
    assert (result.accuracy.n, result.accuracy.clusters) == (12, 6)
    assert (result.agree, result.both_right) == (proportion(3, 6, level=0.9), proportion(2, 6, level=0.9))
    left = two_order_agreement(first, second, gold, rng=rng(), unparsed="left out")
    assert (left.agree, left.both_right, left.unparsed) == (proportion(3, 4), proportion(2, 4), (2, 1))
    assert left.right == (2.0, 3.0)


def test_a_word_for_unreadable_is_a_label_and_none_is_not() -> None:
    word = two_order_agreement(["", "1"], ["", "2"], ["1", "1"], rng=rng())
    none = two_order_agreement([None, "1"], [None, "2"], ["1", "1"], rng=rng())
    assert (word.agreed, none.agreed) == (1, 0)
    assert (word.both, none.both, word.right, none.right) == (0, 0, (1.0, 0.0), (1.0, 0.0))
    assert (word.unparsed, none.unparsed) == ((0, 0), (1, 1))


@given(judged)
@few
def test_two_orders_laws(rows: list[tuple[Any, Any, str]]) -> None:
    result = two_orders(rows)
    swapped = two_orders([(b, a, gold) for a, b, gold in rows])
    renamed = two_orders([tuple(label and label.lower() for label in row) for row in rows])
    assert replace(swapped, right=result.right, unparsed=result.unparsed) == result == renamed
    assert (swapped.right, swapped.unparsed) == (result.right[::-1], result.unparsed[::-1])
    assert result.accuracy.value == pytest.approx(sum(result.right) / (2 * len(rows)))
    assert result.both_right.value <= min(result.agree.value, result.accuracy.value + 1e-12)
    assert result.both <= min(result.right)


@given(judged.filter(lambda rows: sum(None not in row for row in rows) > 1))
@few
def test_left_out_is_as_if_never_there(rows: list[tuple[Any, Any, str]]) -> None:
    left = two_orders(rows, unparsed="left out")
    assert replace(left, unparsed=(0, 0)) == two_orders([row for row in rows if None not in row])


def test_two_orders_resample_what_belongs_together() -> None:
    generator = rng(5)
    rows = [(int(a), int(b), 1) for a, b in generator.integers(1, 3, size=(40, 2))]
    clusters, seeds = np.repeat(np.arange(20), 2), np.repeat([0, 1, 2, 3], 10)
    result = two_orders(rows, clusters=clusters)
    assert [estimate.clusters for estimate in (result.accuracy, result.agree, result.both_right)] == [20] * 3
    assert result.accuracy == cluster_bootstrap(
        [float(label == 1) for row in rows for label in row[:2]], np.repeat(clusters, 2), rng=rng(), resamples=200
    )
    seeded = two_orders(rows, seeds=seeds)
    assert {seeded.accuracy.method, seeded.agree.method} == {"hierarchical bootstrap over 4 seeds"}
    assert (seeded.accuracy.clusters, seeded.agree.clusters) == (40, 40)
    unread = [(None, 1, 1), *rows]
    left = two_orders(unread, clusters=["new", *clusters.tolist()], unparsed="left out")
    assert replace(left, unparsed=(0, 0)) == result


def test_both_orders_right_by_hand() -> None:
    first, second = [0.9, 0.9, 0.5, 0.2, None, 0.7], [0.2, 0.6, 0.3, 0.8, 0.1, 0.1]
    human: list[Preference] = ["first", "first", "first", "second", "first", "tie"]
    result = both_orders_right(first, second, human, rng=rng())
    assert (result.right, result.agreed, result.both) == ((3.5, 4.0), 2, 2)
    assert (result.unparsed, result.human_ties) == ((1, 0), 1)
    assert (result.both_right, result.agree) == (proportion(2, 5), proportion(2, 5))
    assert result.accuracy.value == pytest.approx(0.75)
    assert both_orders_right(first, second, human, rng=rng(), unparsed="left out").both_right == proportion(2, 4)


@given(st.lists(st.tuples(st.none() | shares, st.none() | shares, choices), min_size=2, max_size=20))
@few
def test_both_orders_right_is_two_order_agreement_of_words(rows: list[tuple[Any, Any, Preference]]) -> None:
    rows = [*rows, (0.9, 0.2, "first"), (0.1, 0.2, "second")]
    one, other, human = (list(column) for column in zip(*rows, strict=True))
    soft = both_orders_right(one, other, human, rng=rng(), resamples=200)
    kept = [(a, b, choice) for a, b, choice in rows if choice != "tie"]

    def word(share: float | None, above: str, below: str) -> str | None:
        return None if share is None else "half" if share == 0.5 else above if share > 0.5 else below

    named = [(word(a, "first", "second"), word(b, "second", "first"), choice) for a, b, choice in kept]
    hard = two_orders(named)
    halves = tuple(sum(row[at] == "half" for row in named) for at in (0, 1))
    assert (soft.both_right, soft.unparsed) == (hard.both_right, hard.unparsed)
    assert soft.agreed == hard.agreed - sum(a == b == "half" for a, b, _ in named)
    assert soft.right == (hard.right[0] + halves[0] / 2, hard.right[1] + halves[1] / 2)
    assert soft.human_ties == len(rows) - len(kept)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_order_agreement([1], [1, 2], [1], rng=rng()), "first_order has 1, second_order has 2, gold has 1"),
        (lambda: two_order_agreement([1], [1], [None], rng=rng()), r"gold\[0\] is None; leave out rows without an"),
        (lambda: two_order_agreement([1], [math.nan], [1], rng=rng()), r"second_order\[0\] is nan; give a label, or"),
        (
            lambda: two_order_agreement(["1"], ["1"], [1], rng=rng()),
            r"two_order_agreement: first_order\[0\] is '1' but gold\[0\] is 1; give words everywhere, or nowhere",
        ),
        (
            lambda: two_order_agreement([1, 2], [None, None], [1, 1], rng=rng(), unparsed="left out"),
            "two_order_agreement: no row could be read",
        ),
        (
            lambda: two_order_agreement([1], [1], [1], rng=rng(), unparsed="tie"),  # type: ignore[arg-type]
            "unparsed is 'tie'; use 'wrong' or 'left out'",
        ),
        (lambda: two_order_agreement([1], [1], [1], rng=rng()), "all rows are in one cluster"),
        (
            lambda: two_order_agreement([1], [1], [1]),  # type: ignore[call-arg]
            "two_order_agreement: clusters without rng",
        ),
        (lambda: both_orders_right([0.5], [0.5], ["tie"], rng=rng()), "both_orders_right: every human choice is a tie"),
        (lambda: both_orders_right([0.5], [2], ["first"], rng=rng()), r"both_orders_right: second\[0\] is 2; give"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
