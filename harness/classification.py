"""A judge of several classes (win, loss, tie) against gold labels, and gold labels from the ratings of several people.

Also how every comparison of labels reads its columns, and the interval of a share of rows that are right. Soft labels
are left out: `harness.agreement` has those.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from harness.bootstrap import mean_of_totals
from harness.checks import Floats, Ints, check_lengths, refusal
from harness.estimates import Estimate
from harness.proportions import proportion
from harness.resampling import Bootstrap, Clusters, Interval, Settings, Totals, bootstrap_reduced, group

Labels = Sequence[Hashable | None] | np.ndarray[Any, Any]
"""One label a row, words or numbers; None could not be read."""
Ratings = Sequence[Sequence[Hashable | None]] | np.ndarray[Any, Any]
"""For each item the labels that its raters gave; None, or fewer entries, where a rater gave none."""
Mask = npt.NDArray[np.bool_]
Unparsed = Literal["wrong", "left out"]


class ShareOptions(TypedDict, total=False):
    """Options of `Bootstrap`; all but `level` serve only with clusters or seeds, and `rng` is required with those."""

    rng: np.random.Generator | None
    level: float
    resamples: int
    interval: Interval


class MacroScores(NamedTuple):
    """Accuracy, and the means over classes of precision, recall and F1, all in [0, 1]."""

    accuracy: float
    precision: float
    recall: float
    f1: float


class ClassScores(NamedTuple):
    """One class: how often the judge is right where it says so (precision) and where it is so (recall)."""

    label: Hashable
    precision: float
    """0 where the judge never said it."""
    recall: float
    """0 where no row is of this class."""
    f1: float
    support: int
    """Rows of this class in gold."""
    predicted: int
    """Rows on which the judge said it."""
    right: int


@dataclass(frozen=True)
class Classification:
    """A judge against gold labels: the figures, each class, and the confusion counts."""

    accuracy: Estimate
    precision: Estimate
    """Mean over classes, as are recall and f1."""
    recall: Estimate
    f1: Estimate
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are classes of gold and columns those of the judge, in the order of `classes`."""
    never_predicted: int
    """Classes that the judge never said: the precision of each counts 0."""
    never_gold: int
    """Classes that only the judge said: the recall of each counts 0."""
    unparsed: int
    """Verdicts that could not be read; see `classification` for their use."""


@dataclass(frozen=True)
class RatedItems:
    """Ratings as numbers: for each rating its item and the code of its label, and label counts (items, labels)."""

    items: Ints
    codes: Ints
    counts: Ints
    labels: list[Hashable]


def classification(
    judge: Labels,
    gold: Labels,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    unparsed: Unparsed = "left out",
    **options: Unpack[Bootstrap],
) -> Classification:
    """Accuracy and macro precision, recall and F1 of n labels of a `judge` against n `gold` labels.

    With right, predicted and support rows of class c: P_c = right / predicted, R_c = right / support, F_c = 2 right /
    (predicted + support); macro figures are the means over the classes that occur in either column (F1 is the mean of
    F_c, not the F1 of the means). A class never predicted has P_c = 0, one that is not in gold R_c = 0; both kinds are
    counted. None is a verdict that could not be read: its row is left out, or with `unparsed="wrong"` it stays in the
    support of its class. Intervals: accuracy Wilson's or that of `cluster_bootstrap`, the rest by bootstrap of rows,
    `clusters` (n) or `seeds` (n), where a class that a resample lacks is not in its mean.

    Raises `HarnessError` for lengths that differ, no row that could be read, no answer in `gold`, a NaN, words mixed
    with other labels, and where no resample differs, as for a judge that is always right (`classification_value` has
    its figures). References: Sokolova and Lapalme (2009), A systematic analysis of performance measures for
    classification tasks; Opitz and Burst (2019), Macro F1 and Macro F1, arXiv 1911.03347.

    >>> judge, gold = ["win", "win", "loss", "loss", "win"], ["win", "loss", "loss", "tie", "win"]
    >>> result = classification(judge, gold, rng=np.random.default_rng(0))
    >>> print(result.f1, result.never_predicted)
    0.433 [0.111, 1.000] (n=5, bootstrap) 1
    >>> print(result.accuracy, [row.label for row in result.classes], result.confusion)
    0.600 [0.231, 0.882] (n=5, wilson) ['loss', 'tie', 'win'] ((1, 0, 1), (1, 0, 0), (0, 0, 2))
    """
    where = "classification"
    check_columns(where, judge=judge, gold=gold, clusters=clusters, seeds=seeds)
    classes, said, true = _coded(where, judge, gold)
    unread = said < 0
    rows = rows_to_count(where, unread, unparsed)
    said, true = said[rows], true[rows]
    clusters, seeds = kept(clusters, rows), kept(seeds, rows)
    settings = Settings.of(where, options)
    totals = Totals.of(_columns(said, true, len(classes)), group(where, len(said), clusters, seeds))
    table = _classes(classes, said, true)
    return Classification(
        accuracy=share_of(where, (said == true).astype(np.float64), clusters, seeds, options),
        precision=bootstrap_reduced(where, totals, lambda drawn: _macro(drawn)[0], settings),
        recall=bootstrap_reduced(where, totals, lambda drawn: _macro(drawn)[1], settings),
        f1=bootstrap_reduced(where, totals, lambda drawn: _macro(drawn)[2], settings),
        classes=table,
        confusion=_confusion(said, true, len(classes)),
        never_predicted=sum(row.predicted == 0 for row in table),
        never_gold=sum(row.support == 0 for row in table),
        unparsed=int(unread.sum()),
    )


def classification_value(judge: Labels, gold: Labels, *, unparsed: Unparsed = "left out") -> MacroScores:
    """The four figures of `classification` without intervals; defined for a judge that is always right too.

    Raises `HarnessError` for lengths that differ, no row that could be read, no answer in `gold`, a NaN, and words
    mixed with other labels.

    >>> classification_value(["win", "tie", "tie", None], ["win", "tie", "win", "win"])._asdict()
    {'accuracy': 0.6666666666666666, 'precision': 0.75, 'recall': 0.75, 'f1': 0.6666666666666666}
    """
    where = "classification_value"
    check_columns(where, judge=judge, gold=gold)
    classes, said, true = _coded(where, judge, gold)
    rows = rows_to_count(where, said < 0, unparsed)
    totals = _columns(said[rows], true[rows], len(classes)).sum(axis=0)
    return MacroScores(float(np.mean(said[rows] == true[rows])), *_macro(totals).tolist())


def consensus(ratings: Ratings, *, split: Literal["refuse", "none"] = "refuse") -> list[Hashable | None]:
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
    most = rated.counts.max(axis=1, keepdims=True)
    single = (most[:, 0] > 0) & (np.sum(rated.counts == most, axis=1) == 1)
    if split == "refuse" and not single.all():
        at = int(np.argmin(single))
        raise refusal("consensus", f"ratings[{at}] has no commonest label", "add a rater, or give split='none'")
    commonest = rated.counts.argmax(axis=1)
    return [rated.labels[code] if found else None for code, found in zip(commonest, single, strict=True)]


def rated_items(where: str, ratings: Ratings) -> RatedItems:
    """Number the items and labels of ratings; refuses no ratings, a NaN, and rows that hold no several labels."""
    array = getattr(ratings, "to_numpy", lambda: ratings)()
    rows = array.tolist() if isinstance(array, np.ndarray) else list(array)
    check_lengths(where, ratings=rows)
    for position, row in enumerate(rows):
        if isinstance(row, str) or not isinstance(row, Iterable):
            raise refusal(where, f"ratings[{position}] is {row!r}", "give the labels of each item as a list")
    listed = labels_of(where, **{f"ratings[{position}]": row for position, row in enumerate(rows)})
    found = [(item, label) for item, row in enumerate(listed) for label in row if label is not None]
    if not found:
        raise refusal(where, "no item has a rating", "give at least one that is not None")
    labels = _sorted({label for _, label in found})
    code = {label: number for number, label in enumerate(labels)}
    items, codes = np.array([(item, code[label]) for item, label in found], dtype=np.intp).T
    cells = np.bincount(items * len(labels) + codes, minlength=len(rows) * len(labels))
    return RatedItems(items, codes, cells.reshape(len(rows), len(labels)), labels)


def share_of(
    where: str, values: Floats, clusters: Clusters | None, seeds: Clusters | None, options: ShareOptions | Bootstrap
) -> Estimate:
    """Mean of n checked values in [0, 1]: Wilson's interval of independent rows, otherwise the cluster bootstrap's."""
    alone, rng = clusters is None and seeds is None, options.get("rng")
    if rng is None:
        if not alone:
            raise refusal(where, "clusters without rng", "give numpy.random.default_rng(seed)")
        rng = np.random.default_rng(0)  # nothing is drawn, but the other options are checked all the same
    settings = Settings.of(where, {**options, "rng": rng})
    if alone:
        return proportion(float(values.sum()), len(values), level=settings.level)
    groups = group(where, len(values), clusters, seeds)
    return mean_of_totals(where, Totals.of(np.stack([values, np.ones(len(values))], axis=1), groups), settings)


def check_columns(where: str, **columns: Any) -> None:
    """`check_lengths` of those that are given."""
    check_lengths(where, **{name: column for name, column in columns.items() if column is not None})


def labels_of(where: str, **columns: Labels) -> list[list[Hashable | None]]:
    """The columns as lists; refuses a NaN, and words beside labels that are none ("1" never equals 1)."""
    listed = {name: column.tolist() if hasattr(column, "tolist") else list(column) for name, column in columns.items()}
    kinds: dict[bool, str] = {}
    for name, column in listed.items():
        for position, label in enumerate(column):
            if label != label:
                raise refusal(where, f"{name}[{position}] is nan", "give a label, or None where there is none")
            if label is not None:
                kinds.setdefault(isinstance(label, str), f"{name}[{position}] is {label!r}")
    if len(kinds) > 1:
        raise refusal(where, " but ".join(kinds.values()), "give words everywhere, or nowhere")
    return list(listed.values())


def check_present(where: str, name: str, labels: Sequence[Hashable | None]) -> None:
    """Refuse a label that is missing where every row must have one."""
    if None in labels:
        raise refusal(where, f"{name}[{labels.index(None)}] is None", "leave out rows without an answer")


def kept(labels: Clusters | None, rows: Mask) -> Clusters | None:
    """The cluster labels of the rows that stay."""
    if labels is None or rows.all():
        return labels
    return [label for label, stays in zip(labels, rows, strict=True) if stays]


def rows_to_count(where: str, unread: Mask, unparsed: Unparsed) -> Mask:
    """The rows that stay: all, or those that could be read; refuses none."""
    if unparsed not in ("wrong", "left out"):
        raise refusal(where, f"unparsed is {unparsed!r}", "use 'wrong' or 'left out'")
    rows = ~unread if unparsed == "left out" else np.ones(len(unread), dtype=bool)
    if not rows.any():
        raise refusal(where, "no row could be read", "give at least one that is not None")
    return rows


def _coded(where: str, judge: Labels, gold: Labels) -> tuple[list[Hashable], Ints, Ints]:
    """The classes, and the number of the class of each row in either column; -1 where the judge said None."""
    said, true = labels_of(where, judge=judge, gold=gold)
    check_present(where, "gold", true)
    classes = _sorted({*said, *true} - {None})
    code: dict[Hashable, int] = {label: number for number, label in enumerate(classes)} | {None: -1}
    return classes, np.array([code[label] for label in said]), np.array([code[label] for label in true])


def _sorted(labels: Iterable[Any]) -> list[Hashable]:
    labels = list(labels)
    return sorted(labels, key=None if all(isinstance(label, (str, int, float)) for label in labels) else repr)


def _columns(said: Ints, true: Ints, count: int) -> Floats:
    """For each class whether the row is right, is in gold, is in the judge's column: (n, 3 classes)."""
    classes = np.arange(count)
    gold, judge = true[:, None] == classes, said[:, None] == classes
    return np.concatenate([gold & judge, gold, judge], axis=1).astype(np.float64)


def _scores(totals: Floats) -> tuple[Floats, Mask]:
    """Precision, recall and F1 of each class (3, ..., classes), 0 where undefined, and which classes occur."""
    right, support, predicted = np.split(totals, 3, axis=-1)
    bottoms = np.stack([predicted, support, (support + predicted) / 2.0])
    return right / np.maximum(bottoms, 0.5), support + predicted > 0.0  # where a bottom is 0, so is the top


def _macro(totals: Floats) -> Floats:
    """Macro precision, recall and F1 (3, ...): means over the classes that occur."""
    scores, occurs = _scores(totals)
    return np.asarray(scores.sum(axis=-1) / occurs.sum(axis=-1))


def _classes(classes: Sequence[Hashable], said: Ints, true: Ints) -> tuple[ClassScores, ...]:
    totals = _columns(said, true, len(classes)).sum(axis=0)
    scores, _ = _scores(totals)
    rows = zip(classes, scores.T.tolist(), totals.reshape(3, -1).T.astype(int).tolist(), strict=True)
    return tuple(
        ClassScores(label, precision, recall, f1, support, predicted, right)
        for label, (precision, recall, f1), (right, support, predicted) in rows
    )


def _confusion(said: Ints, true: Ints, count: int) -> tuple[tuple[int, ...], ...]:
    read = said >= 0
    cells = np.bincount(true[read] * count + said[read], minlength=count * count).reshape(count, count)
    return tuple(tuple(row) for row in cells.tolist())
