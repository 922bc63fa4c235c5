"""How policies fare: win rates from verdicts between two of them, harmless rates from verdicts on one.

Which rows belong together (the prompt, the seed) is the caller's to say; how verdicts come about is not asked here.
"""

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from harness.bootstrap import cluster_bootstrap
from harness.checks import check_lengths, check_words, refusal
from harness.estimates import Estimate
from harness.proportions import proportion

Outcome = Literal["policy", "opponent", "tie", "unparsed"]

CREDIT = {"policy": 1.0, "tie": 0.5, "opponent": 0.0}


class WinRate(NamedTuple):
    """Share of comparisons that the policy won, and how many rows were ties or could not be read."""

    estimate: Estimate
    ties: int
    unparsed: int


class HarmlessRate(NamedTuple):
    """Share of responses judged harmless, and how many verdicts could not be read."""

    estimate: Estimate
    unparsed: int


def win_rate(
    outcomes: Sequence[Outcome],
    *,
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> WinRate:
    """(wins + ties / 2) / (wins + ties + losses) of n `outcomes`, by `cluster_bootstrap` over n `clusters`.

    Rows that could not be read are left out and counted, so n of the estimate is wins + ties + losses.

    Raises `HarnessError` for an unknown outcome, for no rows that could be read, and where `cluster_bootstrap` does.
    Reference: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267, Evaluation.

    >>> verdicts, prompts = ["policy", "tie", "opponent", "policy", "unparsed"], ["a", "a", "b", "c", "c"]
    >>> result = win_rate(verdicts, clusters=prompts, rng=np.random.default_rng(0))
    >>> print(result.estimate, result.ties, result.unparsed)
    0.625 [0.000, 1.000] (n=4, 3 clusters, cluster bootstrap) 1 1
    """
    check_lengths("win_rate", outcomes=outcomes, clusters=clusters)
    check_words("win_rate", "outcomes", outcomes, (*CREDIT, "unparsed"))
    rows = [(CREDIT[word], cluster) for word, cluster in zip(outcomes, clusters, strict=True) if word != "unparsed"]
    _check_read("win_rate", rows)
    values, groups = zip(*rows, strict=True)
    estimate = cluster_bootstrap(values, groups, rng=rng, level=level, resamples=resamples)
    return WinRate(estimate, ties=values.count(0.5), unparsed=len(outcomes) - len(rows))


def harmless_rate(
    flags: Sequence[bool | None],
    *,
    level: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 10_000,
) -> HarmlessRate:
    """Share of True among the n `flags` that are not None; None could not be read, and is counted.

    The interval is Wilson's, or with `clusters` (n hashables) that of `cluster_bootstrap`, which then needs `rng`.

    Raises `HarnessError` for a flag that is no bool, for no rows that could be read, for clusters without rng, and
    where `cluster_bootstrap` does. Reference: Lee et al. (2023), arXiv 2309.00267, Evaluation.

    >>> print(harmless_rate([True, True, False, True, None]).estimate)
    0.750 [0.301, 0.954] (n=4, wilson)
    """
    groups: Sequence[Hashable] = range(len(flags)) if clusters is None else clusters
    check_lengths("harmless_rate", flags=flags, clusters=groups)
    _check_flags(flags)
    rows = [(float(flag), group) for flag, group in zip(flags, groups, strict=True) if flag is not None]
    _check_read("harmless_rate", rows)
    values, kept = zip(*rows, strict=True)
    if clusters is None:
        estimate = proportion(sum(values), len(values), level=level)
    elif rng is None:
        raise refusal("harmless_rate", "clusters without rng", "give numpy.random.default_rng(seed)")
    else:
        estimate = cluster_bootstrap(values, kept, rng=rng, level=level, resamples=resamples)
    return HarmlessRate(estimate, unparsed=len(flags) - len(rows))


def _check_flags(flags: Sequence[bool | None]) -> None:
    for position, flag in enumerate(flags):
        if flag is not None and not isinstance(flag, (bool, np.bool_)):
            raise refusal("harmless_rate", f"flags[{position}] is {flag!r}", "use True, False or None")


def _check_read(where: str, rows: Sequence[object]) -> None:
    if not rows:
        raise refusal(where, "no row could be read", "give at least one that is parsed")
