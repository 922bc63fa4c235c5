"""How policies fare: win rates from verdicts between two of them, harmless rates from verdicts on one.

Which rows belong together (the prompt, the seed) is the caller's to say; how verdicts come about is not asked here. A
tie is half a win for each side and its share is reported; what could not be read is no tie (docs/adr/0005).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Unpack

import numpy as np

from harness.bootstrap import mean_of_totals
from harness.checks import Floats, check_words, numbers, refusal
from harness.columns import check_columns, check_read, flags_of, kept
from harness.estimates import Estimate
from harness.means import error_of_totals
from harness.resampling import Bootstrap, Clusters, Settings, Totals, group
from harness.shares import ShareOptions, share_of

Outcome = Literal["policy", "opponent", "tie", "unparsed"]

CREDIT = {"policy": 1.0, "tie": 0.5, "opponent": 0.0}


@dataclass(frozen=True)
class WinRate:
    """The share of comparisons that the policy won, its analytic error, and the counts behind it."""

    estimate: Estimate
    standard_error: float
    """Analytic, clustered where the estimate is (see `standard_error`)."""
    wins: int
    losses: int
    ties: int
    unparsed: int
    """Left out."""

    @property
    def tie_share(self) -> float:
        """Ties among the rows that could be read."""
        return self.ties / self.estimate.n

    @property
    def discrete(self) -> float:
        """(wins + ties / 2) / n: other than the estimate where preferences are soft."""
        return (self.wins + self.ties / 2) / self.estimate.n


class HarmlessRate(NamedTuple):
    """Share of responses judged harmless, and how many verdicts could not be read."""

    estimate: Estimate
    unparsed: int


def win_rate(
    outcomes: Sequence[Outcome],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> WinRate:
    """(wins + ties / 2) / (wins + ties + losses) of n `outcomes`, by `cluster_bootstrap` over `clusters` and `seeds`.

    Rows that could not be read are left out and counted, so n of the estimate is wins + ties + losses. Without
    clusters every row must be of another prompt.

    Raises `HarnessError` for an unknown outcome, for no rows that could be read, and where `cluster_bootstrap` does.
    Reference: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267, Evaluation.

    >>> verdicts, prompts = ["policy", "tie", "opponent", "policy", "unparsed"], ["a", "a", "b", "c", "c"]
    >>> result = win_rate(verdicts, clusters=prompts, rng=np.random.default_rng(0))
    >>> print(result.estimate, result.ties, result.unparsed)
    0.625 [0.000, 1.000] (n=4, 3 clusters, cluster bootstrap) 1 1
    """
    check_columns("win_rate", outcomes=outcomes, clusters=clusters, seeds=seeds)
    credit = credit_of("win_rate", outcomes)
    read = ~np.isnan(credit)
    unparsed = len(credit) - int(read.sum())
    check_read("win_rate", read, right="parsed")
    return _rate("win_rate", credit[read], kept(clusters, read), kept(seeds, read), unparsed, options)


def soft_win_rate(
    preferences: Sequence[float] | Floats,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    unparsed: int = 0,
    **options: Unpack[Bootstrap],
) -> WinRate:
    """Mean of n `preferences` in [0, 1], each the probability that the policy's response is preferred; 0.5 is a tie.

    Wins are those above 0.5, losses those below; `discrete` of the result counts each as whole. `unparsed` is how many
    rows the caller left out; it is reported and changes nothing.

    Raises `HarnessError` for a preference that is NaN or outside [0, 1], and where `cluster_bootstrap` does.
    Reference: Dubois et al. (2024), arXiv 2404.04475 (weighted win rate of AlpacaEval 2).

    >>> result = soft_win_rate([0.9, 0.5, 0.2, 0.6], rng=np.random.default_rng(0))
    >>> print(result.estimate, result.discrete)
    0.550 [0.300, 0.800] (n=4, bootstrap) 0.625
    """
    check_columns("soft_win_rate", preferences=preferences, clusters=clusters, seeds=seeds)
    found = numbers("soft_win_rate", "preferences", preferences, 0.0, 1.0)
    if unparsed < 0:
        raise refusal("soft_win_rate", f"unparsed is {unparsed}", "give how many rows were left out")
    return _rate("soft_win_rate", found, clusters, seeds, unparsed, options)


def harmless_rate(
    flags: Sequence[bool | None],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[ShareOptions],
) -> HarmlessRate:
    """Share of True among the n `flags` that are not None; None could not be read, and is counted.

    The interval is Wilson's, or with `clusters` or `seeds` that of `cluster_bootstrap`, which then needs `rng`. Several
    annotators of one response are rows of one cluster.

    Raises `HarnessError` for a flag that is no bool, for no rows that could be read, for clusters without rng, and
    where `cluster_bootstrap` does. Reference: Lee et al. (2023), arXiv 2309.00267, Evaluation.

    >>> print(harmless_rate([True, True, False, True, None]).estimate)
    0.750 [0.301, 0.954] (n=4, wilson)
    """
    where = "harmless_rate"
    check_columns(where, flags=flags, clusters=clusters, seeds=seeds)
    found = flags_of(where, flags)
    read = ~np.isnan(found)
    check_read(where, read, right="parsed")
    estimate = share_of(where, found[read], kept(clusters, read), kept(seeds, read), options)
    return HarmlessRate(estimate, int(np.sum(~read)))


def credit_of(where: str, outcomes: Sequence[Outcome]) -> Floats:
    """1, one half or 0 for each outcome, NaN for unparsed (n,); refuses any other word."""
    credit = np.array([CREDIT.get(word, np.nan) for word in outcomes])
    if int(np.isnan(credit).sum()) != sum(word == "unparsed" for word in outcomes):
        check_words(where, "outcomes", outcomes, (*CREDIT, "unparsed"))
    return credit


def _rate(
    where: str, credit: Floats, clusters: Clusters | None, seeds: Clusters | None, unparsed: int, options: Bootstrap
) -> WinRate:
    settings, groups = Settings.of(where, options), group(where, len(credit), clusters, seeds)
    totals = Totals.of_values(credit, groups)
    ties = int(np.sum(credit == 0.5))
    wins = int(np.sum(credit > 0.5))
    losses = len(credit) - wins - ties
    estimate = mean_of_totals(where, totals, settings)
    return WinRate(estimate, error_of_totals(totals), wins, losses, ties, unparsed)
