"""Differences of two systems: paired on shared prompts, and of independent rows."""

import numpy as np

from benchmarks.coverage.rates import CORRELATION, IDS, PROMPTS
from benchmarks.coverage.study import Case, Generator
from harness import Estimate
from harness.checks import Floats
from harness.paired import paired_difference, paired_t
from harness.two_sample import two_sample_t, two_sample_z


def cases() -> list[Case]:
    """Both, with the unpaired analysis of paired data beside them."""
    return [*_paired(), *_independent()]


def _paired() -> list[Case]:
    """Two systems' right answers on 500 prompts in two orders; half of the spread is the prompt's, shared by both."""
    group, design, truth = "Difference of two systems on 500 prompts x 2 orders", "rates 0.70 and 0.65", 0.05

    def draw_rows(rng: Generator) -> tuple[Floats, Floats]:
        hardness = rng.random((PROMPTS, 1))
        own = rng.random((2, PROMPTS, 2))
        own[:, :, 1] = np.where(rng.random((2, PROMPTS)) < CORRELATION, own[:, :, 0], own[:, :, 1])
        level = np.where(rng.random((2, PROMPTS, 1)) < 0.5, hardness, own)
        return (level[0] < 0.70).astype(float).ravel(), (level[1] < 0.65).astype(float).ravel()

    def bootstrapped(rng: Generator) -> Estimate:
        ours, theirs = draw_rows(rng)
        return paired_difference(ours, theirs, clusters=IDS, rng=rng, resamples=1000)

    def student(rng: Generator) -> Estimate:
        return paired_t(*draw_rows(rng), clusters=IDS)

    def as_rows(rng: Generator) -> Estimate:
        return paired_t(*draw_rows(rng))

    def unpaired(rng: Generator) -> Estimate:
        ours, theirs = draw_rows(rng)
        return two_sample_t(ours, theirs).difference

    return [
        Case(group, "paired cluster bootstrap", design, truth, bootstrapped),
        Case(group, "paired t on clusters", design, truth, student),
        Case(group, "in use elsewhere: paired, rows taken as independent", design, truth, as_rows),
        Case(group, "in use elsewhere: two samples, rows taken as independent", design, truth, unpaired),
    ]


def _independent() -> list[Case]:
    group = "Difference of two independent samples"

    def shares(first: int, second: int, one: float, other: float) -> Case:
        def draw(rng: Generator) -> Estimate:
            wins = int(rng.binomial(first, one)), int(rng.binomial(second, other))
            return two_sample_z(wins[0], first, wins[1], second).difference

        return Case(group, "score (two_sample_z)", f"{one} of {first}, {other} of {second}", one - other, draw)

    def welch(rng: Generator) -> Estimate:
        return two_sample_t(rng.normal(0.3, 1.0, 40), rng.normal(0.0, 3.0, 20)).difference

    return [
        shares(100, 100, 0.5, 0.45),
        shares(40, 60, 0.9, 0.8),
        shares(30, 30, 0.98, 0.5),
        Case(group, "Welch t", "normal, sd 1 and 3, n = 40 and 20", 0.3, welch),
    ]
