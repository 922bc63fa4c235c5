"""Win rates by strata of the length difference: nothing is fitted, so nothing is assumed of how length acts.

`length_balanced_win_rate` has two strata, longer and shorter; `length_stratified_win_rate` as many as the data bear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Unpack

import numpy as np

from harness.checks import Floats, numbers, refusal
from harness.columns import check_columns, kept
from harness.estimates import Estimate
from harness.intervals import bootstrap_totals
from harness.length import Pairs, pairs_of
from harness.resampling import Bootstrap, Clusters, group


@dataclass(frozen=True)
class LengthBalanced:
    """A win rate in which being longer and being shorter count the same."""

    estimate: Estimate
    when_longer: float
    """Win rate where the policy's response is the longer."""
    when_shorter: float
    longer: int
    """Rows."""
    shorter: int
    equal: int
    """Rows of equal length: in neither half, so in no figure here; n of the estimate leaves them out."""


class Stratum(NamedTuple):
    """Rows whose length difference (policy minus opponent) lies between `low` and `high`."""

    low: float
    """-inf in the first."""
    high: float
    """inf in the last."""
    weight: float
    """Share of the reference."""
    rows: float
    """Rows of the data; one that lies on an edge is half in each neighbour."""
    win_rate: float


@dataclass(frozen=True)
class LengthStratified:
    """A win rate at another distribution of length differences than that of the data."""

    estimate: Estimate
    strata: tuple[Stratum, ...]


def length_balanced_win_rate(
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> LengthBalanced:
    """(win rate where the policy's response is longer + win rate where it is shorter) / 2.

    Rows of equal length are in neither half and are counted. The interval resamples clusters (`cluster_bootstrap`).

    Raises `HarnessError` where either half is empty (the notebook of alpaca_eval gives the raw rate then), where more
    than 1 % of resamples leave one empty, for a preference outside [0, 1], a length below 0, and where
    `cluster_bootstrap` does. Reference: Dubois et al. (2024), Length-Controlled AlpacaEval, arXiv 2404.04475
    (length-balanced win rate).

    >>> longer, shorter = [1, 1, 0, 1, 1, 0, 1, 1], [0, 1, 0, 0, 1, 0, 0, 0]
    >>> columns = longer + shorter, [20] * 8 + [10] * 8, [15] * 16
    >>> result = length_balanced_win_rate(*columns, rng=np.random.default_rng(0))
    >>> print(result.estimate, result.when_longer, result.when_shorter)
    0.500 [0.278, 0.722] (n=16, bootstrap) 0.75 0.25
    """
    where = "length_balanced_win_rate"
    check_columns(where, preferences=preferences, clusters=clusters, seeds=seeds)
    pairs = pairs_of(where, preferences, policy_lengths, opponent_lengths)
    when_longer, when_shorter = _halves(where, pairs)
    differ = pairs.difference != 0.0
    longer, preferred = (pairs.difference > 0.0)[differ], pairs.preferences[differ]
    groups = group(where, len(longer), kept(clusters, differ), kept(seeds, differ))
    columns = np.stack([longer * preferred, longer, ~longer * preferred, ~longer], axis=1).astype(np.float64)
    return LengthBalanced(
        bootstrap_totals(where, columns, _balanced, groups, options),
        when_longer,
        when_shorter,
        int(longer.sum()),
        int((~longer).sum()),
        int((~differ).sum()),
    )


def length_balanced_win_rate_value(
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
) -> float:
    """The value of `length_balanced_win_rate`, without its interval; refused as there.

    >>> length_balanced_win_rate_value([1, 1, 0.5, 0], [2, 2, 2, 1], [1, 1, 2, 2])
    0.5
    """
    where = "length_balanced_win_rate_value"
    return sum(_halves(where, pairs_of(where, preferences, policy_lengths, opponent_lengths))) / 2.0


def length_stratified_win_rate(
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    strata: int = 4,
    reference: Sequence[float] | Floats | None = None,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> LengthStratified:
    """Σ_s w_s · (win rate in stratum s): the win rate if length differences were distributed as in `reference`.

    Strata are cut at quantiles of `reference` (m differences, policy minus opponent, in the unit of the lengths), and
    w_s is its share in each. By default the reference is the data's own differences and their negatives, so that either
    side is the longer as often and by as much: with 2 strata this is `length_balanced_win_rate` where no lengths are
    equal, and exchanging the sides gives one minus the value. A row on an edge is half in each neighbour. Edges and
    weights are held fixed in the interval, which resamples clusters (`cluster_bootstrap`).

    Raises `HarnessError` for fewer than 2 strata, a reference whose quantiles coincide, a stratum with no row, more
    than 1 % of resamples with such a stratum, and where `length_balanced_win_rate` does. Reference: Cochran (1968), The
    effectiveness of adjustment by subclassification in removing bias in observational studies, Biometrics 24(2).

    >>> columns = [1, 1, 0, 1, 0, 1, 0, 0] * 10, [12, 14, 17, 19, 11, 8, 6, 3] * 10, [10] * 80
    >>> result = length_stratified_win_rate(*columns, rng=np.random.default_rng(0))
    >>> print(result.estimate)
    0.467 [0.379, 0.547] (n=80, bootstrap)
    >>> [(stratum.low, stratum.high, stratum.weight, stratum.rows) for stratum in result.strata[:2]]
    [(-inf, -4.0, 0.25, 15.0), (-4.0, 0.0, 0.25, 15.0)]
    """
    where = "length_stratified_win_rate"
    pairs = pairs_of(where, preferences, policy_lengths, opponent_lengths)
    edges, weights = _cuts(where, strata, _reference(where, reference, pairs), mirrored=reference is None)
    members = _members(pairs.difference, edges)
    rows, wins = members.sum(axis=0), members.T @ pairs.preferences
    ends = [-np.inf, *edges.tolist(), np.inf]
    if not rows.all():
        empty = int(np.argmin(rows))
        told = f"no row has a length difference from {ends[empty]:g} to {ends[empty + 1]:g}"
        raise refusal(where, told, "use fewer strata or another reference")

    def rate(totals: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((totals[..., : len(rows)] / totals[..., len(rows) :]) @ weights)

    columns = np.concatenate([members * pairs.preferences[:, None], members], axis=1)
    estimate = bootstrap_totals(where, columns, rate, group(where, len(members), clusters, seeds), options)
    told_strata = zip(ends[:-1], ends[1:], weights.tolist(), rows.tolist(), (wins / rows).tolist(), strict=True)
    return LengthStratified(estimate, tuple(Stratum(*stratum) for stratum in told_strata))


def _halves(where: str, pairs: Pairs) -> tuple[float, float]:
    """Win rates where the policy's response is the longer and where it is the shorter."""
    longer, shorter = pairs.difference > 0.0, pairs.difference < 0.0
    for side, rows in (("longer", longer), ("shorter", shorter)):
        if not rows.any():
            raise refusal(where, f"the policy's response is never {side}", "give rows of both kinds, or use win_rate")
    return float(pairs.preferences[longer].mean()), float(pairs.preferences[shorter].mean())


def _balanced(totals: Floats) -> Floats:
    """From totals (..., 4) of wins and rows where longer, wins and rows where shorter."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(0.5 * (totals[..., 0] / totals[..., 1] + totals[..., 2] / totals[..., 3]))


def _reference(where: str, reference: Sequence[float] | Floats | None, pairs: Pairs) -> Floats:
    if reference is None:
        return np.concatenate([pairs.difference, -pairs.difference])
    check_columns(where, reference=reference)
    return numbers(where, "reference", reference)


def _cuts(where: str, strata: int, reference: Floats, mirrored: bool) -> tuple[Floats, Floats]:
    """Inner edges, and the share of the reference in each stratum."""
    if strata < 2:
        raise refusal(where, f"strata is {strata}", "give 2 or more")
    edges = np.quantile(reference, np.arange(1, strata) / strata)
    if mirrored:
        edges = 0.5 * (edges - edges[::-1])  # quantiles of mirrored numbers are mirrored only up to rounding
    if np.ptp(reference) == 0.0:
        raise refusal(where, f"every length difference of the reference is {reference[0]:g}", "give some that differ")
    if (distinct := len(np.unique(edges))) < strata - 1:
        told = f"quantiles of the reference are {distinct} distinct ones where {strata} strata need {strata - 1}"
        raise refusal(where, told, "use fewer strata")
    return edges, _members(reference, edges).mean(axis=0)


def _members(differences: Floats, edges: Floats) -> Floats:
    """How much each row (n,) is in each stratum (n, strata): whole, or half in two neighbours for one on an edge."""
    member = np.zeros((len(differences), len(edges) + 1))
    rows = np.arange(len(differences))
    for side in ("left", "right"):
        np.add.at(member, (rows, np.searchsorted(edges, differences, side=side)), 0.5)
    return member
