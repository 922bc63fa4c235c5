"""A frame of estimates as text: markdown, CSV, LaTeX and JSON. What is in the frame is `harness.tables`' to say.

An estimate reads `71.2 [68.9, 73.4]` in percent or `0.712 [0.689, 0.734]`, everywhere. Columns of the same unit
(published, standard_error, any x with x_low and x_high) are written alike. A missing value is a dash.
"""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.checks import HarnessError, refusal
from harness.estimates import Estimate
from harness.records import columns
from harness.tables import COLUMNS, estimates, table

if TYPE_CHECKING:
    import pandas as pd

DASH = "-"
IN_UNIT = ("published", "standard_error")
COUNTED = ("ties", "soft_ties", "unparsed")
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
}


def cell(estimate: Estimate, *, percent: bool = True) -> str:
    """Value and interval: one decimal of a percent, or three decimals.

    Raises `HarnessError` for percent where the value is not within -1 and 1: an Elo score is no share.

    >>> found = Estimate(0.7123, 0.6891, 0.7344, 0.95, 1500, 500, "cluster bootstrap")
    >>> cell(found), cell(found, percent=False)
    ('71.2 [68.9, 73.4]', '0.712 [0.689, 0.734]')
    """
    if percent and abs(estimate.value) > 1.0:  # an end may lie beyond: basic intervals of shares do
        told = _bracket(estimate.value, estimate.low, estimate.high, percent=False)
        raise refusal("cell", f"{told} is no share, to be told in percent", "give percent=False")
    return _bracket(estimate.value, estimate.low, estimate.high, percent)


def cells(frame: "pd.DataFrame", *, percent: bool = True, name: str = "estimate") -> "pd.DataFrame":
    """The frame as it is read, all text: own columns, the estimate under `name`, n, and clusters where there are any.

    Raises `HarnessError` for no rows, and a frame that is not one of `table`.

    >>> from harness import proportion, table
    >>> frame = table([{"policy": "SFT", "estimate": proportion(3, 4)}])
    >>> cells(frame, name="win rate")
      policy           win rate  n
    0    SFT  75.0 [30.1, 95.4]  4
    """
    import pandas as pd  # here, because tables alone need it

    found = _named("cells", frame, name)
    made: dict[str, list[str]] = {}
    for column in frame.columns:
        if column == "value":
            made[name] = [cell(estimate, percent=percent) for estimate in found]
        elif column == "n" or (column == "clusters" and frame[column].notna().any()):
            made[column] = [_text(value) for value in frame[column]]
        elif column not in COLUMNS and not _is_end(column, frame):
            made[column] = _own(frame, column, percent)
    return pd.DataFrame(made)


def spread(
    frame: "pd.DataFrame", *, rows: str, across: str, percent: bool = True, name: str = "estimate"
) -> "pd.DataFrame":
    """The estimates of a frame laid out in two directions, such as labelers by prompt variant; a dash where none is.

    Rows and columns stand in the order in which they first occur. Raises `HarnessError` for a column that is missing,
    for two estimates of one place (choose one task first), and for labels that read alike (1 and "1").

    >>> from harness import proportion, table
    >>> named = [("L", "base", 3), ("L", "detailed", 2), ("XS", "base", 1)]
    >>> frame = table([{"labeler": a, "prompt": b, "estimate": proportion(k, 4)} for a, b, k in named])
    >>> spread(frame, rows="labeler", across="prompt")
      labeler               base           detailed
    0       L  75.0 [30.1, 95.4]  50.0 [15.0, 85.0]
    1      XS   25.0 [4.6, 69.9]                  -
    """
    import pandas as pd  # here, because tables alone need it

    frame = columns("spread", frame, [rows, across, *COLUMNS])
    if (twice := frame.duplicated([rows, across])).any():
        told = ", ".join(str(value) for value in frame[twice].iloc[0][[rows, across]])
        raise refusal("spread", f"two estimates of {told}", "choose the rows of one task first")
    heads, lines = ([_text(value) for value in frame[side].unique()] for side in (across, rows))
    for texts in ([rows, *heads], lines):
        if alike := next((text for text in texts if texts.count(text) > 1), None):
            raise refusal("spread", f"{alike!r} would head two places", "give labels that read differently")
    made = {line: dict.fromkeys(heads, DASH) for line in lines}
    for row, head, found in zip(frame[rows], frame[across], estimates(frame), strict=True):
        made[_text(row)][_text(head)] = cell(found, percent=percent)
    return pd.DataFrame([{rows: row, **line} for row, line in made.items()])


def footer(frame: "pd.DataFrame") -> str:
    """What every table says below it: levels and methods of its intervals, and the ties and unparsed over all rows.

    Human ties are left to their column: every labeler was compared to the same ones.

    >>> from harness import proportion, table
    >>> footer(table([{"ties": 3, "unparsed": 1, "estimate": proportion(3, 4)}]))
    '95 % intervals (wilson); ties 3, unparsed 1.'
    """
    found = estimates(frame)
    levels = " and ".join(dict.fromkeys(f"{100 * estimate.level:g} %" for estimate in found))
    methods = ", ".join(dict.fromkeys(estimate.method for estimate in found))
    counted = [f"{name} {int(frame[name].sum())}" for name in COUNTED if name in frame.columns]
    return f"{levels} intervals ({methods})" + (f"; {', '.join(counted)}" if counted else "") + "."


def to_markdown(frame: "pd.DataFrame", *, percent: bool = True, name: str = "estimate") -> str:
    """The `cells` of a frame as a markdown table with columns aligned, numbers to the right, and the `footer` below.

    Raises `HarnessError` as `cells` does.

    >>> from harness import proportion, table
    >>> print(to_markdown(table([{"policy": "SFT", "estimate": proportion(3, 4)}])))
    | policy |          estimate |  n |
    | ------ | ----------------: | -: |
    | SFT    | 75.0 [30.1, 95.4] |  4 |
    <BLANKLINE>
    95 % intervals (wilson).
    """
    shown = cells(frame, percent=percent, name=name).map(_markdown)
    right = [_is_number(frame, column, name) for column in shown.columns]
    lines = [[_markdown(column) for column in shown.columns], *shown.to_numpy().tolist()]
    widths = [max(2, *map(len, column)) for column in zip(*lines, strict=True)]
    padded = [_padded(line, widths, right) for line in lines]
    rule = [f"{'-' * (width - 1)}:" if end else "-" * width for width, end in zip(widths, right, strict=True)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])
    return f"{text}\n\n{footer(frame)}"


def to_latex(frame: "pd.DataFrame", *, percent: bool = True, name: str = "estimate") -> str:
    r"""The `cells` of a frame as a tabular of the package booktabs, all text escaped, and the `footer` below.

    Raises `HarnessError` as `cells` does.

    >>> from harness import proportion, table
    >>> print(to_latex(table([{"policy": "A & B", "estimate": proportion(3, 4)}])))
    \begin{tabular}{lrr}
    \toprule
    policy & estimate & n \\
    \midrule
    A \& B & 75.0 [30.1, 95.4] & 4 \\
    \bottomrule
    \end{tabular}
    \par\smallskip{\footnotesize 95 \% intervals (wilson).}
    """
    shown = cells(frame, percent=percent, name=name)
    right = [_is_number(frame, column, name) for column in shown.columns]
    made = [
        " & ".join(_latex(text, end) for text, end in zip(line, right, strict=True)) + r" \\"
        for line in shown.to_numpy().tolist()
    ]
    head = " & ".join(_latex(column, False) for column in shown.columns) + r" \\"
    begin = f"\\begin{{tabular}}{{{''.join('r' if end else 'l' for end in right)}}}"
    lines = [begin, r"\toprule", head, r"\midrule", *made, r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, rf"\par\smallskip{{\footnotesize {_latex(footer(frame), False)}}}"])


def to_csv(frame: "pd.DataFrame", *, percent: bool = True, name: str = "estimate") -> str:
    """Every column of a frame of `table` in full precision, with the estimate as it is read before its value.

    Level, method, ties and unparsed are columns, so there is no footer. Raises `HarnessError` as `cells` does.

    >>> from harness import proportion, table
    >>> print(to_csv(table([{"policy": "SFT", "estimate": proportion(2, 4)}])).splitlines()[0])
    policy,estimate,value,low,high,level,n,clusters,method
    """
    told = [cell(estimate, percent=percent) for estimate in _named("to_csv", frame, name)]
    made = frame.copy()
    made.insert(list(frame.columns).index("value"), name, told)
    return str(made.to_csv(index=False, lineterminator="\n"))


def to_json(frame: "pd.DataFrame") -> str:
    """A frame of `table` as JSON, without NaN (a missing value is null); `from_json` reads it back exactly.

    An object of columns (their order), rows (own columns, and the fields of the estimate under "estimate") and footer.
    Raises `HarnessError` as `cells` does, and for a value that JSON does not know.

    >>> from harness import proportion, table
    >>> frame = table([{"policy": "SFT", "estimate": proportion(3, 4)}])
    >>> estimates(from_json(to_json(frame))) == [proportion(3, 4)]
    True
    """
    own = [column for column in frame.columns if column not in COLUMNS]
    rows = [
        {name: _plain(name, frame[name].iloc[at]) for name in own} | {"estimate": estimate.to_dict()}
        for at, estimate in enumerate(estimates(frame))
    ]
    stored = {"columns": list(frame.columns), "rows": rows, "footer": footer(frame)}
    return json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> "pd.DataFrame":
    """The frame that `to_json` stored. Whole numbers of which some are missing are nullable integers.

    Raises `HarnessError` for a text that `to_json` did not write.

    >>> from harness import proportion, table
    >>> from_json(to_json(table([{"policy": "SFT", "estimate": proportion(3, 4)}])))[["policy", "value", "n"]]
      policy  value  n
    0    SFT   0.75  4
    """
    where = "from_json"
    try:
        stored = json.loads(text)
        rows = [row | {"estimate": Estimate.from_dict(row["estimate"])} for row in stored["rows"]]
        frame = table(rows)[stored["columns"]]
    except HarnessError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise refusal(where, f"the text is not of to_json ({error})", "give what to_json wrote") from None
    whole = [name for name in frame.columns if _is_whole([row.get(name) for row in rows])]
    return frame.astype(dict.fromkeys(whole, "Int64"))


def _named(where: str, frame: "pd.DataFrame", name: str) -> list[Estimate]:
    """The estimates, if their name is free."""
    if name in frame.columns:
        raise refusal(where, f"the frame has a column {name}", "give the estimate another name")
    return estimates(frame)


def _is_whole(values: Sequence[Any]) -> bool:
    """Whole numbers, some of them missing."""
    kinds = {type(value) for value in values}
    return kinds == {int, type(None)}


def _plain(name: str, value: Any) -> str | int | float | bool | None:
    """A value that JSON knows."""
    import pandas as pd  # here, because tables alone need it

    plain = value.item() if hasattr(value, "item") else value
    if plain is None or plain is pd.NA or plain != plain:
        return None
    if isinstance(plain, (str, int)) or (isinstance(plain, float) and math.isfinite(plain)):
        return plain
    raise refusal("to_json", f"{name} has {plain!r}", "give text, finite numbers, booleans or missing values")


def _bracket(value: float, low: float, high: float, percent: bool) -> str:
    return f"{_number(value, percent)} [{_number(low, percent)}, {_number(high, percent)}]"


def _number(value: float, percent: bool) -> str:
    told = f"{100.0 * value:.1f}" if percent else f"{value:.3f}"
    return told.removeprefix("-") if float(told) == 0.0 else told  # no minus before 0.0


def _own(frame: "pd.DataFrame", column: str, percent: bool) -> list[str]:
    """The text of a column that is not of the estimate."""
    if {f"{column}_low", f"{column}_high"} <= set(frame.columns):
        ends = zip(frame[column], frame[f"{column}_low"], frame[f"{column}_high"], strict=True)
        return [DASH if value != value else _bracket(value, low, high, percent) for value, low, high in ends]
    if column in IN_UNIT:
        return [DASH if value != value else _number(value, percent) for value in frame[column]]
    return [_text(value) for value in frame[column]]


def _is_end(column: str, frame: "pd.DataFrame") -> bool:
    """Whether it is the end of an interval that stands in another column."""
    whole = column.removesuffix("_low").removesuffix("_high")
    return whole != column and {whole, f"{whole}_low", f"{whole}_high"} <= set(frame.columns)


def _is_number(frame: "pd.DataFrame", column: str, name: str) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype  # here, because tables alone need it

    return column == name or (is_numeric_dtype(frame[column]) and not is_bool_dtype(frame[column]))


def _text(value: Any) -> str:
    import pandas as pd  # here, because tables alone need it

    if pd.isna(value):
        return DASH
    return f"{value:.15g}" if isinstance(value, float) else str(value)  # all digits that are sure: 0.1 + 0.2 is 0.3


def _markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _latex(text: str, number: bool) -> str:
    if number:
        return text if text == DASH else text.replace("-", "$-$")
    escaped = "".join(LATEX.get(letter, letter) for letter in text)
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped  # or \\ takes it for an option


def _padded(line: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        text.rjust(width) if end else text.ljust(width) for text, width, end in zip(line, widths, right, strict=True)
    ]
