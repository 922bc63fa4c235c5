"""Answers as token ids: what must be read to know their probabilities, and how they exclude each other.

Shared by the engines that see token ids. "10" may be one token or two; where it is two, its first token may be the
answer "1", whose probability must not hold that of "10" (`rlaif_spec.lm.LanguageModel`).
"""

from collections.abc import Mapping, Sequence

Ids = tuple[int, ...]


def paths(answers: Sequence[Ids]) -> list[Ids]:
    """The fewest token paths whose reading gives the probability of every answer: all but the last token of each."""
    found = {answer[:-1] for answer in answers}
    return sorted(path for path in found if not any(other != path and other[: len(path)] == path for other in found))


def stems(answers: Sequence[Ids]) -> dict[Ids, list[int]]:
    """The tokens that matter after each proper beginning of an answer, the empty one first."""
    found: dict[Ids, set[int]] = {}
    for answer in answers:
        for at, token in enumerate(answer):
            found.setdefault(answer[:at], set()).add(token)
    return {stem: sorted(found[stem]) for stem in sorted(found)}


def exclusive(answer: Ids, answers: Sequence[Ids], found: Mapping[Ids, float]) -> float:
    """Take out of an answer the probability of those that begin with it; the longest are their own."""
    longer = [other for other in answers if len(other) > len(answer) and other[: len(answer)] == answer]
    nearest = [one for one in longer if not any(one != two and one[: len(two)] == two for two in longer)]
    return max(0.0, found[answer] - sum(found[other] for other in nearest))
