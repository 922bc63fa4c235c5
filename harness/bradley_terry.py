"""Bradley-Terry: strengths of systems from battles between pairs of them, with ties as half wins or modelled.

Rows are counted once and fitted by Newton's method, so neither a fit nor its 1,000 refits grow with the rows. A fit
exists only where the systems cannot be split in two so that one part never won or tied against the other; other data
are refused, unless a prior pulls the strengths together.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Unpack

import numpy as np
from scipy.special import stdtrit

from harness.battles import (
    Battles,
    Labels,
    Outcomes,
    Tally,
    apart,
    connected,
    count_battles,
    drawn_tallies,
    grouped,
    tallies_without_one,
)
from harness.checks import Floats, Ints, check_level, refusal
from harness.estimates import Estimate
from harness.intervals import LOST, interval_of
from harness.rankings import Ranking, place, ranks_of
from harness.resampling import Bootstrap, Clusters, Groups, Settings
from harness.tie_models import MODELS, Model, Ties, bounded, mixed, model_of

ELO = 400.0 / np.log(10.0)
"""Elo points for each unit of log-strength."""
STEPS = 40
"""Newton steps: from equal strengths each adds about 1 to a gap, so that gaps of 30 are within reach."""
CLOSE = 1e-8
"""The last step: the error after it is of the order of its square."""
FLAT = 1e-11
"""Information on one coefficient, at which the likelihood counts as flat."""
ERROR = 1e-9
"""Standard error at which the rows count as leaving none."""


class Chances(NamedTuple):
    """Probabilities of the outcomes of one battle; without a model of ties, a win counts ties half and tie is 0."""

    first: float
    tie: float
    second: float


@dataclass(frozen=True, eq=False)
class BradleyTerry:
    """Fitted strengths β on the log scale, summing to zero: P(i beats j) = 1 / (1 + exp(β_j - β_i)) without ties."""

    systems: tuple[Any, ...]
    strengths: Floats
    """(k,), in natural logarithms."""
    covariance: Floats
    """(k, k) of the strengths, robust (see `bradley_terry`)."""
    ties: Ties
    tie: float | None
    """ν of Davidson or θ of Rao and Kupper; None where ties are half wins."""
    n: int
    clusters: int | None
    freedom: int
    """Clusters (or seeds, or rows) - 1."""
    unparsed: int
    method: str

    @property
    def ranks(self) -> Ints:
        """1 + how many systems are stronger, (k,)."""
        return ranks_of(self.strengths)

    @property
    def win_probabilities(self) -> Floats:
        """(k, k): the probability that the row's system beats the column's, ties counted half; 0.5 on the diagonal."""
        won, tied = self._chances(self.strengths[:, None] - self.strengths[None, :])
        return np.asarray(won + tied / 2.0)

    def chances(self, first: Hashable, second: Hashable) -> Chances:
        """How a battle of two systems ends."""
        gap = self._strength(first) - self._strength(second)
        won, tied = (float(chance) for chance in self._chances(np.array(gap)))
        return Chances(won, tied, 1.0 - won - tied)

    def elo(self, *, anchor: Hashable | None = None, at: float = 1000.0) -> Floats:
        """Strengths · 400 / ln 10 (k,), shifted so that their mean, or the system `anchor`, lies at `at`."""
        return np.asarray(ELO * self.strengths + _shift(self.systems, self.strengths, anchor, at))

    def estimates(self, level: float = 0.95) -> tuple[Estimate, ...]:
        """Each strength ± t · robust standard error, relative to the mean of the systems.

        Raises `HarnessError` where the rows leave no error (all of them fit exactly).
        """
        return tuple(self._estimate(weights, level) for weights in np.eye(len(self.systems)))

    def difference(self, first: Hashable, second: Hashable, *, level: float = 0.95) -> Estimate:
        """Strength of the first less that of the second (log odds where ties are half wins) ± t · robust error."""
        weights = np.zeros(len(self.systems))
        weights[place("bradley_terry", self.systems, first)] += 1.0
        weights[place("bradley_terry", self.systems, second)] -= 1.0
        return self._estimate(weights, level)

    def _strength(self, system: Hashable) -> float:
        return float(self.strengths[place("bradley_terry", self.systems, system)])

    def _chances(self, gap: Floats) -> tuple[Floats, Floats]:
        return MODELS[self.ties].chances(gap, 0.0 if self.tie is None else float(np.log(self.tie)))

    def _estimate(self, weights: Floats, level: float) -> Estimate:
        check_level("bradley_terry", level)
        error = float(np.sqrt(max(0.0, float(weights @ self.covariance @ weights))))
        if error <= ERROR:
            raise refusal("bradley_terry", "the rows leave no error", "give rows that differ")
        value, reach = float(weights @ self.strengths), float(stdtrit(self.freedom, (1.0 + level) / 2.0)) * error
        return Estimate(value, value - reach, value + reach, level, self.n, self.clusters, self.method)


def bradley_terry(
    first: Labels,
    second: Labels,
    outcomes: Outcomes,
    *,
    ties: Ties = "half",
    prior: float = 0.0,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
) -> BradleyTerry:
    """Strengths of k systems by maximum likelihood, from n rows (first, second, outcome), and their robust covariance.

    Outcomes are words (first, second, tie, unparsed) or soft, in [0, 1]. With gap d = β_i - β_j:

    - half: P(i beats j) = 1 / (1 + e^-d); a tie is half a win each, a soft outcome p is p of a win.
    - davidson: wins, losses and ties as e^(d/2) : e^(-d/2) : ν, fitted with ν > 0.
    - rao-kupper: P(i beats j) = 1 / (1 + θ e^-d), and the rest ties, fitted with θ > 1.

    `prior` > 0 takes prior / 2 · Σβ² off the log-likelihood (a normal prior of variance 1 / prior): strengths are then
    finite for any data, and biased towards each other. The covariance is A⁻¹ B A⁻¹ with the information A and B = C /
    (C - 1) ΣUU', U being the scores summed over a row, a cluster, or a seed where there are seeds (C of them): right
    though the model may not be.

    Raises `HarnessError` where systems are not connected and prior is 0 (they are named), for a model of ties without
    ties, only ties or soft outcomes, where its likelihood has no finite maximum, for fewer than 2 rows or clusters,
    and for what is missing or unknown. References: Bradley and Terry (1952), Biometrika 39; Ford (1957), American
    Mathematical Monthly 64(8), and Hunter (2004), Annals of Statistics 32(1), for when it exists; Rao and Kupper
    (1967), JASA 62; Davidson (1970), JASA 65; Liang and Zeger (1986), Biometrika 73(1), for the covariance.

    >>> fitted = bradley_terry(["a", "a", "a", "b"], ["b", "b", "b", "a"], ["first", "first", "tie", "first"])
    >>> fitted.systems, (fitted.strengths[0] - fitted.strengths[1]).round(4)  # ln(2.5 / 1.5)
    (('a', 'b'), np.float64(0.5108))
    >>> fitted.win_probabilities[0, 1].round(3), fitted.elo(anchor="b")[0].round(1)
    (np.float64(0.625), np.float64(1088.7))
    """
    where = "bradley_terry"
    battles = count_battles(where, first, second, outcomes)
    groups = grouped(where, outcomes, battles, clusters, seeds)
    model = model_of(where, battles, ties, prior)
    best = _fitted(where, battles, model, prior)
    size, outer = len(battles.systems), int(groups.outermost.max()) + 1
    over = "" if groups.seeds is None else f" over {outer} seeds"
    return BradleyTerry(
        battles.systems,
        best[:size],
        _sandwich(battles, groups, model, best, prior)[:size, :size],
        ties,
        float(np.exp(best[size])) if model.tied else None,
        len(battles.cells),
        groups.named,
        outer - 1,
        battles.unparsed,
        f"{'' if groups.alone else 'cluster '}sandwich{over}",
    )


def bradley_terry_ranking(
    first: Labels,
    second: Labels,
    outcomes: Outcomes,
    *,
    ties: Ties = "half",
    prior: float = 0.0,
    scale: Literal["log", "elo"] = "log",
    anchor: Hashable | None = None,
    at: float = 1000.0,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Ranking:
    """The strengths of `bradley_terry` with intervals and ranks from refitting resamples of rows, clusters or seeds.

    Rows are resampled as cells (pair, outcome) by one multinomial draw, clusters by their weights. With `scale` elo,
    scores are `BradleyTerry.elo(anchor=anchor, at=at)`: the anchor sets where the scale lies, while intervals stay
    those relative to the mean of the systems. Resamples without a finite maximum (systems that are not connected) are
    counted in `undefined` and left out.

    Raises `HarnessError` as `bradley_terry` does, and where more than 1 % of the resamples have no finite maximum.
    Reference: Chiang et al. (2024), Chatbot Arena, arXiv 2403.04132, section 4 and appendix.

    >>> rows = [("a", "b", "first"), ("b", "a", "first"), ("b", "c", "tie"), ("c", "a", "second"), ("c", "a", "first")]
    >>> ranking = bradley_terry_ranking(*zip(*rows * 20), scale="elo", rng=np.random.default_rng(0), resamples=1000)
    >>> ranking.systems, ranking.values.round(1).tolist(), ranking.ranks.tolist(), ranking.undefined
    (('a', 'b', 'c'), [1000.0, 1000.0, 1000.0], [1, 1, 1], 0)
    """
    where = "bradley_terry_ranking"
    settings = Settings.of(where, options)
    if scale not in ("log", "elo"):
        raise refusal(where, f"scale is {scale!r}", "use log or elo")
    battles = count_battles(where, first, second, outcomes)
    groups = grouped(where, outcomes, battles, clusters, seeds)
    model = model_of(where, battles, ties, prior)
    best = _fitted(where, battles, model, prior)
    size = len(battles.systems)
    factor, shift = (ELO, _shift(battles.systems, best[:size], anchor, at)) if scale == "elo" else (1.0, 0.0)

    def scores(tallies: Iterator[Tally]) -> Floats:
        fits = [_refitted(battles, tally, model, best, prior)[:, :size] for tally in tallies]
        return np.asarray(factor * np.concatenate(fits) + shift)

    drawn = scores(drawn_tallies(battles, groups, settings))
    left = np.empty((0, size))
    if settings.interval == "bca":
        parts = list(tallies_without_one(battles, groups))
        left = np.repeat(scores(tally for tally, _ in parts), np.concatenate([times for _, times in parts]), axis=0)
    whole = np.isfinite(drawn).all(axis=1)
    undefined = int((~whole).sum())
    if undefined > LOST * len(drawn):
        wrong = f"{undefined} of {len(drawn)} resamples have no finite maximum"
        raise refusal(where, wrong, "give more battles, or a prior above 0")
    values = factor * best[:size] + shift
    estimates = tuple(
        interval_of(where, float(values[at]), drawn[:, at], left[:, at], groups, settings, rows=len(battles.cells))
        for at in range(size)
    )
    return Ranking(battles.systems, estimates, drawn[whole], undefined, battles.unparsed)


def _fitted(where: str, battles: Battles, model: Model, prior: float) -> Floats:
    """Strengths, and the logarithm of the tie parameter where there is one, from all rows."""
    whole = battles.whole.of(None)
    if prior == 0.0 and not connected(battles.points(whole) > 0.0)[0]:
        raise refusal(where, apart(battles), "compare them with more systems, leave them out, or give a prior above 0")
    if prior == 0.0 and model.tied and not bounded(battles, whole)[0]:
        raise refusal(where, "the model of ties has no finite maximum", "use ties='half', or give a prior above 0")
    start = np.zeros(len(battles.systems) + model.tied)
    if model.tied:
        start[-1] = model.start(float(whole.ties.sum() / whole.battles.sum()))
    best: Floats = _climbed(battles, whole, model, start, prior)[0]
    if np.isnan(best).any():
        raise refusal(where, "the likelihood is too flat for a maximum", "give more battles, or a prior above 0")
    return best


def _refitted(battles: Battles, tally: Tally, model: Model, start: Floats, prior: float) -> Floats:
    """Fits (b, k + tied) of b tallies; NaN where there is no finite maximum."""
    found = np.full((len(tally.battles), len(start)), np.nan)
    able = np.ones(len(found), dtype=bool) if prior > 0.0 else connected(battles.points(tally) > 0.0)
    if model.tied:
        able &= mixed(tally) if prior > 0.0 else bounded(battles, tally)
    found[able] = _climbed(battles, tally.of(able), model, start, prior)
    return found


def _climbed(battles: Battles, tally: Tally, model: Model, start: Floats, prior: float) -> Floats:
    """Newton's method from `start`, for b tallies at once; a step that would go down is halved."""
    at = np.tile(start, (len(tally.battles), 1))
    going = np.arange(len(at))
    for _ in range(STEPS):
        chosen = tally.of(going)
        move = _move(battles, chosen, model, at[going], prior)
        at[going] = _uphill(battles, chosen, model, at[going], move, prior)
        going = going[np.abs(move).max(axis=1) > CLOSE]  # NaN is not: it stays what it is
        if not len(going):
            return at
    at[going] = np.nan
    return at


def _move(battles: Battles, tally: Tally, model: Model, at: Floats, prior: float) -> Floats:
    """Newton steps (b, k + tied); NaN where the likelihood is flat."""
    gradient, information = _derivatives(battles, tally, model, at, prior)
    flat = np.diagonal(information, axis1=1, axis2=2).min(axis=1) < FLAT
    information[flat] = np.eye(at.shape[1])
    move = np.linalg.solve(_grounded(information, len(battles.systems)), gradient[..., None])[..., 0]
    move[flat] = np.nan
    return np.asarray(move)


def _uphill(battles: Battles, tally: Tally, model: Model, at: Floats, move: Floats, prior: float) -> Floats:
    before = _height(battles, tally, model, at, prior)
    slack = 1e-12 * np.abs(before)
    share = np.ones((len(at), 1))
    while (below := _height(battles, tally, model, at + share * move, prior) < before - slack).any():
        share[below] /= 2.0
    return np.asarray(at + share * move)


def _height(battles: Battles, tally: Tally, model: Model, at: Floats, prior: float) -> Floats:
    gap, tie = _gaps(battles, at)
    penalty = prior / 2.0 * np.sum(at[:, : len(battles.systems)] ** 2, axis=1)
    return np.asarray(model.height(tally, gap, tie).sum(axis=1) - penalty)


def _derivatives(battles: Battles, tally: Tally, model: Model, at: Floats, prior: float) -> tuple[Floats, Floats]:
    """The gradient (b, m) and the information (b, m, m) at b points, m being k + tied."""
    size, (gap, tie) = len(battles.systems), _gaps(battles, at)
    slopes = model.slopes(tally, gap, tie)
    gradient = battles.table(slopes.gap, -slopes.gap).sum(axis=-1) - prior * at[:, :size]
    links = battles.table(slopes.gap_gap, slopes.gap_gap)
    information = np.eye(size) * (links.sum(axis=-1) + prior)[:, :, None] - links
    if not model.tied:
        return gradient, information
    whole = np.empty((len(at), size + 1, size + 1))
    whole[:, :size, :size] = information
    whole[:, size, :size] = whole[:, :size, size] = battles.table(slopes.gap_tie, -slopes.gap_tie).sum(axis=-1)
    whole[:, size, size] = slopes.tie_tie.sum(axis=-1)
    return np.concatenate([gradient, slopes.tie.sum(axis=-1, keepdims=True)], axis=1), whole


def _grounded(information: Floats, size: int) -> Floats:
    """With weight on the mean of the strengths, which the likelihood leaves free and no step then moves."""
    found = information.copy()
    diagonal = np.diagonal(information, axis1=1, axis2=2)[:, :size].mean(axis=1)
    found[:, :size, :size] += diagonal[:, None, None] / size
    return found


def _gaps(battles: Battles, at: Floats) -> tuple[Floats, Floats]:
    """The gap of each pair (b, pairs), and the last coefficient (b, 1), which models of ties read."""
    return at[:, battles.first] - at[:, battles.second], at[:, -1:]


def _sandwich(battles: Battles, groups: Groups, model: Model, best: Floats, prior: float) -> Floats:
    """A⁻¹ B A⁻¹ (m, m); see `bradley_terry`."""
    size, cells = len(battles.systems), np.arange(len(battles.counts))
    pairs = np.searchsorted(battles.starts, cells, side="right") - 1
    one = Tally(np.ones(len(cells)), battles.scores, (battles.scores == 0.5).astype(np.float64))
    gap, tie = _gaps(battles, best[None])
    slopes = model.slopes(one, gap[0, pairs], tie[0])
    scores = np.zeros((len(cells), len(best)))
    scores[cells, battles.first[pairs]] = slopes.gap
    scores[cells, battles.second[pairs]] = -slopes.gap
    if model.tied:
        scores[:, size] = slopes.tie
    if groups.alone:
        count, spread = len(battles.cells), np.asarray((scores * battles.counts[:, None]).T @ scores)
    else:
        outer = groups.outermost
        count = int(outer.max()) + 1
        sums: Floats = np.stack([np.bincount(outer, column[battles.cells], count) for column in scores.T])
        spread = sums @ sums.T
    information = _derivatives(battles, battles.whole.of(None), model, best[None], prior)[1]
    inverse = np.linalg.inv(_grounded(information, size))[0]
    return np.asarray(inverse @ spread @ inverse * (count / (count - 1)))


def _shift(systems: tuple[Any, ...], strengths: Floats, anchor: Hashable | None, at: float) -> float:
    if not np.isfinite(at):
        raise refusal("elo", f"at is {at}", "give a finite number, such as 1000")
    return at if anchor is None else at - ELO * float(strengths[place("elo", systems, anchor)])
