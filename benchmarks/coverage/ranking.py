"""Strengths and average win rates of several systems, on battles drawn from a Bradley-Terry law."""

import numpy as np
from scipy.special import expit

from benchmarks.coverage.study import Case, Generator
from harness import Estimate
from harness.bradley_terry import bradley_terry, bradley_terry_ranking
from harness.checks import Floats, Ints
from harness.rankings import average_win_rates

STRENGTHS = np.array([0.8, 0.3, 0.0, -0.3, -0.8])
BATTLES = 1000


def cases() -> list[Case]:
    """The strongest of five systems: its strength relative to the mean, and its win rate over opponents."""
    group, design = "Rankings of 5 systems", f"{BATTLES} battles"
    clustered = f"{BATTLES // 4} prompts x 4 battles, won or lost together"
    truth = float(STRENGTHS[0])

    def sandwich(rng: Generator) -> Estimate:
        return bradley_terry(*_battles(rng)).estimates()[0]

    def resampled(rng: Generator) -> Estimate:
        return bradley_terry_ranking(*_battles(rng), rng=rng, resamples=300).estimates[0]

    def clustered_sandwich(rng: Generator) -> Estimate:
        return bradley_terry(*_prompts(rng), clusters=np.arange(BATTLES) // 4).estimates()[0]

    def clustered_resampled(rng: Generator) -> Estimate:
        rows = _prompts(rng)
        made = bradley_terry_ranking(*rows, clusters=np.arange(BATTLES) // 4, rng=rng, resamples=300)
        return made.estimates[0]

    def as_rows(rng: Generator) -> Estimate:
        return bradley_terry(*_prompts(rng)).estimates()[0]

    def averaged(rng: Generator) -> Estimate:
        return average_win_rates(*_battles(rng), rng=rng, resamples=300).estimates[0]

    mean_chance = float(expit(STRENGTHS[0] - STRENGTHS[1:]).mean())
    return [
        Case(group, "Bradley-Terry, sandwich", design, truth, sandwich),
        Case(group, "Bradley-Terry, bootstrap of cells", design, truth, resampled, cost=4),
        Case(group, "Bradley-Terry, cluster sandwich", clustered, truth, clustered_sandwich),
        Case(group, "Bradley-Terry, cluster bootstrap", clustered, truth, clustered_resampled, cost=8),
        Case(group, "in use elsewhere: rows taken as independent", clustered, truth, as_rows),
        Case(group, "average win rate by opponent, bootstrap", design, mean_chance, averaged, cost=4),
    ]


def _battles(rng: Generator) -> tuple[Ints, Ints, Floats]:
    first, second = _who(rng)
    return first, second, (rng.random(BATTLES) < expit(STRENGTHS[first] - STRENGTHS[second])).astype(float)


def _prompts(rng: Generator) -> tuple[Ints, Ints, Floats]:
    """Four battles of one prompt share their pair, and with probability 0.5 their draw."""
    first, second = (np.repeat(side[: BATTLES // 4], 4) for side in _who(rng))
    luck = np.where(rng.random(BATTLES) < 0.5, np.repeat(rng.random(BATTLES // 4), 4), rng.random(BATTLES))
    return first, second, (luck < expit(STRENGTHS[first] - STRENGTHS[second])).astype(float)


def _who(rng: Generator) -> tuple[Ints, Ints]:
    first = rng.integers(5, size=BATTLES)
    return first, (first + rng.integers(1, 5, size=BATTLES)) % 5
