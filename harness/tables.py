"""From long records to the paper's tables, one row an estimate. How a frame is printed is left to `harness.formats`.

Records are a data frame, or a list of mappings that all have the same keys: one row a verdict. Columns are found by
name, every name is an argument, and what is missing or unknown is refused by its name and position.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Unpack, get_args

import numpy as np

from harness.agreement import Preference, alignment
from harness.checks import check_lengths, check_rng, check_words, numbers, refusal
from harness.controls import longer_wins, majority
from harness.estimates import Estimate
from harness.preference import Outcome, harmless_rate, win_rate
from harness.records import Cell, Cells, Figure, columns, missing_as_none
from harness.resampling import Bootstrap, Settings
from harness.shares import ShareOptions

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = tuple(field.name for field in fields(Estimate))
MAJORITY, LONGER = "majority", "longer wins"


def table(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """A frame of the rows' own columns, followed by value, low, high, level, n, clusters and method.

    Each row is a mapping with an `Estimate` under "estimate"; all have the same keys. `clusters` is a nullable
    integer, missing where rows were independent.

    Raises `HarnessError` for no rows, a row without an estimate, keys that differ from those of the first row, or a
    key that is the name of one of the columns above.

    >>> from harness import proportion
    >>> table([{"name": "a", "estimate": proportion(3, 4)}])[["name", "value", "n", "clusters", "method"]]
      name  value  n  clusters  method
    0    a   0.75  4      <NA>  wilson
    """
    import pandas as pd  # here, because tables alone need it

    check_lengths("table", rows=rows)
    flat = [_flat(position, row, rows[0]) for position, row in enumerate(rows)]
    return pd.DataFrame(flat).astype({"clusters": "Int64"})


def estimates(frame: "pd.DataFrame") -> list[Estimate]:
    """The estimate of each row: what `table` was given, number for number.

    Raises `HarnessError` for no rows, a column that is missing, and numbers that are no estimate.

    >>> from harness import proportion
    >>> estimates(table([{"estimate": proportion(3, 4)}])) == [proportion(3, 4)]
    True
    """
    columns("estimates", frame, COLUMNS)
    rows = zip(*(frame[name].tolist() for name in COLUMNS), strict=True)
    return [_estimate(dict(zip(COLUMNS, row, strict=True))) for row in rows]


def win_rate_table(
    records: "pd.DataFrame | Sequence[Mapping[str, Any]]",
    *,
    task: str | None = "task",
    policy: str = "policy",
    opponent: str = "opponent",
    outcome: str = "outcome",
    cluster: str | None = "prompt",
    seed: str | None = "seed",
    by: Sequence[str] = (),
    **options: Unpack[Bootstrap],
) -> "pd.DataFrame":
    """The `win_rate` of every policy against every opponent, a row for each task and value of the columns `by`.

    `outcome` holds policy, opponent, tie or unparsed, and `cluster` the prompt. Where a cell has several training
    seeds they are resampled too. None in place of a name: there is no such column. Columns: those that name the cell,
    the estimate, standard_error, ties (in n), unparsed (left out of n) and seeds.

    Every cell draws from a generator of its own with the same seed, which is taken from `rng` once: its interval does
    not depend on the order of rows, nor on the other cells. Raises `HarnessError` for a column that is missing, a cell,
    prompt or seed without a name, an unknown outcome, and as `win_rate` does, naming the cell.

    >>> rows = [("a", "policy"), ("b", "tie"), ("c", "opponent"), ("d", "policy"), ("e", "unparsed")]
    >>> named = [{"policy": "RLAIF", "opponent": "SFT", "prompt": p, "outcome": word} for p, word in rows]
    >>> frame = win_rate_table(named, task=None, seed=None, rng=np.random.default_rng(0))
    >>> frame[["policy", "opponent", "value", "n", "clusters", "ties", "unparsed"]]
      policy opponent  value  n  clusters  ties  unparsed
    0  RLAIF      SFT  0.625  4         4     1         1
    """
    where = "win_rate_table"
    cells = Cells.of(where, records, [task, policy, opponent, *by], [outcome], cluster, seed)
    check_words(where, outcome, cells.frame[outcome].tolist(), get_args(Outcome))
    entropy = _entropy(Settings.of(where, options).rng)

    def figure(cell: Cell) -> Figure:
        drawn: Bootstrap = {**options, "rng": np.random.default_rng(entropy)}
        found = win_rate(cell.frame[outcome].tolist(), clusters=cell.clusters, seeds=cell.seeds, **drawn)
        counts = {"ties": found.ties, "unparsed": found.unparsed, "seeds": cell.seed_count}
        return found.estimate, {"standard_error": found.standard_error, **counts}

    return _counted(cells.figures(figure))


def harmless_table(
    records: "pd.DataFrame | Sequence[Mapping[str, Any]]",
    *,
    rng: np.random.Generator | None = None,
    task: str | None = "task",
    policy: str = "policy",
    harmless: str = "harmless",
    cluster: str | None = "prompt",
    seed: str | None = "seed",
    by: Sequence[str] = (),
    level: float = 0.95,
    resamples: int = 10_000,
) -> "pd.DataFrame":
    """The `harmless_rate` of every policy, a row for each task and value of the columns `by`.

    `harmless` holds True, False, or a missing value where the verdict could not be read. A cell of one seed in which
    no cluster has two rows has Wilson's interval; others resample, as in `win_rate_table`, and need `rng`. Columns:
    those that name the cell, the estimate, unparsed (left out of n) and seeds.

    Raises `HarnessError` as `win_rate_table` does, for a flag that is no bool, and as `harmless_rate` does.

    >>> flags = [True, True, False, None]
    >>> rows = [{"policy": "RLAIF", "prompt": at, "harmless": flag} for at, flag in enumerate(flags)]
    >>> harmless_table(rows, task=None, seed=None)[["policy", "value", "n", "method", "unparsed"]]
      policy     value  n  method  unparsed
    0  RLAIF  0.666667  3  wilson         1
    """
    where = "harmless_table"
    cells = Cells.of(where, records, [task, policy, *by], [harmless], cluster, seed)
    for position, flag in enumerate(missing_as_none(cells.frame[harmless])):
        if not (flag is None or isinstance(flag, (bool, np.bool_))):
            raise refusal(where, f"{harmless}[{position}] is {flag!r}", "use True, False or a missing value")
    entropy = None if rng is None else _entropy(check_rng(where, rng))

    def figure(cell: Cell) -> Figure:
        found = harmless_rate(
            missing_as_none(cell.frame[harmless]),
            clusters=None if cell.alone else cell.clusters,
            seeds=cell.seeds,
            rng=None if entropy is None else np.random.default_rng(entropy),
            level=level,
            resamples=resamples,
        )
        return found.estimate, {"unparsed": found.unparsed, "seeds": cell.seed_count}

    return _counted(cells.figures(figure))


def alignment_table(
    records: "pd.DataFrame | Sequence[Mapping[str, Any]]",
    *,
    task: str | None = "task",
    labeler: str = "labeler",
    variant: str = "variant",
    pair: str = "pair",
    prefers_first: str = "prefers_first",
    human: str = "human",
    lengths: tuple[str, str] | None = None,
    cluster: str | None = None,
    by: Sequence[str] = (),
    **options: Unpack[ShareOptions],
) -> "pd.DataFrame":
    """The `alignment` of every labeler (its size) with each prompt `variant`, and of the rules that read nothing.

    A row of the records is what one labeler said of one `pair`: `prefers_first` is a probability, missing where it
    could not be read, and `human` is first, second or tie. After the labelers stand, for each task and value of `by`,
    the controls on all pairs that any labeler saw: "majority", and "longer wins" where `lengths` names the columns with
    the lengths of the first and second response. Columns: those that name the cell, the estimate, human_ties,
    soft_ties and unparsed, the last two missing for controls. `cluster` names the column of what belongs together,
    where several pairs share a prompt; it needs `rng`.

    Raises `HarnessError` as `win_rate_table` does, for a pair that occurs twice in a cell, for one whose human choice,
    cluster or lengths differ between rows, a probability outside [0, 1], and as `alignment` does, naming the cell.

    >>> rows = [("a", 0.9, "first"), ("b", 0.2, "first"), ("c", 0.3, "second"), ("d", None, "second")]
    >>> named = [{"labeler": "L", "variant": "base", "pair": a, "prefers_first": p, "human": h} for a, p, h in rows]
    >>> alignment_table(named, task=None)[["labeler", "variant", "value", "n", "unparsed"]]
        labeler        variant     value  n  unparsed
    0         L           base  0.666667  3         1
    1  majority  reads nothing  0.500000  4      <NA>
    """
    where, sides = "alignment_table", list(lengths or ())
    facts = [human, *sides, *([] if cluster is None else [cluster])]
    cells = Cells.of(where, records, [task, labeler, variant, *by], [pair, prefers_first, *facts], cluster)
    check_words(where, human, cells.frame[human].tolist(), get_args(Preference))
    soft = [0.5 if label is None else label for label in missing_as_none(cells.frame[prefers_first])]
    numbers(where, prefers_first, np.array(soft, dtype=object), 0.0, 1.0)
    rng = options.get("rng")
    entropy = None if rng is None else _entropy(check_rng(where, rng))

    def drawn(cell: Cell) -> dict[str, Any]:
        own = None if entropy is None else np.random.default_rng(entropy)
        return {**options, "rng": own, "clusters": cell.clusters}

    def figure(cell: Cell) -> Figure:
        labels = missing_as_none(cell.frame[prefers_first])
        found = alignment(labels, cell.frame[human].tolist(), **drawn(cell))
        counts = {"human_ties": found.human_ties, "soft_ties": found.soft_ties, "unparsed": found.unparsed}
        return found.estimate, counts

    def control(rule: str) -> Callable[[Cell], Figure]:
        def ruled(cell: Cell) -> Figure:
            choices = cell.frame[human].tolist()
            if rule == MAJORITY:
                found = majority(choices, **drawn(cell))
            else:
                first, second = (cell.frame[side].tolist() for side in sides)
                found = longer_wins(first, second, choices, **drawn(cell))
            return found, {"human_ties": choices.count("tie"), "soft_ties": None, "unparsed": None}

        return ruled

    seen = _distinct(cells, [task, *by], pair, facts)
    rules = [MAJORITY, LONGER] if sides else [MAJORITY]
    rows = cells.figures(figure)
    for rule in rules:
        named = seen.frame.assign(**{labeler: rule, variant: "reads nothing"})
        rows += replace(seen, frame=named).figures(control(rule))
    return _counted(rows)


def _distinct(cells: Cells, names: Sequence[str | None], pair: str, facts: Sequence[str]) -> Cells:
    """Every pair once; refuses one that occurs twice in a cell, or of which the rows say different things."""
    where, frame = cells.where, cells.frame
    if (twice := frame.duplicated([*cells.names, pair])).any():
        at = int(np.argmax(twice))
        raise refusal(where, f"{pair}[{at}] is {frame[pair].iloc[at]!r} once more in its cell", "give each pair once")
    known = [*(name for name in names if name is not None), pair]
    once = frame.drop_duplicates([*known, *facts])
    if (differ := once.duplicated(known)).any():
        name = once[differ][pair].iloc[0]
        raise refusal(where, f"{pair} {name!r} has several {' or '.join(facts)}", "give one to all its rows")
    return replace(cells, frame=once)


def _counted(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """`table`, with what is counted behind the estimate, as whole numbers where it is."""
    frame = table(rows)
    split = list(rows[0]).index("estimate")
    own = [name for name in rows[0] if name != "estimate"]
    ordered = frame[[*own[:split], *COLUMNS, *own[split:]]]
    return ordered.astype({name: "Int64" for name in own[split:] if name != "standard_error"})


def _entropy(rng: np.random.Generator) -> int:
    """A seed for the generators of all cells."""
    return int(rng.integers(2**63))


def _estimate(stored: dict[str, Any]) -> Estimate:
    import pandas as pd  # here, because tables alone need it

    clusters = None if pd.isna(stored["clusters"]) else int(stored["clusters"])
    return Estimate.from_dict({**stored, "n": int(stored["n"]), "clusters": clusters})


def _flat(position: int, row: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    where, estimate = f"table: rows[{position}]", row.get("estimate")
    if not isinstance(estimate, Estimate):
        raise refusal(where, f"estimate is {estimate!r}", "give an Estimate")
    if row.keys() != model.keys():
        raise refusal(where, f"keys are {', '.join(row)}", f"give those of the first row: {', '.join(model)}")
    if taken := [name for name in row if name in COLUMNS]:
        raise refusal(where, f"{', '.join(taken)} is a column of the estimate", "give it another name")
    own = {name: value for name, value in row.items() if name != "estimate"}
    return own | estimate.to_dict()
