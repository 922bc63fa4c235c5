"""What a row of each format means: a small function a format, from a raw row to a record or a reason to skip it.

A row that is not of the format is an error; a row that is, but cannot be used, is skipped and counted. Texts are
stripped; contexts end before the marker (`Assistant:`, `TL;DR:`) after which a response follows.

To add a format: a function here, its name in `Source.format` and in one or both of the `match` at the top.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, assert_never

from rlaif_spec.datasets.reading import RawRow
from rlaif_spec.errors import DataError
from rlaif_spec.records import Comparison, Example, Preference
from rlaif_spec.spec.scale import Source

ASSISTANT: Final = "\n\nAssistant:"
SPEAKERS: Final = {"system": "System", "user": "Human", "assistant": "Assistant"}


@dataclass(frozen=True)
class Skip:
    """Why a row is left out."""

    reason: str


def comparison(source: Source, row: RawRow) -> Comparison | Skip:
    """A pair of responses with a person's preference."""
    match source.format:
        case "hh":
            return _hh(row)
        case "pairs":
            return _pair(row)
        case "openai-comparisons":
            return _openai(row)
        case "preference":
            return _preference(row)
        case "posts":
            raise DataError(
                f"{source.path or source.hub}: rows of format posts hold no preferences;"
                " comparisons need hh, pairs, openai-comparisons or preference"
            )
        case _ as never:
            assert_never(never)


def example(source: Source, row: RawRow) -> Example | Skip:
    """A context with a person's response, or with the response that a person preferred."""
    if source.format == "posts":
        return _post(row)
    pair = comparison(source, row)
    if isinstance(pair, Skip):
        return pair
    if pair.human not in ("first", "second"):
        return Skip("tie")
    return Example(id=pair.id, context=pair.context, reference=pair.first if pair.human == "first" else pair.second)


def _hh(row: RawRow) -> Comparison | Skip:
    """HH-RLHF: two whole dialogues that differ in the last turn of the assistant."""
    (before, mark, chosen), (also_before, also_mark, rejected) = (
        row.text(key).rpartition(ASSISTANT) for key in ("chosen", "rejected")
    )
    if not mark or not also_mark:
        return Skip("no turn of the assistant")
    if before != also_before:
        return Skip("prompts differ")
    return _shuffled(f"hh-{row.number}", before, chosen, rejected)


def _preference(row: RawRow) -> Comparison | Skip:
    """TRL's preferences with an explicit prompt, as texts or as messages."""
    value = row.value("prompt")
    prompt = _dialogue(row, "prompt") if isinstance(value, list) else row.text("prompt")
    return _shuffled(f"preference-{row.number}", prompt, _reply(row, "chosen"), _reply(row, "rejected"))


def _pair(row: RawRow) -> Comparison | Skip:
    """Two responses, already shuffled, and which of them a person preferred."""
    human = row.choice("human", {"a": "first", "b": "second", "tie": "tie"})
    return _checked(row.label("id"), row.text("prompt"), row.text("response_a"), row.text("response_b"), human)


def _openai(row: RawRow) -> Comparison | Skip:
    """Stiennon et al. (2020): two summaries of a Reddit post and a worker's choice."""
    info = row.row("info")
    summaries = row.rows("summaries")
    if len(summaries) != 2:
        raise row.error(f"summaries: {len(summaries)} of them; a comparison has 2")
    human = row.choice("choice", {0: "first", 1: "second"})
    if not info.has("post"):
        return Skip("no post")
    first, second = (summary.text("text") for summary in summaries)
    return _checked(f"{info.label('id')}/{row.number}", _post_text(info), first, second, human)


def _post(row: RawRow) -> Example | Skip:
    """A Reddit post and the TL;DR that its writer gave it."""
    post = row.text("prompt") if row.has("prompt") else _post_text(row)
    reference = row.text("reference" if row.has("reference") else "summary").strip()
    context = _context(post)
    if not context:
        return Skip("empty context")
    if not reference:
        return Skip("empty response")
    return Example(id=row.label("id"), context=context, reference=reference)


def _post_text(row: RawRow) -> str:
    """A post the way the data set of Stiennon et al. (2020) shows it to models."""
    title = row.text("title") if row.has("title") else ""
    return f"SUBREDDIT: r/{row.text('subreddit')}\n\nTITLE: {title}\n\nPOST: {row.text('post')}"


def _dialogue(row: RawRow, key: str) -> str:
    turns = row.rows(key)
    return "\n\n".join(f"{turn.choice('role', SPEAKERS)}: {turn.text('content').strip()}" for turn in turns)


def _reply(row: RawRow, key: str) -> str:
    if not isinstance(row.value(key), list):
        return row.text(key)
    turns = row.rows(key)
    if len(turns) != 1:
        raise row.error(f"{key}: {len(turns)} messages; it needs the one of the assistant that follows the prompt")
    return turns[0].text("content")


def _shuffled(name: str, context: str, chosen: str, rejected: str) -> Comparison | Skip:
    """Put the responses in an order that follows from the texts alone, so that it says nothing of the choice."""
    low, high = sorted((chosen, rejected))
    digest = hashlib.sha256("\0".join((context, low, high)).encode()).digest()
    first, second = (low, high) if digest[0] % 2 else (high, low)
    return _checked(name, context, first, second, "first" if first == chosen else "second")


def _checked(name: str, context: str, first: str, second: str, human: Preference) -> Comparison | Skip:
    context, first, second = _context(context), first.strip(), second.strip()
    if not context:
        return Skip("empty context")
    if not first or not second:
        return Skip("empty response")
    if first == second:
        return Skip("equal responses")
    return Comparison(id=name, context=context, first=first, second=second, human=human)


def _context(text: str) -> str:
    return text.strip().removesuffix("Assistant:").removesuffix("TL;DR:").strip()
