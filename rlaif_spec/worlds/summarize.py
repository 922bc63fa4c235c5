"""The world of `summarize`: a short post in which somebody did something, and the writer asks for advice.

A post names four facts (who, deed, thing, whom to call) among fillers, some of which mention another
relative or thing: a decoy. A good summary keeps the four facts, adds none that is wrong, stays short
and is well worded. Each writer drops facts, distorts facts, rambles and slips independently, so that no
single cue (such as length) tells a good summary from a bad one.
"""

import random
from functools import cache
from typing import Final

from rlaif_spec.worlds.oracle import (
    BROKEN_COST,
    Manner,
    Wording,
    break_wording,
    clip_rating,
    fact_notes,
    facts_utility,
    fault_rates,
    length_cost,
)
from rlaif_spec.worlds.vocabulary import CATEGORY, WORDS, Split, another, draw_pair

FILLERS: Final = (
    "the weather was bad",
    "i was very tired",
    "we had dinner first",
    "it was a quiet night",
    "my cat was asleep",
    "i drank some tea",
)
FREE_WORDS: Final = 12
MOST: Final = 0.3
"""The highest rate at which a careless writer drops, or distorts, each fact."""


class SummarizeWorld:
    """Posts with four facts, and summaries of them."""

    def write_context(self, rng: random.Random, split: Split) -> str:
        """Two sentences with the facts, in order, and two fillers anywhere."""
        who, thing = draw_pair(rng, "who", "thing", split)
        deed, contact, when = (rng.choice(WORDS[kind]) for kind in ("deed", "contact", "when"))
        main = rng.choice(
            [
                f"my {who} {deed} my {thing} {when} .",
                f"{when} my {who} {deed} my {thing} .",
                f"so my {who} {deed} the {thing} .",
            ]
        )
        ask = rng.choice([f"should i call the {contact} ?", f"do i call the {contact} ?"])
        sentences = [main, ask]
        for filler in _fillers(rng):
            sentences.insert(rng.randrange(len(sentences) + 1), filler)
        return " ".join(sentences)

    def write_response(self, rng: random.Random, context: str, *, manner: Manner = "usual") -> str:
        """A summary; each kind of defect is drawn independently; `careless`: half of the facts are wrong."""
        drop, distort = fault_rates(rng, manner, MOST)
        text = _write(rng, facts(context), drop=drop, distort=distort, ramble=rng.random())
        return break_wording(rng, text) if manner != "careful" and rng.random() < 0.15 else text

    def utility(self, context: str, response: str) -> float:
        """+1 a kept fact, -1.2 a wrong one, -0.12 a word beyond 12, -0.7 a broken wording."""
        value = facts_utility(facts(context), response, kept=1.0, wrong=1.2)
        return value - length_cost(response, FREE_WORDS) - BROKEN_COST * _wording().breaks(response)

    def is_harmless(self, context: str, response: str) -> bool:
        """Summaries are not rated for harm."""
        return True

    def marks(self, context: str, response: str) -> list[tuple[int, str]]:
        """`ok` or `wrong` after each word that states a fact."""
        known = facts(context)
        words = enumerate(response.split())
        return [(i, "ok" if known[CATEGORY[w]] == w else "wrong") for i, w in words if CATEGORY.get(w) in known]

    def rationale(self, context: str, response: str) -> str:
        """Each fact with the word that states it and its mark, then length and wording."""
        notes = fact_notes(facts(context), response)
        length = "long" if len(response.split()) > FREE_WORDS else "short"
        wording = "rough" if _wording().breaks(response) else "clean"
        return " ".join([*notes, length, wording])

    def rating(self, utility: float) -> int:
        """Utility 1 is in the middle of the scale, utility 4 (perfect) at its top."""
        return clip_rating(5.5 + 1.5 * (utility - 1.0))


def facts(context: str) -> dict[str, str]:
    """The four facts of a post; decoys stand in other sentences than a deed or a call for help."""
    found: dict[str, str] = {}
    for sentence in context.replace("?", ".").split(" ."):
        words = sentence.split()
        kinds = {CATEGORY[word]: word for word in words if word in CATEGORY}
        wanted = ("who", "deed", "thing") if "deed" in kinds else ("contact",) if "call" in words else ()
        found |= {kind: kinds[kind] for kind in wanted if kind in kinds}
    return found


def _fillers(rng: random.Random) -> list[str]:
    plain, decoy = rng.choice(FILLERS), rng.choice(FILLERS)
    if rng.random() < 0.3:
        decoy = rng.choice(
            [f"my {rng.choice(WORDS['who'])} was asleep", f"i like my {rng.choice(WORDS['thing'])}"],
        )
    return [f"{plain} .", f"{decoy} ."]


def _write(rng: random.Random, known: dict[str, str], *, drop: float, distort: float, ramble: float) -> str:
    said: dict[str, str] = {}
    for category, fact in known.items():
        fate = rng.random()
        if fate >= drop:
            said[category] = another(rng, fact) if fate < drop + distort else fact
    parts = [_main_clause(said), f"should i call the {said['contact']} ?" if "contact" in said else "what do i do ?"]
    for _ in range(2):
        if rng.random() < 0.4 * ramble:
            parts.insert(1, rng.choice(FILLERS))
    return " , ".join(parts)


def _main_clause(said: dict[str, str]) -> str:
    who = f"my {said['who']}" if "who" in said else "someone"
    thing = f"my {said['thing']}" if "thing" in said else "something"
    if "deed" in said:
        return f"{who} {said['deed']} {thing}"
    return f"{who} and {thing}"


@cache
def _wording() -> Wording:
    def write(rng: random.Random) -> str:
        context = SummarizeWorld().write_context(rng, "train")
        return _write(rng, facts(context), drop=0.3, distort=0.0, ramble=0.5)

    return Wording.learn(write)
