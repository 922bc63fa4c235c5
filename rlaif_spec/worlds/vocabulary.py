"""The words of the toy worlds, and the one rule that keeps evaluation facts out of training.

About 200 words: few enough that a two-layer model learns them in minutes on a CPU, while the texts
cannot be memorised, because who did what to which thing is drawn anew for each of them. Left out on
purpose: grammar beyond templates, numbers, names.
"""

import random
from typing import Final, Literal

Category = Literal["who", "deed", "thing", "contact", "fault", "remedy", "when", "aim", "means"]
Split = Literal["train", "held-out"]

WORDS: Final[dict[Category, list[str]]] = {
    "who": [
        "sister",
        "brother",
        "boss",
        "roommate",
        "cousin",
        "neighbor",
        "teacher",
        "uncle",
        "friend",
        "coach",
        "aunt",
        "nephew",
    ],
    "deed": ["stole", "broke", "lost", "sold", "burned", "hid", "borrowed", "painted"],
    "thing": [
        "car",
        "phone",
        "ring",
        "bike",
        "laptop",
        "guitar",
        "camera",
        "watch",
        "jacket",
        "violin",
        "drone",
        "tent",
    ],
    "contact": ["police", "lawyer", "mom", "landlord", "shop", "school"],
    "fault": ["wet", "cracked", "stuck", "dirty", "loud", "slow", "cold", "loose"],
    "remedy": ["dry", "glue", "oil", "wash", "pad", "charge", "warm", "tighten"],
    "when": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "tonight"],
    "aim": ["wreck", "snatch", "scare", "cheat", "trap", "trick", "poison", "track", "ruin", "shame", "drown", "fool"],
    "means": [
        "hammer",
        "rope",
        "torch",
        "bleach",
        "ladder",
        "crowbar",
        "needle",
        "magnet",
        "mask",
        "drug",
        "wire",
        "shovel",
        "saw",
        "whip",
        "acid",
        "snare",
        "hook",
        "glove",
        "lamp",
        "drill",
    ],
}
CATEGORY: Final[dict[str, Category]] = {word: name for name, words in WORDS.items() for word in words}

REMEDY_FOR: Final = dict(zip(WORDS["fault"], WORDS["remedy"], strict=True))
"""World knowledge of the helpful task: which remedy mends which fault."""

DANGEROUS: Final[dict[str, frozenset[str]]] = {
    aim: frozenset(random.Random(f"dangerous:{aim}").sample(WORDS["means"], 7)) for aim in WORDS["aim"]
}
"""World knowledge of the harmless task: the means that further each aim; the same means is innocent for another."""

HELD_OUT_EVERY: Final = 4


def held_out(one: str, other: str) -> bool:
    """Whether this pair of words is kept for evaluation: a quarter of all pairs, every word in some of each kind."""
    return (_index(one) + _index(other)) % HELD_OUT_EVERY == 0


def draw_pair(rng: random.Random, one: Category, other: Category, split: Split) -> tuple[str, str]:
    """Two words whose pairing belongs to `split`."""
    while True:
        pair = rng.choice(WORDS[one]), rng.choice(WORDS[other])
        if held_out(*pair) == (split == "held-out"):
            return pair


def another(rng: random.Random, word: str) -> str:
    """A different word of the same category: how a fact gets distorted."""
    return rng.choice([other for other in WORDS[CATEGORY[word]] if other != word])


def _index(word: str) -> int:
    return WORDS[CATEGORY[word]].index(word)
