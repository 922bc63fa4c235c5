"""The length-controlled win rate of AlpacaEval 2, for any data set and offline, with an interval that covers.

What equals `alpaca_eval` (`metrics/glm_winrate.py`, `length_controlled_v1`): the three terms, tanh of the length
difference over its standard deviation (ddof 1, not centred), targets that may be soft, the prediction with the length
term at zero averaged over rows, and a difficulty of each instruction from one joint fit of all systems with its slope
held at 1. What differs: no L1 penalty chosen by cross-validation but none (or a fixed ridge); no data of a deliberately
verbose and a concise baseline mixed in at weight 0.2; the difficulty comes from your systems, shrunk by a ridge,
instead of a download; and the interval refits to resampled clusters, where `alpaca_eval` prints the standard error of
the fitted values. Figures are therefore near those of its leaderboard and not the same: over 56 of its systems, judged
together, the median distance is 0.6 points and the mean 1.4; without the difficulties the mean is 6.6.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from scipy.special import expit

from harness.bootstrap import mean_of
from harness.checks import Floats, Ints, numbers, refusal
from harness.columns import check_columns
from harness.estimates import Estimate
from harness.length import Pairs, at_zero, pairs_of
from harness.logistic import Reading, Regression, ascend, finite_fit, refitted
from harness.resampling import Bootstrap, Clusters, Settings, group

Labels = Sequence[Hashable] | np.ndarray[tuple[int], np.dtype[np.generic]]


@dataclass(frozen=True)
class AlpacaWinRate:
    """A length-controlled win rate as in AlpacaEval 2 beside the raw one, and the fit behind it."""

    estimate: Estimate
    """With the length term at zero."""
    raw: Estimate
    """Mean preference of the same rows."""
    intercept: float
    """θ, the logit at equal length and difficulty 0."""
    length_slope: float | None
    """φ; None where all lengths are equal."""
    difficulty_slope: float | None
    """ψ; None without difficulties."""
    longer_share: float
    """Share of rows whose policy response is the longer. Near 0 or 1, equal length is an extrapolation."""


def alpaca_win_rate(
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    difficulty: Sequence[float] | Floats | None = None,
    ridge: float = 0.0,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> AlpacaWinRate:
    """Length-controlled win rate of one system against one baseline, as in AlpacaEval 2.

    Fits logit p_i = θ + φ tanh(d_i / sd(d)) + ψ γ_i to n `preferences` in [0, 1] (1: the policy's response is the
    better), d_i the policy's length minus the opponent's; the figure is the mean over rows of expit(θ + ψ γ_i). The
    `difficulty` γ (n floats, any unit) of each row's instruction comes from `instruction_difficulty` or a list of your
    own; without it that term is left out. `ridge` takes ridge / 2 · (φ² + ψ²) off the log likelihood, and makes the fit
    finite where the longer response always wins; θ is free. The module says what equals and differs from `alpaca_eval`.

    A baseline against itself (all 0.5) gives 0.5, and exchanging the sides one minus the value.

    The interval refits θ, φ, ψ in each resample of clusters (see `cluster_bootstrap`; prompts, where there are several
    rows of one). A row keeps its γ and sd(d) is that of all rows: both are covariates, and an error common to all γ is
    taken up by θ. BCa costs one more refit for each cluster.

    Raises `HarnessError` where `cluster_bootstrap` does, for a preference outside [0, 1], a length or ridge below 0,
    lengths that differ by the same throughout, one difficulty throughout, a fit that is not finite (separation), and
    where more than 1 % of resamples have none. Reference: Dubois et al. (2024), Length-Controlled AlpacaEval, arXiv
    2404.04475.

    >>> rng = np.random.default_rng(0)
    >>> policy, opponent = rng.normal(600, 120, 400), rng.normal(500, 120, 400)
    >>> prefers = rng.random(400) < expit(0.1 + np.tanh((policy - opponent) / 170))
    >>> result = alpaca_win_rate(prefers, policy, opponent, rng=rng, resamples=500)
    >>> print(result.raw, "|", result.estimate)
    0.627 [0.580, 0.672] (n=400, bootstrap) | 0.570 [0.507, 0.626] (n=400, bootstrap of refits)
    """
    where = "alpaca_win_rate"
    check_columns(where, preferences=preferences, difficulty=difficulty, clusters=clusters, seeds=seeds)
    pairs = pairs_of(where, preferences, policy_lengths, opponent_lengths)
    regression = _regression(where, pairs, difficulty, ridge)
    settings, groups = Settings.of(where, options), group(where, len(pairs.policy), clusters, seeds)
    estimate, found = refitted(where, regression, _reading(difficulty), groups, settings)
    return AlpacaWinRate(
        estimate,
        mean_of(where, pairs.preferences, groups, settings),
        float(found[0]),
        float(found[1]) if pairs.difference.any() else None,
        float(found[-1]) if difficulty is not None else None,
        float(np.mean(pairs.difference > 0.0)),
    )


def alpaca_win_rate_value(
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    difficulty: Sequence[float] | Floats | None = None,
    ridge: float = 0.0,
) -> float:
    """The value of `alpaca_win_rate`, without its interval; refused as there.

    >>> alpaca_win_rate_value([0.5, 0.5, 0.5], [70, 80, 95], [70, 80, 95])  # a baseline against itself
    0.5
    """
    where = "alpaca_win_rate_value"
    check_columns(where, preferences=preferences, difficulty=difficulty)
    pairs = pairs_of(where, preferences, policy_lengths, opponent_lengths)
    regression, weights = _regression(where, pairs, difficulty, ridge), np.ones(len(pairs.policy))
    found = finite_fit(where, regression, weights)
    return float(_reading(difficulty)(found[None], weights[None], regression.design)[0])


def instruction_difficulty(
    preferences: Sequence[float] | Floats,
    systems: Labels,
    prompts: Labels,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    ridge: float = 1.0,
) -> Floats:
    """The difficulty γ of each row's prompt (n,), from several systems against one baseline on shared prompts.

    Fits all systems m and prompts x at once: logit p = θ_m + φ_m tanh(d / sd_m(d)) + γ_x, with ridge / 2 · Σγ_x² taken
    off the log likelihood: γ is in logits, high where systems do well against the baseline, and sums to 0 over prompts.
    A ridge of 1 is a standard normal prior, the larger the fewer systems there are to tell prompts apart. Not every
    system needs every prompt. Give the rows of one system to `alpaca_win_rate`. Newton's method with the prompts
    eliminated: systems × prompts numbers of memory.

    Raises `HarnessError` for columns of different lengths, fewer than 2 systems or prompts, a ridge that is not above
    0, a system whose lengths all differ by the same (not 0), and separation. Reference: Dubois et al. (2024),
    Length-Controlled AlpacaEval, arXiv 2404.04475.

    >>> won, systems, prompts = [1, 0, 0.5, 0.9, 1, 0, 0.6, 0.2], list("aaaabbbb"), [0, 1, 2, 3] * 2
    >>> instruction_difficulty(won, systems, prompts, [5, 6, 7, 5, 8, 6, 6, 7], [6] * 8)[:4].round(2)
    array([ 0.37, -0.58,  0.44, -0.24])
    """
    where = "instruction_difficulty"
    check_columns(where, preferences=preferences, systems=systems, prompts=prompts)
    pairs = pairs_of(where, preferences, policy_lengths, opponent_lengths)
    if not (np.isfinite(ridge) and ridge > 0.0):
        raise refusal(where, f"ridge is {ridge}", "give one above 0, such as 1")
    if len(set(systems)) < 2:
        raise refusal(where, "all rows are of one system", "give 2 or more, or leave difficulty out")
    of_system, of_prompt = (group(where, len(pairs.policy), labels).codes for labels in (systems, prompts))
    lengths = np.zeros(len(of_system))
    for system in range(int(of_system.max()) + 1):
        rows = of_system == system
        if pairs.difference[rows].any():
            lengths[rows] = _length_term(where, pairs.difference[rows])
    joint = _Joint(pairs.preferences, lengths, of_system, of_prompt, ridge)
    found = ascend(joint.height, joint.step, np.zeros(2 * joint.systems + joint.prompts))
    if np.isnan(found).any():
        raise refusal(where, "no finite fit (a system wins or loses everywhere, or by length alone)", "leave it out")
    return np.asarray(found[2 * joint.systems :][of_prompt])


class _Joint:
    """Penalised likelihood of θ_m (M), φ_m (M), γ_x (N), laid end to end, and its Newton step."""

    def __init__(self, targets: Floats, lengths: Floats, of_system: Ints, of_prompt: Ints, ridge: float) -> None:
        self.targets, self.lengths, self.ridge = targets, lengths, ridge
        self.of_system, self.of_prompt = of_system, of_prompt
        self.systems, self.prompts = int(of_system.max()) + 1, int(of_prompt.max()) + 1

    def height(self, at: Floats) -> float:
        logits = self._logits(at)
        likelihood = np.sum(self.targets * logits - np.logaddexp(0.0, logits))
        return float(likelihood - 0.5 * self.ridge * np.sum(at[2 * self.systems :] ** 2))

    def step(self, at: Floats) -> Floats:
        """Prompts do not meet each other in the information, so theirs is a diagonal and is eliminated."""
        chance = expit(self._logits(at))
        left, spread = self.targets - chance, chance * (1.0 - chance)
        slopes = np.concatenate([self._by_system(left), self._by_system(left * self.lengths)])
        of_prompts = self._by_prompt(left) - self.ridge * at[2 * self.systems :]
        diagonal = self._by_prompt(spread) + self.ridge
        crossed = np.concatenate([self._crossed(spread), self._crossed(spread * self.lengths)])
        reduced = self._information(spread) - (crossed / diagonal) @ crossed.T
        try:
            moved = np.linalg.solve(reduced, slopes - crossed @ (of_prompts / diagonal))
        except np.linalg.LinAlgError:
            return np.full(len(at), np.nan)
        return np.concatenate([moved, (of_prompts - crossed.T @ moved) / diagonal])

    def _logits(self, at: Floats) -> Floats:
        theta, phi, gamma = np.split(at, [self.systems, 2 * self.systems])
        return np.asarray(theta[self.of_system] + phi[self.of_system] * self.lengths + gamma[self.of_prompt])

    def _information(self, spread: Floats) -> Floats:
        level, both, length = (self._by_system(spread * self.lengths**power) for power in range(3))
        length[length == 0.0] = 1.0  # lengths that are equal throughout, as of the baseline itself: the slope stays 0
        return np.block([[np.diag(level), np.diag(both)], [np.diag(both), np.diag(length)]])

    def _by_system(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.of_system, values, self.systems), dtype=np.float64)

    def _by_prompt(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.of_prompt, values, self.prompts), dtype=np.float64)

    def _crossed(self, values: Floats) -> Floats:
        cells = self.of_system * self.prompts + self.of_prompt
        sums = np.bincount(cells, values, self.systems * self.prompts)
        return np.asarray(sums.reshape(self.systems, self.prompts), dtype=np.float64)


def _regression(where: str, pairs: Pairs, difficulty: Sequence[float] | Floats | None, ridge: float) -> Regression:
    if not (np.isfinite(ridge) and ridge >= 0.0):
        raise refusal(where, f"ridge is {ridge}", "give 0 or more")
    # where all lengths are equal the term is 0 whatever its slope, and the figure needs none
    columns = [_length_term(where, pairs.difference)] if pairs.difference.any() else []
    if difficulty is not None:
        columns.append(_known(where, difficulty))
    return Regression.of(columns, pairs.preferences, ridge)


def _known(where: str, difficulty: Sequence[float] | Floats) -> Floats:
    found = numbers(where, "difficulty", difficulty)
    if np.ptp(found) <= 1e-12 * np.abs(found).max():
        raise refusal(where, f"every difficulty is {found[0]:g}", "give some that differ, or leave difficulty out")
    return found


def _reading(difficulty: Sequence[float] | Floats | None) -> Reading:
    return at_zero if difficulty is None else _over_difficulties


def _over_difficulties(coefficients: Floats, weights: Floats, design: Floats) -> Floats:
    """Mean over rows of the prediction without the length term; difficulty is the last column."""
    chances = expit(coefficients[:, :1] + coefficients[:, -1:] * design[:, -1])
    return np.asarray(np.sum(weights * chances, axis=1) / weights.sum(axis=1))


def _length_term(where: str, difference: Floats) -> Floats:
    """tanh(d / sd(d)), sd with ddof 1 and d not centred."""
    if len(difference) < 2 or np.ptp(difference) <= 1e-12 * np.abs(difference).max():
        raise refusal(where, "lengths differ by the same in every row", "give rows whose length difference varies")
    return np.asarray(np.tanh(difference / difference.std(ddof=1)))
