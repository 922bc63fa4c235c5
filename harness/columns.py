"""How columns of labels, flags and clusters are read: what may be missing, what belongs together, which rows stay.

Numbers and lengths are checked in `harness.checks`; tables of items and raters are read in `harness.ratings`.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.checks import Floats, check_lengths, is_itself, numbers, refusal
from harness.resampling import Clusters

Labels = Sequence[Hashable | None] | np.ndarray[Any, Any]
"""One label a row, words or numbers; None could not be read."""
Mask = npt.NDArray[np.bool_]
Column = Sequence[float] | Floats
"""One number a row."""
Unparsed = Literal["wrong", "left out"]


def check_columns(where: str, **columns: Any) -> None:
    """`check_lengths` of those that are given."""
    check_lengths(where, **{name: column for name, column in columns.items() if column is not None})


def labels_of(where: str, **columns: Labels) -> list[list[Hashable | None]]:
    """The columns as lists; refuses NaN, NaT and NA, and words beside labels that are none ("1" never equals 1)."""
    listed = {name: column.tolist() if hasattr(column, "tolist") else list(column) for name, column in columns.items()}
    kinds: dict[bool, str] = {}
    for name, column in listed.items():
        for position, label in enumerate(column):
            if not is_itself(label):
                raise refusal(where, f"{name}[{position}] is {label}", "give a label, or None where there is none")
            if label is not None:
                kinds.setdefault(isinstance(label, str), f"{name}[{position}] is {label!r}")
    check_one_kind(where, kinds)
    return list(listed.values())


def check_one_kind(where: str, kinds: dict[bool, str]) -> None:
    """Refuse words (True) beside labels that are none (False), told by an entry of each: "1" never equals 1."""
    if len(kinds) > 1:
        raise refusal(where, " but ".join(kinds.values()), "give words everywhere, or nowhere")


def flags_of(where: str, flags: Sequence[bool | None]) -> Floats:
    """1, 0 or NaN for True, False or None (n,); refuses what is none of these."""
    for position, flag in enumerate(flags):
        if flag is not None and not isinstance(flag, (bool, np.bool_)):
            raise refusal(where, f"flags[{position}] is {flag!r}", "use True, False or None")
    return np.array([np.nan if flag is None else float(flag) for flag in flags])


def numbers_or_none(
    where: str, name: str, values: Sequence[float | None] | Floats, low: float = -np.inf, high: float = np.inf
) -> Floats:
    """Checked `numbers` (n,), NaN where None could not be read; a NaN that was given is refused."""
    unread = np.array([value is None for value in values])
    found = numbers(where, name, [max(low, 0.0) if value is None else value for value in values], low, high)
    return np.where(unread, np.nan, found)


def soft_labels_of(where: str, probabilities: Column, human: Column) -> tuple[Floats, Floats]:
    """Probabilities, and the choices of people or shares of raters, (n,) each and in [0, 1]."""
    check_lengths(where, probabilities=probabilities, human=human)
    return numbers(where, "probabilities", probabilities, 0.0, 1.0), numbers(where, "human", human, 0.0, 1.0)


def check_present(where: str, name: str, labels: Sequence[Hashable | None]) -> None:
    """Refuse a label that is missing where every row must have one."""
    if None in labels:
        raise refusal(where, f"{name}[{labels.index(None)}] is None", "leave out rows without an answer")


def check_read(where: str, rows: Mask, what: str = "row", *, right: str = "not None") -> None:
    """Refuse rows of which none could be read."""
    if not rows.any():
        raise refusal(where, f"no {what} could be read", f"give at least one that is {right}")


def rows_to_count(where: str, unread: Mask, unparsed: Unparsed) -> Mask:
    """The rows that stay: all, or those that could be read; refuses none."""
    if unparsed not in ("wrong", "left out"):
        raise refusal(where, f"unparsed is {unparsed!r}", "use 'wrong' or 'left out'")
    rows = ~unread if unparsed == "left out" else np.ones(len(unread), dtype=bool)
    check_read(where, rows)
    return rows


def kept(labels: Clusters | None, rows: Mask) -> Clusters | None:
    """The cluster labels of the rows that stay."""
    if labels is None or rows.all():
        return labels
    return [label for label, stays in zip(labels, rows, strict=True) if stays]


def check_apart(where: str, ours_clusters: Clusters | None, theirs_clusters: Clusters | None) -> None:
    """Refuse clusters of one sample only, and clusters that occur in both samples: those are no independent samples."""
    if ours_clusters is None and theirs_clusters is None:
        return
    if ours_clusters is None or theirs_clusters is None:
        raise refusal(where, "clusters of one sample only", "give ours_clusters and theirs_clusters")
    mine: set[Hashable] = set(ours_clusters)
    if shared := [label for label in dict.fromkeys(theirs_clusters) if label in mine]:
        raise refusal(where, f"cluster {shared[0]!s} is in both samples", "use paired_difference, or name them apart")


def joined_clusters(
    where: str, first: tuple[Clusters | None, int], second: tuple[Clusters | None, int]
) -> Clusters | None:
    """The clusters of two samples laid end to end, each given with its number of rows; None where neither has any.

    >>> joined_clusters("here", (["a", "b"], 2), (["b"], 1))
    ['a', 'b', 'b']
    """
    labels = [clusters for clusters, _ in (first, second) if clusters is not None]
    if len(labels) == 1:
        raise refusal(where, "only one of the two samples has clusters", "name those of both, or of neither")
    for clusters, (_, rows) in zip(labels, (first, second), strict=False):
        if len(clusters) != rows:
            raise refusal(where, f"lengths differ (clusters have {len(clusters)}, rows are {rows})", "give one a row")
    return [label for clusters in labels for label in clusters] if labels else None
