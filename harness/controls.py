"""What stands beside every labeler: rules that read nothing, and how well a person agrees with the other people.

A labeler that does not beat the commonest label and "the longer one wins" has learned nothing that is worth its price;
one that agrees with people as well as they do with each other is at the human ceiling.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Unpack

import numpy as np

from harness.agreement import Preference, credit, sides_of
from harness.checks import Floats, numbers, refusal
from harness.columns import Labels, Mask, check_columns, check_present, kept, labels_of
from harness.estimates import Estimate
from harness.ratings import ItemLabels, Ratings, rated_items
from harness.resampling import Bootstrap, Clusters
from harness.shares import ShareOptions, share_of


class HumanCeiling(NamedTuple):
    """How often a rater agrees with the majority of the others, and what that majority rests on."""

    estimate: Estimate
    """n counts ratings, which are resampled by item (or cluster)."""
    ties: int
    """Ratings for which two or more labels were commonest among the others; see `human_ceiling` for their use."""
    alone: int
    """Left out: items with fewer than two ratings."""


def majority(
    human: Sequence[Preference],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[ShareOptions],
) -> Estimate:
    """Share of the commoner of `first` and `second` in n human choices, ties left out. A control: it reads nothing.

    The commoner is found in the same rows, so the value is never below one half; the interval is that of its share,
    Wilson's or with `clusters` or `seeds` that of `cluster_bootstrap`, which needs `rng`.

    Raises `HarnessError` for no choices, an unknown one, where all are ties, for clusters without rng, and where
    `cluster_bootstrap` does.

    >>> print(majority(["first", "second", "first", "tie", "first"]))
    0.750 [0.301, 0.954] (n=4, wilson)
    """
    check_columns("majority", human=human, clusters=clusters, seeds=seeds)
    sides = sides_of("majority", human)
    chosen = sides != 0.0
    firsts = (sides[chosen] > 0.0).astype(np.float64)
    commoner = firsts if firsts.mean() >= 0.5 else 1.0 - firsts
    return share_of("majority", commoner, kept(clusters, chosen), kept(seeds, chosen), options)


def commonest_label(
    labels: Labels,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[ShareOptions],
) -> Estimate:
    """`majority` of n labels of any kind, ties being a class like others: the accuracy of always saying the commonest.

    Raises `HarnessError` for no labels, a None or NaN, words mixed with other labels, for clusters without rng, and
    where `cluster_bootstrap` does.

    >>> print(commonest_label([1, 2, 0, 2, 2, 1]))
    0.500 [0.188, 0.812] (n=6, wilson)
    """
    where = "commonest_label"
    check_columns(where, labels=labels, clusters=clusters, seeds=seeds)
    (listed,) = labels_of(where, labels=labels)
    check_present(where, "labels", listed)
    counts = dict.fromkeys(listed, 0)
    for label in listed:
        counts[label] += 1
    commonest = max(counts, key=lambda label: counts[label])
    return share_of(where, np.array([float(label == commonest) for label in listed]), clusters, seeds, options)


def longer_wins(
    first_lengths: Sequence[float] | Floats,
    second_lengths: Sequence[float] | Floats,
    human: Sequence[Preference],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[ShareOptions],
) -> Estimate:
    """Share of the human choices, ties left out, that fell on the longer response; equal lengths count one half.

    All three have n entries; lengths are in any one unit. A control: it reads nothing. Intervals as in `majority`.

    Raises `HarnessError` for lengths that differ, a length that is negative or not finite, an unknown choice, where
    all are ties, for clusters without rng, and where `cluster_bootstrap` does.
    Reference: Singhal et al. (2023), A Long Way to Go, arXiv 2310.03716.

    >>> print(longer_wins([10, 20, 5], [3, 30, 5], ["first", "first", "second"]))
    0.500 [0.125, 0.875] (n=3, wilson)
    """
    where = "longer_wins"
    columns = {"first_lengths": first_lengths, "second_lengths": second_lengths, "human": human}
    check_columns(where, **columns, clusters=clusters, seeds=seeds)
    first = numbers(where, "first_lengths", first_lengths, low=0.0)
    second = numbers(where, "second_lengths", second_lengths, low=0.0)
    sides = sides_of(where, human)
    chosen = sides != 0.0
    right = credit(first - second, sides)[chosen]
    return share_of(where, right, kept(clusters, chosen), kept(seeds, chosen), options)


def human_ceiling(
    ratings: ItemLabels,
    *,
    ties: Literal["shared", "left out"] = "shared",
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> HumanCeiling:
    """How often a rater gives the label that most of the *other* raters of the item gave (leave one rater out).

    `ratings` holds for each of n items the labels that its raters gave, as many as there are, or an array (n, raters);
    None is no rating. Every rating of an item with two or more is compared to the commonest label among the others.
    Where t labels are equally common among them it counts 1 / t if it is one of these (the expectation of breaking the
    tie at random), or with `ties="left out"` it is left out; both are counted. The value is the mean over ratings, the
    interval that of `cluster_bootstrap` over items, or over `clusters` (n, of items) and `seeds` (n).

    A labeler that is compared to all the raters faces a majority of one rater more: for it the ceiling is a little low.

    Raises `HarnessError` for lengths that differ, a NaN, words mixed with other labels, no item with two ratings, ties
    alone, and where `cluster_bootstrap` does. Reference: Dubois et al. (2023), AlpacaFarm, arXiv 2305.14387; the README
    of alpaca_eval defines it under "Human agreement".

    >>> ratings = [["a", "a", "b"], ["b", "b"], ["a", "b", None], ["a"]]
    >>> result = human_ceiling(ratings, rng=np.random.default_rng(0))
    >>> print(result.estimate, result.ties, result.alone)
    0.429 [0.000, 1.000] (n=7, 3 clusters, cluster bootstrap) 2 1
    """
    where = "human_ceiling"
    check_columns(where, ratings=ratings, clusters=clusters, seeds=seeds)
    if ties not in ("shared", "left out"):
        raise refusal(where, f"ties is {ties!r}", "use 'shared' or 'left out'")
    rated = rated_items(where, ratings)
    (items, _), sizes = rated.given, rated.sizes
    right, tied = _against_the_others(rated)
    compared = sizes[items] >= 2
    rows = compared if ties == "shared" else compared & ~tied
    if not rows.any():
        raise refusal(where, "no rating has others to compare to", "give items with two raters or more")
    items = items[rows]
    inner, outer = (None if labels is None else _of_ratings(labels, items.tolist()) for labels in (clusters, seeds))
    estimate = share_of(where, right[rows], items if inner is None else inner, outer, options)
    return HumanCeiling(estimate, ties=int(np.sum(tied & compared)), alone=int(np.sum(sizes < 2)))


def _against_the_others(rated: Ratings) -> tuple[Floats, Mask]:
    """For each rating its credit against the commonest label of the others, and whether several were commonest."""
    items, codes = rated.given
    rows, others = np.arange(len(items)), rated.counts()[items]
    others[rows, codes] -= 1.0
    most = others.max(axis=1)
    count = np.sum(others == most[:, None], axis=1)
    return (others[rows, codes] == most) / count, count > 1


def _of_ratings(labels: Clusters, items: list[int]) -> Clusters:
    listed = list(labels)
    return [listed[item] for item in items]
