"""Templates as text files, and what turns a record into a prompt."""

from rlaif_spec.prompts.library import PromptLibrary, Register
from rlaif_spec.prompts.variant import SCORE, PairVariant, advice, parse_pair_variant

__all__ = ["SCORE", "PairVariant", "PromptLibrary", "Register", "advice", "parse_pair_variant"]
