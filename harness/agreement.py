"""How labelers agree with people and with themselves, and two rules that read nothing, as controls.

Pairs are taken as independent (Wilson intervals). Agreement between several people is left out.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from harness.checks import check_lengths, check_range, check_words, refusal
from harness.estimates import Estimate
from harness.proportions import proportion

Preference = Literal["first", "second", "tie"]

PREFERENCES = ("first", "second", "tie")


class Alignment(NamedTuple):
    """Share of pairs on which labeler and people agree, and the counts of what is left out or halved."""

    estimate: Estimate
    human_ties: int
    """Left out."""
    soft_ties: int
    """Soft labels of exactly one half, among the pairs in the estimate; each agrees by one half."""
    unparsed: int
    """Left out: soft labels that could not be read, among the pairs on which people chose."""


class PositionBias(NamedTuple):
    """Share of pairs where the same position was preferred in both orders, and which position that was."""

    estimate: Estimate
    note: str


def alignment(prefers_first: Sequence[float | None], human: Sequence[Preference], *, level: float = 0.95) -> Alignment:
    """Share of n pairs where the likelier response of the soft label is the one that people chose.

    `prefers_first` (n probabilities, averaged over both orders; None could not be read) and `human` (n choices).
    A soft label of exactly 0.5 counts one half. Every pair is in the estimate, a human tie, or unparsed.

    Raises `HarnessError` for lengths that differ, a probability outside [0, 1], an unknown choice, and where no pair
    is left. Reference: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267, Evaluation (AI Labeler Alignment).

    >>> result = alignment([0.9, 0.2, 0.5, 0.7, None], ["first", "first", "second", "tie", "first"])
    >>> print(result.estimate, result.human_ties, result.soft_ties, result.unparsed)
    0.500 [0.125, 0.875] (n=3, wilson) 1 1 1
    """
    check_lengths("alignment", prefers_first=prefers_first, human=human)
    check_range("alignment", "prefers_first", [0.5 if label is None else label for label in prefers_first], 0.0, 1.0)
    chosen = _chosen("alignment", human)
    scores = [_credit(label, 0.5, human[at]) for at in chosen if (label := prefers_first[at]) is not None]
    if not scores:
        raise refusal("alignment", "no soft label could be read", "give at least one that is not None")
    estimate = proportion(sum(scores), len(scores), level=level)
    return Alignment(estimate, len(human) - len(chosen), scores.count(0.5), len(chosen) - len(scores))


def positional_agreement(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> PositionBias:
    """Share of n pairs where the same position was preferred in both orders of the responses.

    `first` and `second` (n probabilities each) are given to the response *shown first* in one order and in the other:
    both above 0.5, or both below, is the same position. Exactly 0.5 prefers none. The note says which position it
    was more often, with the two-sided binomial test against one half; it is empty where there are no such pairs.

    Raises `HarnessError` for lengths that differ, no pairs, or a probability outside [0, 1].
    Reference: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267, Table 4 (position bias).

    >>> result = positional_agreement([0.9, 0.8, 0.7, 0.4], [0.8, 0.6, 0.2, 0.3])
    >>> print(result.estimate, "|", result.note)
    0.750 [0.301, 0.954] (n=4, wilson) | first in 67 % of them (binomial p=1)
    """
    where = "positional_agreement"
    check_lengths(where, first=first, second=second)
    check_range(where, "first", first, 0.0, 1.0)
    check_range(where, "second", second, 0.0, 1.0)
    pairs = list(zip(first, second, strict=True))
    firsts, seconds = sum(min(pair) > 0.5 for pair in pairs), sum(max(pair) < 0.5 for pair in pairs)
    return PositionBias(proportion(firsts + seconds, len(pairs), level=level), _position_note(firsts, seconds))


def longer_wins(
    first_lengths: Sequence[float], second_lengths: Sequence[float], human: Sequence[Preference], *, level: float = 0.95
) -> Estimate:
    """Share of the human choices, ties left out, that fell on the longer response; equal lengths count one half.

    All three have n entries; lengths are in any one unit. A control: it reads nothing.

    Raises `HarnessError` for lengths that differ, a length that is negative or not finite, an unknown choice, and
    where all are ties. Reference: Singhal et al. (2023), A Long Way to Go, arXiv 2310.03716.

    >>> print(longer_wins([10, 20, 5], [3, 30, 5], ["first", "first", "second"]))
    0.500 [0.125, 0.875] (n=3, wilson)
    """
    where = "longer_wins"
    check_lengths(where, first_lengths=first_lengths, second_lengths=second_lengths, human=human)
    check_range(where, "first_lengths", first_lengths, low=0.0)
    check_range(where, "second_lengths", second_lengths, low=0.0)
    scores = [_credit(first_lengths[at], second_lengths[at], human[at]) for at in _chosen(where, human)]
    return proportion(sum(scores), len(scores), level=level)


def majority(human: Sequence[Preference], *, level: float = 0.95) -> Estimate:
    """Share of the commoner of `first` and `second` in n human choices, ties left out. A control: it reads nothing.

    The commoner is found in the same rows, so the value is never below one half.

    Raises `HarnessError` for no choices, an unknown one, and where all are ties.

    >>> print(majority(["first", "second", "first", "tie", "first"]))
    0.750 [0.301, 0.954] (n=4, wilson)
    """
    chosen = _chosen("majority", human)
    firsts = sum(human[at] == "first" for at in chosen)
    return proportion(max(firsts, len(chosen) - firsts), len(chosen), level=level)


def _chosen(where: str, human: Sequence[Preference]) -> list[int]:
    check_lengths(where, human=human)
    check_words(where, "human", human, PREFERENCES)
    chosen = [position for position, choice in enumerate(human) if choice != "tie"]
    if not chosen:
        raise refusal(where, "every human choice is a tie", "give at least one first or second")
    return chosen


def _credit(first: float, second: float, choice: Preference) -> float:
    """1 where the larger side was chosen, 0 where the smaller, one half where they are equal."""
    if first == second:
        return 0.5
    return float((first > second) == (choice == "first"))


def _position_note(firsts: int, seconds: int) -> str:
    if firsts + seconds == 0:
        return ""
    from scipy.special import bdtr  # here, because only this note needs it

    total = firsts + seconds
    word, more = ("first", firsts) if firsts >= seconds else ("second", seconds)
    p = min(1.0, 2.0 * float(bdtr(total - more, total, 0.5)))
    return f"{word} in {100 * more / total:.0f} % of them (binomial p{'<1e-9' if p < 1e-9 else f'={p:.1g}'})"
