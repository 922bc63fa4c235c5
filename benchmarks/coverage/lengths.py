"""Win rates at equal length, on data whose preference depends on length by a known law."""

import numpy as np
from scipy.special import expit

from benchmarks.coverage.study import Case, Generator
from harness import Estimate
from harness.checks import Floats
from harness.length import Feature, harmless_rate_at_length, length_controlled_win_rate
from harness.length_controlled import alpaca_win_rate
from harness.length_strata import length_balanced_win_rate, length_stratified_win_rate

ROWS = 400
LOGIT = 0.3
"""Of the preference at equal length."""


def cases() -> list[Case]:
    """All of this file."""
    group, design = "Length control", f"{ROWS} prompts, logit {LOGIT} at equal length"

    def controlled(feature: Feature) -> Case:
        def draw(rng: Generator) -> Estimate:
            ours, theirs = _lengths(rng)
            ratio = ours / theirs
            x = ratio - 1.0 if feature == "ratio" else np.log(ratio)
            wins = _wins(rng, LOGIT + 1.5 * x)
            options = {"feature": feature}
            return length_controlled_win_rate(wins, ours, theirs, rng=rng, resamples=300, **options).estimate  # type: ignore[arg-type]

        return Case(group, f"refitted, {feature}", design, float(expit(LOGIT)), draw, cost=8)

    def alpaca(rng: Generator) -> Estimate:
        ours, theirs = _lengths(rng)
        wins = _wins(rng, LOGIT + np.tanh((ours - theirs) / 100.0))
        return alpaca_win_rate(wins, ours, theirs, rng=rng, resamples=300).estimate

    def balanced(rng: Generator) -> Estimate:
        longer = rng.random(ROWS) < 0.7
        wins = (rng.random(ROWS) < np.where(longer, 0.65, 0.45)).astype(float)
        return length_balanced_win_rate(
            wins, np.where(longer, 20, 10), np.full(ROWS, 15), rng=rng, resamples=1000
        ).estimate

    def stratified(rng: Generator) -> Estimate:
        difference = rng.uniform(-20.0, 30.0, ROWS)
        wins = (rng.random(ROWS) < 0.55 + 0.1 * np.sign(difference)).astype(float)
        return length_stratified_win_rate(
            wins, 100.0 + difference, np.full(ROWS, 100.0), rng=rng, resamples=1000
        ).estimate

    def harmless(rng: Generator) -> Estimate:
        lengths = rng.uniform(50.0, 150.0, ROWS)
        flags = rng.random(ROWS) < expit(1.0 - 0.01 * (lengths - 80.0))
        return harmless_rate_at_length(flags.tolist(), lengths, at=80.0, rng=rng, resamples=300).estimate

    truth = float(expit(LOGIT))
    return [
        controlled("ratio"),
        controlled("log-ratio"),
        Case(group, "refitted, as in AlpacaEval 2", design + " (its law up to the scale)", truth, alpaca, cost=8),
        Case(group, "length-balanced", "400 rows, 70 % longer, 0.65 and 0.45", 0.55, balanced),
        Case(group, "length-stratified", "400 rows, 60 % longer, 0.65 and 0.45", 0.55, stratified, cost=4),
        Case(group, "harmless rate at a length", "400 responses", float(expit(1.0)), harmless, cost=8),
    ]


def _lengths(rng: Generator) -> tuple[Floats, Floats]:
    return rng.uniform(80.0, 200.0, ROWS), rng.uniform(70.0, 150.0, ROWS)


def _wins(rng: Generator, logits: Floats) -> Floats:
    chances: Floats = expit(logits)
    return (rng.random(ROWS) < chances).astype(float)
