"""Rates of policies: how often one is preferred to another, how often a response does no harm."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from harness.bootstrap import cluster_bootstrap
from harness.estimates import Estimate, HarnessError, check_lengths
from harness.proportions import proportion

Outcome = Literal["policy", "opponent", "tie", "unparsed"]
WINS: Final = {"policy": 1.0, "tie": 0.5, "opponent": 0.0}


@dataclass(frozen=True)
class WinRate:
    """A win rate and what is not in it."""

    estimate: Estimate
    ties: int
    """Verdicts counted as half a win."""
    unparsed: int
    """Verdicts left out because they could not be read."""


@dataclass(frozen=True)
class HarmlessRate:
    """A harmless rate and what is not in it."""

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
    """Share of verdicts for the policy, a tie half a win, with a bootstrap interval clustered by prompt.

    `outcomes` and `clusters` are of one length: a verdict, and the prompt it is about. Unparsed verdicts are left out
    and counted. Raises `HarnessError` where an outcome is unknown or none could be read.

    >>> rng = np.random.default_rng(0)
    >>> rate = win_rate(["policy", "tie", "opponent", "unparsed"] * 20, clusters=range(80), rng=rng)
    >>> print(rate.estimate, rate.ties, rate.unparsed)
    0.500 [0.400, 0.600] (n=60, 60 clusters, cluster bootstrap) 20 20
    """
    check_lengths(outcomes=len(outcomes), clusters=len(clusters))
    for at, outcome in enumerate(outcomes):
        if outcome not in WINS and outcome != "unparsed":
            raise HarnessError(f"win_rate: outcomes[{at}] is {outcome!r}; use policy, opponent, tie or unparsed")
    counts = Counter(outcomes)
    read = [(WINS[outcome], cluster) for outcome, cluster in zip(outcomes, clusters, strict=True) if outcome in WINS]
    if not read:
        raise HarnessError(f"win_rate: none of {len(outcomes)} verdicts could be read; the rate is undefined")
    estimate = cluster_bootstrap(
        [value for value, _ in read],
        [cluster for _, cluster in read],
        rng=rng,
        level=level,
        resamples=resamples,
    )
    return WinRate(estimate, ties=counts["tie"], unparsed=counts["unparsed"])


def harmless_rate(
    flags: Sequence[bool | None],
    *,
    level: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 10_000,
) -> HarmlessRate:
    """Share of responses judged harmless; None could not be read and is left out and counted.

    Wilson interval where each response is a prompt of its own, cluster bootstrap where `clusters` (and `rng`) are
    given. Raises `HarnessError` where none could be read.

    >>> print(harmless_rate([True, True, False, None]).estimate)
    0.667 [0.208, 0.939] (n=3, wilson)
    """
    names = flags if clusters is None else clusters
    check_lengths(flags=len(flags), clusters=len(names))
    read = [(bool(flag), name) for flag, name in zip(flags, names, strict=True) if flag is not None]
    if not read:
        raise HarnessError(f"harmless_rate: none of {len(flags)} responses could be judged; the rate is undefined")
    values = [flag for flag, _ in read]
    if clusters is None:
        estimate = proportion(sum(values), len(values), level=level)
    elif rng is None:
        raise HarnessError("harmless_rate: clusters need rng; pass numpy.random.default_rng(seed)")
    else:
        groups = [name for _, name in read]
        estimate = cluster_bootstrap(values, groups, rng=rng, level=level, resamples=resamples)
    return HarmlessRate(estimate, unparsed=len(flags) - len(read))
