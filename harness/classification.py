"""A judge of several classes (win, loss, tie) against gold labels.

Soft labels are left out: `harness.agreement` has those. Gold labels from the ratings of several people are made by
`harness.ratings.consensus`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Unpack

import numpy as np

from harness.checks import Floats, Ints, sorted_labels
from harness.columns import (
    Labels,
    Mask,
    Unparsed,
    check_columns,
    check_present,
    kept,
    labels_of,
    rows_to_count,
)
from harness.estimates import Estimate
from harness.intervals import bootstrap_reduced
from harness.resampling import Bootstrap, Clusters, Settings, Totals, group
from harness.shares import share_of


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
    (predicted + support); macro figures are the means over the classes that occur in either column of the rows that
    count (F1 is the mean of F_c, not the F1 of the means). A class never predicted has P_c = 0, one that is not in gold
    R_c = 0; both kinds are counted. None is a verdict that could not be read: its row is left out, or with
    `unparsed="wrong"` it stays in the support of its class. Intervals: accuracy Wilson's or that of
    `cluster_bootstrap`, the rest by bootstrap of rows, `clusters` (n) or `seeds` (n), where a class that a resample
    lacks is not in its mean.

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
    classes, said, true, rows = _counted(where, judge, gold, unparsed)
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
        unparsed=len(rows) - int((said >= 0).sum()),
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
    classes, said, true, _ = _counted(where, judge, gold, unparsed)
    totals = _columns(said, true, len(classes)).sum(axis=0)
    return MacroScores(float(np.mean(said == true)), *_macro(totals).tolist())


def _counted(where: str, judge: Labels, gold: Labels, unparsed: Unparsed) -> tuple[list[Hashable], Ints, Ints, Mask]:
    """The classes of the rows that count, their number in either column (-1 where the judge said None); those rows."""
    said, true = labels_of(where, judge=judge, gold=gold)
    check_present(where, "gold", true)
    rows = rows_to_count(where, np.array([label is None for label in said]), unparsed)
    pairs = [pair for pair, counts in zip(zip(said, true, strict=True), rows, strict=True) if counts]
    classes = sorted_labels({label for pair in pairs for label in pair} - {None})
    code: dict[Hashable, int] = {label: number for number, label in enumerate(classes)} | {None: -1}
    columns = np.array([(code[one], code[other]) for one, other in pairs])
    return classes, columns[:, 0], columns[:, 1], rows


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
