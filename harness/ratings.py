"""Tables of ratings, how they are read, and the label that most raters of an item gave.

Items are in rows, raters in columns, and there may be gaps. `read_ratings` keeps who said what, `rated_items` takes
items of any numbers of raters. Agreement of the raters is in `harness.kappa`, `harness.fleiss` and
`harness.krippendorff_alpha`.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.checks import Floats, Ints, check_lengths, is_itself, refusal, sorted_labels
from harness.columns import Mask, check_one_kind, kept, labels_of
from harness.estimates import Estimate
from harness.resampling import Clusters

Table = Sequence[Sequence[Hashable]] | np.ndarray[Any, Any] | Any
"""Items in rows, raters in columns: lists, an array or a DataFrame."""
ItemLabels = Sequence[Sequence[Hashable | None]] | np.ndarray[Any, Any]
"""For each item the labels that its raters gave; None, or fewer entries, where a rater gave none."""


class RaterAgreement(NamedTuple):
    """How far raters agree, and how many items (or groups) had to be left out."""

    estimate: Estimate
    left_out: int
    """Items with fewer than two ratings, or whatever the function that made it says."""


@dataclass(frozen=True)
class Ratings:
    """Who said what of which item: `codes` (items, raters) is a position in `labels`, -1 where there is no rating."""

    codes: Ints
    labels: list[Hashable]

    @property
    def given(self) -> tuple[Ints, Ints]:
        """The item of each rating and the position of its label, (ratings,) each; item by item."""
        there = self.codes >= 0
        return np.nonzero(there)[0], self.codes[there]

    @property
    def sizes(self) -> Ints:
        """Ratings of each item (items,)."""
        return np.asarray((self.codes >= 0).sum(axis=1))

    def counts(self) -> Floats:
        """How often each item was given each label (items, labels)."""
        (items, codes), size, kinds = self.given, len(self.codes), len(self.labels)
        cells = np.bincount(items * kinds + codes, minlength=size * kinds)
        return cells.reshape(size, kinds).astype(np.float64)

    def pairable(self, where: str) -> tuple["Ratings", Mask]:
        """The items with two ratings or more, and which of all they are."""
        keep = self.sizes >= 2
        if not keep.any():
            raise refusal(where, "no item has two ratings", "give items that several raters rated")
        return Ratings(self.codes[keep], self.labels), keep


def consensus(ratings: ItemLabels, *, split: Literal["refuse", "none"] = "refuse") -> list[Hashable | None]:
    """The label of each of n items that more of its raters gave than any other: 2 of 3, or 2 of 4 beside 1 and 1.

    `ratings` holds the labels of each item, as many as it has raters, or an array (n, raters); None is no rating. Where
    two labels are equally common, or there is no rating, the item has no label: that is refused, or with `split="none"`
    it is None, for the caller to count, leave out or call a tie.

    Raises `HarnessError` for no items, a NaN, words mixed with other labels, and an item without a label.

    >>> consensus([["a", "a", "b"], ["b", None, "b"], ["a", "b", "c"]], split="none")
    ['a', 'b', None]
    """
    if split not in ("refuse", "none"):
        raise refusal("consensus", f"split is {split!r}", "use 'refuse' or 'none'")
    rated = rated_items("consensus", ratings)
    counts = rated.counts()
    most = counts.max(axis=1, keepdims=True)
    single = (most[:, 0] > 0.0) & (np.sum(counts == most, axis=1) == 1)
    if split == "refuse" and not single.all():
        at = int(np.argmin(single))
        raise refusal("consensus", f"ratings[{at}] has no commonest label", "add a rater, or give split='none'")
    found = zip(counts.argmax(axis=1), single, strict=True)
    return [rated.labels[code] if alone else None for code, alone in found]


def read_ratings(
    where: str, ratings: Table, *, missing: Hashable = None, categories: Sequence[Hashable] | None = None
) -> Ratings:
    """The table as codes; numbers are in their own order, `categories` in theirs, anything else as first met.

    True and 1 are one label, but a boolean is not the gap that `missing=0` names.

    Raises `HarnessError` for a table that is empty, flat or ragged, a NaN that is not `missing`, words mixed with other
    labels, and an unknown label.
    """
    array = getattr(ratings, "to_numpy", lambda: ratings)()
    if isinstance(array, np.ndarray) and array.ndim != 2:
        raise refusal(where, f"ratings have {array.ndim} dimensions", "give items in rows and raters in columns")
    check_lengths(where, ratings=array)
    width = len(array[0])
    for item, row in enumerate(array):
        if len(row) != width or width == 0:
            raise refusal(where, f"ratings[{item}] has {len(row)} entries", f"give {width or 'some'} for every item")
    if isinstance(array, np.ndarray) and array.dtype.kind in "biuf":
        flat: Sequence[Hashable] | np.ndarray[Any, Any] = array.ravel()
    else:
        flat = [entry for row in array for entry in row]
    codes, labels = encode(
        where, lambda at: f"ratings[{at // width}][{at % width}]", flat, missing=missing, categories=categories
    )
    return Ratings(codes.reshape(-1, width), labels)


def encode(
    where: str,
    place: Callable[[int], str],
    flat: Sequence[Hashable] | np.ndarray[Any, Any],
    *,
    missing: Hashable = None,
    categories: Sequence[Hashable] | None = None,
) -> tuple[Ints, list[Hashable]]:
    """Labels as positions in a list of them, -1 for gaps; `place` names an entry by its position, for refusals.

    Raises `HarnessError` for a NaN that is not `missing`, words beside other labels, and a label that is no category.
    """
    codes, labels = _distinct(flat)
    known = [code for code, label in enumerate(labels) if not _is_gap(label, missing)]
    kinds: dict[bool, int] = {}

    def entry(code: int) -> str:
        return place(int(np.argmax(codes == code)))

    for code in known:
        if not is_itself(labels[code]):
            raise refusal(where, f"{entry(code)} is {labels[code]}", "give a label, or say that it is missing")
        kinds.setdefault(isinstance(labels[code], str), code)
    check_one_kind(where, {kind: f"{entry(code)} is {labels[code]!r}" for kind, code in kinds.items()})
    distinct = list(dict.fromkeys(labels[code] for code in known))
    ordered = _ordered(distinct) if categories is None else list(categories)
    order = {label: position for position, label in enumerate(ordered)}
    if len(order) != len(ordered):
        raise refusal(where, "categories repeat themselves", "give each of them once")
    for code in known:
        if labels[code] not in order:
            raise refusal(where, f"{entry(code)} is {labels[code]!r}", f"use one of {', '.join(map(str, ordered))}")
    renumbered = np.full(len(labels), -1, dtype=np.intp)
    renumbered[known] = [order[labels[code]] for code in known]
    return renumbered[codes], ordered


def rated_items(where: str, ratings: ItemLabels) -> Ratings:
    """Items of any numbers of raters as `Ratings`, of whose columns none is a rater; labels are in their own order.

    Raises `HarnessError` for no ratings, a NaN, words mixed with other labels, and rows that hold no several labels.
    """
    array = getattr(ratings, "to_numpy", lambda: ratings)()
    rows = array.tolist() if isinstance(array, np.ndarray) else list(array)
    check_lengths(where, ratings=rows)
    for position, row in enumerate(rows):
        if isinstance(row, str) or not isinstance(row, Iterable):
            raise refusal(where, f"ratings[{position}] is {row!r}", "give the labels of each item as a list")
    listed = labels_of(where, **{f"ratings[{position}]": row for position, row in enumerate(rows)})
    labels = sorted_labels({label for row in listed for label in row} - {None})
    if not labels:
        raise refusal(where, "no item has a rating", "give at least one that is not None")
    code: dict[Hashable, int] = {label: number for number, label in enumerate(labels)} | {None: -1}
    codes = np.full((len(listed), max(map(len, listed))), -1, dtype=np.intp)
    for item, row in enumerate(listed):
        codes[item, : len(row)] = [code[label] for label in row]
    return Ratings(codes, labels)


def rows_kept(where: str, keep: Mask, **labels: Clusters | None) -> Clusters | None:
    """One column of labels, named by its keyword, without the rows that were left out."""
    ((name, column),) = labels.items()
    if column is None:
        return None
    if len(column) != len(keep):
        raise refusal(where, f"{name} has {len(column)} entries with {len(keep)} items", "give one for each item")
    return kept(column, keep)


def _distinct(flat: Sequence[Hashable] | np.ndarray[Any, Any]) -> tuple[Ints, list[Hashable]]:
    if isinstance(flat, np.ndarray):
        values, codes = np.unique(flat, return_inverse=True)
        return codes, values.tolist()
    known: dict[tuple[bool, Hashable], int] = {}  # apart, since one of False and 0 may be a gap
    numbered = [known.setdefault((_is_flag(label), label), len(known)) for label in flat]
    return np.array(numbered, dtype=np.intp), [label for _, label in known]


def _is_gap(label: Hashable, missing: Hashable) -> bool:
    if label is None or not is_itself(label):
        return label is None or not is_itself(missing)
    return is_itself(missing) and _is_flag(label) == _is_flag(missing) and label == missing


def _is_flag(label: Hashable) -> bool:
    return isinstance(label, (bool, np.bool_))


def _ordered(labels: list[Any]) -> list[Any]:
    return sorted(labels) if all(isinstance(label, Real) for label in labels) else labels
