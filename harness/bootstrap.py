"""Means of rows that belong together: raters of one prompt, prompts of one seed. One level of clusters only."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from harness.checks import check_lengths, check_level, check_range, refusal
from harness.estimates import Estimate
from harness.proportions import wilson_interval

Floats = npt.NDArray[np.float64]
BLOCK = 2_000_000
"""Counts that are drawn at once: 16 MB, whatever the number of clusters."""


def cluster_bootstrap(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Estimate:
    """Mean of `values` (n floats, any unit) with a percentile interval from resampling whole clusters.

    `clusters` (n hashables) names the cluster of each row. With S_k and m_k the sum and size of cluster k of K, the
    value is ΣS_k / Σm_k. A resample draws K clusters with replacement and takes the same ratio; low and high are the
    quantiles (1 ± level) / 2 of `resamples` such ratios. Clusters of equal sum and size are interchangeable, so a
    resample is one multinomial draw over the distinct (S, m). The order of rows does not matter.

    Where all clusters have the same mean, no resample differs: the interval is then Wilson's with n = K, which is
    named in `method`. Where the percentiles leave the value out (few clusters, a small level) they are widened to it.

    Raises `HarnessError` for fewer than 2 clusters, clusters of the same mean outside [0, 1], lengths that differ,
    no rows, a value that is not finite, a level outside (0, 1), resamples < 100, or an rng that is not a Generator.
    Reference: Davison and Hinkley (1997), Bootstrap Methods and their Application, sections 2.4, 3.8 and 5.3.

    >>> rows, prompts = [1, 1, 0, 0, 1, 0, 1, 1], ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> print(cluster_bootstrap(rows, prompts, rng=np.random.default_rng(0)))
    0.625 [0.250, 1.000] (n=8, 4 clusters, cluster bootstrap)
    """
    _check(values, clusters, rng, level, resamples)
    sums, sizes = _totals(np.asarray(values, dtype=np.float64), clusters)
    value, means = float(sums.sum() / sizes.sum()), sums / sizes
    if np.ptp(means) <= 1e-12 * np.abs(means).max():
        method, (low, high) = "wilson on clusters", _same_everywhere(value, len(sums), level)
    else:
        method, ratios = "cluster bootstrap", _resampled(sums, sizes, rng, resamples)
        low, high = (float(q) for q in np.quantile(ratios, [(1.0 - level) / 2.0, (1.0 + level) / 2.0]))
    return Estimate(value, min(low, value), max(high, value), level, n=len(values), clusters=len(sums), method=method)


def _totals(values: Floats, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters])
    if len(numbers) < 2:
        raise refusal("cluster_bootstrap", "all rows are in one cluster", "give 2 or more: the interval is undefined")
    return np.bincount(codes, weights=values).astype(np.float64), np.bincount(codes).astype(np.float64)


def _resampled(sums: Floats, sizes: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    kinds, counts = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
    step = max(1, BLOCK // len(kinds))
    ratios = np.empty(resamples)
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        drawn = rng.multinomial(len(sums), counts / len(sums), size=stop - start) @ kinds
        ratios[start:stop] = drawn[:, 0] / drawn[:, 1]
    return ratios


def _same_everywhere(value: float, clusters: int, level: float) -> tuple[float, float]:
    if not -1e-12 <= value <= 1.0 + 1e-12:
        raise refusal("cluster_bootstrap", f"all clusters have the mean {value:g}", "give clusters that differ")
    return wilson_interval(min(max(value, 0.0), 1.0), clusters, level)


def _check(
    values: Sequence[float], clusters: Sequence[Hashable], rng: np.random.Generator, level: float, resamples: int
) -> None:
    where = "cluster_bootstrap"
    check_lengths(where, values=values, clusters=clusters)
    check_range(where, "values", values)
    check_level(where, level)
    if resamples < 100:
        raise refusal(where, f"resamples is {resamples}", "give at least 100, such as 10000")
    if not isinstance(rng, np.random.Generator):
        raise refusal(where, f"rng is {rng!r}", "give numpy.random.default_rng(seed)")
