"""Frames as text: one cell convention, aligned columns, escapes, and JSON that reads back exactly."""

import csv
import io
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Estimate, HarnessError, alignment_table, cluster_bootstrap, proportion, table
from harness.formats import cell, cells, footer, from_json, spread, to_csv, to_json, to_latex, to_markdown
from harness.published import with_published
from harness.tables import estimates

GROUPED = cluster_bootstrap([1, 0, 1, 1], list("aabb"), rng=np.random.default_rng(0), resamples=100)


def framed(**own: list[Any]) -> pd.DataFrame:
    own = own or {"policy": ["SFT", "RL|AIF_1 & 50 %"], "ties": [3, 4], "unparsed": [1, 0]}
    rows = [dict(zip(own, values, strict=True)) for values in zip(*own.values(), strict=True)]
    return table(
        [row | {"estimate": estimate} for row, estimate in zip(rows, [proportion(3, 4), GROUPED], strict=True)]
    )


def test_one_cell_convention() -> None:
    found = Estimate(0.7123, 0.6891, 0.7344, 0.95, 1500, 500, "t")
    assert (cell(found), cell(found, percent=False)) == ("71.2 [68.9, 73.4]", "0.712 [0.689, 0.734]")
    below = Estimate(-0.0001, -0.0512, 0.0, 0.95, 10, None, "t")
    assert (cell(below), cell(below, percent=False)) == ("0.0 [-5.1, 0.0]", "0.000 [-0.051, 0.000]")
    frame, text = framed(), cell(GROUPED)
    assert all(text in made for made in (to_markdown(frame), to_latex(frame), to_csv(frame)))
    assert cells(frame)["estimate"].tolist() == [cell(proportion(3, 4)), text]


def test_cells_keep_what_is_read_and_drop_the_rest() -> None:
    assert list(cells(framed()).columns) == ["policy", "ties", "unparsed", "estimate", "n", "clusters"]
    assert cells(framed())["clusters"].tolist() == ["-", "2"]
    alone = table([{"x_low": 1, "note": None, "share": 0.123456, "estimate": proportion(3, 4)}])
    assert list(cells(alone, name="rate").columns) == ["x_low", "note", "share", "rate", "n"]
    assert cells(alone).iloc[0].tolist()[:3] == ["1", "-", "0.123456"]


def test_published_columns_read_like_the_estimate() -> None:
    paper = [{"policy": "SFT", "published": "50 %", "published_n": 100}]
    made = with_published(framed(), paper, on=["policy"], margin=0.05)
    shown = cells(made)
    assert list(shown.columns)[-3:] == ["published", "difference", "against_published"]
    assert shown["published"].tolist() == ["50.0", "-"]
    assert shown["difference"].tolist()[0].startswith("25.0 [")
    assert shown["difference"].tolist()[1] == shown["against_published"].tolist()[1] == "-"
    assert cells(made, percent=False)["published"].tolist() == ["0.500", "-"]


def test_markdown_is_aligned_and_escaped() -> None:
    lines = to_markdown(framed(), name="win rate").split("\n\n")
    rows = lines[0].splitlines()
    assert len({len(row) for row in rows}) == 1
    assert rows[0].startswith("| policy")
    assert "win rate" in rows[0]
    rule = [part.strip() for part in rows[1].strip("|").split("|")]
    assert [part.endswith(":") for part in rule] == [False, True, True, True, True, True]
    assert r"RL\|AIF_1 & 50 %" in rows[3]
    assert lines[1] == "95 % intervals (wilson, cluster bootstrap); ties 7, unparsed 1."
    assert "a b" in to_markdown(framed(policy=["a\nb", "c\\d"]))
    assert r"c\\d" in to_markdown(framed(policy=["a\nb", "c\\d"]))


def test_latex_is_booktabs_and_escaped() -> None:
    made = to_latex(framed())
    lines = made.splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrrr}"
    assert [lines[at] for at in (1, 3, 6, 7)] == [r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"]
    assert lines[5].startswith(r"RL\textbar{}AIF\_1 \& 50 \% & 4 & 0 & ")
    assert all(line.endswith(r" \\") for line in (lines[2], *lines[4:6]))
    assert lines[8].startswith(r"\par\smallskip{\footnotesize 95 \% intervals (wilson, cluster bootstrap); ties 7")
    every = to_latex(framed(policy=["[a] \\~^<>{}$#", "*b"])).splitlines()
    assert every[4].startswith(
        r"{}[a] \textbackslash{}\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\{\}\$\# & "
    )
    assert every[5].startswith("{}*b & ")
    below = table([{"estimate": Estimate(-0.1, -0.2, 0.1, 0.95, 10, None, "t")}])
    assert r"$-$10.0 [$-$20.0, 10.0] & 10 \\" in to_latex(below)
    assert "& - & " in to_latex(with_published(framed(), [{"policy": "SFT", "published": 0.5}], on=["policy"]))


def test_csv_holds_every_number_whole() -> None:
    frame = framed()
    rows = list(csv.DictReader(io.StringIO(to_csv(frame))))
    assert list(rows[0]) == ["policy", "ties", "unparsed", "estimate", *frame.columns[3:]]
    for row, estimate in zip(rows, estimates(frame), strict=True):
        assert tuple(float(row[name]) for name in ("value", "low", "high")) == (
            estimate.value,
            estimate.low,
            estimate.high,
        )
        assert row["estimate"] == cell(estimate)
    assert [row["clusters"] for row in rows] == ["", "2"]
    assert rows[1]["policy"] == "RL|AIF_1 & 50 %"


@settings(deadline=None, max_examples=25)
@given(
    numbers=st.tuples(*[st.floats(-1e6, 1e6)] * 3).map(sorted),
    level=st.floats(0.01, 0.99),
    n=st.integers(1, 10**9),
    grouped=st.booleans(),
    note=st.text(),
)
def test_json_reads_back_exactly(numbers: list[float], level: float, n: int, grouped: bool, note: str) -> None:
    low, value, high = numbers
    kept = Estimate(value, low, high, level, n, n if grouped else None, note)
    frame = table([{"note": note, "estimate": kept}, {"note": None, "estimate": GROUPED}])
    text = to_json(frame)
    assert estimates(from_json(text)) == [kept, GROUPED]
    assert from_json(text)["note"].iloc[0] == note
    assert to_json(from_json(text)) == text


def test_json_has_no_nan_and_keeps_columns_and_whole_numbers() -> None:
    frame = framed(share=[0.5, math.nan], ties=[1, 2], right=[True, False], name=["a", None])
    frame["unparsed"] = pd.array([1, None], dtype="Int64")
    stored = json.loads(to_json(frame), parse_constant=lambda word: pytest.fail(word))
    assert stored["footer"] == footer(frame)
    assert stored["rows"][1]["share"] is stored["rows"][1]["unparsed"] is None
    back = from_json(to_json(frame))
    assert list(back.columns) == list(frame.columns)
    assert back["unparsed"].dtype == back["clusters"].dtype == "Int64"
    assert back["ties"].tolist() == [1, 2]
    assert back["right"].tolist() == [True, False]
    assert back["share"].isna().tolist() == [False, True]


def test_spread_in_two_directions() -> None:
    places = [("L", "detailed"), ("XS", "base")]
    frame = framed(labeler=[a for a, _ in places], prompt=[b for _, b in places])
    made = spread(frame, rows="labeler", across="prompt", percent=False)
    assert made.columns.tolist() == ["labeler", "detailed", "base"]
    assert made.to_numpy().tolist() == [
        ["L", cell(proportion(3, 4), percent=False), "-"],
        ["XS", "-", cell(GROUPED, percent=False)],
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cells(pd.DataFrame({"value": [1.0]})), "estimates: no column low; name one of value"),
        (
            lambda: cells(framed(), name="policy"),
            "cells: the frame has a column policy; give the estimate another name",
        ),
        (lambda: to_csv(framed(), name="n"), "to_csv: the frame has a column n"),
        (
            lambda: to_json(framed(a=[1, math.inf])),
            "to_json: a has inf; give text, finite numbers, booleans or missing",
        ),
        (lambda: to_json(framed(a=[1, {}])), "to_json: a has {}"),
        (lambda: from_json("{"), "from_json: the text is not of to_json"),
        (lambda: from_json('{"rows": [{"a": 1}]}'), "from_json: the text is not of to_json"),
        (lambda: from_json('{"rows": [{"estimate": {}}]}'), "Estimate.from_dict: fields are"),
        (lambda: spread(framed(), rows="a", across="b"), "spread: no column a; name one of policy"),
        (
            lambda: spread(framed(a=["x", "x"], b=[1, 1]), rows="a", across="b"),
            "spread: two estimates of x, 1; choose the rows of one task first",
        ),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()


def places(key: str, values: list[Any]) -> Any:
    return table([{"labeler": "L", key: value, "estimate": proportion(at + 1, 9)} for at, value in enumerate(values)])


def test_labels_that_read_alike_are_no_one_place() -> None:
    wide = spread(places("step", [10001.0, 10002.0]), rows="labeler", across="step")
    assert list(wide.columns) == ["labeler", "10001", "10002"]
    for frame in (places("step", [1, "1"]), places("step", ["labeler", "b"])):
        with pytest.raises(HarnessError, match=r"spread: '(1|labeler)' would head two places; give labels that read"):
            spread(frame, rows="labeler", across="step")
    with pytest.raises(HarnessError, match="would head two places"):
        spread(places("step", [1, "1"]), rows="step", across="labeler")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-(10**15) + 1, 10**15 - 1), min_size=2, max_size=6, unique=True), st.integers(0, 15))
def test_numbers_keep_their_digits(digits: list[int], shift: int) -> None:
    values = [number / 10**shift for number in digits]
    wide = spread(places("step", values), rows="labeler", across="step")
    assert [float(head) for head in wide.columns[1:]] == values
    assert cells(places("step", [0.1 + 0.2, 1e-05]))["step"].tolist() == ["0.3", "1e-05"]


def test_a_missing_label_is_one_place() -> None:
    frame = pd.concat([places("step", [1.0, None]), places("step", [math.nan]).assign(labeler="XS")])
    wide = spread(frame, rows="labeler", across="step")
    assert list(wide.columns) == ["labeler", "1", "-"]
    assert wide["-"].tolist() == [cell(proportion(2, 9)), cell(proportion(1, 9))]


@pytest.mark.parametrize("found", [(1088.7, 1050.0, 1120.0), (1.001, 0.8, 1.2), (-1.5, -1.6, 0.0)])
def test_what_is_no_share_is_not_told_in_percent(found: tuple[float, float, float]) -> None:
    estimate = Estimate(*found, 0.95, 9, None, "bootstrap")
    told = cell(estimate, percent=False)
    with pytest.raises(
        HarnessError, match=re.escape(f"cell: {told} is no share, to be told in percent; give percent=")
    ):
        cell(estimate)


def test_kappas_are_told_in_percent_or_plain() -> None:
    kappa = Estimate(-1.0, -1.0, 1.0, 0.95, 9, None, "bootstrap")
    assert (cell(kappa), cell(kappa, percent=False)) == ("-100.0 [-100.0, 100.0]", "-1.000 [-1.000, 1.000]")


def test_the_footer_leaves_human_ties_to_their_column() -> None:
    """Two labelers and a control were compared to the same three human ties: the sum, 9, counts nothing."""
    rows = [("a", 0.9, "first")] + [(f"t{at}", 0.5, "tie") for at in range(3)] + [("b", 0.2, "second")]
    named = [
        {"labeler": labeler, "variant": "base", "pair": pair, "prefers_first": soft, "human": human}
        for labeler in ("L", "XS")
        for pair, soft, human in rows
    ]
    frame = alignment_table(named, task=None)
    assert frame["human_ties"].tolist() == [3, 3, 3]
    assert "human_ties" not in footer(frame)
    assert footer(frame).endswith("soft_ties 0, unparsed 0.")
