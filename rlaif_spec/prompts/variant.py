"""The names of prompt variants and what they mean.

`base-0-shot`, `detailed-2-shot`, `detailed-cot-0-shot` ask for a preference between two responses (paper,
Tables 2 and 3); `score-1-to-10` asks for a score of one response (direct RLAIF, paper section 2.2.2).
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

SCORE: Final = "score-1-to-10"

_PAIR = re.compile(r"(base|detailed)(-cot)?-(\d+)-shot")


@dataclass(frozen=True)
class PairVariant:
    """How a pair is put to a labeler: which preamble, how many exemplars, with or without a rationale first."""

    style: Literal["base", "detailed"]
    cot: bool
    shots: int

    @property
    def preamble(self) -> str:
        """Name of the preamble's text."""
        return f"{self.style}-cot" if self.cot else self.style


def advice(name: str) -> str:
    """What would be right instead of an unknown name of a pair variant."""
    known = [
        f"{style}{cot}-{shots}-shot" for style in ("base", "detailed") for cot in ("", "-cot") for shots in range(3)
    ]
    close = get_close_matches(name, known, n=1)
    return f"{f'did you mean {close[0]}? ' if close else ''}known: (base|detailed)[-cot]-N-shot such as base-0-shot"


def parse_pair_variant(name: str) -> PairVariant | None:
    """The variant that `name` stands for, or None where it is no pair variant."""
    match = _PAIR.fullmatch(name)
    if match is None:
        return None
    style: Literal["base", "detailed"] = "base" if match[1] == "base" else "detailed"
    return PairVariant(style=style, cot=match[2] is not None, shots=int(match[3]))
