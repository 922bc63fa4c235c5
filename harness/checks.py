"""What every function asks of its input, and the one way to refuse it: where, what is wrong, what would be right."""

import math
from collections.abc import Collection, Hashable, Iterable, Sized
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


class HarnessError(ValueError):
    """The figure that was asked for is not defined by what was given."""


def refusal(where: str, wrong: str, right: str) -> HarnessError:
    """The error to raise, in one line.

    >>> print(refusal("proportion", "n is 0", "give n >= 1"))
    proportion: n is 0; give n >= 1
    """
    return HarnessError(f"{where}: {wrong}; {right}")


def check_level(where: str, level: float) -> None:
    """Refuse a confidence level that is not strictly between 0 and 1, or so near that its quantiles are no longer."""
    if not 0.5 < (1.0 + level) / 2.0 < 1.0:
        raise refusal(where, f"level is {level}", "give one between 0 and 1, such as 0.95")


def check_lengths(where: str, **columns: Sized) -> None:
    """Refuse columns that are empty or of different lengths."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise refusal(where, f"lengths differ ({told})", "give one entry for each row in all of them")
    if 0 in lengths.values():
        raise refusal(where, f"{' and '.join(lengths)} empty", "give at least one row")


def check_words(where: str, name: str, words: Iterable[object], known: Collection[str]) -> None:
    """Refuse a word that is not known, by its position counted from 0."""
    for position, word in enumerate(words):
        if word not in known:
            raise refusal(where, f"{name}[{position}] is {word!r}", f"use one of {', '.join(known)}")


def check_rng(where: str, rng: object) -> np.random.Generator:
    """The generator, or a refusal: randomness is passed in, so that the same call gives the same figure."""
    if not isinstance(rng, np.random.Generator):
        raise refusal(where, f"rng is {rng!r}", "give numpy.random.default_rng(seed)")
    return rng


def numbers(where: str, name: str, values: Any, low: float = -math.inf, high: float = math.inf) -> Floats:
    """One finite number a row, in [low, high], as an array (n,); booleans are 0 and 1.

    Raises `HarnessError` naming the first entry that is none: NaN, None, infinite, a word, or out of range.

    >>> numbers("mean", "values", [1, 0.5, True])
    array([1. , 0.5, 1. ])
    >>> numbers("mean", "values", [1, float("nan")])
    Traceback (most recent call last):
    harness.checks.HarnessError: mean: values[1] is nan; give finite numbers
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise refusal(where, f"{name} has {array.ndim} dimensions", "give one number a row")
    if array.dtype.kind in "biuf":
        found = array.astype(np.float64)
        wrong = ~np.isfinite(found) | (found < low) | (found > high)
    else:
        listed = list(array)  # tolist would make whole numbers of dates
        wrong = np.array([not _is_number(entry, low, high) for entry in listed], dtype=bool)
        found = np.empty(0) if wrong.any() else np.array(listed, dtype=np.float64)
    if wrong.any():
        position = int(np.argmax(wrong))
        bounds = "" if (low, high) == (-math.inf, math.inf) else f" in [{low:g}, {high:g}]"
        raise refusal(where, f"{name}[{position}] is {array[position]}", f"give finite numbers{bounds}")
    return found


def among(where: str, name: str, values: Any, known: tuple[float, ...]) -> Floats:
    """Values (n,) that are each one of the `known` numbers; booleans are 0 and 1."""
    found = numbers(where, name, values)
    if len(odd := np.flatnonzero(~np.isin(found, known))):
        told = ", ".join(f"{number:g}" for number in known)
        raise refusal(where, f"{name}[{odd[0]}] is {found[odd[0]]:g}", f"use one of {told}")
    return found


def whole(where: str, name: str, count: float) -> int:
    """A count, or a refusal of what is negative or not whole."""
    if not (count >= 0 and float(count).is_integer()):
        raise refusal(where, f"{name} is {count}", "give a whole number, 0 or more")
    return int(count)


def _is_number(entry: object, low: float, high: float) -> bool:
    return isinstance(entry, (int, float)) and math.isfinite(entry) and low <= entry <= high


def is_itself(label: Hashable) -> bool:
    """False for NaN and NaT, which differ from themselves, and for NA, which cannot tell."""
    equal: object = label == label
    return isinstance(equal, (bool, np.bool_)) and bool(equal)


def sorted_labels(labels: Iterable[Any]) -> list[Hashable]:
    """In their own order, or by how they are written where they cannot be compared."""
    listed = list(labels)
    try:
        return sorted(listed)
    except TypeError:
        return sorted(listed, key=repr)
