"""The harness beside its peers, timed in one run on one thread: `python -m benchmarks.speed` prints a table.

Only the ratios mean something: machines differ and are shared. Each call is timed several times and the shortest
time counts; a peer that takes many seconds is timed once.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy loads: one thread for everybody

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from harness.bradley_terry import bradley_terry, bradley_terry_ranking
from harness.length import length_controlled_win_rate
from harness.length_controlled import alpaca_win_rate
from harness.preference import soft_win_rate

ROWS = 100_000
RESAMPLES = 10_000


class Timing(NamedTuple):
    """One row of the table."""

    what: str
    seconds: float
    peer: str
    peer_seconds: float

    def __str__(self) -> str:
        ratio = f"{self.peer_seconds / self.seconds:,.1f} x" if self.peer else ""
        peer_seconds = f"{self.peer_seconds:.3f}" if self.peer else ""
        return f"| {self.what} | {self.seconds:.4f} | {self.peer} | {peer_seconds} | {ratio} |"


def main() -> None:
    """Print the table."""
    print("| harness | seconds | peer | its seconds | ratio |\n|---|---|---|---|---|")
    for row in [*_bootstrap(), *_ranking(), *_length()]:
        print(row, flush=True)
    print(*_memory(), sep="\n")
    print(f"\nimport harness: {_import():.2f} s of CPU")


def seconds(call: Callable[[], Any], times: int = 15) -> float:
    """The shortest of several runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _bootstrap() -> list[Timing]:
    import scipy.stats
    from arch.bootstrap import IIDBootstrap

    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 0.5, 1.0], size=ROWS, p=[0.4, 0.1, 0.5])
    clusters = np.arange(ROWS) // 2
    what = f"interval of a win rate, {RESAMPLES:,} resamples, {ROWS:,} rows"
    ours = seconds(lambda: soft_win_rate(values, rng=rng, resamples=RESAMPLES))
    clustered = seconds(lambda: soft_win_rate(values, clusters=clusters, rng=rng, resamples=RESAMPLES))

    def scipys() -> Any:
        return scipy.stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="percentile", batch=100, rng=rng)

    def archs() -> Any:
        return IIDBootstrap(values, seed=0).conf_int(np.mean, RESAMPLES, method="percentile")

    theirs, arch = seconds(scipys, 1), seconds(archs, 1)
    return [
        Timing(what, ours, "scipy.stats.bootstrap, percentile", theirs),
        Timing(what, ours, "arch IIDBootstrap, percentile", arch),
        Timing(f"the same in {ROWS // 2:,} clusters", clustered, "scipy.stats.bootstrap, rows", theirs),
    ]


def _ranking() -> list[Timing]:
    import evalica

    rng = np.random.default_rng(0)
    strengths = rng.normal(size=20)
    first, second = rng.integers(20, size=(2, ROWS))
    second = np.where(first == second, (second + 1) % 20, second)
    won = rng.random(ROWS) < 1.0 / (1.0 + np.exp(strengths[second] - strengths[first]))
    words = np.where(rng.random(ROWS) < 0.1, "tie", np.where(won, "first", "second"))
    winners = {"first": evalica.Winner.X, "second": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    battles = [f"m{at}" for at in first], [f"m{at}" for at in second], [winners[word] for word in words]
    fit: Any = evalica.bradley_terry
    theirs = seconds(lambda: fit(*battles))
    theirs_again = seconds(lambda: evalica.bootstrap(fit, *battles, n_resamples=10, bootstrap_method="percentile"), 1)
    names = np.array(battles[0]), np.array(battles[1])
    ours = seconds(lambda: bradley_terry(*names, words))
    listed = seconds(lambda: bradley_terry(battles[0], battles[1], words.tolist()))
    ours_again = seconds(lambda: bradley_terry_ranking(*names, words, rng=rng, resamples=1000), 2)
    what = f"Bradley-Terry of 20 systems, {ROWS:,} battles, with robust errors"
    return [
        Timing(f"{what}, from arrays", ours, "evalica.bradley_terry, no errors", theirs),
        Timing(f"{what}, from lists", listed, "evalica.bradley_terry, no errors", theirs),
        Timing("its bootstrap, 1,000 rounds", ours_again, "evalica.bootstrap, 10 rounds x 100", 100 * theirs_again),
    ]


def _length() -> list[Timing]:
    rng = np.random.default_rng(0)
    ours, theirs = rng.uniform(50.0, 300.0, size=(2, 10_000))
    wins = (rng.random(10_000) < 1.0 / (1.0 + np.exp(-np.log(ours / theirs)))).astype(float)

    def refit(kind: Any) -> float:
        return seconds(lambda: kind(wins, ours, theirs, rng=rng, resamples=1000), 2)

    return [
        Timing("length control by ratio, 10,000 rows, 1,000 refits", refit(length_controlled_win_rate), "", 0.0),
        Timing("length control as in AlpacaEval 2, 10,000 rows, 1,000 refits", refit(alpaca_win_rate), "", 0.0),
    ]


def _memory() -> list[str]:
    values = np.random.default_rng(0).choice([0.0, 0.5, 1.0], size=ROWS)
    lines = ["", "| resamples | peak memory beyond the input, MB |", "|---|---|"]
    for resamples in (1_000, 10_000, 100_000):
        tracemalloc.start()
        soft_win_rate(values, rng=np.random.default_rng(1), resamples=resamples)
        lines.append(f"| {resamples:,} | {tracemalloc.get_traced_memory()[1] / 1e6:.1f} |")
        tracemalloc.stop()
    return lines


def _import() -> float:
    """CPU seconds of the import in a fresh interpreter."""
    code = "import time; start = time.process_time(); import harness; print(time.process_time() - start)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    return min(float(run.stdout) for run in runs)


if __name__ == "__main__":
    main()
