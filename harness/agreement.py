"""How labelers agree with people, and whether they prefer a position when the two responses change places.

Pairs are independent (Wilson intervals) unless `clusters` or `seeds` name what belongs together (bootstrap intervals).
Verdicts in both orders against the right answers are in `harness.two_orders`; agreement between people is in
`harness.kappa` and its neighbours, and the rules that a labeler must beat in `harness.controls`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Unpack

import numpy as np
from scipy.special import gammaln

from harness.checks import Floats, Ints, check_words, refusal
from harness.columns import check_columns, check_read, kept, numbers_or_none
from harness.estimates import Estimate, Significance
from harness.resampling import Clusters, Totals, group
from harness.shares import ShareOptions, share_of

Preference = Literal["first", "second", "tie"]

SIDES = {"first": 1.0, "second": -1.0, "tie": 0.0}


class Alignment(NamedTuple):
    """Share of pairs on which labeler and people agree, and the counts of what is left out or halved."""

    estimate: Estimate
    human_ties: int
    """Left out."""
    soft_ties: int
    """Soft labels of exactly one half (margins of 0), among the pairs in the estimate; each agrees by one half."""
    unparsed: int
    """Left out: soft labels that could not be read, among the pairs on which people chose."""


@dataclass(frozen=True)
class PositionBias:
    """Share of pairs where the same position was preferred in both orders, and which position that was."""

    estimate: Estimate
    firsts: int
    """Pairs where the response shown first was preferred in both orders."""
    seconds: int
    first_share: Estimate | None
    """firsts / (firsts + seconds); None where no two pairs (clusters, seeds) can tell: no interval is defined."""
    significance: Significance | None
    """Exact two-sided test of a first share of one half; None as above."""
    unparsed: int
    """Left out: pairs of which an order could not be read."""

    @property
    def note(self) -> str:
        """Which position it was more often, for people; empty where there is no test."""
        if self.significance is None:
            return ""
        word, more = ("first", self.firsts) if self.firsts >= self.seconds else ("second", self.seconds)
        p, test = self.significance.p, self.significance.method.removeprefix("exact ")
        told = "<1e-9" if p < 1e-9 else f"={p:.1g}"
        return f"{word} in {100 * more / (self.firsts + self.seconds):.0f} % of them ({test} p{told})"


def alignment(
    prefers_first: Sequence[float | None] | Floats,
    human: Sequence[Preference],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[ShareOptions],
) -> Alignment:
    """Share of n pairs where the likelier response of the soft label is the one that people chose.

    `prefers_first` (n probabilities, averaged over both orders; None could not be read) and `human` (n choices).
    A soft label of exactly 0.5 counts one half. Every pair is in the estimate, a human tie, or unparsed. The interval
    is Wilson's, or with `clusters` or `seeds` that of `cluster_bootstrap`, which needs `rng`.

    Raises `HarnessError` for lengths that differ, a probability that is NaN or outside [0, 1], an unknown choice, where
    no pair is left, for clusters without rng, and where `cluster_bootstrap` does.
    Reference: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267, Evaluation (AI Labeler Alignment).

    >>> result = alignment([0.9, 0.2, 0.5, 0.7, None], ["first", "first", "second", "tie", "first"])
    >>> print(result.estimate, result.human_ties, result.soft_ties, result.unparsed)
    0.500 [0.125, 0.875] (n=3, wilson) 1 1 1
    """
    where = "alignment"
    check_columns(where, prefers_first=prefers_first, human=human, clusters=clusters, seeds=seeds)
    gaps = numbers_or_none(where, "prefers_first", prefers_first, 0.0, 1.0) - 0.5
    return _aligned(where, "soft label", gaps, human, clusters, seeds, options)


def alignment_of_margins(
    margins: Sequence[float | None] | Floats,
    human: Sequence[Preference],
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[ShareOptions],
) -> Alignment:
    """Pairwise accuracy of a reward model: `alignment` of n `margins`, the reward of the first less that of the second.

    A margin of exactly 0 counts one half; None could not be read. Margins are in any unit.

    Raises `HarnessError` as `alignment` does, and for a margin that is not finite.
    Reference: Lee et al. (2023), arXiv 2309.00267, Evaluation (Pairwise Accuracy).

    >>> result = alignment_of_margins([2.5, -0.1, 0.0, None], ["first", "first", "second", "first"])
    >>> print(result.estimate, result.soft_ties, result.unparsed)
    0.500 [0.125, 0.875] (n=3, wilson) 1 1
    """
    where = "alignment_of_margins"
    check_columns(where, margins=margins, human=human, clusters=clusters, seeds=seeds)
    return _aligned(where, "margin", numbers_or_none(where, "margins", margins), human, clusters, seeds, options)


def positional_agreement(
    first: Sequence[float | None] | Floats,
    second: Sequence[float | None] | Floats,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[ShareOptions],
) -> PositionBias:
    """Share of n pairs where the same position was preferred in both orders of the responses.

    `first` and `second` (n probabilities each) are given to the response *shown first* in one order and in the other:
    both above 0.5, or both below, is the same position. Exactly 0.5 prefers none; give 1, 0 and 0.5 for hard verdicts
    and None for what could not be read. Which position it was is tested against one half: the exact binomial test, or
    with `clusters` (`seeds`) the exact test that exchanges the positions of whole clusters (seeds), to which it reduces
    where each has one pair. Intervals as in `alignment`.

    Raises `HarnessError` for lengths that differ, no pairs that could be read, a probability that is NaN or outside
    [0, 1], for clusters without rng, and where `cluster_bootstrap` does. References: Lee et al. (2023), RLAIF vs. RLHF,
    arXiv 2309.00267, Table 4 (position bias); Fisher (1935), The Design of Experiments, chapter III (exchanged signs).

    >>> result = positional_agreement([0.9, 0.8, 0.7, 0.4], [0.8, 0.6, 0.2, 0.3])
    >>> print(result.estimate, "|", result.note)
    0.750 [0.301, 0.954] (n=4, wilson) | first in 67 % of them (binomial p=1)
    >>> print(result.first_share)
    0.667 [0.208, 0.939] (n=3, wilson)
    """
    where = "positional_agreement"
    check_columns(where, first=first, second=second, clusters=clusters, seeds=seeds)
    one, other = numbers_or_none(where, "first", first, 0.0, 1.0), numbers_or_none(where, "second", second, 0.0, 1.0)
    read = ~np.isnan(one + other)
    check_read(where, read, "pair")
    inner, outer = kept(clusters, read), kept(seeds, read)
    signs = (np.sign(one - 0.5) + np.sign(other - 0.5))[read] / 2.0
    same = np.abs(signs) == 1.0  # a half is a position in one order and none in the other
    estimate = share_of(where, same.astype(np.float64), inner, outer, options)
    share, significance = _position(where, signs[same], kept(inner, same), kept(outer, same), options)
    firsts = int(np.sum(signs == 1.0))
    return PositionBias(estimate, firsts, int(same.sum()) - firsts, share, significance, int(np.sum(~read)))


def sides_of(where: str, human: Sequence[Preference]) -> Floats:
    """1 for first, -1 for second, 0 for a tie (n,); refuses other words, and ties alone."""
    check_words(where, "human", human, SIDES)
    sides = np.array([SIDES[choice] for choice in human])
    if not sides.any():
        raise refusal(where, "every human choice is a tie", "give at least one first or second")
    return sides


def credit(gaps: Floats, sides: Floats) -> Floats:
    """1 where the gap (first less second) points to the chosen side, 0 where to the other, one half where it is 0."""
    return np.asarray(0.5 + 0.5 * np.sign(gaps) * sides)


def _aligned(
    where: str,
    what: str,
    gaps: Floats,
    human: Sequence[Preference],
    clusters: Clusters | None,
    seeds: Clusters | None,
    options: ShareOptions,
) -> Alignment:
    sides = sides_of(where, human)
    chosen = sides != 0.0
    read = chosen & ~np.isnan(gaps)
    check_read(where, read, what)
    credited = credit(gaps[read], sides[read])
    estimate = share_of(where, credited, kept(clusters, read), kept(seeds, read), options)
    unparsed = int(chosen.sum() - read.sum())
    return Alignment(estimate, int(np.sum(~chosen)), int(np.sum(credited == 0.5)), unparsed)


def _position(
    where: str, signs: Floats, clusters: Clusters | None, seeds: Clusters | None, options: ShareOptions
) -> tuple[Estimate | None, Significance | None]:
    """The share of firsts among pairs of the same position (n signs), and its test; see `PositionBias`."""
    outer = clusters if seeds is None else seeds
    if len(signs) == 0 or (outer is not None and len(set(outer)) < 2):
        return None, None
    share = share_of(where, (signs > 0.0).astype(np.float64), clusters, seeds, options)
    firsts = float(np.sum(signs > 0.0))
    if outer is None:
        p = _exchanged_signs(np.ones(1), np.array([len(signs)]), signs.sum())
        return share, Significance(p, firsts, len(signs), "exact binomial")
    sums, times = Totals.of(signs[:, None], group(where, len(signs), outer)).exchanged()
    p = _exchanged_signs(np.abs(sums[:, 0]), times, signs.sum())
    what = "clusters" if seeds is None else "seeds"
    return share, Significance(p, firsts, int(times.sum()), f"exact sign flips of {what}")


def _exchanged_signs(sizes: Floats, times: Ints, total: float) -> float:
    """P(|Σ ±size| >= |total|) where each size, a whole number, occurs that many times and each sign is even odds."""
    chances = np.ones(1)
    for size, many in zip(sizes.astype(int), times, strict=True):
        if size > 0:
            step = np.zeros(size * many + 1)
            step[::size] = _even_binomial(int(many))
            chances = np.convolve(chances, step)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(total)].sum()))


def _even_binomial(n: int) -> Floats:
    """The chance of 0 to n heads in n fair throws."""
    heads = np.arange(n + 1)
    log_chances = gammaln(n + 1) - gammaln(heads + 1) - gammaln(n - heads + 1) - n * np.log(2.0)
    return np.asarray(np.exp(log_chances))
