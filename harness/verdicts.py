"""From what judges say to outcomes between two systems: codes, scores, and the two orders of one pair."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.checks import Floats, check_lengths, check_words, refusal
from harness.preference import Outcome

OUTCOMES: tuple[Outcome, ...] = ("policy", "opponent", "tie", "unparsed")


def decode(codes: Sequence[Hashable], words: Mapping[Hashable, Outcome]) -> list[Outcome]:
    """The outcome of each of n codes, by a table that names every code.

    A NaN is taken as None, and is unparsed only where the table says so under None.

    Raises `HarnessError` for no codes, a code that is not in `words`, a word that is no outcome, and different words
    under None and NaN.

    >>> decode([2, 1, 1.5, 0], {2: "policy", 1: "opponent", 1.5: "tie", 0: "tie"})
    ['policy', 'opponent', 'tie', 'tie']
    """
    check_lengths("decode", codes=codes)
    check_words("decode", "words", words.values(), OUTCOMES)
    known: dict[Hashable, Outcome] = {}
    for code, word in words.items():
        if known.setdefault(_named(code), word) != word:
            told = f"words has {known[None]!r} and {word!r} for None and NaN, which are one code"
            raise refusal("decode", told, "give them one word")
    for position, code in enumerate(codes):
        if _named(code) not in known:
            named = ", ".join(repr(word) for word in words)
            raise refusal("decode", f"codes[{position}] is {code!r}", f"name it, or use one of {named}")
    return [known[_named(code)] for code in codes]


def outcomes_of_scores(
    policy: npt.ArrayLike,
    opponent: npt.ArrayLike,
    *,
    margin: float = 0.0,
    missing: Literal["refuse", "unparsed"] = "refuse",
) -> list[Outcome]:
    """Who has the larger sum of scores in each of n comparisons; within `margin` it is a tie.

    `policy` and `opponent` are (n,), or (n, orders) where a judge scored both orders of the pair: their sums are
    compared, which takes out a preference for one position. A NaN or None is refused, or with
    `missing="unparsed"` makes its row unparsed.

    Raises `HarnessError` for shapes that differ, no rows, a score that is a word or infinite, a negative margin,
    another `missing` and a NaN. Reference: Wang et al. (2023), Large Language Models are not Fair Evaluators, arXiv
    2305.17926 (balanced position calibration).

    >>> outcomes_of_scores([[8, 6], [7, 7], [5, 5]], [[7, 6], [6, 8], [9, 9]])
    ['policy', 'tie', 'opponent']
    """
    where = "outcomes_of_scores"
    check_words(where, "missing", [missing], ("refuse", "unparsed"))
    ours, theirs = _scores(where, "policy", policy), _scores(where, "opponent", opponent)
    if ours.shape != theirs.shape or ours.ndim not in (1, 2) or ours.size == 0:
        raise refusal(where, f"shapes are {ours.shape} and {theirs.shape}", "give (n,) or (n, orders) in both, n >= 1")
    if not margin >= 0.0:
        raise refusal(where, f"margin is {margin}", "give 0 or more")
    gaps = (ours - theirs).reshape(len(ours), -1).sum(axis=1)
    if missing == "refuse" and np.isnan(gaps).any():
        raise refusal(where, f"row {int(np.argmax(np.isnan(gaps)))} has a NaN", "give a number, or missing='unparsed'")
    near = np.abs(gaps) <= margin + 1e-12
    return [_side(float(gap), bool(tie)) for gap, tie in zip(gaps, near, strict=True)]


def outcomes_of_orders(
    one: Sequence[Outcome], other: Sequence[Outcome], *, disagree: Literal["tie", "unparsed"] = "tie"
) -> list[Outcome]:
    """One outcome from the verdicts on both orders of each of n pairs: that on which they agree.

    Verdicts name systems, not positions. Where they differ (a tie in one order included) it is `disagree`; where either
    could not be read, unparsed.

    Raises `HarnessError` for lengths that differ, no rows, an unknown outcome and another `disagree`.
    Reference: Zheng et al. (2023), Judging LLM-as-a-Judge, arXiv 2306.05685, section 3.4 (the conservative approach).

    >>> outcomes_of_orders(["policy", "policy", "tie"], ["policy", "opponent", "unparsed"])
    ['policy', 'tie', 'unparsed']
    """
    check_lengths("outcomes_of_orders", one=one, other=other)
    check_words("outcomes_of_orders", "disagree", [disagree], ("tie", "unparsed"))
    check_words("outcomes_of_orders", "one", one, OUTCOMES)
    check_words("outcomes_of_orders", "other", other, OUTCOMES)
    return [_agreed(a, b, disagree) for a, b in zip(one, other, strict=True)]


def _named(code: Hashable) -> Hashable:
    return None if code != code else code


def _scores(where: str, name: str, scores: npt.ArrayLike) -> Floats:
    """As numbers, NaN for None; refuses words, dates and infinities, which numpy would take."""
    array = np.asarray(scores)
    plain = array.dtype.kind in "biuf"
    for entry in () if plain else array.flat:
        if not (entry is None or isinstance(entry, (int, float, np.number))):
            raise refusal(where, f"{name} has {str(entry)!r}", "give finite numbers")
    found = array.astype(np.float64)
    if np.isinf(found).any():
        raise refusal(where, f"{name} has {found[np.isinf(found)][0]}", "give finite numbers")
    return found


def _side(gap: float, tie: bool) -> Outcome:
    if np.isnan(gap):
        return "unparsed"
    return "tie" if tie else "policy" if gap > 0 else "opponent"


def _agreed(one: Outcome, other: Outcome, disagree: Outcome) -> Outcome:
    if "unparsed" in (one, other):
        return "unparsed"
    return one if one == other else disagree
