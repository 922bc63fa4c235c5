"""Data files: OpenRLHF, reading them its way, must come to the very tokens of the native engine."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlaif_spec.engines.native.models import load_tokens
from rlaif_spec.engines.openrlhf.data import (
    drawn_prompts,
    read_marks,
    write_demonstrations,
    write_preferences,
    write_prompts,
)
from rlaif_spec.engines.protocol import PreferencePair, Turn
from rlaif_spec.errors import DataError

TOY = Path(str(files("rlaif_spec") / "toy_models" / "toy-xs"))
TOKENS = load_tokens(TOY)
WORDS = [word for word in TOKENS.tokenizer.get_vocab() if word.isalpha()]
MARKS = read_marks(TOY, 256)
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_by_openrlhf(text: str) -> list[int]:
    """`SFTDataset.__getitem__` and `RewardDataset.__getitem__` of 0.11.2, in their own order."""
    text = text.rstrip("\n")
    if not text.endswith(TOKENS.tokenizer.eos_token):
        text += " " + TOKENS.tokenizer.eos_token
    ids = list(TOKENS.tokenizer(text, add_special_tokens=False).input_ids)
    return [*ids[:-1], TOKENS.end]


@settings(deadline=None)  # the first example loads
@given(prompt=TEXTS, response=TEXTS)
def test_demonstrations_are_read_as_the_tokens_of_the_native_engine(
    prompt: str, response: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    write_demonstrations(path, [Turn(prompt, response)], MARKS)
    (row,) = rows(path)
    assert read_by_openrlhf(row["input"] + row["output"]) == [*TOKENS.prompt(prompt), *TOKENS.response(response)]
    asked = TOKENS.tokenizer(row["input"], add_special_tokens=False).input_ids
    assert list(asked) == TOKENS.prompt(prompt), "the loss begins behind the prompt"


def written(pairs: Sequence[PreferencePair], folder: Path) -> list[dict[str, Any]]:
    write_preferences(folder / "pairs.jsonl", pairs, MARKS)
    return rows(folder / "pairs.jsonl")


@settings(deadline=None)  # the first example loads
@given(prefers_first=st.floats(0, 1))
def test_a_pair_written_either_way_round_is_the_same_row(
    prefers_first: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    (row,) = written([PreferencePair("say", "one", "two", prefers_first)], folder)
    (turned,) = written([PreferencePair("say", "two", "one", 1 - prefers_first)], folder)
    assert row["margin"] >= 0.5
    assert row["margin"] == pytest.approx(max(prefers_first, 1 - prefers_first))
    if prefers_first != 0.5:
        assert (row["chosen"], row["rejected"]) == (turned["chosen"], turned["rejected"])


def test_a_small_set_has_evaluation_rows_of_its_own(tmp_path: Path) -> None:
    pairs = [PreferencePair("say", "one", "two", 0.7)] * 3
    written(pairs, tmp_path)
    assert len(rows(tmp_path / "evaluation.jsonl")) == 3


def test_what_openrlhf_would_cut_is_refused(tmp_path: Path) -> None:
    short = read_marks(TOY, 12)
    with pytest.raises(DataError, match="max_tokens: a text of 13 tokens does not fit 12"):
        write_demonstrations(tmp_path / "rows.jsonl", [Turn(" ".join(WORDS[:6]), " ".join(WORDS[:5]))], short)
    with pytest.raises(DataError, match="a text of 6 tokens and a response of 8"):
        write_prompts(tmp_path / "rows.jsonl", [" ".join(WORDS[:5])], {}, short, 8)


@settings(deadline=None)  # the first example loads
@given(count=st.integers(1, 9), wanted=st.integers(1, 40), seed=st.integers(0, 99))
def test_every_epoch_draws_every_prompt_once(count: int, wanted: int, seed: int) -> None:
    prompts = [str(at) for at in range(count)]
    drawn = drawn_prompts(prompts, wanted, seed)
    assert len(drawn) == wanted
    for start in range(0, wanted, count):
        part = drawn[start : start + count]
        assert len(set(part)) == len(part)
    assert drawn == drawn_prompts(prompts, wanted, seed)


def test_prompts_carry_the_context_for_the_labeler(tmp_path: Path) -> None:
    write_prompts(tmp_path / "prompts.jsonl", ["one", "two"], {"one": "the post"}, MARKS, 8)
    assert [row["label"] for row in rows(tmp_path / "prompts.jsonl")] == ["the post", ""]
    assert rows(tmp_path / "prompts.jsonl")[0]["input"] == f"{MARKS.begin}one"
