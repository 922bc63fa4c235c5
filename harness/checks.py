"""What every function asks of its input, and the one way to refuse it: where, what is wrong, what would be right."""

import math
from collections.abc import Collection, Sequence, Sized


class HarnessError(ValueError):
    """The figure that was asked for is not defined by what was given."""


def refusal(where: str, wrong: str, right: str) -> HarnessError:
    """The error to raise, in one line.

    >>> print(refusal("proportion", "n is 0", "give n >= 1"))
    proportion: n is 0; give n >= 1
    """
    return HarnessError(f"{where}: {wrong}; {right}")


def check_level(where: str, level: float) -> None:
    """Refuse a confidence level that is not strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise refusal(where, f"level is {level}", "give one between 0 and 1, such as 0.95")


def check_lengths(where: str, **columns: Sized) -> None:
    """Refuse columns that are empty or of different lengths."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise refusal(where, f"lengths differ ({told})", "give one entry for each row in all of them")
    if 0 in lengths.values():
        raise refusal(where, f"{' and '.join(lengths)} empty", "give at least one row")


def check_words(where: str, name: str, words: Sequence[str], known: Collection[str]) -> None:
    """Refuse a word that is not known, by its position counted from 0."""
    for position, word in enumerate(words):
        if word not in known:
            raise refusal(where, f"{name}[{position}] is {word!r}", f"use one of {', '.join(known)}")


def check_range(
    where: str, name: str, values: Sequence[float | None], low: float = -math.inf, high: float = math.inf
) -> None:
    """Refuse what is not a finite number in [low, high], by its position counted from 0."""
    for position, value in enumerate(values):
        if value is None or not (math.isfinite(value) and low <= value <= high):
            bounds = "" if (low, high) == (-math.inf, math.inf) else f" in [{low:g}, {high:g}]"
            raise refusal(where, f"{name}[{position}] is {value}", f"give finite numbers{bounds}")
