"""The area under the ROC curve: whether soft labels put the rows that people preferred above the others.

`human` may hold shares of raters: h is h rows of 1 and 1 - h rows of 0, as in `harness.calibration`, which asks whether
the labels are of the right size.
"""

from collections.abc import Callable
from typing import Unpack

import numpy as np
from scipy.special import expit, logit, ndtri

from harness.checks import Floats, check_level, refusal
from harness.columns import Column, soft_labels_of
from harness.estimates import Estimate
from harness.intervals import bootstrap_weights
from harness.resampling import Bootstrap, Clusters, Groups, group


def auc(
    probabilities: Column,
    human: Column,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Chance that of two random rows, one preferred and one not, the preferred has the higher probability; ties half.

    Σᵢⱼ hᵢ (1 - hⱼ) ([pᵢ > pⱼ] + ½ [pᵢ = pⱼ]) / (Σhᵢ Σ(1 - hⱼ)) over n rows; the interval resamples clusters and ranks
    anew. For preferences it depends on which response is called first: call it at random.

    Raises `HarnessError` for values outside [0, 1], lengths that differ, choices that are all alike, and where
    `bootstrap` does. Reference: Hanley and McNeil (1982), Radiology 143(1).

    >>> print(auc([0.9, 0.7, 0.6, 0.3, 0.8, 0.2] * 3, [1, 1, 0, 0, 0, 1] * 3, rng=np.random.default_rng(0)))
    0.556 [0.250, 0.850] (n=18, bootstrap)
    """
    where = "auc"
    area = _area(where, *soft_labels_of(where, probabilities, human))
    return bootstrap_weights(where, area, group(where, len(human), clusters, seeds), options)


def auc_value(probabilities: Column, human: Column) -> float:
    """The area under the ROC curve as a plain number, also where its interval is undefined; see `auc`.

    >>> auc_value([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0])
    0.875
    """
    return _area("auc", *soft_labels_of("auc", probabilities, human))(np.ones(len(human)))


def delong_auc(
    probabilities: Column, human: Column, *, clusters: Clusters | None = None, level: float = 0.95
) -> Estimate:
    """`auc` of hard choices with an analytic interval: DeLong's variance, on the scale of log(A / (1 - A)).

    With a_i the share of rows not preferred that preferred row i beats, b_j the share of preferred rows that beat row
    j, var A = s²(a) / n₁ + s²(b) / n₀. With clusters, sums of a - A and of b - A over a cluster take the place of rows
    (Obuchowski), and their products are added.

    Raises `HarnessError` for choices other than 0 and 1, and as `auc` does; also where the variance is 0, as with
    A = 1. Reference: DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44(3); Obuchowski (1997), Biometrics 53(2).

    >>> print(delong_auc([0.9, 0.7, 0.6, 0.3, 0.8, 0.2], [1, 1, 0, 0, 0, 1]))
    0.556 [0.094, 0.938] (n=6, DeLong)
    """
    where = "delong_auc"
    check_level(where, level)
    found, chosen = soft_labels_of(where, probabilities, human)
    if (soft := (chosen != 0.0) & (chosen != 1.0)).any():
        raise refusal(where, f"human[{int(np.argmax(soft))}] is a share", "give 0 or 1, or use auc")
    groups, value = group(where, len(found), clusters), _area(where, found, chosen)(np.ones(len(found)))
    variance = _placement_variance(found, chosen, value, groups)
    if not 0.0 < variance < np.inf:
        raise refusal(where, f"the variance is {variance:.3g} at {value:.3g}", "give more rows, or use auc_value")
    reach = float(ndtri((1.0 + level) / 2.0)) * np.sqrt(variance) / (value * (1.0 - value))
    low, high = (float(end) for end in expit(logit(value) + np.array([-reach, reach])))
    method = "DeLong" if groups.alone else "clustered DeLong"
    return Estimate(value, low, high, level, n=len(found), clusters=groups.named, method=method)


def _area(where: str, found: Floats, chosen: Floats) -> Callable[[Floats], float]:
    """The AUC of weighted rows: sorted once, so that each resample costs one cumulated sum."""
    if np.ptp(chosen) == 0.0 and chosen[0] in (0.0, 1.0):
        raise refusal(where, f"every human choice is {chosen[0]:g}", "give both kinds: the area is undefined")
    order = np.argsort(found, kind="stable")
    ranked, first = found[order], chosen[order]
    below, upto = np.searchsorted(ranked, ranked, "left"), np.searchsorted(ranked, ranked, "right")

    def area(weights: Floats) -> float:
        sorted_weights = weights[order]
        preferred = sorted_weights * first
        beaten = np.concatenate([[0.0], np.cumsum(sorted_weights - preferred)])
        pairs = preferred.sum() * beaten[-1]
        return float(preferred @ (beaten[below] + beaten[upto]) / (2.0 * pairs)) if pairs > 0.0 else np.nan

    return area


def _placement_variance(found: Floats, chosen: Floats, value: float, groups: Groups) -> float:
    """Obuchowski's variance of the AUC; DeLong's where every row is a cluster."""
    ranked = {side: np.sort(found[chosen == side]) for side in (0.0, 1.0)}
    share = np.empty(len(found))
    for side, others in ((1.0, ranked[0.0]), (0.0, ranked[1.0])):
        own = found[chosen == side]
        lower = (np.searchsorted(others, own, "left") + np.searchsorted(others, own, "right")) / (2.0 * len(others))
        share[chosen == side] = lower if side else 1.0 - lower
    columns = np.stack([chosen * (share - value), (1.0 - chosen) * (share - value), chosen, 1.0 - chosen], axis=1)
    sums = groups.totals(columns)
    held = np.count_nonzero(sums[:, 2:], axis=0)
    sizes = np.array([len(ranked[1.0]), len(ranked[0.0])], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = held / (held - 1) * (sums[:, :2] ** 2).sum(axis=0) / sizes**2
    shared = 2.0 * groups.count / (groups.count - 1) * float(sums[:, 0] @ sums[:, 1]) / float(np.prod(sizes))
    return float(own.sum()) + shared
