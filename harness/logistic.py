"""Logistic regression by Newton's method, and its refits inside a bootstrap; for the length controls of this package.

Targets may lie anywhere in [0, 1] (soft preferences). A maximum that is not finite (separation) is NaN, never a large
number. All refits of a block run at once, from the fit to all rows: the first step is two matrix products, and two or
three more suffice. Columns are expected in units near 1; formulas and p-values are left to statistics packages.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from harness.checks import Floats, Ints, refusal
from harness.estimates import Estimate
from harness.intervals import interval_of
from harness.resampling import BLOCK, Groups, Settings, drawn_weights, weights_without_one

STEPS = 50
"""Steps of one fit. Under separation a step never shrinks, so a fit that is not there by then has no finite maximum."""
WARM = 12
"""Steps of a refit before it is taken up alone, with steps that are checked."""
CLOSE = 1e-7
"""The last step: the error after it is of the order of its square."""
SINGULAR = 1e-12
"""Determinant of the information over the product of its diagonal, at which the columns count as collinear."""

Reading = Callable[[Floats, Floats, Floats], Floats]
"""From coefficients (b, p), row weights (b, n) and the design (n, p) to the figure of each refit (b,)."""


@dataclass(frozen=True)
class Regression:
    """logit(p) = offset + design @ coefficients; the penalty ridge / 2 · coefficient² is taken off the likelihood."""

    design: Floats
    """(n, p), a column of ones included where an intercept is wanted."""
    targets: Floats
    """(n,) in [0, 1]."""
    ridge: Floats
    """(p,), 0 where a coefficient is free."""
    offset: Floats
    """(n,)."""

    @classmethod
    def of(
        cls, columns: list[Floats], targets: Floats, ridge: float = 0.0, offset: Floats | None = None
    ) -> "Regression":
        """With an intercept, which is never penalised, and one coefficient a column."""
        design = np.stack([np.ones(len(targets)), *columns], axis=1)
        penalty = np.array([0.0] + [ridge] * len(columns))
        return cls(design, targets, penalty, np.zeros(len(targets)) if offset is None else offset)


def fit(regression: Regression, weights: Floats) -> Floats:
    """Coefficients (p,) for row weights (n,); NaN where no finite maximum exists.

    >>> coin = Regression.of([np.array([-1.0, -1.0, 1.0, 1.0])], np.array([0.0, 1.0, 1.0, 1.0]))
    >>> fit(coin, np.array([1.0, 1.0, 1.0, 0.0])).round(3)
    array([nan, nan])
    >>> soft = Regression.of([np.array([-1.0, 1.0])], np.array([0.5, 0.75]))
    >>> fit(soft, np.ones(2)).round(4)  # log(3) / 2 both
    array([0.5493, 0.5493])
    """

    def height(coefficients: Floats) -> float:
        logits = regression.offset + regression.design @ coefficients
        likelihood = weights @ (regression.targets * logits - np.logaddexp(0.0, logits))
        return float(likelihood - 0.5 * regression.ridge @ coefficients**2)

    def step(coefficients: Floats) -> Floats:
        return np.asarray(_steps(regression, weights[None], coefficients[None])[0])

    return ascend(height, step, np.zeros(regression.design.shape[1]))


def ascend(height: Callable[[Floats], float], step: Callable[[Floats], Floats], start: Floats) -> Floats:
    """The maximum of a concave function by Newton steps, halved until it does not go down; NaN if none is found."""
    at, found = start, height(start)
    for _ in range(STEPS):
        move = step(at)
        if not np.isfinite(move).all():
            break
        while (reached := height(at + move)) < found - 1e-9 * (1.0 + abs(found)):
            move = move / 2.0
        at, found = at + move, reached
        if np.abs(move).max() < CLOSE:
            return at
    return np.full(len(start), np.nan)


def refit(regression: Regression, weights: Floats, start: Floats) -> Floats:
    """Coefficients (b, p) for each row of `weights` (b, n), from a fit `start` (p,) not far off; NaN as in `fit`."""
    found = np.full((len(weights), len(start)), np.nan)
    left, part, at = np.arange(len(weights)), weights, start[None]
    for _ in range(WARM):
        moves = _steps(regression, part, at)
        at = at + moves
        far = ~(np.abs(moves).max(axis=1) < CLOSE)
        found[left[~far]] = at[~far]
        far &= np.isfinite(moves).all(axis=1)
        if far.any() and not far.all():
            left, part, at = left[far], part[far], at[far]
        elif not far.any():
            break
    for row in np.flatnonzero(np.isnan(found[:, 0])):
        found[row] = fit(regression, weights[row])
    return found


def refitted(
    where: str, regression: Regression, reading: Reading, groups: Groups, settings: Settings
) -> tuple[Estimate, Floats]:
    """The figure that `reading` takes from the fit, its interval from refits to resamples, the coefficients (p,).

    Raises `HarnessError` where the fit to all rows is not finite, and where `interval_of` does.
    """
    cells, counts, within = collapse(regression, groups)
    start = finite_fit(where, cells, counts)

    def read(draws: Iterator[Floats]) -> Floats:
        parts = []
        while taken := list(islice(draws, max(1, BLOCK // len(counts)))):
            weights = np.stack(taken) * counts
            parts.append(reading(refit(cells, weights, start), weights, cells.design))
        return np.concatenate(parts)

    drawn = read(drawn_weights(within, settings))
    left = read(weights_without_one(within)) if settings.interval == "bca" else np.empty(0)
    value = float(reading(start[None], counts[None], cells.design)[0])
    rows = len(groups.codes)
    return interval_of(where, value, drawn, left, groups, settings, rows=rows, name="bootstrap of refits"), start


def finite_fit(where: str, regression: Regression, weights: Floats) -> Floats:
    """`fit`, refused where it is not finite."""
    found = fit(regression, weights)
    if np.isnan(found).any():
        raise refusal(
            where,
            "no finite fit (the outcomes are all alike, or a length parts one outcome from the other)",
            "give more rows, or a figure that is not fitted, such as length_balanced_win_rate",
        )
    return found


def collapse(regression: Regression, groups: Groups) -> tuple[Regression, Floats, Groups]:
    """Equal rows of a cluster (two orders of one pair) as one: the regression, how many each is, and the clusters."""
    if groups.alone:
        return regression, np.ones(len(regression.targets)), groups
    keys = np.column_stack([regression.design, regression.offset, groups.codes])
    order = np.lexsort(keys.T)
    new = np.append(True, (np.diff(keys[order], axis=0) != 0.0).any(axis=1))
    cell: Ints = np.empty(len(order), dtype=np.intp)
    cell[order] = np.cumsum(new) - 1
    first, counts = order[new], np.bincount(cell).astype(np.float64)
    targets = np.bincount(cell, regression.targets) / counts
    made = Regression(regression.design[first], targets, regression.ridge, regression.offset[first])
    return made, counts, replace(groups, codes=groups.codes[first])


def _steps(regression: Regression, weights: Floats, coefficients: Floats) -> Floats:
    """Newton steps (b, p) for weights (b, n) at coefficients (b, p), or (1, p) where all start from the same."""
    design, columns = regression.design, regression.design.shape[1]
    half = np.tanh(0.5 * (regression.offset + coefficients @ design.T))  # 2p - 1: no overflow, odd in the logit
    score = (weights * (regression.targets - 0.5 - 0.5 * half)) @ design - regression.ridge * coefficients
    squares = (design[:, :, None] * design[:, None, :]).reshape(len(design), columns**2)
    information = (weights * (0.25 - 0.25 * half * half)) @ squares
    return _solved(information.reshape(-1, columns, columns) + np.diag(regression.ridge), score)


def _solved(information: Floats, score: Floats) -> Floats:
    """Steps (b, p) of b systems of equations; NaN where one is singular."""
    scale = np.sqrt(np.diagonal(information, axis1=1, axis2=2))
    usable = (scale > 0.0).all(axis=1)
    scale = np.where(scale > 0.0, scale, 1.0)
    scaled = information / (scale[:, :, None] * scale[:, None, :])
    usable &= np.linalg.det(scaled) > SINGULAR
    scaled[~usable] = np.eye(information.shape[1])
    moves = np.linalg.solve(scaled, (score / scale)[:, :, None])[:, :, 0] / scale
    return np.where(usable[:, None], moves, np.nan)
