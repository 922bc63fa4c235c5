"""Bootstrap intervals of means, ratios, differences and anything else, with rows that belong together kept together.

Name the cluster (the prompt; orders, raters and samples lie inside it) and, where a system was trained several times,
the training seed. Prompts that differ between seeds are drawn within each drawn seed; prompts that all seeds share (the
same name under several seeds) are drawn once for all. With few seeds the spread between them is known badly, so such an
interval is too narrow by about √((S-1)/S) of its seed part; `docs/coverage.md` shows by how much.
"""

from collections.abc import Callable, Sequence
from typing import Unpack

import numpy as np

from harness.checks import Floats, check_lengths, numbers
from harness.estimates import Estimate
from harness.intervals import bootstrap_reduced, bootstrap_totals, bootstrap_weights, ratio
from harness.proportions import wilson_interval
from harness.resampling import Bootstrap, Clusters, Groups, Settings, Totals, group


def cluster_bootstrap(
    values: Sequence[float] | Floats,
    clusters: Clusters | None = None,
    *,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Mean of `values` (n floats, any unit) with an interval from resampling whole clusters.

    `clusters` (n hashables) names the cluster of each row; without it rows are independent. With S_k and m_k the sum
    and size of cluster k of K, the value is ΣS_k / Σm_k. A resample draws K clusters with replacement and takes the
    same ratio. With `seeds` (n hashables) a resample draws seeds first and then clusters within each drawn seed
    (hierarchical). A cluster whose name occurs under several seeds is one cluster: then seeds and clusters are drawn
    apart, and a cell counts the product of the two (crossed; conservative, since the noise of a row counts in both).
    The order of rows does not matter. Options are those of `Bootstrap`: rng, level, resamples, interval (percentile,
    basic, bca; with seeds bca leaves out one seed at a time). Where the interval leaves the value out (few clusters, a
    small level) it is widened to it.

    Raises `HarnessError` for fewer than 2 clusters or seeds, clusters that all have the same mean (no resample differs;
    of a share `win_rate` and `harmless_rate` know the interval), lengths that differ, no rows, a value that is not
    finite, a level outside (0, 1), resamples < 100, or an rng that is not a Generator. References: Davison and Hinkley
    (1997), Bootstrap Methods and their Application, sections 2.4, 3.8 and 5.3; Owen (2007), The Pigeonhole Bootstrap,
    Annals of Applied Statistics 1(2).

    >>> rows, prompts = [1, 1, 0, 0, 1, 0, 1, 1], ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> print(cluster_bootstrap(rows, prompts, rng=np.random.default_rng(0)))
    0.625 [0.250, 1.000] (n=8, 4 clusters, cluster bootstrap)
    """
    where = "cluster_bootstrap"
    check_lengths(where, values=values) if clusters is None else check_lengths(where, values=values, clusters=clusters)
    found = numbers(where, "values", values)
    settings, groups = Settings.of(where, options), group(where, len(found), clusters, seeds)
    return mean_of(where, found, groups, settings, share=False)


def bootstrap_ratio(
    numerator: Sequence[float] | Floats,
    denominator: Sequence[float] | Floats,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Σ numerator / Σ denominator of n rows each, for instance words per sentence; clusters as in `cluster_bootstrap`.

    Raises `HarnessError` as `cluster_bootstrap` does, for a denominator below 0, and where its sum is 0.

    >>> print(bootstrap_ratio([3, 1, 4, 1], [5, 2, 6, 5], rng=np.random.default_rng(0)))
    0.500 [0.286, 0.650] (n=4, bootstrap)
    """
    where = "bootstrap_ratio"
    check_lengths(where, numerator=numerator, denominator=denominator)
    top, bottom = numbers(where, "numerator", numerator), numbers(where, "denominator", denominator, low=0.0)
    groups = group(where, len(top), clusters, seeds)
    return bootstrap_totals(where, np.stack([top, bottom], axis=1), ratio, groups, options)


def bootstrap(
    statistic: Callable[[Floats], float],
    rows: int,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Any statistic of `rows` rows: it is given how often each row counts (rows,), and returns a number.

    It is called once with ones and once a resample, so its cost is yours; NaN says that it is undefined there.

    Raises `HarnessError` as `cluster_bootstrap` does, and where the statistic is undefined on all rows or on more than
    1 % of the resamples. Reference: Davison and Hinkley (1997), section 2.

    >>> values = np.array([2.0, 3.0, 5.0, 7.0, 11.0])
    >>> mean = lambda weights: float(np.average(values, weights=weights))
    >>> print(bootstrap(mean, 5, rng=np.random.default_rng(0), resamples=1000))
    5.600 [3.000, 8.400] (n=5, bootstrap)
    """
    where = "bootstrap"
    return bootstrap_weights(where, statistic, group(where, rows, clusters, seeds), options)


def mean_of(where: str, values: Floats, groups: Groups, settings: Settings, *, share: bool = True) -> Estimate:
    """`cluster_bootstrap` of checked values (n,); `where` is the function that refusals name.

    Of a `share` (values in [0, 1]) that is the same in all clusters, where no resample differs, the interval is
    Wilson's with n = the number of clusters, and `method` says so: seeds that agree add nothing that could be counted.
    """
    return mean_of_totals(where, Totals.of_values(values, groups), settings, share=share)


def mean_of_totals(where: str, totals: Totals, settings: Settings, *, share: bool = True) -> Estimate:
    """`mean_of` from totals of (value, 1)."""
    means = ratio(totals.cells[totals.cells[:, 1] > 0.0])
    if share and np.ptp(means) <= 1e-12 * np.abs(means).max():
        groups = totals.groups
        units = groups.named or len(groups.codes)
        return share_alike(float(ratio(totals.whole)), units, groups, settings.level, rows=len(groups.codes))
    return bootstrap_reduced(where, totals, ratio, settings)


def share_alike(value: float, units: int, groups: Groups, level: float, *, rows: int) -> Estimate:
    """A share that is the same in all its `units` (clusters or rows): Wilson's interval with n = units."""
    value = min(max(value, 0.0), 1.0)
    low, high = wilson_interval(value, units, level)
    method = "wilson" if groups.alone else "wilson on clusters"
    return Estimate(value, min(low, value), max(high, value), level, rows, groups.named, method)
