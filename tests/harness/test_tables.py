"""A frame holds each estimate whole; tables of records hold what the statistics say of each cell alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness import Estimate, HarnessError, cluster_bootstrap, proportion, table, win_rate
from harness.tables import COLUMNS, alignment_table, estimates, harmless_table, win_rate_table

SHARE = proportion(3, 4)


def test_holds_each_estimate_whole() -> None:
    grouped = cluster_bootstrap([1, 0, 1, 1], list("aabb"), rng=np.random.default_rng(0), resamples=100)
    frame = table([{"name": "a", "estimate": SHARE, "task": 1}, {"name": "b", "estimate": grouped, "task": 2}])
    assert list(frame.columns) == ["name", "task", "value", "low", "high", "level", "n", "clusters", "method"]
    assert frame["name"].tolist() == ["a", "b"]
    assert frame["clusters"].dtype == "Int64"
    for position, estimate in enumerate([SHARE, grouped]):
        stored = frame.iloc[position].drop(["name", "task"]).to_dict()
        stored["clusters"] = None if pd.isna(stored["clusters"]) else int(stored["clusters"])
        assert Estimate.from_dict(stored) == estimate


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "table: rows empty; give at least one row"),
        ([{"name": "a"}], r"table: rows\[0\]: estimate is None; give an Estimate"),
        ([{"estimate": 0.5}], "estimate is 0.5"),
        ([{"estimate": SHARE}, {"estimate": SHARE, "x": 1}], r"rows\[1\]: keys are estimate, x; give those of the"),
        ([{"estimate": SHARE, "n": 4}], "n is a column of the estimate; give it another name"),
    ],
)
def test_refusals(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        table(rows)


def verdicts(seeds: int = 1, count: int = 12) -> pd.DataFrame:
    """Two orders of each prompt, for two policies against one opponent in two tasks."""
    generator, rows = np.random.default_rng(1), []
    words = ["policy", "opponent", "tie", "unparsed"]
    for task in ("summarize", "helpful"):
        for policy in ("RLAIF", "RLHF"):
            for seed in range(seeds):
                for prompt in range(count):
                    rows += [
                        (task, policy, "SFT", f"p{prompt}", seed, generator.choice(words, p=[0.5, 0.25, 0.15, 0.1]))
                        for _ in range(2)
                    ]
    return pd.DataFrame(rows, columns=["task", "policy", "opponent", "prompt", "seed", "outcome"])


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_estimates_are_those_of_the_table() -> None:
    grouped = cluster_bootstrap([1, 0, 1, 1], list("aabb"), rng=np.random.default_rng(0), resamples=100)
    assert estimates(table([{"name": "a", "estimate": SHARE}, {"name": "b", "estimate": grouped}])) == [SHARE, grouped]


def test_win_rates_are_those_of_each_cell() -> None:
    records = verdicts()
    frame = win_rate_table(records, rng=rng(), resamples=500)
    own, counts = ["task", "policy", "opponent"], ["standard_error", "ties", "unparsed", "seeds"]
    assert list(frame.columns) == [*own, *COLUMNS, *counts]
    assert frame[own].drop_duplicates().to_numpy().tolist() == records[own].drop_duplicates().to_numpy().tolist()
    entropy = int(rng().integers(2**63))
    for position, found in enumerate(estimates(frame)):
        cell = records.merge(frame.iloc[[position]][own])
        expected = win_rate(
            cell["outcome"].tolist(),
            clusters=cell["prompt"].tolist(),
            rng=np.random.default_rng(entropy),
            resamples=500,
        )
        assert found == expected.estimate
        assert frame.iloc[position][counts].tolist() == [expected.standard_error, expected.ties, expected.unparsed, 1]


def test_a_cell_depends_on_no_other_and_not_on_the_order_of_rows() -> None:
    records = verdicts(seeds=3)
    whole = win_rate_table(records, rng=rng(), resamples=200)
    part = win_rate_table(records[records["policy"] == "RLHF"].to_dict("records"), rng=rng(), resamples=200)
    shuffled = win_rate_table(records.sample(frac=1.0, random_state=0), rng=rng(), resamples=200)
    assert estimates(part) == [
        one for one, name in zip(estimates(whole), whole["policy"], strict=True) if name == "RLHF"
    ]
    both = whole.merge(shuffled, on=["task", "policy", "opponent"])
    assert both["value_x"].tolist() == pytest.approx(both["value_y"].tolist())
    assert both["low_x"].tolist() == pytest.approx(both["low_y"].tolist(), abs=0.05)


def test_several_seeds_are_resampled_and_one_is_not() -> None:
    frame = win_rate_table(verdicts(seeds=3), rng=rng(), resamples=200)
    assert set(frame["method"]) == {"crossed bootstrap over 3 seeds"}
    assert frame["seeds"].tolist() == [3] * 4
    by_seed = win_rate_table(verdicts(seeds=3), by=["seed"], rng=rng(), resamples=200)
    assert (len(by_seed), set(by_seed["method"]), set(by_seed["seeds"])) == (12, {"cluster bootstrap"}, {1})
    alone = win_rate_table(verdicts(), cluster=None, seed=None, task=None, rng=rng(), resamples=200)
    assert alone["method"].tolist() == ["bootstrap"] * 2
    assert alone["clusters"].isna().all()
    assert list(alone.columns)[:2] == ["policy", "opponent"]


def flags() -> pd.DataFrame:
    rows = [("RLAIF", prompt, 0, bool(prompt % 3)) for prompt in range(10)] + [("SFT", 1, 0, None), ("SFT", 2, 0, True)]
    return pd.DataFrame(rows, columns=["policy", "prompt", "seed", "harmless"])


def test_harmless_rates() -> None:
    frame = harmless_table(flags(), task=None, level=0.9)
    assert estimates(frame) == [proportion(6, 10, level=0.9), proportion(1, 1, level=0.9)]
    assert frame["unparsed"].tolist() == [0, 1]
    assert list(frame.columns) == ["policy", *COLUMNS, "unparsed", "seeds"]
    assert estimates(harmless_table(flags(), task=None, cluster=None, level=0.9)) == estimates(frame)
    twice = pd.concat([flags()] * 2)
    made = harmless_table(twice[twice["policy"] == "RLAIF"], task=None, rng=rng(), resamples=300)
    expected = cluster_bootstrap(
        [float(prompt % 3 > 0) for prompt in range(10)] * 2,
        list(range(10)) * 2,
        rng=np.random.default_rng(int(rng().integers(2**63))),
        resamples=300,
    )
    assert estimates(made) == [expected]
    seeded = pd.concat([flags()[:10], flags()[:10].assign(seed=1, harmless=True)])
    assert harmless_table(seeded, task=None, rng=rng(), resamples=100)["method"].tolist() == [
        "crossed bootstrap over 2 seeds"
    ]


LABELS = [
    ("L", "base", "a", 0.9, "first", 30, 20),
    ("L", "base", "b", 0.2, "first", 10, 20),
    ("L", "base", "c", 0.5, "second", 10, 20),
    ("L", "base", "d", None, "second", 5, 9),
    ("XS", "detailed", "b", 0.8, "first", 10, 20),
    ("XS", "detailed", "e", 0.7, "tie", 7, 7),
    ("XS", "detailed", "f", 0.6, "first", 7, 3),
]


def labels() -> pd.DataFrame:
    names = ["labeler", "variant", "pair", "prefers_first", "human", "first_length", "second_length"]
    return pd.DataFrame(LABELS, columns=names).assign(task="summarize")


def test_alignment_of_labelers_and_of_rules_that_read_nothing() -> None:
    frame = alignment_table(labels(), lengths=("first_length", "second_length"))
    assert frame[["labeler", "variant"]].to_numpy().tolist() == [
        ["L", "base"],
        ["XS", "detailed"],
        ["majority", "reads nothing"],
        ["longer wins", "reads nothing"],
    ]
    expected = [proportion(1.5, 3), proportion(2, 2), proportion(3, 5), proportion(4, 5)]
    assert estimates(frame) == expected
    assert frame["human_ties"].tolist() == [0, 1, 1, 1]
    assert frame["soft_ties"].fillna(-1).tolist() == [1, 0, -1, -1]
    assert frame["unparsed"].fillna(-1).tolist() == [1, 0, -1, -1]
    records = [{name: value for name, value in row.items() if name != "task"} for row in labels().to_dict("records")]
    assert estimates(alignment_table(records, task=None)) == expected[:3]


def test_alignment_by_task_and_cluster() -> None:
    both = pd.concat([labels(), labels().assign(task="helpful")])
    frame = alignment_table(both, level=0.8)
    assert frame["task"].tolist() == ["summarize"] * 2 + ["helpful"] * 2 + ["summarize", "helpful"]
    assert set(frame["level"]) == {0.8}
    named = labels().assign(prompt=["p", "p", "q", "q", "p", "q", "q"])
    clustered = alignment_table(named, cluster="prompt", rng=rng(), resamples=200)
    assert clustered["clusters"].tolist() == [2, 2, 2]
    assert clustered["value"].tolist() == [*frame["value"].tolist()[:2], 0.6]


def changed(frame: pd.DataFrame, row: int, **values: Any) -> pd.DataFrame:
    made = frame.astype(object).reset_index(drop=True)
    for name, value in values.items():
        made.at[row, name] = value
    return made


def wins(frame: Any, **options: Any) -> pd.DataFrame:
    return win_rate_table(frame, **{"rng": rng(), "resamples": 100, **options})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wins([]), "win_rate_table: records empty; give at least one row"),
        (lambda: wins(verdicts().drop(columns="task")), "win_rate_table: no column task; name one of policy, opponent"),
        (lambda: wins([{"task": 1, "policy": 2}]), r"records\[0\] has no opponent; it has task, policy"),
        (
            lambda: wins(changed(verdicts(), 3, outcome="win")),
            r"win_rate_table: outcome\[3\] is 'win'; use one of policy",
        ),
        (lambda: wins(changed(verdicts(), 2, outcome=None)), r"outcome\[2\] is None"),
        (lambda: wins(changed(verdicts(), 4, prompt=None)), r"prompt\[4\] is missing; name it in every row"),
        (lambda: wins(changed(verdicts(), 5, policy=np.nan)), r"policy\[5\] is missing"),
        (
            lambda: wins(verdicts().assign(outcome="unparsed")),
            "task summarize, policy RLAIF, opponent SFT: win_rate: no",
        ),
        (lambda: wins(verdicts().assign(ties=1), by=["ties"]), "ties is a column of the table; give it another name"),
        (lambda: wins(verdicts().assign(n=1), by=["n"]), "n is a column of the estimate"),
        (lambda: wins(verdicts(), rng=3), "win_rate_table: rng is 3"),
        (
            lambda: harmless_table(changed(flags(), 3, harmless=1), task=None),
            r"harmless\[3\] is 1; use True, False or a",
        ),
        (lambda: harmless_table(flags(), task=None, rng=3), "harmless_table: rng is 3"),  # type: ignore[arg-type]
        (
            lambda: harmless_table(pd.concat([flags()] * 2), task=None),
            "harmless_table, policy RLAIF: harmless_rate: clusters without rng",
        ),
        (lambda: alignment_table(changed(labels(), 1, prefers_first=1.2)), r"prefers_first\[1\] is 1.2; give finite"),
        (lambda: alignment_table(changed(labels(), 4, human="b")), r"human\[4\] is 'b'; use one of first, second, tie"),
        (lambda: alignment_table(changed(labels(), 1, pair="a")), r"pair\[1\] is 'a' once more in its cell; give each"),
        (lambda: alignment_table(changed(labels(), 4, human="tie")), "pair 'b' has several human; give one to all its"),
        (
            lambda: alignment_table(changed(labels(), 4, first_length=1), lengths=("first_length", "second_length")),
            "pair 'b' has several human or first_length or second_length",
        ),
        (lambda: alignment_table(labels(), rng=3), "alignment_table: rng is 3"),  # type: ignore[arg-type]
        (
            lambda: alignment_table(labels().assign(human="tie")),
            "alignment_table, task summarize, labeler L, variant base: alignment: every human choice is a tie",
        ),
    ],
)
def test_refusals_of_records(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
