"""Win rates on clustered designs, with the recipes that are in use elsewhere beside ours.

The clustered design is that of a judge asked in both orders: 500 prompts, two verdicts each, correlation 0.66 between
them. A verdict is drawn once a prompt; the second order repeats it with probability 0.66 and is drawn anew otherwise,
so that the correlation of any score of the verdict is 0.66 exactly.
"""

import numpy as np

from benchmarks.coverage.study import Case, Generator
from harness import Estimate, cluster_bootstrap, harmless_rate, proportion
from harness.checks import Floats, Ints
from harness.means import mean
from harness.resampling import Interval

PROMPTS = 500
CORRELATION = 0.66
CREDITS = np.array([1.0, 1.0, 0.5, 0.0, 0.0])
"""Of the verdicts A≫B, A>B, tie, B>A, B≫A."""
TRIPLED = np.array([3.0, 1.0, 1.0, 1.0, 3.0])
SHARES = np.array([0.25, 0.25, 0.10, 0.20, 0.20])
TRUTH = float(SHARES @ CREDITS)
TRIPLED_TRUTH = float(SHARES @ (TRIPLED * CREDITS) / (SHARES @ TRIPLED))
IDS = np.repeat(np.arange(PROMPTS), 2)


def cases() -> list[Case]:
    """Ours and others' on the clustered design; small samples; seeds."""
    return [*_clustered(), *_plain(), *_seeded(), *_shared()]


def draw_verdicts(rng: Generator, prompts: int = PROMPTS) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Verdicts (prompts, 2) as places in `CREDITS`."""
    drawn = rng.choice(len(SHARES), size=(prompts, 2), p=SHARES)
    drawn[:, 1] = np.where(rng.random(prompts) < CORRELATION, drawn[:, 0], drawn[:, 1])
    return drawn


def _clustered() -> list[Case]:
    group, design = "A win rate in both orders (500 prompts x 2, correlation 0.66)", "win rate 0.55, ties 10 %"

    def ours(interval: Interval) -> Case:
        def draw(rng: Generator) -> Estimate:
            values = CREDITS[draw_verdicts(rng)].ravel()
            return cluster_bootstrap(values, IDS, rng=rng, resamples=1000, interval=interval)

        return Case(group, f"cluster bootstrap, {interval}", design, TRUTH, draw)

    def robust(rng: Generator) -> Estimate:
        return mean(CREDITS[draw_verdicts(rng)].ravel(), clusters=IDS)

    def as_rows(rng: Generator) -> Estimate:
        return cluster_bootstrap(CREDITS[draw_verdicts(rng)].ravel(), rng=rng, resamples=1000)

    def wilson_rows(rng: Generator) -> Estimate:
        values = CREDITS[draw_verdicts(rng)].ravel()
        return proportion(float(values.sum()), len(values))

    return [
        *(ours(interval) for interval in ("percentile", "basic", "bca")),
        Case(group, "t on clusters", design, TRUTH, robust),
        Case(group, "in use elsewhere: rows taken as independent, bootstrap", design, TRUTH, as_rows),
        Case(group, "in use elsewhere: rows taken as independent, Wilson", design, TRUTH, wilson_rows),
        Case(
            group,
            "in use elsewhere: rows, strong wins tripled, 5th to 95th percentile of 100 rounds",
            design,
            TRIPLED_TRUTH,
            _tripled,
        ),
    ]


def _tripled(rng: Generator) -> Estimate:
    """Rows repeated by the strength of their verdict and resampled as if they were independent; called 95 %."""
    verdicts = draw_verdicts(rng).ravel()
    rows = np.repeat(CREDITS[verdicts], TRIPLED[verdicts].astype(int))
    means = rng.choice(rows, size=(100, len(rows))).mean(axis=1)
    low, high = np.quantile(means, [0.05, 0.95])
    value = float(rows.mean())
    return Estimate(value, min(low, value), max(high, value), 0.95, n=len(rows), clusters=None, method="tripled rows")


def _plain() -> list[Case]:
    group = "Means of independent rows"

    def bootstrapped(n: int, share: float, interval: Interval) -> Case:
        def draw(rng: Generator) -> Estimate:
            values = (rng.random(n) < share).astype(float)
            return cluster_bootstrap(values, rng=rng, resamples=1000, interval=interval)

        return Case(group, f"bootstrap, {interval}", f"n = {n}, share {share}", share, draw)

    def skewed(n: int, interval: Interval | None) -> Case:
        def draw(rng: Generator) -> Estimate:
            values: Floats = rng.exponential(size=n)
            if interval is None:
                return mean(values)
            return cluster_bootstrap(values, rng=rng, resamples=1000, interval=interval)

        name = "t" if interval is None else f"bootstrap, {interval}"
        return Case(group, name, f"n = {n}, exponential", 1.0, draw, cost=2)

    shares = [bootstrapped(n, share, "percentile") for n in (30, 100, 500) for share in (0.5, 0.9)]
    return [*shares, *(skewed(n, kind) for n in (30, 200) for kind in ("percentile", "basic", "bca", None))]


def _seeded() -> list[Case]:
    """Seeds whose true win rates differ (sd 0.03), 200 prompts each, two raters a prompt."""
    group = "Win rate over training seeds (true rate of a seed 0.7, sd 0.03; 200 prompts of its own x 2 raters)"

    def draw_rows(rng: Generator, seeds: int) -> tuple[Floats, Ints, Ints]:
        rates = np.clip(0.7 + 0.03 * rng.normal(size=(seeds, 1, 1)), 0.0, 1.0)
        prompts = rng.beta(3 * rates, 3 * (1 - rates), size=(seeds, 200, 1))
        values = (rng.random((seeds, 200, 2)) < prompts).astype(float).ravel()
        return values, np.repeat(np.arange(200 * seeds), 2), np.repeat(np.arange(seeds), 400)

    def hierarchical(seeds: int) -> Case:
        def draw(rng: Generator) -> Estimate:
            values, prompts, ids = draw_rows(rng, seeds)
            return cluster_bootstrap(values, prompts, seeds=ids, rng=rng, resamples=1000)

        return Case(group, "hierarchical bootstrap", f"{seeds} seeds", 0.7, draw, cost=2)

    def t_on_seeds(seeds: int) -> Case:
        def draw(rng: Generator) -> Estimate:
            values, _, ids = draw_rows(rng, seeds)
            return mean(values, clusters=ids)

        return Case(group, "t on seeds", f"{seeds} seeds", 0.7, draw)

    def prompts_only(seeds: int) -> Case:
        def draw(rng: Generator) -> Estimate:
            values, prompts, _ = draw_rows(rng, seeds)
            return cluster_bootstrap(values, prompts, rng=rng, resamples=1000)

        return Case(group, "in use elsewhere: prompts resampled, seeds pooled", f"{seeds} seeds", 0.7, draw, cost=2)

    def harmless(rng: Generator) -> Estimate:
        rates = rng.beta(9, 1, size=(200, 1))
        flags = (rng.random((200, 3)) < rates).ravel()
        return harmless_rate(list(flags), clusters=np.repeat(np.arange(200), 3), rng=rng, resamples=1000).estimate

    annotators = Case(
        "Harmless rate, several annotators", "cluster bootstrap", "200 responses x 3, rate 0.9", 0.9, harmless
    )
    of_seeds = [make(seeds) for seeds in (3, 5, 10) for make in (hierarchical, t_on_seeds, prompts_only)]
    return [*of_seeds, annotators]


def _shared() -> list[Case]:
    """Seeds that all answer the same 100 prompts, whose difficulty moves all of them."""
    group = "Win rate over training seeds that share 100 prompts (sd of a prompt 0.2, of a seed 0.03)"

    def draw_rows(rng: Generator, seeds: int) -> tuple[Floats, Ints, Ints]:
        rates = 0.6 + 0.03 * rng.normal(size=(seeds, 1)) + 0.25 * rng.uniform(-1.4, 1.4, size=100)
        values = (rng.random((seeds, 100)) < np.clip(rates, 0.0, 1.0)).astype(float).ravel()
        return values, np.tile(np.arange(100), seeds), np.repeat(np.arange(seeds), 100)

    def crossed(seeds: int) -> Case:
        def draw(rng: Generator) -> Estimate:
            values, prompts, ids = draw_rows(rng, seeds)
            return cluster_bootstrap(values, prompts, seeds=ids, rng=rng, resamples=1000)

        return Case(group, "crossed bootstrap", f"{seeds} seeds", 0.6, draw, cost=4)

    def nested(seeds: int) -> Case:
        def draw(rng: Generator) -> Estimate:
            values, prompts, ids = draw_rows(rng, seeds)
            return cluster_bootstrap(values, prompts + 100 * ids, seeds=ids, rng=rng, resamples=1000)

        name = "in use elsewhere: shared prompts resampled within each seed"
        return Case(group, name, f"{seeds} seeds", 0.6, draw, cost=4)

    return [make(seeds) for seeds in (3, 5, 10) for make in (crossed, nested)]
