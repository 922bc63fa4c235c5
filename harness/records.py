"""Long records, one row a verdict, and the cells of a table that they fall into."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.checks import HarnessError, Ints, refusal
from harness.estimates import Estimate
from harness.resampling import Clusters

if TYPE_CHECKING:
    import pandas as pd

Figure = tuple[Estimate, Mapping[str, float | None]]
"""The estimate of a cell, and what is counted beside it."""


def columns(where: str, records: Any, names: Sequence[str]) -> "pd.DataFrame":
    """The records as a frame, numbered from 0: of a data frame, or of mappings that all have the same keys.

    Raises `HarnessError` for no records, and for a name that is no column or not in every mapping.

    >>> columns("table", [{"policy": "SFT", "wins": 3}], ["policy"])
      policy  wins
    0    SFT     3
    >>> columns("table", [{"policy": "SFT"}], ["task"])
    Traceback (most recent call last):
    harness.checks.HarnessError: table: records[0] has no task; it has policy
    """
    import pandas as pd  # here, because tables alone need it

    if len(records) == 0:
        raise refusal(where, "records empty", "give at least one row")
    if isinstance(records, pd.DataFrame):
        for name in names:
            if name not in records.columns:
                raise refusal(where, f"no column {name}", f"name one of {', '.join(map(str, records.columns))}")
        return records.reset_index(drop=True)
    for position, record in enumerate(records):
        if missing := [name for name in names if name not in record]:
            raise refusal(where, f"records[{position}] has no {missing[0]}", f"it has {', '.join(map(str, record))}")
    return pd.DataFrame(list(records))


def missing_as_none(values: "pd.Series[Any]") -> list[Any]:
    """A column as a list, with None for every kind of missing value."""
    missing = values.isna().tolist()
    return [None if absent else value for value, absent in zip(values.tolist(), missing, strict=True)]


@dataclass(frozen=True)
class Cell:
    """The rows of one cell."""

    frame: "pd.DataFrame"
    """All columns of these rows."""
    cluster: str | None
    seed: str | None

    @property
    def clusters(self) -> Clusters | None:
        """The cluster of each row; None where there is no such column."""
        return None if self.cluster is None else self.frame[self.cluster].to_numpy()

    @property
    def seeds(self) -> Clusters | None:
        """The seed of each row; None where there are not several."""
        return None if self.seed is None or self.seed_count < 2 else self.frame[self.seed].to_numpy()

    @property
    def seed_count(self) -> int:
        """How many training seeds there are."""
        return 1 if self.seed is None else int(self.frame[self.seed].nunique())

    @property
    def alone(self) -> bool:
        """No two rows belong together."""
        return self.seed_count < 2 and (self.cluster is None or self.frame[self.cluster].is_unique)


@dataclass(frozen=True)
class Cells:
    """Records by the columns that name a cell, in the order in which the cells first occur."""

    where: str
    names: tuple[str, ...]
    frame: "pd.DataFrame"
    cluster: str | None
    seed: str | None

    @classmethod
    def of(
        cls,
        where: str,
        records: Any,
        names: Sequence[str | None],
        values: Sequence[str],
        cluster: str | None = None,
        seed: str | None = None,
    ) -> "Cells":
        """Find the columns; refuse one that is missing, and a cell, cluster or seed without a name."""
        known = tuple(name for name in names if name is not None)
        labels = [*known, *(name for name in (cluster, seed) if name is not None)]
        frame = columns(where, records, [*labels, *values])
        for name in labels:
            if frame[name].isna().any():
                position = int(np.argmax(frame[name].isna()))
                raise refusal(where, f"{name}[{position}] is missing", "name it in every row")
        return cls(where, known, frame, cluster, seed)

    def rows(self, names: Sequence[str]) -> dict[tuple[Hashable, ...], Ints]:
        """The positions of the rows of each cell, by the values of these columns."""
        listed = [self.frame[name].tolist() for name in names]
        found: dict[tuple[Hashable, ...], list[int]] = {}
        for position in range(len(self.frame)):
            found.setdefault(tuple(column[position] for column in listed), []).append(position)
        return {name: np.array(positions) for name, positions in found.items()}

    def figures(self, figure: Callable[[Cell], Figure]) -> list[dict[str, Any]]:
        """The rows of a table: the names of each cell, its estimate, and what is counted beside it.

        A refusal of `figure` is raised with the names of its cell.
        """
        made = []
        for values, positions in self.rows(self.names).items():
            named = dict(zip(self.names, values, strict=True))
            try:
                estimate, beside = figure(Cell(self.frame.iloc[positions], self.cluster, self.seed))
            except HarnessError as error:
                told = ", ".join(f"{name} {value}" for name, value in named.items())
                raise HarnessError(f"{self.where}, {told}: {error}") from None
            if taken := [name for name in self.names if name in beside]:
                raise refusal(self.where, f"{taken[0]} is a column of the table", "give it another name")
            made.append({**named, "estimate": estimate, **beside})
        return made
