"""Agreement and calibration of labelers, on laws whose true figure is known in closed form."""

from statistics import NormalDist

import numpy as np

from benchmarks.coverage.study import Case, Generator
from harness import Estimate
from harness.agreement import alignment, positional_agreement
from harness.auc import auc, delong_auc
from harness.calibration import brier, temperature
from harness.checks import Floats, Ints
from harness.fleiss import fleiss_kappa
from harness.kappa import cohen_kappa, mean_kappa
from harness.krippendorff_alpha import krippendorff_alpha

SHARES = np.array([0.5, 0.3, 0.2])
SAME = 0.6
"""How often a rater repeats what the item says; otherwise the label is drawn from `SHARES`."""


def cases() -> list[Case]:
    """All of this file."""
    return [*_agreement(), *_kappas(), *_alphas(), *_calibration()]


def _agreement() -> list[Case]:
    group, design = "Labelers against people", "250 prompts x 2 pairs, 78 % right"
    prompts = np.repeat(np.arange(250), 2)

    def draw_right(rng: Generator) -> Floats:
        right = rng.random((250, 2)) < 0.78
        right[:, 1] = np.where(rng.random(250) < 0.5, right[:, 0], right[:, 1])
        return np.where(right.ravel(), 0.9, 0.1)

    def clustered(rng: Generator) -> Estimate:
        return alignment(draw_right(rng), ["first"] * 500, clusters=prompts, rng=rng, resamples=1000).estimate

    def independent(rng: Generator) -> Estimate:
        return alignment(np.where(rng.random(200) < 0.78, 0.9, 0.1), ["first"] * 200).estimate

    def position(rng: Generator) -> Estimate:
        same = rng.random(200) < 0.3
        return positional_agreement(np.full(200, 0.9), np.where(same, 0.9, 0.1)).estimate

    return [
        Case(group, "alignment, cluster bootstrap", design, 0.78, clustered),
        Case(group, "alignment, Wilson", "200 independent pairs, 78 % right", 0.78, independent),
        Case(group, "positional agreement, Wilson", "200 pairs, 30 % same position", 0.3, position),
    ]


def draw_labels(rng: Generator, items: int, raters: int) -> Ints:
    """Labels (items, raters): the agreement of two raters beyond chance is SAME²."""
    said = rng.choice(len(SHARES), size=(items, 1), p=SHARES)
    own = rng.choice(len(SHARES), size=(items, raters), p=SHARES)
    return np.asarray(np.where(rng.random((items, raters)) < SAME, said, own))


def _kappas() -> list[Case]:
    group, truth = "Kappas", SAME**2

    def cohen(rng: Generator) -> Estimate:
        labels = draw_labels(rng, 200, 2)
        return cohen_kappa(labels[:, 0], labels[:, 1], rng=rng, resamples=1000)

    def clustered(rng: Generator) -> Estimate:
        labels = np.repeat(draw_labels(rng, 150, 2), 2, axis=0)
        return cohen_kappa(labels[:, 0], labels[:, 1], clusters=np.arange(300) // 2, rng=rng, resamples=1000)

    def fleiss(rng: Generator) -> Estimate:
        return fleiss_kappa(draw_labels(rng, 200, 5).tolist(), rng=rng, resamples=1000).estimate

    def groups(rng: Generator) -> Estimate:
        labels = draw_labels(rng, 4000, 2)
        return mean_kappa(labels[:, 0], labels[:, 1], np.arange(4000) // 100, rng=rng, resamples=1000).estimate

    return [
        Case(group, "Cohen's kappa, bootstrap", "200 items, 3 labels", truth, cohen),
        Case(group, "Cohen's kappa, cluster bootstrap", "150 items, each twice", truth, clustered),
        Case(group, "Fleiss' kappa, bootstrap", "200 items, 5 raters", truth, fleiss, cost=2),
        Case(group, "mean kappa, bootstrap over groups", "40 groups of 100 items", truth, groups, cost=4),
    ]


def _alphas() -> list[Case]:
    group = "Krippendorff's alpha"

    def with_gaps(labels: Floats, rng: Generator) -> list[list[float | None]]:
        gaps = rng.random(labels.shape) < 0.3
        rows = zip(labels.tolist(), gaps.tolist(), strict=True)
        return [[None if gap else label for label, gap in zip(*row, strict=True)] for row in rows]

    def nominal(rng: Generator) -> Estimate:
        ratings = with_gaps(draw_labels(rng, 200, 4).astype(float), rng)
        return krippendorff_alpha(ratings, metric="nominal", rng=rng, resamples=1000).estimate

    def interval(rng: Generator) -> Estimate:
        values = rng.normal(size=(200, 1)) + 0.5 * rng.normal(size=(200, 4))
        return krippendorff_alpha(with_gaps(values, rng), metric="interval", rng=rng, resamples=1000).estimate

    design = "200 items, 4 raters, 30 % gaps"
    return [
        Case(group, "nominal, bootstrap", design, SAME**2, nominal, cost=4),
        Case(group, "interval, bootstrap", design, 1.0 / 1.25, interval, cost=4),
    ]


def _calibration() -> list[Case]:
    group = "Calibration of soft labels"

    def scores(rng: Generator) -> tuple[Floats, Floats]:
        chosen = (rng.random(200) < 0.5).astype(float)
        return squashed(chosen + rng.normal(size=200)), chosen

    def ranked(rng: Generator) -> Estimate:
        return auc(*scores(rng), rng=rng, resamples=300)

    def analytic(rng: Generator) -> Estimate:
        return delong_auc(*scores(rng))

    def quadratic(rng: Generator) -> Estimate:
        shares = rng.random(200)
        return brier(shares, (rng.random(200) < shares).astype(float), rng=rng, resamples=1000)

    def sharpened(rng: Generator) -> Estimate:
        logits = rng.normal(size=300)
        chosen = (rng.random(300) < 1.0 / (1.0 + np.exp(-logits))).astype(float)
        return temperature(1.0 / (1.0 + np.exp(-2.0 * logits)), chosen, rng=rng, resamples=300)

    area = NormalDist().cdf(1.0 / np.sqrt(2.0))
    return [
        Case(group, "AUC, bootstrap", "200 rows, AUC 0.76", area, ranked, cost=8),
        Case(group, "AUC, DeLong", "200 rows, AUC 0.76", area, analytic),
        Case(group, "Brier score, bootstrap", "200 rows, calibrated", 1.0 / 6.0, quadratic, cost=2),
        Case(group, "temperature, bootstrap", "300 rows, sharpened by 2", 2.0, sharpened, cost=16),
    ]


def squashed(scores: Floats) -> Floats:
    """Any increasing map into [0, 1] leaves the AUC as it is."""
    return np.asarray(1.0 / (1.0 + np.exp(-scores)))
