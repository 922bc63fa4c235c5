"""Missing verdicts and imperfect judges: bounds and corrections must hold the rate that people would have given."""

import numpy as np

from benchmarks.coverage.study import Case, Generator
from harness import Estimate
from harness.allocation import actively_labelled_mean, draw_rows, inclusion_probabilities
from harness.checks import Floats
from harness.prediction_powered import prediction_powered_mean
from harness.rogan_gladen import corrected_rate, rogan_gladen
from harness.unparsed import harmless_rate_bounds, win_rate_bounds

RATE = 0.6
RIGHT = 0.8
"""How often the judge says what people say; it calls the other 30 % good and 10 % bad, so that it is biased."""


def cases() -> list[Case]:
    """All of this file."""
    return [*_bounds(), *_corrections()]


def _bounds() -> list[Case]:
    group, design = "Unparsed verdicts", "400 rows, bad ones unread twice as often (10 %, 20 %)"

    def wins(rng: Generator) -> Estimate:
        good = rng.random(400) < RATE
        unread = rng.random(400) < np.where(good, 0.1, 0.2)
        words = np.where(unread, "unparsed", np.where(good, "policy", "opponent")).tolist()
        return _whole(win_rate_bounds(words, clusters=np.arange(400) // 2, rng=rng, resamples=1000).interval)

    def harmless(rng: Generator) -> Estimate:
        good = rng.random(400) < RATE
        unread = rng.random(400) < np.where(good, 0.1, 0.2)
        flags = [None if lost else bool(one) for one, lost in zip(good, unread, strict=True)]
        return _whole(harmless_rate_bounds(flags).interval)

    def narrower(rng: Generator) -> Estimate:
        good = rng.random(400) < RATE
        unread = rng.random(400) < np.where(good, 0.1, 0.2)
        flags = [None if lost else bool(one) for one, lost in zip(good, unread, strict=True)]
        return _whole(harmless_rate_bounds(flags).imbens_manski())

    def left_out(rng: Generator) -> Estimate:
        good = rng.random(400) < RATE
        read = rng.random(400) >= np.where(good, 0.1, 0.2)
        bounds = harmless_rate_bounds([bool(one) for one in good[read]])
        return bounds.lower

    return [
        Case(group, "worst-case bounds of a win rate", design, RATE, wins, cost=2),
        Case(group, "worst-case bounds of a harmless rate", design, RATE, harmless),
        Case(group, "Imbens-Manski interval of a harmless rate", design, RATE, narrower),
        Case(group, "in use elsewhere: unread rows left out", design, RATE, left_out),
    ]


def _whole(interval: tuple[float, float]) -> Estimate:
    low, high = interval
    return Estimate((low + high) / 2, low, high, 0.95, n=400, clusters=None, method="bounds")


def _corrections() -> list[Case]:
    group, design = "Imperfect judges (60 % good by people)", "200 people's labels, 2,000 of the judge"

    def judged(rng: Generator, rows: int) -> tuple[Floats, Floats]:
        human = rng.random(rows) < RATE
        judge = rng.random(rows) < np.where(human, 0.9, 0.3)
        return human.astype(float), judge.astype(float)

    def powered(rng: Generator) -> Estimate:
        human, judge = judged(rng, 2000)
        return prediction_powered_mean(human[:200], judge[:200], judge[200:]).estimate

    def active(rng: Generator) -> Estimate:
        soft = rng.beta(1.2, 0.8, 2000)
        human = (rng.random(2000) < soft).astype(float)
        inclusion = inclusion_probabilities(soft, 300)
        drawn = draw_rows(inclusion, rng=rng)
        labels = [float(label) if asked else None for label, asked in zip(human, drawn, strict=True)]
        return actively_labelled_mean(labels, soft, inclusion).estimate

    def counted(rng: Generator) -> Estimate:
        _, judge = judged(rng, 2000)
        right = int(rng.binomial(120, 0.9)), int(rng.binomial(80, 0.7))
        return rogan_gladen(
            int(judge.sum()),
            2000,
            true_positive=right[0],
            human_positive=120,
            true_negative=right[1],
            human_negative=80,
        ).estimate

    def delta(rng: Generator) -> Estimate:
        _, judge = judged(rng, 2000)
        right = int(rng.binomial(120, 0.9)), int(rng.binomial(80, 0.7))
        counts = {"human_positive": 120, "human_negative": 80, "true_positive": right[0], "true_negative": right[1]}
        return rogan_gladen(int(judge.sum()), 2000, method="delta", **counts).estimate

    def resampled(rng: Generator) -> Estimate:
        human, said = judged(rng, 200)
        _, judge = judged(rng, 2000)
        return corrected_rate(judge, judge_on_human=said, human=human, rng=rng, resamples=1000).estimate

    def uncorrected(rng: Generator) -> Estimate:
        _, judge = judged(rng, 2000)
        return harmless_rate_bounds([bool(one) for one in judge]).lower

    return [
        Case(group, "prediction-powered mean", design, RATE, powered),
        Case(group, "active labelling", "300 of 2,000 labelled by people", RATE, active, cost=2),
        Case(group, "Rogan-Gladen, Lang-Reiczigel", design, RATE, counted),
        Case(group, "Rogan-Gladen, delta method", design, RATE, delta),
        Case(group, "Rogan-Gladen, bootstrap of rows", design, RATE, resampled, cost=2),
        Case(group, "in use elsewhere: the judge taken at its word", design, RATE, uncorrected),
    ]
