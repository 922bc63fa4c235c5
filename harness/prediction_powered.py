"""A mean of human labels made sharper by a judge: people label few rows, the judge labels those and many others.

Whatever the judge is worth, the mean stays that of people: the judge's mean over the other rows is corrected by how far
it was off where people looked. A win or harmless rate is such a mean. The rows that people label must be a random part
of all (`harness.allocation` weighs rows that were chosen otherwise).
"""

from dataclasses import dataclass

import numpy as np

from harness.checks import Floats, check_lengths, check_level, numbers, refusal
from harness.columns import Column, joined_clusters
from harness.estimates import Estimate
from harness.intervals import bootstrap_totals
from harness.means import t_interval
from harness.resampling import Bootstrap, Clusters, Groups, Interval, group


@dataclass(frozen=True)
class PredictionPowered:
    """The mean, how far the judge was relied on, and what that saved. n of the estimate counts all rows."""

    estimate: Estimate
    lambda_: float
    """0 where the judge was not used, 1 where it was taken at its word."""
    human: int
    rest: int
    effective_labels: float
    """The number of human labels that would give as small a standard error without the judge."""


def prediction_powered_mean(
    human: Column,
    judge_on_human: Column,
    judge_on_rest: Column,
    *,
    lambda_: float | None = None,
    clusters: Clusters | None = None,
    rest_clusters: Clusters | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
    resamples: int = 10_000,
    interval: Interval = "percentile",
) -> PredictionPowered:
    """Mean of people's labels over all rows: h̄ + λ (f̄_rest - f̄_human), with n human labels h and N more by a judge f.

    `human` and `judge_on_human` have n entries, of the same rows; `judge_on_rest` has N; any unit. λ is by default the
    one of least variance, cov(h, f) / (var f (1 + n / N)), kept in [0, 1]: a perfect judge gives about the error of all
    n + N rows, a useless one that of the n. λ = 1 is the prediction-powered mean of 2023.

    The error is √(var(h - λf) / n + λ² var(f) / N), times a quantile of t with Welch's degrees of freedom. With
    `clusters` (n) and `rest_clusters` (N) sums over clusters take the place of rows; a cluster that both name is one.
    With `rng` the interval is from resampling clusters of all rows, λ held. Neither is clipped to [0, 1].

    Raises `HarnessError` for lengths that differ, fewer than 2 clusters in either part, clusters of one part only, λ
    outside [0, 1], a standard error of 0, and where `bootstrap` does. Reference: Angelopoulos et al. (2023),
    Prediction-powered inference, Science 382; Angelopoulos, Duchi, Zrnic (2023), PPI++, arXiv 2311.01453.

    >>> people, judge, rest = [1, 0, 1, 1, 0, 1] * 10, [1, 0, 1, 1, 1, 1] * 10, [1, 0, 1, 1, 0, 1, 1, 1] * 100
    >>> result = prediction_powered_mean(people, judge, rest)
    >>> print(result.estimate, f"{result.lambda_:.2f} {result.effective_labels:.0f}")
    0.606 [0.508, 0.704] (n=860, prediction-powered) 0.73 94
    """
    where = "prediction_powered_mean"
    check_level(where, level)
    check_lengths(where, human=human, judge_on_human=judge_on_human)
    check_lengths(where, judge_on_rest=judge_on_rest)
    labels, on_human = numbers(where, "human", human), numbers(where, "judge_on_human", judge_on_human)
    on_rest = numbers(where, "judge_on_rest", judge_on_rest)
    groups = group(
        where,
        len(labels) + len(on_rest),
        joined_clusters(where, (clusters, len(labels)), (rest_clusters, len(on_rest))),
    )
    spread, parts = _covariance(where, labels, on_human, on_rest, groups)
    trust = _trust(where, spread, lambda_)
    variance = _variance(spread, trust)
    value = float(labels.mean() + trust * (on_rest.mean() - on_human.mean()))
    if variance <= 1e-24 * max(1.0, value**2):
        raise refusal(where, "the standard error is 0", "give rows that differ")
    if rng is None:
        estimate = _analytic(value, spread, trust, parts, groups, level)
    else:
        columns = _stacked(labels, on_human, on_rest)
        options: Bootstrap = {"rng": rng, "level": level, "resamples": resamples, "interval": interval}
        name = "prediction-powered bootstrap"
        estimate = bootstrap_totals(where, columns, lambda totals: _mean(totals, trust), groups, options, name=name)
    effective = len(labels) * float(spread[0, 0]) / variance
    return PredictionPowered(estimate, trust, len(labels), len(on_rest), effective)


def _covariance(
    where: str, labels: Floats, on_human: Floats, on_rest: Floats, groups: Groups
) -> tuple[Floats, tuple[int, int]]:
    """Covariance (3, 3) of the means of human labels, judge on the same rows, and judge on the rest; cluster counts."""
    n, rest = len(labels), len(on_rest)
    columns = np.zeros((n + rest, 5))
    columns[:n, 0], columns[:n, 1], columns[n:, 2] = _share(labels), _share(on_human), _share(on_rest)
    columns[:n, 3], columns[n:, 4] = 1.0, 1.0
    sums = groups.totals(columns)
    inner, outer = (int(np.count_nonzero(column)) for column in sums[:, 3:].T)
    for count, name in ((inner, "human labels"), (outer, "the rest")):
        if count < 2:
            raise refusal(where, f"{name} are in one cluster", "give 2 or more: the interval is undefined")
    scale = np.full((3, 3), inner / (inner - 1))
    scale[2, :] = scale[:, 2] = groups.count / (groups.count - 1)
    scale[2, 2] = outer / (outer - 1)
    return scale * (sums[:, :3].T @ sums[:, :3]), (inner, outer)


def _share(values: Floats) -> Floats:
    """What each row moves the mean by; the first value is taken off first, so that equal ones give exact zeros."""
    moved = values - values[0]
    return np.asarray((moved - moved.mean()) / len(values))


def _trust(where: str, spread: Floats, lambda_: float | None) -> float:
    if lambda_ is not None:
        if not 0.0 <= lambda_ <= 1.0:
            raise refusal(where, f"lambda_ is {lambda_}", "give one in [0, 1], or None to tune it")
        return float(lambda_)
    judge = np.array([0.0, -1.0, 1.0])
    steep = float(judge @ spread @ judge)
    return float(np.clip(-(spread[0] @ judge) / steep, 0.0, 1.0)) if steep > 0.0 else 0.0


def _variance(spread: Floats, trust: float) -> float:
    weights = np.array([1.0, -trust, trust])
    return float(weights @ spread @ weights)


def _analytic(
    value: float, spread: Floats, trust: float, parts: tuple[int, int], groups: Groups, level: float
) -> Estimate:
    near = float(spread[0, 0] - 2.0 * trust * spread[0, 1] + trust**2 * spread[1, 1])
    far = float(trust**2 * spread[2, 2])
    freedom = (near + far) ** 2 / (near**2 / (parts[0] - 1) + far**2 / (parts[1] - 1))
    return t_interval(value, _variance(spread, trust) ** 0.5, freedom, groups, level, name="prediction-powered")


def _stacked(labels: Floats, on_human: Floats, on_rest: Floats) -> Floats:
    """Columns (human, judge, 1) of the rows with human labels and (judge, 1) of the rest, 0 elsewhere."""
    n = len(labels)
    columns = np.zeros((n + len(on_rest), 5))
    columns[:n, 0], columns[:n, 1], columns[:n, 2] = labels, on_human, 1.0
    columns[n:, 3], columns[n:, 4] = on_rest, 1.0
    return columns


def _mean(totals: Floats, trust: float) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        on_human, on_rest = totals[..., :2] / totals[..., 2:3], totals[..., 3] / totals[..., 4]
    return np.asarray(on_human[..., 0] + trust * (on_rest - on_human[..., 1]))
