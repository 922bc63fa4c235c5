"""The cluster bootstrap of a mean: prompts are drawn again, with all that belongs to them.

Rows of one prompt (raters, orders, samples) are not independent; resampling them one by one gives intervals that are
too narrow. Left out for now: basic and BCa intervals, hierarchical designs.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.estimates import Estimate, HarnessError, check_lengths, check_level
from harness.proportions import proportion

CELLS = 2_000_000
"""Drawn counts in memory at a time."""


def cluster_bootstrap(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Estimate:
    """Mean of `values`, with the percentile interval of resampling whole clusters (Davison and Hinkley 1997, 3.8).

    Each resample draws as many clusters as there are, with replacement, and divides the sum of their values by the
    number of their rows. Clusters with equal sum and size are drawn as one, by multinomial counts: the same law, at a
    cost that depends on distinct clusters only.

    `values`: (rows,) finite floats. `clusters`: the cluster of each row. Where all clusters have the same mean the
    bootstrap knows no spread; for shares in [0, 1] the Wilson interval on the number of clusters is given instead
    and `method` says so. Raises `HarnessError` for fewer than two clusters, NaN, or no spread outside [0, 1].

    >>> rng = np.random.default_rng(0)
    >>> print(cluster_bootstrap([1, 1, 0, 0, 1, 1], ["a", "a", "b", "b", "c", "c"], rng=rng))
    0.667 [0.000, 1.000] (n=6, 3 clusters, cluster bootstrap)
    """
    check_level(level)
    data = np.asarray(values, dtype=float)
    check_lengths(values=len(data), clusters=len(clusters))
    if resamples < 100:
        raise HarnessError(f"cluster_bootstrap: {resamples} resamples are too few; use at least 100")
    if not np.isfinite(data).all():
        at = int(np.flatnonzero(~np.isfinite(data))[0])
        raise HarnessError(f"cluster_bootstrap: values[{at}] is {data[at]}; leave out what could not be read")
    sums, sizes = _by_cluster(data, clusters)
    if len(sums) < 2:
        raise HarnessError("cluster_bootstrap: all rows are in one cluster; an interval needs at least two")
    if np.ptp(sums / sizes) == 0.0:
        return _no_spread(data, len(sums), level)
    means = _resample(sums, sizes, rng, resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    value = float(data.mean())
    return Estimate(
        value, min(float(low), value), max(float(high), value), level, len(data), len(sums), "cluster bootstrap"
    )


def _by_cluster(data: NDArray[np.float64], clusters: Sequence[Hashable]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sum and number of the rows of each cluster."""
    places: dict[Hashable, int] = {}
    codes = np.array([places.setdefault(cluster, len(places)) for cluster in clusters])
    return np.bincount(codes, weights=data), np.bincount(codes)


def _resample(sums: NDArray[Any], sizes: NDArray[Any], rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """The mean of each resample: (resamples,)."""
    distinct, counts = np.unique(np.stack([sums, sizes]), axis=1, return_counts=True)
    total = len(sums)
    chunk = max(1, CELLS // len(counts))
    means = []
    for start in range(0, resamples, chunk):
        drawn = rng.multinomial(total, counts / total, size=min(chunk, resamples - start))
        means.append((drawn @ distinct[0]) / (drawn @ distinct[1]))
    return np.concatenate(means)


def _no_spread(data: NDArray[np.float64], clusters: int, level: float) -> Estimate:
    value = float(data.mean())
    if not 0.0 <= value <= 1.0:
        raise HarnessError(f"cluster_bootstrap: all clusters have the mean {value:g}; their spread is undefined")
    wilson = proportion(value * clusters, clusters, level=level)
    return Estimate(value, wilson.low, wilson.high, level, len(data), clusters, "wilson on clusters")
