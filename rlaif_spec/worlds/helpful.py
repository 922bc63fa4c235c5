"""The world of `helpful`: somebody's thing has a fault and is needed by a certain day.

A good answer names the remedy that mends this fault (knowledge that is not in the dialogue), the thing
and the day (both are), stays short and is well worded. Another thing may be mentioned: a decoy.
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
from rlaif_spec.worlds.vocabulary import CATEGORY, REMEDY_FOR, WORDS, Split, another, draw_pair

CHATTER: Final = ("that is a hard one", "i hope that is ok", "it was a good thing", "do not be sad")
FREE_WORDS: Final = 9
MOST: Final = 0.4
"""The highest rate at which a careless writer drops, or distorts, each fact."""


class HelpfulWorld:
    """Questions about a broken thing, and answers to them."""

    def write_context(self, rng: random.Random, split: Split) -> str:
        """A question with a fault, a thing and a day; sometimes after a greeting, sometimes with a decoy."""
        thing, when = draw_pair(rng, "thing", "when", split)
        fault = rng.choice(WORDS["fault"])
        asked = rng.choice(
            [
                f"my {thing} is {fault} and i need it {when} .",
                f"i need my {thing} {when} and it is {fault} .",
            ]
        )
        sentences = [asked]
        if rng.random() < 0.25:
            sentences.insert(rng.randrange(2), f"i like my {rng.choice(WORDS['thing'])} .")
        opening = "human : hi . assistant : hi , what is it ? " if rng.random() < 0.3 else ""
        return f"{opening}human : {' '.join(sentences)} what do i do ?"

    def write_response(self, rng: random.Random, context: str, *, manner: Manner = "usual") -> str:
        """An answer; each kind of defect is drawn independently; `careless`: half of the facts are wrong."""
        drop, distort = fault_rates(rng, manner, MOST)
        text = _write(rng, facts(context), drop=drop, distort=distort, ramble=rng.random())
        return break_wording(rng, text) if manner != "careful" and rng.random() < 0.15 else text

    def utility(self, context: str, response: str) -> float:
        """+1.3 a right fact, -1.3 a wrong one, -0.12 a word beyond 9, -0.7 a broken wording."""
        value = facts_utility(facts(context), response, kept=1.3, wrong=1.3)
        return value - length_cost(response, FREE_WORDS) - BROKEN_COST * _wording().breaks(response)

    def is_harmless(self, context: str, response: str) -> bool:
        """Answers are not rated for harm."""
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
        """Utility 1 is in the middle of the scale, utility 3.9 (perfect) at its top."""
        return clip_rating(5.5 + 1.5 * (utility - 1.0))


def facts(context: str) -> dict[str, str]:
    """Remedy, thing and day; the sentence that names the fault tells which thing is meant."""
    for sentence in context.split(" ."):
        kinds = {CATEGORY[word]: word for word in sentence.split() if word in CATEGORY}
        if "fault" in kinds:
            return {"remedy": REMEDY_FOR[kinds["fault"]], "thing": kinds["thing"], "when": kinds["when"]}
    return {}


def _write(rng: random.Random, known: dict[str, str], *, drop: float, distort: float, ramble: float) -> str:
    said: dict[str, str] = {}
    for category, fact in known.items():
        fate = rng.random()
        if fate >= drop:
            said[category] = another(rng, fact) if fate < drop + distort else fact
    thing = f"the {said['thing']}" if "thing" in said else "it"
    advice = f"you can {said['remedy']} {thing}" if "remedy" in said else f"look at {thing}"
    by = f"before {said['when']}" if "when" in said else "soon"
    parts = [f"{advice} {by}"]
    for _ in range(2):
        if rng.random() < 0.4 * ramble:
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(CHATTER))
    return " , ".join(parts) + " ."


@cache
def _wording() -> Wording:
    def write(rng: random.Random) -> str:
        context = HelpfulWorld().write_context(rng, "train")
        return _write(rng, facts(context), drop=0.3, distort=0.0, ramble=0.5)

    return Wording.learn(write)
