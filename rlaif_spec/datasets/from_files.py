"""People's texts: read, left out and counted where unusable, split by context, cut to the scale's size.

The order of these four matters. A row is skipped for what it is, a context's side follows from the context, and
only then does the seed choose which rows stay where the scale asks for fewer: two seeds train on different
rows but are measured on contexts that neither has seen.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from rlaif_spec.datasets import formats
from rlaif_spec.datasets.dataset import Dataset
from rlaif_spec.datasets.formats import Skip
from rlaif_spec.datasets.reading import RawRow, read_source
from rlaif_spec.datasets.split import held_out
from rlaif_spec.errors import DataError
from rlaif_spec.records import Comparison, Example
from rlaif_spec.spec.scale import FileData, Source

Record = TypeVar("Record", Comparison, Example)


def from_files(data: FileData, *, seed: int) -> Dataset:
    """Read and split the files of a task."""
    skipped: Counter[str] = Counter()
    words = data.max_context_words
    pairs = _read(data.comparisons, "comparisons", formats.comparison, _same_pair, words, skipped)
    texts: list[Example] = []
    if data.contexts is not None:
        texts = _read(data.contexts, "contexts", formats.example, _same_context, words, skipped)
    training, measuring = _sides(pairs, data.held_out)
    known, unknown = _sides(texts, data.held_out)
    if not training:
        raise DataError(_nothing_left(data, len(measuring), skipped))
    if not measuring or (data.contexts is not None and len(unknown) < 2):
        raise DataError(_nothing_held_out(data, len(measuring), len(unknown)))
    unknown = _drawn(unknown, None, f"held-out|{seed}")
    validation = min(data.max_validation, len(unknown) // 2)
    return Dataset(
        demonstrations=_drawn(known, data.max_demonstrations, f"demonstrations|{seed}"),
        comparisons=_drawn(training, data.max_comparisons, f"comparisons|{seed}"),
        prompts=[_asked(row) for row in _drawn(known, data.max_prompts, f"prompts|{seed}")],
        validation=unknown[:validation],
        evaluation=unknown[validation:][: data.max_evaluation],
        alignment=_drawn(measuring, data.max_alignment, f"alignment|{seed}"),
        skipped=dict(sorted(skipped.items())),
    )


def _read(
    source: Source,
    role: str,
    convert: Callable[[Source, RawRow], Record | Skip],
    identity: Callable[[Record], object],
    max_words: int | None,
    skipped: Counter[str],
) -> list[Record]:
    """The usable rows of a source; the others are counted in `skipped`."""
    kept: list[Record] = []
    names: set[str] = set()
    contents: set[object] = set()
    for row in read_source(source):
        record = convert(source, row)
        if isinstance(record, Skip):
            skipped[f"{role}: {record.reason}"] += 1
        elif max_words is not None and len(record.context.split()) > max_words:
            skipped[f"{role}: context longer than {max_words} words"] += 1
        elif record.id in names or identity(record) in contents:
            skipped[f"{role}: duplicate"] += 1
        else:
            kept.append(record)
            names.add(record.id)
            contents.add(identity(record))
    return kept


def _same_pair(row: Comparison) -> object:
    """Equal for the same pair with the same preference, in either order."""
    turned = row if row.first < row.second else row.swap()
    return turned.context, turned.first, turned.second, turned.human


def _same_context(row: Example) -> object:
    """A context is asked once, whatever the response to it."""
    return row.context


def _sides(rows: list[Record], share: float) -> tuple[list[Record], list[Record]]:
    """(to train on, held out)."""
    sides: tuple[list[Record], list[Record]] = ([], [])
    for row in rows:
        sides[held_out(row.context, share)].append(row)
    return sides


def _drawn(rows: list[Record], most: int | None, key: str) -> list[Record]:
    """The rows in random order, and of these the first `most`."""
    shuffled = list(rows)
    random.Random(key).shuffle(shuffled)
    return shuffled[:most]


def _asked(row: Example) -> Example:
    return Example(id=row.id, context=row.context)


def _nothing_held_out(data: FileData, pairs: int, contexts: int) -> str:
    return (
        f"{data.comparisons.path or data.comparisons.hub}: too little is held out to measure with ({pairs} comparisons,"
        f" {contexts} contexts); give more rows or a larger held_out"
    )


def _nothing_left(data: FileData, measuring: int, skipped: Counter[str]) -> str:
    place = data.comparisons.path or data.comparisons.hub
    left_out = sum(count for reason, count in skipped.items() if reason.startswith("comparisons: "))
    return (
        f"{place}: no comparisons are left to train on ({left_out} rows skipped, {measuring} held out);"
        " give more rows or a smaller held_out"
    )
