"""Outcomes from codes, scores and orders: every code is named, sums take out position, exchanging systems mirrors."""

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
        (lambda: outcomes_of_scores([1, 2], [1]), r"shapes are \(2,\) and \(1,\); give \(n,\) or \(n, orders\)"),
        (lambda: outcomes_of_scores([], []), r"shapes are \(0,\) and \(0,\)"),
        (lambda: outcomes_of_scores([1], [1], margin=-1), "margin is -1; give 0 or more"),
        (lambda: outcomes_of_orders(["policy"], ["draw"]), r"other\[0\] is 'draw'"),  # type: ignore[list-item]
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
