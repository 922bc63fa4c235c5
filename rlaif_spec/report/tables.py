"""Figures as the tables that people read: markdown, on the screen and in report.md."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import get_args

from rlaif_spec.report.figures import Figure, Measure
from rlaif_spec.spec.experiment import Size
from rlaif_spec.tasks import TASKS

Row = list[str]

SIZES = get_args(Size)
HEADS: dict[Measure, Row] = {
    "win rate": ["policy", "opponent", "win rate", "n", "clusters", "seeds", "ties", "unparsed"],
    "harmless rate": ["policy", "harmless rate", "n", "seeds", "unparsed"],
    "labeler alignment": ["labeler", "prompt", "alignment", "same position", "n", "seeds", "human ties", "unparsed"],
    "reward model accuracy": ["reward model", "prompt", "accuracy", "n", "seeds", "human ties", "labels unread"],
}

OF_TRAININGS: tuple[Measure, ...] = ("win rate", "harmless rate")
"""Measures whose value another training seed would change by more than the interval over prompts says."""


def render(figures: Sequence[Figure]) -> str:
    """One section a scale and task, one table a measure; figures that belong beside others stand beside them."""
    ordered = sorted(figures, key=lambda figure: (figure.scale, list(TASKS).index(figure.task)))
    sections = []
    for title, rows in groupby(ordered, key=_title):
        sections.append(f"## {title}\n\n" + "\n\n".join(_tables(list(rows))))
    return "\n\n".join(sections)


def _title(figure: Figure) -> str:
    return f"{figure.task} at scale {figure.scale}, judged by {figure.judge}" if figure.scale else figure.task


def _tables(figures: list[Figure]) -> list[str]:
    tables = []
    for measure, head in HEADS.items():
        rows = _ROWS[measure](figures)
        if rows:
            levels = sorted({f"{f.interval.level:.0%}" for f in figures if f.measure == measure})
            over = " over prompts, for these trainings" if measure in OF_TRAININGS else ""
            tables.append(f"**{measure}**, {' and '.join(levels)} intervals{over}\n\n" + markdown(head, rows))
    return tables


def _wins(figures: list[Figure]) -> list[Row]:
    return [
        [f.subject, f.against or "", bracket(f)]
        + [str(count) for count in (f.interval.n, f.interval.clusters or "-", _seeds(f), f.ties, f.unparsed)]
        for f in figures
        if f.measure == "win rate"
    ]


def _seeds(figure: Figure) -> str:
    """`3 (0.766 to 0.805)`: how many, and between which values each of them alone lies."""
    if len(figure.by_seed) < 2:
        return str(figure.seeds)
    return f"{figure.seeds} ({min(figure.by_seed):.3f} to {max(figure.by_seed):.3f})"


def _harmless(figures: list[Figure]) -> list[Row]:
    chosen = [f for f in figures if f.measure == "harmless rate"]
    return [[f.subject, bracket(f), str(f.interval.n), _seeds(f), str(f.unparsed)] for f in chosen]


def _labelers(figures: list[Figure]) -> list[Row]:
    """Labelers from small to large, then the rules that read nothing."""
    position = {(f.subject, f.prompt): f for f in figures if f.measure == "same position"}
    labelers = [f for f in figures if f.measure == "labeler alignment"]
    rows = []
    for f in sorted(labelers, key=lambda f: (SIZES.index(f.subject.split()[-1]), f.prompt or "")):
        same = position.get((f.subject, f.prompt))
        beside = f"{bracket(same)} (n={same.interval.n}) {same.note}".strip() if same else "-"
        counts = [str(count) for count in (f.interval.n, f.seeds, f.ties, f.unparsed)]
        rows.append([f.subject, f.prompt or "", bracket(f), beside, *counts])
    for f in figures:
        if f.measure in ("majority control", "longer-wins control"):
            rows.append([f"*{f.subject}*", "reads nothing", bracket(f), "-", str(f.interval.n), str(f.seeds), "-", "-"])
    return rows


def _reward_models(figures: list[Figure]) -> list[Row]:
    chosen = [f for f in figures if f.measure == "reward model accuracy"]
    return [
        [f.subject, f.prompt or "-", bracket(f), *(str(count) for count in (f.interval.n, f.seeds, f.ties, f.unparsed))]
        for f in chosen
    ]


_ROWS: dict[Measure, Callable[[list[Figure]], list[Row]]] = {
    "win rate": _wins,
    "harmless rate": _harmless,
    "labeler alignment": _labelers,
    "reward model accuracy": _reward_models,
}


def bracket(figure: Figure) -> str:
    """`0.712 [0.689, 0.734]`."""
    return f"{figure.interval.value:.3f} [{figure.interval.low:.3f}, {figure.interval.high:.3f}]"


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """A table whose columns line up, in markdown."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]

    def line(cells: Row) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])
