"""How well soft labels foretell human choices: their order (AUC), their size (Brier, log loss, calibration), a repair.

`probabilities` are the labeler's, that the first response is preferred; `human` says whether people preferred it: 1 or
0, or the share of raters who did. One rule holds for such shares everywhere: a share h is h rows of 1 and 1 - h rows of
0, so every figure is the one of the raters laid out one by one. Rows that could not be read are the caller's to count.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Unpack

import numpy as np
from scipy.special import expit, logit, ndtri, xlogy

from harness.bootstrap import bootstrap, cluster_bootstrap
from harness.checks import Floats, Ints, check_lengths, check_level, numbers, refusal
from harness.estimates import Estimate
from harness.proportions import proportion
from harness.resampling import Bootstrap, Clusters, Groups, bootstrap_totals, group

Column = Sequence[float] | Floats
Binning = Literal["width", "count"]

CLIP = 1e-6
"""Where a logarithm is taken, probabilities are moved into [CLIP, 1 - CLIP], which a 32-bit softmax still resolves."""


class ReliabilityBin(NamedTuple):
    """The rows whose probability lies in (low, high], the first bin closed."""

    low: float
    high: float
    predicted: float
    """Mean probability of the labeler."""
    observed: Estimate
    """Share that people preferred, Wilson on rows; its n is the number of rows."""


class CalibrationError(NamedTuple):
    """The expected calibration error, and how large it would be by chance alone."""

    estimate: Estimate
    floor: float
    """Expected value for a perfectly calibrated labeler, on as many independent rows of these probabilities."""
    bins: int
    """Bins that hold rows."""


class BrierParts(NamedTuple):
    """A Brier score in parts: score = reliability - resolution + uncertainty + within."""

    reliability: float
    """Σ n_b (p̄_b - h̄_b)² / n over bins b: 0 is best."""
    resolution: float
    """Σ n_b (h̄_b - h̄)² / n: larger is better."""
    uncertainty: float
    """h̄ (1 - h̄): a property of the rows, not of the labeler."""
    within: float
    """What bins of unequal probabilities leave over; 0 where each bin holds one probability."""


def auc_value(probabilities: Column, human: Column) -> float:
    """The area under the ROC curve as a plain number, also where its interval is undefined; see `auc`.

    >>> auc_value([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0])
    0.875
    """
    return _area("auc", *_columns("auc", probabilities, human))(np.ones(len(human)))


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
    area = _area("auc", *_columns("auc", probabilities, human))
    return bootstrap(area, len(human), clusters=clusters, seeds=seeds, **options)


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
    found, chosen = _columns(where, probabilities, human)
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


def brier(
    probabilities: Column,
    human: Column,
    *,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Mean of h (1 - p)² + (1 - h) p² over n rows: 0 is best, 0.25 what p = 0.5 gets.

    Of hard choices this is (p - h)². Raises `HarnessError` for values outside [0, 1], and where `cluster_bootstrap`
    does. Reference: Brier (1950), Monthly Weather Review 78(1).

    >>> print(brier([0.9, 0.2, 0.6, 0.5], [1, 0, 0, 0.5], rng=np.random.default_rng(0)))
    0.165 [0.025, 0.305] (n=4, bootstrap)
    """
    found, chosen = _columns("brier", probabilities, human)
    return cluster_bootstrap(_squared(found, chosen), clusters, seeds=seeds, **options)


def brier_parts(probabilities: Column, human: Column, *, bins: int = 10, binning: Binning = "width") -> BrierParts:
    """The Brier score taken apart over bins of the probabilities (as in `reliability_table`).

    Reliability is biased upwards and resolution too, by about Σ_b h̄_b (1 - h̄_b) / n each. Raises `HarnessError` as
    `reliability_table` does. Reference: Murphy (1973), Journal of Applied Meteorology 12(4); Stephenson, Coelho,
    Jolliffe (2008), Weather and Forecasting 23(4), for what is left over.

    >>> parts = brier_parts([0.8, 0.8, 0.4, 0.4], [1, 1, 0, 1])
    >>> print(*(round(part, 4) for part in parts))
    0.025 0.0625 0.1875 0.0
    """
    found, chosen = _columns("brier_parts", probabilities, human)
    codes = np.unique(_bins("brier_parts", found, bins, binning)[0], return_inverse=True)[1]
    sizes, rate = np.bincount(codes), float(chosen.mean())
    predicted, observed = np.bincount(codes, found) / sizes, np.bincount(codes, chosen) / sizes
    reliability = float(sizes @ (predicted - observed) ** 2) / len(found)
    resolution, uncertainty = float(sizes @ (observed - rate) ** 2) / len(found), rate * (1.0 - rate)
    within = float(_squared(found, chosen).mean()) - (reliability - resolution + uncertainty)
    return BrierParts(reliability, resolution, uncertainty, within)


def log_loss(
    probabilities: Column,
    human: Column,
    *,
    clip: float = CLIP,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """Mean of -h ln p - (1 - h) ln(1 - p) over n rows, in nats: ln 2 = 0.693 is what p = 0.5 gets.

    Probabilities are moved into [clip, 1 - clip] first, so no row costs more than -ln(clip), 13.8 nats by default.
    Raises `HarnessError` for values outside [0, 1], a clip outside (0, 0.5), and where `cluster_bootstrap` does.

    >>> print(log_loss([0.9, 0.2, 0.6, 0.5], [1, 0, 0, 1], rng=np.random.default_rng(0)))
    0.484 [0.164, 0.805] (n=4, bootstrap)
    """
    found, chosen = _columns("log_loss", probabilities, human)
    inside = _clipped("log_loss", found, clip)
    losses = -xlogy(chosen, inside) - xlogy(1.0 - chosen, 1.0 - inside)
    return cluster_bootstrap(losses, clusters, seeds=seeds, **options)


def expected_calibration_error(
    probabilities: Column,
    human: Column,
    *,
    bins: int = 10,
    binning: Binning = "width",
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> CalibrationError:
    """Σ_b n_b |p̄_b - h̄_b| / n over bins of the probabilities, as cut on all rows (see `reliability_table`).

    It is biased upwards: on few rows a labeler without fault has an error as well. `floor` is that error, the sum of
    √(2 Σp(1 - p) / π) over bins / n (normal approximation). A resample adds the bias once more, so with few rows the
    interval lies too high (it is widened to the value); `interval="basic"` turns it the other way.

    Raises `HarnessError` as `reliability_table` does, and where `bootstrap` does. Reference: Guo et al. (2017), On
    Calibration of Modern Neural Networks, arXiv 1706.04599, section 2; Kumar et al. (2019), arXiv 1909.10155.

    >>> result = expected_calibration_error([0.9, 0.95, 0.3, 0.25], [1, 0, 0, 1], bins=2, rng=np.random.default_rng(0))
    >>> print(result.estimate, f"floor {result.floor:.2f}")
    0.325 [0.062, 0.850] (n=4, bootstrap) floor 0.20
    """
    where = "expected_calibration_error"
    found, chosen = _columns(where, probabilities, human)
    codes = np.unique(_bins(where, found, bins, binning)[0], return_inverse=True)[1]
    count, groups = int(codes.max()) + 1, group(where, len(found), clusters, seeds)
    columns = np.column_stack([(codes[:, None] == np.arange(count)) * (found - chosen)[:, None], np.ones(len(found))])
    floor = float(np.sqrt(2.0 / np.pi * np.bincount(codes, found * (1.0 - found))).sum()) / len(found)
    return CalibrationError(bootstrap_totals(where, columns, _gap, groups, options), floor, count)


def reliability_table(
    probabilities: Column, human: Column, *, bins: int = 10, binning: Binning = "width", level: float = 0.95
) -> tuple[ReliabilityBin, ...]:
    """Predicted against observed, bin by bin in rising order; bins without rows are left out.

    Bins are (low, high], the first closed: of equal width 1 / bins, or (binning "count") between quantiles of the
    probabilities, fewer where those coincide. Wilson's interval takes rows as independent.

    Raises `HarnessError` for values outside [0, 1], lengths that differ, bins < 1, an unknown binning or level.

    >>> for row in reliability_table([0.9, 0.95, 0.3, 0.25], [1, 0, 0, 0], bins=2):
    ...     print(row.low, row.high, round(row.predicted, 3), row.observed)
    0.0 0.5 0.275 0.000 [0.000, 0.658] (n=2, wilson)
    0.5 1.0 0.925 0.500 [0.095, 0.905] (n=2, wilson)
    """
    where = "reliability_table"
    check_level(where, level)
    found, chosen = _columns(where, probabilities, human)
    codes, edges = _bins(where, found, bins, binning)
    rows = []
    for code in np.unique(codes):
        inside = codes == code
        observed = proportion(float(chosen[inside].sum()), int(inside.sum()), level=level)
        low, high = (float(edge) for edge in edges[code : code + 2])
        rows.append(ReliabilityBin(low, high, float(found[inside].mean()), observed))
    return tuple(rows)


def temperature_value(probabilities: Column, human: Column, *, clip: float = CLIP) -> float:
    """The temperature as a plain number; see `temperature`.

    >>> round(temperature_value([0.9, 0.9, 0.9, 0.1], [1, 1, 0, 0]), 3)
    2.0
    """
    found, chosen = _columns("temperature", probabilities, human)
    return 1.0 / _sharpness("temperature", _clipped("temperature", found, clip), chosen)(np.ones(len(found)))


def temperature(
    probabilities: Column,
    human: Column,
    *,
    clip: float = CLIP,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> Estimate:
    """The T > 0 for which σ(logit(p) / T) has the least log loss: above 1 where labels are too sure of themselves.

    The loss is convex in 1 / T, so there is one. Exact 0 and 1 have infinite logits: p is moved into [clip, 1 - clip].
    Exchanging the two responses of a row changes nothing, so rows may all have the preferred response first.

    Raises `HarnessError` where no T is best: no row on the wrong side (T would be 0), labels that point the wrong way
    or all say 0.5 (T would be infinite); for a clip outside (0, 0.5), and where `bootstrap` does.
    Reference: Guo et al. (2017), arXiv 1706.04599, section 4.2.

    >>> sure, people = [0.95, 0.9, 0.99, 0.05, 0.1, 0.97] * 40, [1, 1, 0, 0, 0, 1] * 40
    >>> print(temperature(sure, people, rng=np.random.default_rng(0), resamples=1000))
    2.931 [2.088, 4.352] (n=240, bootstrap)
    """
    found, chosen = _columns("temperature", probabilities, human)
    sharpness = _sharpness("temperature", _clipped("temperature", found, clip), chosen)
    return bootstrap(lambda weights: 1.0 / sharpness(weights), len(found), clusters=clusters, seeds=seeds, **options)


def apply_temperature(probabilities: Column, by: float, *, clip: float = CLIP) -> Floats:
    """σ(logit(p) / by) of each of n probabilities, moved into [clip, 1 - clip] first as `temperature` does.

    The order of rows, and so the AUC, stays as it is, but for probabilities that the clip makes equal.
    Raises `HarnessError` for values outside [0, 1], a temperature that is not above 0, a clip outside (0, 0.5).

    >>> apply_temperature([0.5, 0.9, 0.1], 2.0)
    array([0.5 , 0.75, 0.25])
    """
    where = "apply_temperature"
    check_lengths(where, probabilities=probabilities)
    if not 0.0 < by < np.inf:
        raise refusal(where, f"the temperature is {by}", "give one above 0")
    found = numbers(where, "probabilities", probabilities, 0.0, 1.0)
    return np.asarray(expit(logit(_clipped(where, found, clip)) / by))


def _columns(where: str, probabilities: Column, human: Column) -> tuple[Floats, Floats]:
    check_lengths(where, probabilities=probabilities, human=human)
    return numbers(where, "probabilities", probabilities, 0.0, 1.0), numbers(where, "human", human, 0.0, 1.0)


def _clipped(where: str, found: Floats, clip: float) -> Floats:
    if not 0.0 < clip < 0.5:
        raise refusal(where, f"clip is {clip}", "give one between 0 and 0.5, such as 1e-6")
    return np.clip(found, clip, 1.0 - clip)


def _squared(found: Floats, chosen: Floats) -> Floats:
    return chosen * (1.0 - found) ** 2 + (1.0 - chosen) * found**2


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


def _bins(where: str, found: Floats, bins: int, binning: Binning) -> tuple[Ints, Floats]:
    """The bin of each row, and the edges of all."""
    if bins < 1:
        raise refusal(where, f"bins is {bins}", "give at least 1, such as 10")
    if binning not in ("width", "count"):
        raise refusal(where, f"binning is {binning!r}", "use width or count")
    edges = np.linspace(0.0, 1.0, bins + 1)
    if binning == "count":
        inner = np.unique(np.quantile(found, edges))
        edges = inner if len(inner) > 1 else np.repeat(inner, 2)
    return np.searchsorted(edges[1:-1], found, "left"), edges


def _gap(totals: Floats) -> Floats:
    return np.asarray(np.abs(totals[..., :-1]).sum(axis=-1) / totals[..., -1])


def _sharpness(where: str, found: Floats, chosen: Floats) -> Callable[[Floats], float]:
    """The inverse temperature of weighted rows, from the one of all rows on; NaN where there is none."""
    logits = logit(found)
    wrong = np.abs(logits) * np.where(logits > 0.0, 1.0 - chosen, chosen)
    right = np.abs(logits) * np.where(logits > 0.0, chosen, 1.0 - chosen)
    if right.sum() <= wrong.sum():
        raise refusal(where, "the labels point the wrong way, or nowhere", "give labels that mostly agree with people")
    if wrong.sum() == 0.0:
        raise refusal(where, "no label is on the wrong side", "give rows where people disagree with the labeler too")
    start = _newton(logits, chosen, np.ones(len(found)), 1.0)

    def fit(weights: Floats) -> float:
        on_wrong_side = weights @ wrong
        return _newton(logits, chosen, weights, start) if weights @ right > on_wrong_side > 0.0 else np.nan

    return fit


def _newton(logits: Floats, chosen: Floats, weights: Floats, at: float) -> float:
    """The root of the derivative of the log loss in the inverse temperature, kept between its known bounds."""
    low, high = 0.0, np.inf
    while True:
        likely = expit(at * logits)
        slope = float((weights * logits) @ (likely - chosen))
        low, high = (at, high) if slope < 0.0 else (low, at)
        step = slope / max(float((weights * logits**2) @ (likely * (1.0 - likely))), 1e-300)
        if min(abs(step), high - low) <= 1e-11 * at:
            return at
        at -= step
        if not low < at < high:
            at = 2.0 * low if high == np.inf else (low + high) / 2.0
