"""Further figures on raters and labels: weighted and pairwise kappas, ceilings, macro F1, Kendall's W, correlations."""

from itertools import product

import numpy as np

from benchmarks.coverage.labelers import SAME, SHARES, draw_labels
from benchmarks.coverage.rates import CORRELATION, CREDITS, IDS, draw_verdicts
from benchmarks.coverage.study import Case, Generator
from harness import Estimate
from harness.calibration import expected_calibration_error, log_loss
from harness.checks import Floats
from harness.classification import classification
from harness.concordance import Kind, mean_kendall_w, rank_correlation
from harness.controls import human_ceiling, majority
from harness.kappa import cohen_kappa, pairwise_kappa
from harness.planning import intracluster_correlation
from harness.resampling import Interval

RATED = 0.6
"""How often a rater of the W design gives the true order; otherwise any order."""


def cases() -> list[Case]:
    """All of this file."""
    return [*_labels(), *_ranks(), *_soft()]


def _labels() -> list[Case]:
    group, design = "Raters and judges of several labels", "200 items, 3 labels"

    def weighted(rng: Generator) -> Estimate:
        labels = draw_labels(rng, 200, 2)
        return cohen_kappa(labels[:, 0], labels[:, 1], weights="quadratic", rng=rng, resamples=1000)

    def pairwise(rng: Generator) -> Estimate:
        return pairwise_kappa(draw_labels(rng, 200, 4).tolist(), rng=rng, resamples=1000).estimate

    def ceiling(rng: Generator) -> Estimate:
        return human_ceiling(draw_labels(rng, 200, 3).tolist(), rng=rng, resamples=1000).estimate

    def macro(rng: Generator) -> Estimate:
        gold = rng.choice(3, size=400, p=SHARES)
        judge = np.where(rng.random(400) < SAME, gold, rng.choice(3, size=400, p=SHARES))
        return classification(judge.tolist(), gold.tolist(), rng=rng, resamples=1000).f1

    def commonest(rng: Generator) -> Estimate:
        return majority(np.where(rng.random(200) < 0.65, "first", "second").tolist())

    return [
        Case(group, "quadratic kappa, bootstrap", design, SAME**2, weighted),
        Case(group, "pairwise (Light's) kappa, bootstrap", "200 items, 4 raters", SAME**2, pairwise, cost=4),
        Case(group, "human ceiling, cluster bootstrap", "200 items, 3 raters", _ceiling_of_three(), ceiling, cost=2),
        Case(group, "macro F1, bootstrap", "400 rows, 3 labels", SAME + (1 - SAME) / 3, macro, cost=4),
        Case(group, "majority, Wilson", "200 choices, 65 % first", 0.65, commonest),
    ]


def _ceiling_of_three() -> float:
    """By enumeration: the first rater against the other two, who tie where they differ."""
    total = 0.0
    for item, one, two, three in product(range(3), repeat=4):
        chance = SHARES[item] * np.prod(
            [SAME * (said == item) + (1 - SAME) * SHARES[said] for said in (one, two, three)]
        )
        total += chance * (float(one == two) if two == three else 0.5 * (one in (two, three)))
    return float(total)


def _ranks() -> list[Case]:
    group = "Rank agreement"

    def concordance(rng: Generator) -> Estimate:
        drawn = rng.random((150, 3, 4)).argsort(axis=2) + 1
        kept = rng.random((150, 3, 1)) < RATED
        return mean_kendall_w(np.where(kept, np.arange(1, 5), drawn), rng=rng, resamples=1000).estimate

    def correlated(kind: Kind, truth: float) -> Case:
        def draw(rng: Generator) -> Estimate:
            first = rng.normal(size=100)
            second = 0.8 * first + 0.6 * rng.normal(size=100)
            return rank_correlation(first, second, kind=kind, rng=rng, resamples=300)

        return Case(group, f"{kind}, bootstrap", "100 systems, normal, correlation 0.8", truth, draw, cost=16)

    return [
        Case(group, "mean Kendall W, bootstrap", "150 items, 3 raters", (2 * RATED**2 + 1) / 3, concordance, cost=4),
        correlated("spearman", float(6 / np.pi * np.arcsin(0.4))),
        correlated("kendall", float(2 / np.pi * np.arcsin(0.8))),
    ]


def _soft() -> list[Case]:
    group = "Other figures"

    def cross_entropy(rng: Generator) -> Estimate:
        shares = rng.random(300)
        return log_loss(shares, (rng.random(300) < shares).astype(float), rng=rng, resamples=1000)

    def calibration(interval: Interval) -> Case:
        def draw(rng: Generator) -> Estimate:
            shares: Floats = rng.uniform(0.1, 0.8, 1000)
            chosen = (rng.random(1000) < shares + 0.1).astype(float)
            return expected_calibration_error(shares, chosen, rng=rng, resamples=1000, interval=interval).estimate

        return Case(group, f"expected calibration error, {interval}", "1,000 rows, off by 0.1", 0.1, draw, cost=8)

    def alike(rng: Generator) -> Estimate:
        return intracluster_correlation(CREDITS[draw_verdicts(rng)].ravel(), IDS, rng=rng, resamples=1000)

    return [
        Case(group, "log loss, bootstrap", "300 rows, calibrated", 0.5, cross_entropy, cost=2),
        calibration("percentile"),
        calibration("basic"),
        Case(group, "intra-cluster correlation, cluster bootstrap", "500 prompts x 2", CORRELATION, alike),
    ]
