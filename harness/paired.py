"""Two systems on the same rows: the difference of their means, with the pairing and the clusters kept.

A pair is one item (a prompt, or a prompt in one order) that both systems answered. Nothing is matched by position
unless you say so: `aligned` matches by item and counts what it drops. Unpaired samples belong in `harness.two_sample`.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Unpack

import numpy as np
from scipy.special import stdtr

from harness.checks import Floats, check_lengths, check_level, numbers, refusal
from harness.estimates import Estimate, Significance
from harness.intervals import bootstrap_totals, ratio
from harness.means import clustered_error, t_interval
from harness.resampling import Bootstrap, Clusters, Groups, group


class Aligned(NamedTuple):
    """The values of two systems on the items that both have, in the order of ours, and what was dropped."""

    items: tuple[Hashable, ...]
    ours: Floats
    theirs: Floats
    only_ours: int
    """Items that theirs lacks."""
    only_theirs: int
    unparsed: int
    """Shared items of which either value is None; left out."""


class Student(NamedTuple):
    """A mean, its clustered standard error, and the degrees of freedom of that error."""

    value: float
    error: float
    degrees: int


def aligned(
    ours_items: Collection[Hashable],
    ours: Collection[float | None],
    theirs_items: Collection[Hashable],
    theirs: Collection[float | None],
) -> Aligned:
    """The values on shared items; each system names one item a value (a DataFrame column, `.keys()` and `.values()`).

    A value of None could not be read. Where an item has several rows, name it (prompt, order, sample), and take the
    prompt as the cluster afterwards.

    Raises `HarnessError` for an item that occurs twice or is None or NaN, lengths that differ, a value that is not
    finite, and where no item is left.

    >>> scores, others = {"a": 1.0, "b": 0.0, "c": 0.5}, {"c": 1.0, "b": 1.0, "d": 0.0}
    >>> kept = aligned(scores.keys(), scores.values(), others.keys(), others.values())
    >>> kept.items, kept.ours, kept.theirs, kept.only_ours, kept.only_theirs
    (('b', 'c'), array([0. , 0.5]), array([1., 1.]), 1, 1)
    """
    where = "aligned"
    check_lengths(where, ours_items=ours_items, ours=ours)
    check_lengths(where, theirs_items=theirs_items, theirs=theirs)
    mine = dict(zip(_items(where, "ours_items", ours_items), ours, strict=True))
    other = dict(zip(_items(where, "theirs_items", theirs_items), theirs, strict=True))
    shared = [item for item in mine if item in other]
    kept = tuple(item for item in shared if mine[item] is not None and other[item] is not None)
    if not kept:
        raise refusal(where, "no item has a value of both", "give at least one that both systems answered")
    left = numbers(where, "ours", [mine[item] for item in kept])
    right = numbers(where, "theirs", [other[item] for item in kept])
    dropped = (len(mine) - len(shared), len(other) - len(shared), len(shared) - len(kept))
    return Aligned(kept, left, right, *dropped)


def paired_difference(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Mean of n `ours` minus mean of n `theirs`, row i of both on the same item; the unit is that of the values.

    With D_k the sum of ours - theirs and m_k the pairs in cluster k, the value is ΣD_k / Σm_k; clusters of pairs are
    resampled whole. Exchanging the systems negates value and interval (with the same rng; where the value is exactly
    0, up to the error of the draws). Options are those of `Bootstrap`.

    Raises `HarnessError` for lengths that differ, values that are not finite, fewer than 2 clusters, and where all
    clusters differ by the same (`paired_difference_value` is then the figure, without an interval).
    Reference: Miller (2024), Adding Error Bars to Evals, arXiv 2411.00640 (paired differences, clustered errors).

    >>> print(paired_difference([1, 1, 0, 1], [0, 1, 0, 0], rng=np.random.default_rng(0)))
    0.500 [0.000, 1.000] (n=4, paired bootstrap)
    """
    where = "paired_difference"
    differences = paired_differences(where, ours, theirs)
    groups = group(where, len(differences), clusters, seeds)
    ahead = -1.0 if differences.sum() < 0.0 else 1.0  # of both directions one is resampled, the other is its mirror
    columns = np.stack([ahead * differences, np.ones(len(differences))], axis=1)
    found = bootstrap_totals(where, columns, ratio, groups, options, name="paired bootstrap")
    return found if ahead > 0.0 else replace(found, value=-found.value, low=-found.high, high=-found.low)


def paired_difference_value(ours: Sequence[float] | Floats, theirs: Sequence[float] | Floats) -> float:
    """The value of `paired_difference`, without an interval; defined for one pair too.

    Raises `HarnessError` for lengths that differ and values that are not finite.

    >>> paired_difference_value([1, 1, 0, 1], [0, 1, 0, 0])
    0.5
    """
    return float(paired_differences("paired_difference_value", ours, theirs).mean())


def paired_t(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    *,
    clusters: Clusters | None = None,
    level: float = 0.95,
) -> Estimate:
    """The value of `paired_difference` ± t · standard error, with K - 1 degrees of freedom (K clusters, or n pairs).

    The standard error is that of `standard_error` on ours - theirs. With few clusters (three training seeds) it covers
    where a bootstrap does not. Raises `HarnessError` as `paired_difference` does.

    >>> print(paired_t([1, 1, 0, 1], [0, 1, 0, 0]))
    0.500 [-0.419, 1.419] (n=4, paired t)
    """
    where = "paired_t"
    differences = paired_differences(where, ours, theirs)
    return student_interval(where, differences, group(where, len(differences), clusters), level, name="paired t")


def paired_t_test(
    ours: Sequence[float] | Floats, theirs: Sequence[float] | Floats, *, clusters: Clusters | None = None
) -> Significance:
    """Two-sided t test that the difference of `paired_t` is 0; the statistic is difference / standard error.

    Raises `HarnessError` as `paired_t` does.

    >>> print(paired_t_test([1, 1, 0, 1], [0, 1, 0, 0]))
    p=0.182 (n=4, paired t)
    """
    where = "paired_t_test"
    differences = paired_differences(where, ours, theirs)
    groups = group(where, len(differences), clusters)
    value, error, degrees = student(where, differences, groups)
    p = 2.0 * float(stdtr(degrees, -abs(value / error)))
    return Significance(p, value / error, groups.count, "paired t" if groups.alone else "paired t on clusters")


def student(where: str, values: Floats, groups: Groups) -> Student:
    """Mean and clustered error of checked values (n,); refused where all clusters have the same mean."""
    value, error = float(values.mean()), clustered_error(values, groups)
    if error <= 1e-12 * float(np.abs(values).max()):
        raise refusal(where, f"every cluster has the difference {value:g}", "give rows that differ")
    return Student(value, error, groups.count - 1)


def student_interval(where: str, values: Floats, groups: Groups, level: float, *, name: str) -> Estimate:
    """Mean of checked values (n,) ± t · clustered error."""
    check_level(where, level)
    value, error, degrees = student(where, values, groups)
    return t_interval(value, error, degrees, groups, level, name=name)


def paired_differences(where: str, ours: Sequence[float] | Floats, theirs: Sequence[float] | Floats) -> Floats:
    """Ours - theirs of n checked rows each (n,), by position: two Series that are indexed otherwise are refused."""
    check_lengths(where, ours=ours, theirs=theirs)
    sides: tuple[Any, Any] = ours, theirs
    indexes = [side.index for side in sides if hasattr(side, "iloc")]
    if len(indexes) == 2 and not indexes[0].equals(indexes[1]):
        raise refusal(where, "the two have different indexes", "match them by item first, with aligned(...)")
    return numbers(where, "ours", ours) - numbers(where, "theirs", theirs)


def _items(where: str, name: str, items: Collection[Hashable]) -> list[Hashable]:
    seen: set[Hashable] = set()
    for position, item in enumerate(items):
        if item is None or item != item:
            raise refusal(where, f"{name}[{position}] is {item}", "name the item of each value")
        if item in seen:
            raise refusal(where, f"{name}[{position}] is {item!r} again", "name each item once: (prompt, sample)")
        seen.add(item)
    return list(items)
