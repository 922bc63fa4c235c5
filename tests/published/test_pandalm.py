"""PandaLM (Wang et al., 2024): kappas of three annotators, their majority, two judges against it, win tables."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from harness.classification import classification
from harness.kappa import cohen_kappa
from harness.rankings import win_table
from harness.ratings import consensus

HUMANS = ["human1", "human2", "human3"]
JUDGES = ["judge_gpt35", "judge_pandalm7b"]
CODES = {"0": "tie", "1": "first", "2": "second", "Tie": "tie", "garbage": "tie"}
"""The authors count the 25 replies that could not be read as ties; we would not."""


@pytest.fixture
def labels(case: Callable[..., Any]) -> Any:
    items, expected = case("pandalm", dtype=str)
    for column in [*HUMANS, *JUDGES]:
        items[column] = items[column].map(CODES)
    items["human"] = consensus(items[HUMANS].to_numpy().tolist())
    return items, expected


def test_kappas_of_annotators(labels: Any) -> None:
    items, expected = labels
    for one, other in combinations(HUMANS, 2):
        kappa = cohen_kappa(items[one], items[other], rng=np.random.default_rng(0), resamples=200)
        assert round(kappa.value, 2) == expected["published"]["cohen_kappa"][f"{one}-{other}"]


def test_majority(labels: Any) -> None:
    items, expected = labels
    counts = items["human"].value_counts()
    printed = expected["published"]["human_majority_counts"]
    assert {CODES[code]: count for code, count in printed.items()} == counts.to_dict()


@pytest.mark.parametrize("judge", JUDGES)
def test_judges(labels: Any, judge: str) -> None:
    items, expected = labels
    ours = classification(items[judge], items["human"], rng=np.random.default_rng(0), resamples=200)
    scores = {name: round(100 * getattr(ours, name).value, 2) for name in expected["published"][judge]}
    assert scores == expected["published"][judge]


@pytest.mark.parametrize("rater", ["human", *JUDGES])
def test_win_tables(labels: Any, rater: str) -> None:
    items, expected = labels
    table = win_table(items["model1"], items["model2"], items[rater])
    printed = expected["published"]["win_lose_tie"][rater]
    cells = {pair: table[tuple(pair.split(">"))] for pair in printed}
    assert {pair: [cell.wins, cell.losses, cell.ties] for pair, cell in cells.items()} == printed
