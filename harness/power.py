"""Power by simulation, where no formula holds: few clusters, several training seeds, any way of deciding.

Data are simulated with a known difference and decided on as the study will; the share of rounds that decide for a
difference is the power, or with no difference the share of false alarms. `ClusteredVerdicts` simulates win rates.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple, TypeVar

import numpy as np
from scipy.special import stdtrit

from harness.checks import Floats, Ints, check_level, check_rng, refusal
from harness.estimates import Estimate
from harness.means import clustered_error
from harness.planning import design_effect
from harness.preference import Outcome
from harness.proportions import proportion
from harness.resampling import group

Data = TypeVar("Data")

WORDS: tuple[Outcome, ...] = ("policy", "tie", "opponent")
CREDITS = np.array([1.0, 0.5, 0.0])


def simulated_power(
    simulate: Callable[[np.random.Generator], Data],
    decide: Callable[[Data], bool],
    *,
    rng: np.random.Generator,
    rounds: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Share of `rounds` in which `decide` is true of the data that `simulate` draws, with Wilson's interval at `level`.

    `level` is that of the interval of the power; that of the test is part of `decide`. With 1,000 rounds the interval
    reaches at most 3.1 points to either side.

    Raises `HarnessError` for an rng that is no Generator, rounds < 1, a level outside (0, 1), and a decision that is
    no bool.

    >>> verdicts = ClusteredVerdicts(0.6, prompts=200, correlation=0.5)
    >>> print(simulated_power(verdicts, differs_from_half, rng=np.random.default_rng(0), rounds=200))
    0.920 [0.874, 0.950] (n=200, wilson over simulated rounds)
    """
    where = "simulated_power"
    check_level(where, level)
    check_rng(where, rng)
    if rounds < 1:
        raise refusal(where, f"rounds is {rounds}", "give at least 1, such as 1000")
    decided = [decide(simulate(rng)) for _ in range(rounds)]
    for position, decision in enumerate(decided):
        if not isinstance(decision, (bool, np.bool_)):
            raise refusal(where, f"decision {position} is {decision!r}", "let decide return True or False")
    return replace(proportion(sum(decided), rounds, level=level), method="wilson over simulated rounds")


class Verdicts(NamedTuple):
    """Simulated verdicts between a policy and its opponent, one row each."""

    credit: Floats
    """1 for a win, one half for a tie, 0 for a loss (n,)."""
    clusters: Ints
    """The prompt of each row (n,): every seed has prompts of its own."""
    seeds: Ints
    """The training seed of each row (n,)."""

    @property
    def outcomes(self) -> list[Outcome]:
        """The verdicts as the words that `win_rate` takes."""
        return [WORDS[code] for code in (2.0 * (1.0 - self.credit)).astype(np.intp)]


@dataclass(frozen=True)
class ClusteredVerdicts:
    """A simulator of win rates: call it with a Generator for `Verdicts` of seeds, prompts and rows within them.

    A win counts 1, a tie one half, a loss 0. Of one seed, the rows of a prompt are drawn by Pólya's urn: row j + 1
    repeats one of the j before it with probability j ρ / (1 + (j - 1) ρ), and is drawn afresh otherwise. That is the
    Dirichlet-multinomial: each prompt has its own chances of win, tie and loss, their mean is that of the seed, and
    every two rows of a prompt correlate by ρ. Seeds have win rates of their own: beta distributed about `rate` with
    standard deviation `seed_sd`, and the same share of ties.

    Raises `HarnessError` for ties outside [0, 1), a rate outside [ties / 2, 1 - ties / 2], a correlation outside
    [0, 1], counts below 1, and a seed_sd that the rate does not allow. Reference: Mosimann (1962), On the Compound
    Multinomial Distribution, Biometrika 49(1/2).

    >>> drawn = ClusteredVerdicts(0.6, ties=0.1, prompts=3, correlation=0.66)(np.random.default_rng(0))
    >>> drawn.outcomes, drawn.clusters.tolist()
    (['tie', 'tie', 'policy', 'opponent', 'policy', 'policy'], [0, 0, 1, 1, 2, 2])
    """

    rate: float
    ties: float = 0.0
    prompts: int = 500
    rows_per_prompt: int = 2
    """Two where every pair is judged in both orders."""
    correlation: float = 0.0
    seeds: int = 1
    seed_sd: float = 0.0

    def __post_init__(self) -> None:
        where = "ClusteredVerdicts"
        for name in ("prompts", "rows_per_prompt", "seeds"):
            if getattr(self, name) < 1:
                raise refusal(where, f"{name} is {getattr(self, name)}", "give 1 or more")
        if not 0.0 <= self.ties < 1.0:
            raise refusal(where, f"ties is {self.ties}", "give a share from 0 to below 1")
        if not self.ties / 2.0 <= self.rate <= 1.0 - self.ties / 2.0:
            told = f"give one from {self.ties / 2.0:g} to {1.0 - self.ties / 2.0:g}"
            raise refusal(where, f"rate is {self.rate} with ties {self.ties}", told)
        if not 0.0 <= self.correlation <= 1.0:
            raise refusal(where, f"correlation is {self.correlation}", "give one from 0 to 1")
        most = math.sqrt(self._decided * (1.0 - self._decided)) * (1.0 - self.ties)
        if not (self.seed_sd == 0.0 or 0.0 < self.seed_sd < most):
            raise refusal(where, f"seed_sd is {self.seed_sd}", f"give 0 to below {most:.3g}")

    @property
    def _decided(self) -> float:
        """Share of wins where there is no tie."""
        return (self.rate - self.ties / 2.0) / (1.0 - self.ties)

    @property
    def standard_error(self) -> float:
        """Of the mean of all rows: √(τ² / S + (v - τ²) deff / (S K m)), v the variance of a row, τ the seed_sd."""
        row = self.rate * (1.0 - self.rate) - self.ties / 4.0
        rows = self.seeds * self.prompts * self.rows_per_prompt
        effect = design_effect(self.rows_per_prompt, self.correlation)
        return math.sqrt(self.seed_sd**2 / self.seeds + (row - self.seed_sd**2) * effect / rows)

    def __call__(self, rng: np.random.Generator) -> Verdicts:
        """One set of verdicts."""
        cells = self.seeds * self.prompts
        wins = np.repeat(self._seed_wins(rng), self.prompts)
        drawn = np.empty((cells, self.rows_per_prompt))
        for row in range(self.rows_per_prompt):
            chance = rng.random(cells)
            drawn[:, row] = np.where(chance < wins, 1.0, np.where(chance < wins + self.ties, 0.5, 0.0))
            if row > 0:
                again = rng.random(cells) < row * self.correlation / (1.0 + (row - 1) * self.correlation)
                earlier = drawn[np.arange(cells), rng.integers(row, size=cells)]
                drawn[:, row] = np.where(again, earlier, drawn[:, row])
        prompts = np.repeat(np.arange(cells), self.rows_per_prompt)
        seeds = np.repeat(np.arange(self.seeds), self.prompts * self.rows_per_prompt)
        return Verdicts(drawn.ravel(), prompts, seeds)

    def _seed_wins(self, rng: np.random.Generator) -> Floats:
        """The chance of a win of each seed."""
        share = np.full(self.seeds, self._decided)
        if self.seed_sd > 0.0:
            spread = (self.seed_sd / (1.0 - self.ties)) ** 2
            weight = self._decided * (1.0 - self._decided) / spread - 1.0
            share = rng.beta(self._decided * weight, (1.0 - self._decided) * weight, size=self.seeds)
        return share * (1.0 - self.ties)


def differs_from_half(verdicts: Verdicts, *, level: float = 0.95) -> bool:
    """Whether the win rate lies more than z₍₁₊level₎⸝₂ clustered standard errors from one half: a fast `decide`.

    Over prompts: with several seeds it does not count the spread between seeds,
    and `differs_over_seeds` does. Raises `HarnessError` for a level outside (0, 1) and fewer than two clusters.

    >>> differs_from_half(ClusteredVerdicts(0.9, prompts=100)(np.random.default_rng(0)))
    True
    """
    check_level("differs_from_half", level)
    return _apart("differs_from_half", verdicts, verdicts.clusters, NormalDist().inv_cdf((1.0 + level) / 2.0))


def differs_over_seeds(verdicts: Verdicts, *, level: float = 0.95) -> bool:
    """Whether the win rate differs from one half by Student's t over the means of seeds, S - 1 degrees of freedom.

    Raises `HarnessError` for a level outside (0, 1) and fewer than two seeds.

    >>> differs_over_seeds(ClusteredVerdicts(0.9, prompts=100, seeds=3, seed_sd=0.02)(np.random.default_rng(0)))
    True
    """
    check_level("differs_over_seeds", level)
    reach = float(stdtrit(int(verdicts.seeds.max()), (1.0 + level) / 2.0))
    return _apart("differs_over_seeds", verdicts, verdicts.seeds, reach)


def _apart(where: str, verdicts: Verdicts, clusters: Ints, reach: float) -> bool:
    error = clustered_error(verdicts.credit, group(where, len(verdicts.credit), clusters))
    return bool(abs(float(verdicts.credit.mean()) - 0.5) > reach * error)
