"""Outcomes from codes, scores and orders: every code is named, sums take out position, exchanging systems mirrors."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import HarnessError
from harness.preference import Outcome
from harness.verdicts import OUTCOMES, decode, outcomes_of_orders, outcomes_of_scores

MIRROR: dict[Outcome, Outcome] = {"policy": "opponent", "opponent": "policy", "tie": "tie", "unparsed": "unparsed"}
scores = st.lists(st.tuples(*[st.integers(1, 10)] * 4), min_size=1)
outcomes = st.sampled_from(OUTCOMES)


def test_every_code_has_a_word() -> None:
    words: dict[Any, Outcome] = {2: "policy", 1: "opponent", 1.5: "tie", 0: "tie", None: "unparsed"}
    assert decode([2.0, 1, 1.5, 0, None, float("nan")], words) == [
        "policy",
        "opponent",
        "tie",
        "tie",
        "unparsed",
        "unparsed",
    ]


def test_one_word_under_none_and_nan_is_no_contradiction() -> None:
    assert decode([None, math.nan], {None: "unparsed", math.nan: "unparsed"}) == ["unparsed"] * 2


@given(scores)
def test_sums_over_orders(rows: list[tuple[int, ...]]) -> None:
    ours, theirs = [row[:2] for row in rows], [row[2:] for row in rows]
    mine = outcomes_of_scores(ours, theirs)
    expected = [np.sign(sum(one) - sum(other)) for one, other in zip(ours, theirs, strict=True)]
    assert [{"policy": 1, "opponent": -1, "tie": 0}[word] for word in mine] == expected
    assert outcomes_of_scores(theirs, ours) == [MIRROR[word] for word in mine]
    assert outcomes_of_scores([sum(one) for one in ours], [sum(other) for other in theirs]) == mine
    assert set(outcomes_of_scores(ours, theirs, margin=20)) == {"tie"}


def test_missing_scores() -> None:
    ours, theirs = [[8.0, np.nan], [1.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]
    assert outcomes_of_scores(ours, theirs, missing="unparsed") == ["unparsed", "policy"]
    assert outcomes_of_scores([None, 2.0], [1, np.float32(1.0)], missing="unparsed") == ["unparsed", "policy"]
    assert outcomes_of_scores(np.array([True, False]), [0, 0]) == ["policy", "tie"]
    with pytest.raises(HarnessError, match="row 0 has a NaN; give a number, or missing='unparsed'"):
        outcomes_of_scores(ours, theirs)


@given(st.lists(st.tuples(outcomes, outcomes), min_size=1))
def test_orders_must_agree(pairs: list[tuple[Outcome, Outcome]]) -> None:
    one, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    mine = outcomes_of_orders(one, other)
    assert outcomes_of_orders(other, one) == mine
    assert outcomes_of_orders([MIRROR[a] for a in one], [MIRROR[b] for b in other]) == [MIRROR[word] for word in mine]
    for (a, b), word in zip(pairs, mine, strict=True):
        assert word == ("unparsed" if "unparsed" in (a, b) else a if a == b else "tie")
    assert outcomes_of_orders(["policy"], ["opponent"], disagree="unparsed") == ["unparsed"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decode([], {}), "decode: codes empty"),
        (lambda: decode([3], {1: "policy"}), r"decode: codes\[0\] is 3; name it, or use one of 1"),
        (lambda: decode([1], {1: "win"}), r"decode: words\[0\] is 'win'"),  # type: ignore[dict-item]
        (
            lambda: decode([None], {None: "unparsed", math.nan: "tie"}),
            "words has 'unparsed' and 'tie' for None and NaN",
        ),
        (lambda: outcomes_of_scores(["8", "7"], ["7", "9"]), r"policy has '8'; give finite numbers"),
        (lambda: outcomes_of_scores([8, 7], [7, np.inf]), r"opponent has inf; give finite numbers"),
        (lambda: outcomes_of_scores([1, -np.inf], [7, 3]), "policy has -inf"),
        (lambda: outcomes_of_scores(np.array([1, "2"], dtype=object), [7, 3]), "policy has '2'"),
        (lambda: outcomes_of_scores(np.array(["2020"], dtype="M8[Y]"), [7]), "policy has "),
        (lambda: outcomes_of_scores([1], [1], missing="drop"), r"missing\[0\] is 'drop'; use one of refuse, unparsed"),  # type: ignore[arg-type]
        (
            lambda: outcomes_of_orders(["policy"], ["tie"], disagree="policy"),  # type: ignore[arg-type]
            r"disagree\[0\] is 'policy'; use one of tie, unparsed",
        ),
        (lambda: outcomes_of_scores([1, 2], [1]), r"shapes are \(2,\) and \(1,\); give \(n,\) or \(n, orders\)"),
        (lambda: outcomes_of_scores([], []), r"shapes are \(0,\) and \(0,\)"),
        (lambda: outcomes_of_scores([1], [1], margin=-1), "margin is -1; give 0 or more"),
        (lambda: outcomes_of_orders(["policy"], ["draw"]), r"other\[0\] is 'draw'"),  # type: ignore[list-item]
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
