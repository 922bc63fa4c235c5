"""Each format, from rows written by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlaif_spec.datasets.formats import Skip, comparison, example
from rlaif_spec.datasets.reading import RawRow
from rlaif_spec.errors import DataError
from rlaif_spec.records import Comparison, Example
from rlaif_spec.spec.scale import Source

ASK = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: {x}?\n\nAssistant:"
CONTEXT = "Human: hi\n\nAssistant: hello\n\nHuman: {x}?"
PAIR = {"id": "p/1", "task": "helpful", "prompt": ASK, "response_a": " one", "response_b": " two", "human": "a"}
OPENAI = {
    "info": {"id": "t3_1", "post": "I made soup.", "title": "Soup", "subreddit": "tifu"},
    "summaries": [{"text": " Soup."}, {"text": " Stew."}],
    "choice": 1,
    "worker": "w",
    "batch": "b",
    "split": "train",
    "extra": {"confidence": 7},
}
POST = {"id": 7, "subreddit": "tifu", "title": "Soup", "post": "I made soup.", "summary": " Soup was made."}
SHOWN = "SUBREDDIT: r/tifu\n\nTITLE: Soup\n\nPOST: I made soup."
PREFERENCE = {"prompt": "a question", "chosen": "good", "rejected": "bad"}


def pair(kind: Any, values: dict[str, Any], number: int = 1) -> Comparison | Skip:
    return comparison(Source(format=kind, path="x.jsonl"), RawRow(f"x.jsonl:{number}", number, values))


def text(kind: Any, values: dict[str, Any]) -> Example | Skip:
    return example(Source(format=kind, path="x.jsonl"), RawRow("x.jsonl:1", 1, values))


def preferred(row: Comparison | Skip) -> tuple[str, str]:
    assert isinstance(row, Comparison)
    return (row.first, row.second) if row.human == "first" else (row.second, row.first)


def hh(chosen: str, rejected: str, other: str = ASK) -> dict[str, str]:
    return {"chosen": f"{ASK} {chosen}", "rejected": f"{other} {rejected}"}


def test_hh_splits_at_the_last_turn() -> None:
    row = pair("hh", hh("good", "bad"), 12)
    assert isinstance(row, Comparison)
    assert (row.id, row.context) == ("hh-12", CONTEXT)
    assert preferred(row) == ("good", "bad")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (hh("good", "bad", "\n\nHuman: what?\n\nAssistant:"), "prompts differ"),
        (hh("same", "same "), "equal responses"),
        (hh("good", "  "), "empty response"),
        ({"chosen": "\n\nAssistant: good", "rejected": "\n\nAssistant: bad"}, "empty context"),
        ({"chosen": "good", "rejected": "bad"}, "no turn of the assistant"),
    ],
)
def test_hh_rows_without_use(values: dict[str, str], reason: str) -> None:
    assert pair("hh", values) == Skip(reason)


@given(st.text("abc", min_size=1), st.text("xyz", min_size=1), st.text("def", min_size=1))
def test_sides_say_nothing_of_the_choice(one: str, two: str, context: str) -> None:
    """Exchanging chosen and rejected exchanges the label and nothing else."""
    left = pair("preference", {"prompt": context, "chosen": one, "rejected": two})
    right = pair("preference", {"prompt": context, "chosen": two, "rejected": one})
    assert isinstance(left, Comparison)
    assert isinstance(right, Comparison)
    assert (left.first, left.second) == (right.first, right.second)
    assert {left.human, right.human} == {"first", "second"}


def test_chosen_is_first_about_half_of_the_time() -> None:
    rows = [pair("hh", hh(f"good {at}", f"bad {at}")) for at in range(400)]
    firsts = sum(isinstance(row, Comparison) and row.human == "first" for row in rows)
    assert 150 < firsts < 250


@pytest.mark.parametrize(("human", "expected"), [("a", "first"), ("b", "second"), ("tie", "tie")])
def test_pairs_keep_their_sides(human: str, expected: Any) -> None:
    row = pair("pairs", {**PAIR, "human": human})
    assert row == Comparison(id="p/1", context=CONTEXT, first="one", second="two", human=expected)


def test_openai_comparison_shows_the_post_as_posts_do() -> None:
    row = pair("openai-comparisons", OPENAI, 3)
    assert row == Comparison(id="t3_1/3", context=SHOWN, first="Soup.", second="Stew.", human="second")
    assert pair("openai-comparisons", {**OPENAI, "info": {"id": "cnn", "post": None}}) == Skip("no post")


def test_posts_whole_and_in_parts_are_equal() -> None:
    whole = {"id": 7, "prompt": f"{SHOWN}\n\nTL;DR:", "reference": "Soup was made."}
    expected = Example(id="7", context=SHOWN, reference="Soup was made.")
    assert text("posts", whole) == text("posts", POST) == expected


def test_posts_without_use() -> None:
    assert text("posts", {**POST, "summary": " "}) == Skip("empty response")
    assert text("posts", {"id": 1, "prompt": "TL;DR:", "reference": "x"}) == Skip("empty context")


def test_preference_as_messages() -> None:
    messages = {
        "prompt": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    }
    messages["prompt"].append({"role": "user", "content": "{x}?"})
    row = pair("preference", messages)
    assert isinstance(row, Comparison)
    assert row.context == CONTEXT
    assert preferred(row) == ("good", "bad")


def test_preferred_response_is_the_reference() -> None:
    assert text("pairs", {**PAIR, "human": "b"}) == Example(id="p/1", context=CONTEXT, reference="two")
    assert text("pairs", {**PAIR, "human": "tie"}) == Skip("tie")
    assert text("hh", hh("good", "bad")) == Example(id="hh-1", context=CONTEXT, reference="good")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("hh", {"chosen": "x"}, "x.jsonl:1: no key 'rejected'; it has chosen"),
        ("hh", {}, "x.jsonl:1: no key 'chosen'; it has no keys"),
        ("hh", {"chosen": "x", "rejected": 3}, "x.jsonl:1: rejected: 3 is not a text"),
        ("hh", {"chosen": "\ud83d", "rejected": "x"}, "x.jsonl:1: chosen: holds half a character"),
        ("pairs", {**PAIR, "human": "c"}, "x.jsonl:1: human: 'c' is not allowed; use one of a, b, tie"),
        ("pairs", {**PAIR, "human": ["a"]}, "x.jsonl:1: human: ['a'] is not allowed"),
        ("pairs", {**PAIR, "id": None}, "x.jsonl:1: id: None is no name"),
        ("openai-comparisons", {**OPENAI, "choice": True}, "choice: True is not allowed; use one of 0, 1"),
        ("openai-comparisons", {**OPENAI, "summaries": [{}]}, "summaries: 1 of them; a comparison has 2"),
        ("openai-comparisons", {**OPENAI, "summaries": "x"}, "summaries: 'x' is not a list of objects"),
        ("openai-comparisons", {**OPENAI, "summaries": [{}, {}]}, "x.jsonl:1: summaries[0]: no key 'text'"),
        ("openai-comparisons", {**OPENAI, "info": 1}, "x.jsonl:1: info: 1 is not an object"),
        ("preference", {**PREFERENCE, "prompt": [{"role": "bot", "content": "x"}]}, "prompt[0]: role: 'bot' is not"),
        ("preference", {**PREFERENCE, "chosen": []}, "chosen: 0 messages"),
        ("posts", {"id": 1}, "comparisons need hh, pairs, openai-comparisons or preference"),
    ],
)
def test_wrong_rows_say_what_is_wrong(kind: str, values: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        pair(kind, values)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_post_without_its_keys() -> None:
    with pytest.raises(DataError, match="no key 'summary'; it has id, prompt"):
        text("posts", {"id": 1, "prompt": "x"})
