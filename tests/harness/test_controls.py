"""The controls: counted by hand and one by one, and by what naming and ordering must not change."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError, cluster_bootstrap, proportion
from harness.agreement import Preference, alignment
from harness.controls import commonest_label, human_ceiling, longer_wins, majority

FLIP: dict[Preference, Preference] = {"first": "second", "second": "first", "tie": "tie"}

choices = st.sampled_from(get_args(Preference))
ratings = st.lists(st.lists(st.none() | st.integers(0, 2), max_size=5), min_size=2, max_size=12).filter(
    lambda rows: sum(sum(label is not None for label in row) > 1 for row in rows) > 1
)
few = settings(deadline=None, max_examples=25)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ceiling(rows: Any, **options: Any) -> Any:
    return human_ceiling(rows, rng=rng(), resamples=200, **options)


def left_out_one_by_one(rows: list[list[int | None]]) -> tuple[list[float], list[float], int, int]:
    """Credits with ties shared, those of ratings without ties, how many ties, how many items stand alone."""
    shared, single, ties, alone = [], [], 0, 0
    for row in rows:
        given_ = [label for label in row if label is not None]
        alone += len(given_) < 2
        for at, label in enumerate(given_ if len(given_) > 1 else []):
            others = Counter(given_[:at] + given_[at + 1 :])
            best = [name for name, count in others.items() if count == max(others.values())]
            shared.append((label in best) / len(best))
            ties += len(best) > 1
            single += [float(label in best)] if len(best) == 1 else []
    return shared, single, ties, alone


@given(ratings)
@few
def test_ceiling_is_leaving_one_rater_out(rows: list[list[int | None]]) -> None:
    shared, single, ties, alone = left_out_one_by_one(rows)
    result = ceiling(rows)
    assert result.estimate.value == pytest.approx(float(np.mean(shared)))
    assert (result.estimate.n, result.ties, result.alone) == (len(shared), ties, alone)
    assert result.estimate.clusters == len(rows) - alone
    assert result.estimate.low <= result.estimate.value <= result.estimate.high
    if ties == 0:
        assert ceiling(rows, ties="left out") == result
        assert single == shared


@given(ratings, st.permutations([0, 1, 2]), st.randoms())
@few
def test_ceiling_does_not_see_names_or_order(rows: list[list[int | None]], names: list[int], random: Any) -> None:
    other = [[None if label is None else "abc"[names[label]] for label in row] for row in rows]
    for row in other:
        random.shuffle(row)
    random.shuffle(other)
    mine, plain = ceiling(other), ceiling(rows)
    assert mine[1:] == plain[1:]
    assert mine.estimate.value == pytest.approx(plain.estimate.value)


def test_ceiling_by_hand() -> None:
    rows: list[list[str | None]] = [["a", "a", "b"], ["b", "b", "b"], ["a", "b", None], ["a"]]
    result = human_ceiling(rows, rng=rng(), level=0.9)  # a and a face one of each: half; b faces a and a
    values, items = [0.5, 0.5, 0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 2, 2]
    assert result.estimate == cluster_bootstrap(values, items, rng=rng(), level=0.9)
    assert (result.ties, result.alone) == (2, 1)
    left = human_ceiling(rows, ties="left out", rng=rng())
    assert left.estimate == cluster_bootstrap(values[2:], items[2:], rng=rng())
    assert (left.ties, left.alone) == (2, 1)


def test_ceiling_of_two_raters_is_their_agreement() -> None:
    rows = rng(1).integers(0, 2, size=(50, 2))
    assert ceiling(rows).estimate.value == pytest.approx(float(np.mean(rows[:, 0] == rows[:, 1])))
    assert ceiling(rows).ties == 0


def test_ceiling_of_raters_who_agree_is_one() -> None:
    result = ceiling([["a", "a", "a"], ["b", "b"]])
    assert (result.estimate.value, result.estimate.method) == (1.0, "wilson on clusters")


def test_ceiling_resamples_clusters_of_items() -> None:
    rows = rng(2).integers(0, 2, size=(40, 3))
    prompts, seeds = np.arange(40) // 4, np.arange(40) // 20
    by_item, by_prompt = ceiling(rows), ceiling(rows, clusters=prompts)
    assert (by_item.estimate.clusters, by_prompt.estimate.clusters) == (40, 10)
    assert by_item.estimate.value == by_prompt.estimate.value
    assert ceiling(rows, seeds=seeds).estimate.method == "hierarchical bootstrap over 2 seeds"
    assert ceiling(rows, seeds=seeds).estimate.clusters == 40
    mixed = [[1], *rows.tolist()]
    assert ceiling(mixed, clusters=["x", *prompts.tolist()]).estimate == by_prompt.estimate


def test_longer_wins_by_hand() -> None:
    human: list[Preference] = ["first", "second", "first", "second", "tie"]
    assert longer_wins([9, 9, 2, 5, 9], [1, 1, 3, 5, 1], human) == proportion(1.5, 4)
    clustered = longer_wins([9, 9, 2, 5, 9], [1, 1, 3, 5, 1], human, clusters=list("aabcc"), rng=rng())
    assert clustered == cluster_bootstrap([1, 0, 0, 0.5], list("aabc"), rng=rng())


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), choices.filter(lambda c: c != "tie")), min_size=1))
@few
def test_longer_wins_is_alignment_of_a_rule(rows: list[tuple[int, int, Preference]]) -> None:
    one, two, human = ([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    rule = [0.5 + 0.1 * (a > b) - 0.1 * (a < b) for a, b in zip(one, two, strict=True)]
    assert longer_wins(one, two, human) == alignment(rule, human).estimate
    assert longer_wins(two, one, [FLIP[choice] for choice in human]) == longer_wins(one, two, human)


@given(st.lists(choices, min_size=1).filter(lambda human: set(human) != {"tie"}))
@few
def test_majority_is_the_better_constant_answer(human: list[Preference]) -> None:
    constants = [alignment([label] * len(human), human).estimate for label in (1.0, 0.0)]
    assert majority(human) == max(constants, key=lambda estimate: estimate.value)
    assert majority([FLIP[choice] for choice in human]) == majority(human)
    assert majority(human) == commonest_label([choice for choice in human if choice != "tie"])


def test_majority_of_clusters() -> None:
    human: list[Preference] = ["second", "second", "tie", "second", "first"]
    result = majority(human, clusters=list("aabbc"), rng=rng(), resamples=300)
    assert result == cluster_bootstrap([1, 1, 1, 0], list("aabc"), rng=rng(), resamples=300)
    seeded = majority(human * 2, seeds=[0] * 5 + [1] * 5, rng=rng(), level=0.5)
    assert (seeded.value, seeded.level) == (0.75, 0.5)


@given(st.lists(st.integers(0, 3), min_size=1))
@few
def test_commonest_label_is_the_best_constant(labels: list[int]) -> None:
    best = max(labels.count(label) for label in labels)
    assert commonest_label(labels) == proportion(best, len(labels))
    assert commonest_label([f"label {label}" for label in labels][::-1]) == commonest_label(labels)


def test_commonest_label_of_clusters() -> None:
    labels = np.array([2, 2, 0, 1, 2])
    result = commonest_label(labels, clusters=[1, 1, 2, 2, 3], rng=rng())
    assert result == cluster_bootstrap([1, 1, 0, 0, 1], [1, 1, 2, 2, 3], rng=rng())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: longer_wins([1], [2], ["tie"]), "longer_wins: every human choice is a tie"),
        (lambda: longer_wins([1], [2, 3], ["first"]), "first_lengths has 1, second_lengths has 2, human has 1"),
        (lambda: longer_wins([-1], [2], ["first"]), r"first_lengths\[0\] is -1; give finite numbers in \[0, inf\]"),
        (lambda: longer_wins([1], [math.nan], ["first"]), r"second_lengths\[0\] is nan"),
        (lambda: longer_wins([1], [2], ["first"], clusters=["a"]), "longer_wins: clusters without rng"),
        (lambda: majority([]), "majority: human empty; give at least one row"),
        (lambda: majority(["tie"]), "majority: every human choice is a tie"),
        (lambda: majority(["longer"]), r"majority: human\[0\] is 'longer'; use one of"),  # type: ignore[list-item]
        (lambda: majority(["first"], level=2), "majority: level is 2"),
        (lambda: majority(["first"], seeds=[1, 2]), r"lengths differ \(human has 1, seeds has 2\)"),
        (lambda: commonest_label([]), "commonest_label: labels empty"),
        (lambda: commonest_label([1, None]), r"commonest_label: labels\[1\] is None; leave out"),
        (lambda: commonest_label([1, "1"]), r"labels\[0\] is 1 but labels\[1\] is '1'"),
        (lambda: ceiling([]), "human_ceiling: ratings empty"),
        (lambda: ceiling([[1], [None, 2]]), "human_ceiling: no rating has others to compare to; give items with two"),
        (lambda: ceiling([[1, 1], [1]]), "human_ceiling: all rows are in one cluster"),
        (lambda: ceiling([[1, 1, 2], [1, 1]], clusters=[1]), r"lengths differ \(ratings has 2, clusters has 1\)"),
        (lambda: ceiling([[1, math.nan]]), r"human_ceiling: ratings\[0\]\[1\] is nan"),
        (lambda: ceiling([[1, 1]], ties="half"), "ties is 'half'; use 'shared' or 'left out'"),
        (
            lambda: human_ceiling([[1, 1]]),  # type: ignore[call-arg]
            "human_ceiling: clusters without rng",
        ),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
