"""Procedural worlds, one a task: the texts, the people and the raters of the built-in scale `toy`.

Read `summarize`, `helpful` and `harmless` in this order: together they are a page each on what the
paper's experiment is about. `oracle` says how responses are graded, `vocabulary` what the words are.
"""

from rlaif_spec.worlds.harmless import HarmlessWorld
from rlaif_spec.worlds.helpful import HelpfulWorld
from rlaif_spec.worlds.oracle import World, rater_probability
from rlaif_spec.worlds.summarize import SummarizeWorld

WORLDS: dict[str, World] = {
    "summarize": SummarizeWorld(),
    "helpful": HelpfulWorld(),
    "harmless": HarmlessWorld(),
}

__all__ = ["WORLDS", "World", "rater_probability"]
