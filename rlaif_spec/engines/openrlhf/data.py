"""Data files in OpenRLHF's formats, such that it reads the very tokens that the native engine reads.

OpenRLHF tokenises texts whole and without special tokens, and puts `" " + end-of-text` behind a response that does not
end with it. So the begin-of-text token, where the tokenizer has one, is written in front of the prompt, and the
end-of-text token behind the response. A text that is too long is refused: OpenRLHF would cut it and say nothing.
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlaif_spec.engines.protocol import PreferencePair, Turn
from rlaif_spec.errors import DataError, EngineError
from rlaif_spec.store import write_whole

Ids = list[int]
EVALUATION_ROWS = 64
LEAST_ROOM = 3
"""Tokens of room behind a prompt without which OpenRLHF's SFT leaves a row out and says nothing."""


@dataclass(frozen=True)
class Marks:
    """Begin and end of a text, as words that the tokenizer reads as its special tokens."""

    begin: str
    end: str
    tokenizer: Any
    limit: int
    """Longest prompt and response together, in tokens."""

    def prompt(self, text: str) -> str:
        """A prompt as OpenRLHF is given it."""
        return f"{self.begin}{text}"

    def response(self, text: str) -> str:
        """A response as OpenRLHF is given it."""
        return f" {text}{self.end}"

    def check(self, texts: Sequence[Ids], room: int = 0) -> int:
        """Refuse texts that leave less than `room` tokens of the limit; the number of tokens of all."""
        lengths = [len(ids) for ids in texts]
        longest = max(lengths)
        if longest + room > self.limit:
            what = f"a text of {longest} tokens" + (f" and a response of {room}" if room else "")
            raise DataError(
                f"openrlhf.max_tokens: {what} does not fit {self.limit}, OpenRLHF would cut it;"
                " raise max_tokens, or leave out long contexts (max_context_words in the scale's data)"
            )
        return sum(lengths)

    def check_joints(self, prompts: Sequence[Ids], joined: Sequence[Ids]) -> None:
        """Refuse a tokenizer that reads a prompt otherwise where a response follows: the loss would begin elsewhere."""
        for prompt, whole in zip(prompts, joined, strict=True):
            if whole[: len(prompt)] != prompt:
                text = self.tokenizer.decode(prompt)
                raise DataError(
                    f"the tokenizer reads {text[-40:]!r} otherwise where a response follows; OpenRLHF tokenises them"
                    " together; take a model whose tokenizer keeps words apart, or engine: native"
                )

    def ids(self, texts: Iterable[str]) -> list[Ids]:
        """The tokens that OpenRLHF reads."""
        return [list(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False).input_ids]


def read_marks(folder: Path, limit: int) -> Marks:
    """The marks of a model's tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if tokenizer.eos_token is None:
        raise EngineError(f"{folder}: the tokenizer has no end-of-text token; name eos_token in tokenizer_config.json")
    ids = tokenizer("a").input_ids
    begins = tokenizer.bos_token is not None and ids[:1] == [tokenizer.bos_token_id]
    return Marks(tokenizer.bos_token if begins else "", tokenizer.eos_token, tokenizer, limit)


def write_demonstrations(path: Path, turns: Sequence[Turn], marks: Marks) -> int:
    """SFT: `input` and `output`; the number of tokens."""
    rows = [{"input": marks.prompt(turn.prompt), "output": marks.response(turn.response)} for turn in turns]
    prompts = marks.ids(row["input"] for row in rows)
    joined = marks.ids(row["input"] + row["output"] for row in rows)
    marks.check(prompts, LEAST_ROOM)
    marks.check_joints(prompts, joined)
    tokens = marks.check(joined)
    _write(path, rows)
    return tokens


def write_preferences(path: Path, pairs: Sequence[PreferencePair], marks: Marks) -> int:
    """Reward model: `prompt`, `chosen`, `rejected`, and in `margin` the probability that `chosen` is preferred.

    The side with the larger probability is `chosen`, so that OpenRLHF's own accuracy keeps its meaning.
    Returns the number of tokens of both sides.
    """
    rows = [_preference(pair, marks) for pair in pairs]
    tokens = marks.check(marks.ids(row["prompt"] + row[side] for row in rows for side in ("chosen", "rejected")))
    _write(path, rows)
    _write(path.with_name("evaluation.jsonl"), rows[:EVALUATION_ROWS])
    return tokens


def _preference(pair: PreferencePair, marks: Marks) -> dict[str, Any]:
    first_wins = pair.prefers_first >= 0.5
    chosen, rejected = (pair.first, pair.second) if first_wins else (pair.second, pair.first)
    return {
        "prompt": marks.prompt(pair.prompt),
        "chosen": marks.response(chosen),
        "rejected": marks.response(rejected),
        "margin": pair.prefers_first if first_wins else 1.0 - pair.prefers_first,
    }


def write_prompts(path: Path, prompts: Sequence[str], contexts: Mapping[str, str], marks: Marks, room: int) -> None:
    """RL: `input`, and in `label` the context behind the prompt, which d-RLAIF's labeler is asked about."""
    marks.check(marks.ids(marks.prompt(text) for text in set(prompts)), room)
    _write(path, ({"input": marks.prompt(text), "label": contexts.get(text, "")} for text in prompts))


def drawn_prompts(prompts: Sequence[str], wanted: int, seed: int) -> list[str]:
    """So many prompts that one pass is the whole training: epochs in orders of their own, the last cut short."""
    drawn: list[str] = []
    for epoch in range(-(-wanted // len(prompts))):
        order = list(prompts)
        random.Random(f"{seed}|{epoch}").shuffle(order)
        drawn += order
    return drawn[:wanted]


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows))
