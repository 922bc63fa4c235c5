"""A context's side follows from its content alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlaif_spec.datasets.split import held_out, root


@given(st.text(), st.floats(0.01, 0.98))
def test_larger_share_holds_out_no_less(context: str, share: float) -> None:
    assert held_out(context, share + 0.01) or not held_out(context, share)


@given(st.text(min_size=1), st.text())
def test_continuation_stays_beside_its_beginning(opening: str, rest: str) -> None:
    start = f"Human: {opening.replace('Assistant:', '')}"
    assert held_out(f"{start}\n\nAssistant: {rest}\n\nHuman: {rest}", 0.5) == held_out(start, 0.5)


def test_post_with_and_without_title_are_one() -> None:
    assert root("SUBREDDIT: r/tifu\n\nTITLE: Soup\n\nPOST: I made\nsoup.") == root(" I made soup. ") == "I made soup."


def test_word_post_in_a_dialogue_is_no_heading() -> None:
    assert root("Human: write a blog POST: one line") == "Human: write a blog POST: one line"


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_share_is_kept(share: float) -> None:
    found = sum(held_out(f"context {at}", share) for at in range(4000)) / 4000
    assert found == pytest.approx(share, abs=0.03)
