"""Figures as the tables that people read: markdown, on the screen and in report.md."""

from collections.abc import Callable, Sequence
from itertools import groupby

from rlaif_spec.report.figures import Figure, Measure

Row = list[str]

HEADS: dict[Measure, Row] = {
    "win rate": ["policy", "opponent", "win rate", "n", "clusters", "seeds", "ties", "unparsed"],
    "harmless rate": ["policy", "harmless rate", "n", "seeds", "unparsed"],
    "labeler alignment": ["labeler", "prompt", "alignment", "same position", "n", "seeds", "human ties", "unparsed"],
    "reward model accuracy": ["reward model", "accuracy", "n", "seeds", "human ties"],
}


def render(figures: Sequence[Figure]) -> str:
    """One section a task, one table a measure; figures that belong beside others stand beside them."""
    ordered = sorted(figures, key=lambda figure: ("summarize", "helpful", "harmless").index(figure.task))
    sections = []
    for task, rows in groupby(ordered, key=lambda figure: figure.task):
        sections.append(f"## {task}\n\n" + "\n\n".join(_tables(list(rows))))
    return "\n\n".join(sections)


def _tables(figures: list[Figure]) -> list[str]:
    tables = []
    for measure, head in HEADS.items():
        rows = _ROWS[measure](figures)
        if rows:
            tables.append(f"**{measure}**\n\n" + markdown(head, rows))
    return tables


def _wins(figures: list[Figure]) -> list[Row]:
    return [
        [f.subject, f.against or "", bracket(f)]
        + [str(count) for count in (f.interval.n, f.interval.clusters or "-", f.seeds, f.ties, f.unparsed)]
        for f in figures
        if f.measure == "win rate"
    ]


def _harmless(figures: list[Figure]) -> list[Row]:
    chosen = [f for f in figures if f.measure == "harmless rate"]
    return [[f.subject, bracket(f), str(f.interval.n), str(f.seeds), str(f.unparsed)] for f in chosen]


def _labelers(figures: list[Figure]) -> list[Row]:
    position = {(f.subject, f.prompt): f for f in figures if f.measure == "same position"}
    rows = []
    for f in figures:
        if f.measure == "labeler alignment":
            same = position.get((f.subject, f.prompt))
            beside = f"{bracket(same)} {same.note}".strip() if same else "-"
            rows.append(
                [f.subject, f.prompt or "", bracket(f), beside]
                + [str(count) for count in (f.interval.n, f.seeds, f.ties, f.unparsed)]
            )
        elif f.measure in ("majority control", "longer-wins control"):
            rows.append([f"*{f.subject}*", "reads nothing", bracket(f), "-", str(f.interval.n), str(f.seeds), "-", "-"])
    return rows


def _reward_models(figures: list[Figure]) -> list[Row]:
    chosen = [f for f in figures if f.measure == "reward model accuracy"]
    return [[f.subject, bracket(f), str(f.interval.n), str(f.seeds), str(f.ties)] for f in chosen]


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
