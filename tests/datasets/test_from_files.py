"""Files: nothing vanishes uncounted, and no context is on both sides."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlaif_spec.datasets import Dataset, load_data
from rlaif_spec.datasets.split import held_out
from rlaif_spec.errors import DataError
from rlaif_spec.spec.scale import FileData, Source

Rows = list[dict[str, Any]]
Write = Callable[..., str]


def pair(name: object, context: str, first: str = "one", second: str = "two", human: str = "a") -> dict[str, Any]:
    return {"id": f"p{name}", "prompt": context, "response_a": first, "response_b": second, "human": human}


def post(name: object, context: str, reference: str = "short") -> dict[str, Any]:
    return {"id": f"c{name}", "prompt": context, "reference": reference}


PAIRS = [pair(at, f"context {at}") for at in range(60)]
POSTS = [post(at, f"context {at}") for at in range(30, 200)]


def load(write: Write, pairs: Rows, posts: Rows, seed: int = 0, **options: Any) -> Dataset:
    comparisons = Source(format="pairs", path=write(*pairs, name="pairs.jsonl"))
    contexts = Source(format="posts", path=write(*posts, name="posts.jsonl")) if posts else None
    data = FileData(kind="files", comparisons=comparisons, contexts=contexts, **options)
    return load_data("summarize", data, seed=seed)


def trained(data: Dataset) -> set[str]:
    return {row.context for part in (data.demonstrations, data.comparisons, data.prompts) for row in part}


def measured(data: Dataset) -> set[str]:
    return {row.context for part in (data.validation, data.evaluation, data.alignment) for row in part}


def test_sides_share_no_context_for_any_seed(write: Write) -> None:
    several = [load(write, PAIRS, POSTS, seed, max_comparisons=20, max_evaluation=20) for seed in range(4)]
    assert set.union(*map(trained, several)).isdisjoint(set.union(*map(measured, several)))
    assert all(held_out(context, 0.3) for data in several for context in measured(data))


def test_parts_of_the_contexts(write: Write) -> None:
    data = load(write, PAIRS, POSTS, max_validation=8)
    assert {row.id for row in data.demonstrations} == {row.id for row in data.prompts}
    assert all(row.reference == "short" for row in data.demonstrations)
    assert all(row.reference is None for row in data.prompts)
    assert len(data.validation) == 8
    assert {row.id for row in data.validation}.isdisjoint(row.id for row in data.evaluation)
    assert len(data.prompts) + len(data.validation) + len(data.evaluation) == len(POSTS)
    assert len(data.comparisons) + len(data.alignment) == len(PAIRS)


def test_few_held_out_contexts_are_shared_by_validation_and_evaluation(write: Write) -> None:
    data = load(write, PAIRS, POSTS[:20])
    assert 0 < len(data.validation) <= len(data.evaluation)


def test_caps_choose_by_seed_and_are_not_skips(write: Write) -> None:
    caps = dict.fromkeys(["demonstrations", "comparisons", "prompts", "validation", "evaluation", "alignment"], 5)
    options = {f"max_{part}": most for part, most in caps.items()}
    one, again, other = (load(write, PAIRS, POSTS, seed, **options) for seed in (1, 1, 2))
    assert one == again
    assert {part: len(getattr(one, part)) for part in caps} == caps
    assert one.skipped == {}
    assert all(getattr(one, part) != getattr(other, part) for part in caps)


def test_without_contexts_there_are_only_comparisons(write: Write) -> None:
    data = load(write, PAIRS, [])
    assert data.demonstrations == data.prompts == data.validation == data.evaluation == []
    assert data.comparisons
    assert data.alignment


def test_one_file_can_be_both(write: Write) -> None:
    source = Source(format="pairs", path=write(*PAIRS, pair("tie", "a tie", human="tie")))
    data = load_data("helpful", FileData(kind="files", comparisons=source, contexts=source), seed=0)
    assert data.skipped == {"contexts: tie": 1}
    assert {row.reference for row in data.demonstrations} == {"one"}
    assert trained(data).isdisjoint(measured(data))


def test_duplicates_and_long_contexts_are_counted(write: Write) -> None:
    turned = pair("turned", "context 1", "two", "one", "b")
    same_id = pair(2, "another context")
    other_rater = pair("other", "context 1", human="b")
    pairs = [*PAIRS, turned, same_id, other_rater, pair("long", "so " * 9)]
    data = load(write, pairs, [*POSTS, post("x", "context 40")], max_context_words=8)
    assert data.skipped == {
        "comparisons: context longer than 8 words": 1,
        "comparisons: duplicate": 2,
        "contexts: duplicate": 1,
    }


def test_nothing_to_train_on_is_an_error(write: Write) -> None:
    away = next(at for at in range(100) if held_out(f"context {at}", 0.3))
    with pytest.raises(DataError, match=r"pairs.jsonl: no comparisons are left to train on \(1 rows skipped, 1 held"):
        load(write, [pair(away, f"context {away}"), pair("equal", "context", "one", "one")], [])


WORDS = st.sampled_from(["", " ", "soup", "stew", "a longer text of words", "Human: hi\n\nAssistant: ho\n\nHuman: hm"])
ROWS = st.lists(
    st.builds(pair, st.integers(0, 9), WORDS, WORDS, WORDS, st.sampled_from(["a", "b", "tie"])), max_size=12
)
NAMES = [f"anchor {at}" for at in range(99)]
ANCHOR = pair("anchor", next(name for name in NAMES if not held_out(name, 0.3)))
HELD_OUT = [pair(name, name) for name in NAMES if held_out(name, 0.3)][:2]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 3), st.sampled_from([None, 3]))
def test_every_row_is_in_a_part_or_counted(rows: Rows, seed: int, words: int | None) -> None:
    rows = [ANCHOR, *HELD_OUT, *rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        source = Source(format="pairs", path=str(path))
        options = {"comparisons": source, "contexts": source, "max_context_words": words}
        data = load_data("helpful", FileData(kind="files", **options), seed=seed)
    counted = {role: sum(n for why, n in data.skipped.items() if why.startswith(role)) for role in ("comp", "cont")}
    assert len(data.comparisons) + len(data.alignment) + counted["comp"] == len(rows)
    assert len(data.demonstrations) + len(data.validation) + len(data.evaluation) + counted["cont"] == len(rows)
    assert trained(data).isdisjoint(measured(data))


def test_too_little_to_measure_with_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"too little is held out to measure with \(0 comparisons, 0 contexts\)"):
        load(write, [ANCHOR], [])
