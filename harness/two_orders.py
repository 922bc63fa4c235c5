"""Verdicts of a judge that saw every pair in both orders, against the right answers.

Labels name the response, not its position (`two_order_agreement`), or are soft (`both_orders_right`). Which position a
judge prefers is in `harness.agreement`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from harness.agreement import Preference, credit, sides_of
from harness.checks import Floats
from harness.columns import (
    Labels,
    Mask,
    Unparsed,
    check_columns,
    check_present,
    kept,
    labels_of,
    numbers_or_none,
    rows_to_count,
)
from harness.estimates import Estimate
from harness.resampling import Bootstrap, Clusters
from harness.shares import share_of


@dataclass(frozen=True)
class TwoOrders:
    """A judge that saw every pair in both orders, against the right answers."""

    accuracy: Estimate
    """(right in one order + right in the other) / 2n: n counts verdicts, which are resampled by pair or cluster."""
    agree: Estimate
    """Share of pairs where both orders prefer the same response."""
    both_right: Estimate
    """Share of pairs where both orders prefer the right one."""
    right: tuple[float, float]
    """Right verdicts in each order; a soft label of exactly 0.5 is one half."""
    agreed: int
    both: int
    unparsed: tuple[int, int]
    """Verdicts of each order that could not be read, among the pairs with an answer; see the function for their use."""
    human_ties: int
    """Left out."""


def two_order_agreement(
    first_order: Labels,
    second_order: Labels,
    gold: Labels,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    unparsed: Unparsed = "wrong",
    **options: Unpack[Bootstrap],
) -> TwoOrders:
    """Accuracy over both orders, agreement between them, and both-orders-right, of n pairs judged twice.

    All three hold n labels of any kind that name the response, not its position. None is a verdict that could not be
    read: with `unparsed="wrong"` it is never right and agrees with nothing (not with None either), with "left out" its
    pair is left out. A string that stands for unreadable is a label like others: two of them agree, as in LLMBar.
    Accuracy is by `cluster_bootstrap` over pairs (or `clusters`, `seeds`), the two shares of pairs as in `alignment`.

    Raises `HarnessError` for lengths that differ, no pairs, no answer in `gold`, a NaN, words mixed with other labels,
    pairs that are all left out, and where `cluster_bootstrap` does.
    Reference: Zeng et al. (2024), Evaluating Large Language Models at Evaluating Instruction Following, arXiv
    2310.07641 (average accuracy and positional agreement rate).

    >>> result = two_order_agreement([1, 1, 2, 1], [1, 2, 2, None], [1, 1, 2, 2], rng=np.random.default_rng(0))
    >>> print(result.accuracy, result.right, result.unparsed)
    0.625 [0.250, 1.000] (n=8, 4 clusters, cluster bootstrap) (3.0, 2.0) (0, 1)
    >>> print(result.agree, result.both)
    0.500 [0.150, 0.850] (n=4, wilson) 2
    """
    where = "two_order_agreement"
    check_columns(where, first_order=first_order, second_order=second_order, gold=gold, clusters=clusters, seeds=seeds)
    one, other, answers = labels_of(where, first_order=first_order, second_order=second_order, gold=gold)
    check_present(where, "gold", answers)
    rights = [(_right(a, answer), _right(b, answer)) for a, b, answer in zip(one, other, answers, strict=True)]
    same = np.array([a is not None and a == b for a, b in zip(one, other, strict=True)])
    return _two_orders(where, np.array(rights), same, clusters, seeds, unparsed, options, human_ties=0)


def both_orders_right(
    first: Sequence[float | None] | Floats,
    second: Sequence[float | None] | Floats,
    human: Sequence[Preference],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    unparsed: Unparsed = "wrong",
    **options: Unpack[Bootstrap],
) -> TwoOrders:
    """`two_order_agreement` of soft labels: `first` and `second` (n) as in `positional_agreement`, `human` (n choices).

    Exactly 0.5 is right by one half in `accuracy`, and neither agrees nor is right in the two shares of pairs. Human
    ties are left out. None and `unparsed` are as in `two_order_agreement`.

    Raises `HarnessError` for lengths that differ, a probability that is NaN or outside [0, 1], an unknown choice, no
    pair that is left, and where `cluster_bootstrap` does.

    >>> human = ["first", "second", "first"]
    >>> result = both_orders_right([0.9, 0.4, 0.8], [0.2, 0.6, 0.7], human, rng=np.random.default_rng(0))
    >>> print(result.both_right, result.right)
    0.667 [0.208, 0.939] (n=3, wilson) (3.0, 2.0)
    """
    where = "both_orders_right"
    check_columns(where, first=first, second=second, human=human, clusters=clusters, seeds=seeds)
    one = numbers_or_none(where, "first", first, 0.0, 1.0) - 0.5
    other = 0.5 - numbers_or_none(where, "second", second, 0.0, 1.0)
    sides = sides_of(where, human)
    chosen = sides != 0.0
    rights = np.stack([credit(one, sides), credit(other, sides)], axis=1)[chosen]
    same = (one * other > 0.0)[chosen]
    inner, outer = kept(clusters, chosen), kept(seeds, chosen)
    return _two_orders(where, rights, same, inner, outer, unparsed, options, human_ties=int(np.sum(~chosen)))


def _two_orders(
    where: str,
    rights: Floats,
    same: Mask,
    clusters: Clusters | None,
    seeds: Clusters | None,
    unparsed: Unparsed,
    options: Bootstrap,
    *,
    human_ties: int,
) -> TwoOrders:
    """From the credit of each verdict (n, 2), NaN where it could not be read, and whether the two agree (n,)."""
    unread = np.isnan(rights)
    stays = rows_to_count(where, unread[:, 0] | unread[:, 1], unparsed)
    rights, same, inner, outer = np.nan_to_num(rights[stays]), same[stays], kept(clusters, stays), kept(seeds, stays)
    both = (rights == 1.0).all(axis=1)
    pairs = np.arange(len(same)) if inner is None else inner
    return TwoOrders(
        accuracy=share_of(where, rights.ravel(), _twice(pairs), None if outer is None else _twice(outer), options),
        agree=share_of(where, same.astype(np.float64), inner, outer, options),
        both_right=share_of(where, both.astype(np.float64), inner, outer, options),
        right=(float(rights[:, 0].sum()), float(rights[:, 1].sum())),
        agreed=int(same.sum()),
        both=int(both.sum()),
        unparsed=(int(unread[:, 0].sum()), int(unread[:, 1].sum())),
        human_ties=human_ties,
    )


def _right(label: Hashable | None, answer: Hashable | None) -> float:
    return np.nan if label is None else float(label == answer)


def _twice(labels: Clusters) -> Clusters:
    return [label for label in labels for _ in range(2)]
