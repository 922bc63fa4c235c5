"""Intervals made of resamples: percentile, basic and BCa, of statistics of totals and of statistics that are fitted.

Every function takes `where`, the public function that was called, so that a refusal names it. Who is resampled together
and how is in `harness.resampling`.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

from harness.checks import Floats, refusal
from harness.estimates import Estimate
from harness.resampling import (
    Bootstrap,
    Groups,
    Settings,
    Totals,
    drawn_totals,
    drawn_weights,
    weights_without_one,
)

Statistic = Callable[[Floats], Floats]
"""From totals (..., columns) to values (...): vectorised over all but the last axis; NaN where it is undefined."""

LOST = 0.01
"""Share of resamples that may be undefined (a kappa of one category) and are left out; more are refused."""


def bootstrap_totals(
    where: str,
    columns: Floats,
    statistic: Statistic,
    groups: Groups,
    options: Bootstrap,
    *,
    name: str = "bootstrap",
) -> Estimate:
    """A statistic of the totals of `columns` (n, k), its interval from resampling groups.

    `statistic` maps totals (..., k) to values (...). Raises `HarnessError` where the statistic is undefined on all rows
    or on more than 1 % of resamples, and where no resample differs from another.
    """
    return bootstrap_reduced(where, Totals.of(columns, groups), statistic, Settings.of(where, options), name=name)


def bootstrap_reduced(
    where: str, totals: Totals, statistic: Statistic, settings: Settings, *, name: str = "bootstrap"
) -> Estimate:
    """`bootstrap_totals` of totals that are reduced already."""
    drawn = np.concatenate([statistic(block) for block in drawn_totals(totals, settings)])
    whole, left = totals.whole, np.empty(0)
    if settings.interval == "bca":
        exchanged, times = totals.exchanged()
        left = np.repeat(statistic(whole - exchanged), times)
    rows = len(totals.groups.codes)
    return interval_of(where, float(statistic(whole)), drawn, left, totals.groups, settings, rows=rows, name=name)


def bootstrap_weights(where: str, statistic: Callable[[Floats], float], groups: Groups, options: Bootstrap) -> Estimate:
    """A statistic that is computed anew from how often each row counts (n,); see `harness.bootstrap.bootstrap`."""
    settings = Settings.of(where, options)
    drawn = np.array([statistic(weights) for weights in drawn_weights(groups, settings)], dtype=np.float64)
    bca, rows = settings.interval == "bca", len(groups.codes)
    left = np.array([statistic(weights) for weights in weights_without_one(groups)] if bca else [], dtype=np.float64)
    return interval_of(where, float(statistic(np.ones(rows))), drawn, left, groups, settings, rows=rows)


def ratio(totals: Floats) -> Floats:
    """First total over second: the statistic of a mean. NaN where the second is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(totals[..., 0] / totals[..., 1])


def interval_of(
    where: str,
    value: float,
    drawn: Floats,
    left: Floats,
    groups: Groups,
    settings: Settings,
    *,
    rows: int,
    name: str = "bootstrap",
) -> Estimate:
    """The estimate from its resampled values; `left` holds the leave-one-group-out values, for BCa only.

    - percentile: quantiles (1 ± level) / 2 of the drawn values.
    - basic: 2 value - those quantiles, exchanged.
    - bca: quantiles Φ(z₀ + (z₀ + z) / (1 - a (z₀ + z))) with z₀ from the share of draws below the value (ties half) and
      a from the skewness of the leave-one-out values. Reference: Efron (1987), Better Bootstrap Confidence Intervals.

    A value outside its interval (few groups) is let in. Undefined draws up to 1 % are left out and said in `method`.
    """
    if not np.isfinite(value):
        raise refusal(where, "the figure is undefined on these rows", "give rows that differ")
    kept = drawn[np.isfinite(drawn)]
    lost = len(drawn) - len(kept)
    if lost > LOST * len(drawn):
        raise refusal(
            where, f"undefined in {lost} of {len(drawn)} resamples", "give more rows, or rows that differ more"
        )
    if np.ptp(kept) <= 1e-12 * max(1e-300, float(np.abs(kept).max())):
        raise refusal(where, f"every resample gives {kept[0]:g}", "give rows that differ: the interval is undefined")
    low, high = _ends(where, value, kept, left, settings)
    return Estimate(
        value,
        min(low, value),
        max(high, value),
        settings.level,
        n=rows,
        clusters=groups.named,
        method=_method(name, groups, settings, lost),
    )


def _method(name: str, groups: Groups, settings: Settings, lost: int) -> str:
    kind = "" if settings.interval == "percentile" else f" {settings.interval}"
    left_out = f", {lost} of {settings.resamples} resamples undefined" if lost else ""
    if groups.seeds is not None:
        design = "hierarchical" if groups.prompts is None else "crossed"
        return f"{design} {name}{kind} over {groups.seed_count} seeds{left_out}"
    return f"{'' if groups.alone else 'cluster '}{name}{kind}{left_out}"


def _ends(where: str, value: float, drawn: Floats, left: Floats, settings: Settings) -> tuple[float, float]:
    tails = np.array([(1.0 - settings.level) / 2.0, (1.0 + settings.level) / 2.0])
    if settings.interval == "bca":
        tails = _accelerated(where, value, drawn, left, tails)
    low, high = (float(end) for end in np.quantile(drawn, tails))
    return (2.0 * value - high, 2.0 * value - low) if settings.interval == "basic" else (low, high)


def _accelerated(where: str, value: float, drawn: Floats, left: Floats, tails: Floats) -> Floats:
    near = 1e-12 * max(1.0, abs(value))  # two sums of the same numbers in another order are no difference
    below = float(np.mean(drawn < value - near) + 0.5 * np.mean(np.abs(drawn - value) <= near))
    if not 0.0 < below < 1.0 or not np.isfinite(left).all():
        raise refusal(where, "bca is undefined here", "give more rows, or use percentile")
    apart = left.mean() - left
    spread = float(np.sum(apart**2)) ** 1.5
    skew = float(np.sum(apart**3)) / (6.0 * spread) if spread > 0.0 else 0.0
    shift = ndtri(below) + ndtri(tails)
    moved: Floats = ndtr(ndtri(below) + shift / (1.0 - skew * shift))
    return moved
