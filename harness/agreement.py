"""Labelers beside people: alignment, what the position decides, and two controls that read nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.estimates import Estimate, HarnessError, check_lengths
from harness.proportions import proportion

Human = Literal["first", "second", "tie"]


@dataclass(frozen=True)
class Alignment:
    """Labeler alignment and what is not in it, or only half."""

    estimate: Estimate
    human_ties: int
    """Pairs without a human preference, left out."""
    soft_ties: int
    """Labels of exactly 0.5, counted as half right."""
    unparsed: int
    """Labels that could not be read, left out."""


@dataclass(frozen=True)
class PositionBias:
    """How often the position decided, and which position that was."""

    estimate: Estimate
    note: str


def alignment(prefers_first: Sequence[float | None], human: Sequence[Human], *, level: float = 0.95) -> Alignment:
    """Share of pairs in which the argmax of the soft label is the person's choice (Lee et al. 2024, section 3.2).

    `prefers_first`: P(first is preferred) in [0, 1], or None where it could not be read. Wilson interval over pairs.
    The paper does not say what a label of exactly 0.5 is worth; here it is half right. Raises `HarnessError` where a
    probability or a choice is none, or no pair is left.

    >>> result = alignment([0.9, 0.2, 0.5, None], ["first", "first", "second", "second"])
    >>> print(result.estimate, result.soft_ties, result.unparsed)
    0.500 [0.125, 0.875] (n=3, wilson) 1 1
    """
    check_lengths(prefers_first=len(prefers_first), human=len(human))
    _check_choices("alignment", human)
    _check_probabilities("alignment", prefers_first)
    pairs = [(p, choice) for p, choice in zip(prefers_first, human, strict=True) if p is not None and choice != "tie"]
    if not pairs:
        raise HarnessError(f"alignment: none of {len(human)} pairs has a label and a human preference")
    right = sum(0.5 if p == 0.5 else float((p > 0.5) == (choice == "first")) for p, choice in pairs)
    return Alignment(
        proportion(right, len(pairs), level=level),
        human_ties=sum(choice == "tie" for choice in human),
        soft_ties=sum(p == 0.5 for p, _ in pairs),
        unparsed=sum(p is None for p in prefers_first),
    )


def positional_agreement(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> PositionBias:
    """Share of pairs in which the same *position* is preferred in both orders (Lee et al. 2024, Table 4).

    `first[i]` and `second[i]`: probability given to the response in the first place, when one response stands there
    and when the other does. A labeler without bias prefers the same response, so different positions. 0.5 exactly
    prefers none. The note tells how often the position was the first one, with a two-sided binomial test.

    >>> result = positional_agreement([0.9, 0.8, 0.9, 0.3], [0.7, 0.2, 0.6, 0.1])
    >>> print(result.estimate, "|", result.note)
    0.750 [0.301, 0.954] (n=4, wilson) | first in 67 % of 3 (binomial p=1)
    """
    check_lengths(first=len(first), second=len(second))
    _check_probabilities("positional_agreement", first)
    _check_probabilities("positional_agreement", second)
    same = [p > 0.5 for p, q in zip(first, second, strict=True) if (p > 0.5 and q > 0.5) or (p < 0.5 and q < 0.5)]
    return PositionBias(proportion(len(same), len(first), level=level), _which_position(same))


def longer_wins(
    first_lengths: Sequence[float], second_lengths: Sequence[float], human: Sequence[Human], *, level: float = 0.95
) -> Estimate:
    """Share of human choices that a rule reaches which reads nothing but length; equal lengths are half right.

    >>> print(longer_wins([10, 5, 7], [3, 9, 7], ["first", "first", "second"]))
    0.500 [0.125, 0.875] (n=3, wilson)
    """
    check_lengths(first_lengths=len(first_lengths), second_lengths=len(second_lengths), human=len(human))
    prefers = [0.5 + 0.5 * ((a > b) - (a < b)) for a, b in zip(first_lengths, second_lengths, strict=True)]
    return alignment(prefers, human, level=level).estimate


def majority(human: Sequence[Human], *, level: float = 0.95) -> Estimate:
    """Share of the commoner answer: what always saying the same reaches.

    >>> print(majority(["first", "first", "second", "tie"]))
    0.667 [0.208, 0.939] (n=3, wilson)
    """
    check_lengths(human=len(human))
    _check_choices("majority", human)
    firsts, seconds = (sum(choice == side for choice in human) for side in ("first", "second"))
    if not firsts + seconds:
        raise HarnessError(f"majority: all {len(human)} choices are ties")
    return proportion(max(firsts, seconds), firsts + seconds, level=level)


def _which_position(same: Sequence[bool]) -> str:
    if not same:
        return ""
    from scipy.stats import binomtest

    firsts = sum(same)
    p = float(binomtest(firsts, len(same)).pvalue)
    name, count = ("first", firsts) if 2 * firsts >= len(same) else ("second", len(same) - firsts)
    return f"{name} in {100 * count / len(same):.0f} % of {len(same)} (binomial p={p:.2g})"


def _check_probabilities(where: str, values: Sequence[float | None]) -> None:
    for at, value in enumerate(values):
        if value is not None and (math.isnan(value) or not 0.0 <= value <= 1.0):
            raise HarnessError(f"{where}: probability {at} is {value}; must lie between 0 and 1")


def _check_choices(where: str, human: Sequence[Human]) -> None:
    for at, choice in enumerate(human):
        if choice not in ("first", "second", "tie"):
            raise HarnessError(f"{where}: human[{at}] is {choice!r}; use first, second or tie")
