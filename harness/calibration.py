"""How well soft labels foretell human choices: their size (Brier, log loss, calibration), and its repair.

`probabilities` are the labeler's, that the first response is preferred; `human` says whether people preferred it: 1 or
0, or the share of raters who did. One rule holds for such shares everywhere: a share h is h rows of 1 and 1 - h rows of
0, so every figure is the one of the raters laid out one by one. Rows that could not be read are the caller's to count.
Whether their order is right is in `harness.auc`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, Unpack

import numpy as np
from scipy.special import expit, logit, xlogy

from harness.bootstrap import mean_of
from harness.checks import Floats, Ints, check_lengths, check_level, numbers, refusal
from harness.columns import Column, soft_labels_of
from harness.estimates import Estimate
from harness.intervals import bootstrap_totals, bootstrap_weights
from harness.proportions import proportion
from harness.resampling import Bootstrap, Clusters, Settings, group

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
    where = "brier"
    found, chosen = soft_labels_of(where, probabilities, human)
    groups = group(where, len(found), clusters, seeds)
    return mean_of(where, _squared(found, chosen), groups, Settings.of(where, options), share=False)


def brier_parts(probabilities: Column, human: Column, *, bins: int = 10, binning: Binning = "width") -> BrierParts:
    """The Brier score taken apart over bins of the probabilities (as in `reliability_table`).

    Reliability is biased upwards and resolution too, by about Σ_b h̄_b (1 - h̄_b) / n each. Raises `HarnessError` as
    `reliability_table` does. Reference: Murphy (1973), Journal of Applied Meteorology 12(4); Stephenson, Coelho,
    Jolliffe (2008), Weather and Forecasting 23(4), for what is left over.

    >>> parts = brier_parts([0.8, 0.8, 0.4, 0.4], [1, 1, 0, 1])
    >>> print(*(round(part, 4) for part in parts))
    0.025 0.0625 0.1875 0.0
    """
    found, chosen = soft_labels_of("brier_parts", probabilities, human)
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
    where = "log_loss"
    found, chosen = soft_labels_of(where, probabilities, human)
    inside = _clipped(where, found, clip)
    losses = -xlogy(chosen, inside) - xlogy(1.0 - chosen, 1.0 - inside)
    return mean_of(where, losses, group(where, len(found), clusters, seeds), Settings.of(where, options), share=False)


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
    found, chosen = soft_labels_of(where, probabilities, human)
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
    found, chosen = soft_labels_of(where, probabilities, human)
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
    found, chosen = soft_labels_of("temperature", probabilities, human)
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
    where = "temperature"
    found, chosen = soft_labels_of(where, probabilities, human)
    sharpness = _sharpness(where, _clipped(where, found, clip), chosen)
    groups = group(where, len(found), clusters, seeds)
    return bootstrap_weights(where, lambda weights: 1.0 / sharpness(weights), groups, options)


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


def _clipped(where: str, found: Floats, clip: float) -> Floats:
    if not 0.0 < clip < 0.5:
        raise refusal(where, f"clip is {clip}", "give one between 0 and 0.5, such as 1e-6")
    return np.clip(found, clip, 1.0 - clip)


def _squared(found: Floats, chosen: Floats) -> Floats:
    return chosen * (1.0 - found) ** 2 + (1.0 - chosen) * found**2


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
