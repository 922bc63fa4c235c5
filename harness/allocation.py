"""How many rows people should label beside a judge, and which, so that the mean stays the one of people.

Rows on which the judge is unsure are worth more, but a mean of those alone is the mean of hard rows. So each row is
drawn with a known chance, higher where the judge is unsure and never 0, and is weighed by the inverse of that chance.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from harness.checks import Floats, check_lengths, check_level, check_rng, numbers, refusal
from harness.columns import Column, Mask, numbers_or_none
from harness.means import clustered_error, t_interval
from harness.prediction_powered import PredictionPowered
from harness.resampling import Clusters, Groups, group


def human_labels_needed(
    half_width: float, rows: int, *, correlation: float, deviation: float = 0.5, level: float = 0.95
) -> int:
    """Human labels, of `rows` rows that the judge labels all, for a prediction-powered mean ± half_width.

    With tuned λ the variance of the mean is σ² ((1 - ρ²) / n + ρ² / rows), so n = (1 - ρ²) / ((w / zσ)² - ρ² / rows),
    rounded up, and at least 2. σ is the standard deviation of human labels (0.5 is the most that a share has), ρ their
    correlation with the judge's (`agreement_correlation`; 0 below 0, as the judge is then not used), w the half-width
    in the unit of σ, z a normal quantile. Rows are independent: with clusters count those.

    Raises `HarnessError` for a half-width or deviation that is not above 0, rows < 2, a correlation outside [-1, 1], a
    level outside (0, 1), and where labels of all rows would not do. Reference: Angelopoulos, Duchi, Zrnic (2023),
    PPI++, arXiv 2311.01453 (its tuned variance, solved for n).

    >>> human_labels_needed(0.05, 10_000, correlation=0.6), human_labels_needed(0.05, 10_000, correlation=0.0)
    (250, 385)
    """
    where = "human_labels_needed"
    check_level(where, level)
    numbers(where, "half_width and deviation", [half_width, deviation], low=0.0)
    numbers(where, "correlation", [correlation], -1.0, 1.0)
    if half_width * deviation == 0.0:
        raise refusal(where, "half_width or deviation is 0", "give both above 0")
    if rows < 2:
        raise refusal(where, f"rows is {rows}", "give 2 or more")
    known = max(0.0, correlation) ** 2
    wanted = (half_width / (float(ndtri((1.0 + level) / 2.0)) * deviation)) ** 2
    if wanted * rows < 1.0:
        raise refusal(where, f"labels of all {rows} rows do not reach ± {half_width:g}", "give more rows")
    needed = (1.0 - known) / max(wanted - known / rows, 1e-300)
    return min(rows, max(2, math.ceil(needed - 1e-9)))


def agreement_correlation(agreement: float, *, human_rate: float = 0.5, judge_rate: float = 0.5) -> float:
    """Correlation of two 0/1 labels that agree in a share of rows: 2 agreement - 1 where both rates are one half.

    With rates p and q: both are 1 in (agreement - 1 + p + q) / 2 of the rows, and ρ is that less pq, over
    √(p(1-p) q(1-q)). Raises `HarnessError` for rates outside (0, 1), and an agreement that they do not allow.

    >>> round(agreement_correlation(0.78), 4), round(agreement_correlation(0.9, human_rate=0.8, judge_rate=0.8), 4)
    (0.56, 0.6875)
    """
    where = "agreement_correlation"
    if not (0.0 < human_rate < 1.0 and 0.0 < judge_rate < 1.0):
        raise refusal(where, f"rates are {human_rate:g} and {judge_rate:g}", "give two between 0 and 1")
    least, most = abs(human_rate + judge_rate - 1.0), 1.0 - abs(human_rate - judge_rate)
    if not least - 1e-9 <= agreement <= most + 1e-9:
        raise refusal(where, f"agreement is {agreement:g}", f"these rates allow [{least:.3g}, {most:.3g}]")
    both = (agreement - 1.0 + human_rate + judge_rate) / 2.0
    scale = human_rate * (1.0 - human_rate) * judge_rate * (1.0 - judge_rate)
    return float(np.clip((both - human_rate * judge_rate) / math.sqrt(scale), -1.0, 1.0))


def inclusion_probabilities(probabilities: Column, labels: float, *, floor: float = 0.3) -> Floats:
    """The chance of each of n rows to be sent to people, about `labels` of them in all.

    In proportion to floor + (1 - floor) u / ū, u = √(p (1 - p)): the deviation of the human choice where the judge's p
    is calibrated, largest at p = 0.5. What exceeds 1 is 1, and the others are raised so that the sum is `labels`. No
    row has less than floor · labels / n: the floor pays for rows where the judge is sure and wrong; 1 is uniform.

    Raises `HarnessError` for probabilities outside [0, 1], a floor outside (0, 1], labels outside (0, n].
    Reference: Zrnic and Candès (2024), Active Statistical Inference, arXiv 2403.03208 (mixing with uniform sampling).

    >>> inclusion_probabilities([0.5, 0.9, 1.0, 0.5], 2, floor=0.2).round(3)
    array([0.715, 0.469, 0.1  , 0.715])
    """
    where = "inclusion_probabilities"
    check_lengths(where, probabilities=probabilities)
    found = numbers(where, "probabilities", probabilities, 0.0, 1.0)
    if not 0.0 < floor <= 1.0:
        raise refusal(where, f"floor is {floor}", "give one above 0 and at most 1, such as 0.1")
    if not 0.0 < labels <= len(found):
        raise refusal(where, f"labels is {labels} of {len(found)} rows", "give one above 0 and at most the rows")
    unsure = np.sqrt(found * (1.0 - found))
    mean = float(unsure.mean())
    shares = floor + (1.0 - floor) * (unsure / mean if mean > 0.0 else np.ones(len(found)))
    return _capped(shares, labels)


def draw_rows(inclusion: Column, *, rng: np.random.Generator) -> Mask:
    """Which of n rows to send to people: each by itself, with its own chance, so that their number is random too.

    Raises `HarnessError` for a chance outside (0, 1] and an rng that is not a Generator.

    >>> draw_rows([1.0, 0.5, 0.5, 0.01], rng=np.random.default_rng(0))
    array([ True,  True,  True, False])
    """
    check_rng("draw_rows", rng)
    found = _chances("draw_rows", inclusion)
    return np.asarray(rng.random(len(found)) < found)


def actively_labelled_mean(
    human: Sequence[float | None],
    judge: Column,
    inclusion: Column,
    *,
    lambda_: float | None = 1.0,
    clusters: Clusters | None = None,
    level: float = 0.95,
) -> PredictionPowered:
    """Mean of people's labels over all n rows where only rows drawn by `draw_rows` have one: the others are None.

    The mean of λf + (h - λf) ξ / π, with judge f, human label h, ξ = 1 where drawn and π the chance of that: right on
    average whatever the judge is worth, because E ξ = π and λ is fixed; 1 is the estimator of the paper. The
    error is that of the mean of these n terms, summed over clusters where given, times a quantile of t with one degree
    of freedom less than rows (or clusters) that were drawn.

    λ = None tunes it in [0, 1] for the least variance, on the same few labels and their weights: the mean is then
    slightly biased, and covers a little less. With either, a judge that is sure and wrong where chances are small costs
    coverage, as few labels of large weight carry the error: with 300 of 2,000 rows labelled and a judge 0.2 too high,
    95 % intervals with λ = 1 covered 88 % at floor 0.1, 94 % at 0.3, 95 % at 0.5. Raise the floor for such a judge.

    A row that was drawn but has no answer is not None here: it breaks the chances, so ask again, or give its bounds.
    `effective_labels` counts uniformly drawn labels that would do as well without the judge.

    Raises `HarnessError` for lengths that differ, a chance outside (0, 1], a row with chance 1 and no label, fewer than
    2 labelled rows (or clusters), λ outside [0, 1], and terms that do not differ.
    Reference: Zrnic and Candès (2024), Active Statistical Inference, arXiv 2403.03208.

    >>> judge = [0.9, 0.5, 0.2, 0.6] * 25
    >>> chances = inclusion_probabilities(judge, 40)
    >>> drawn = draw_rows(chances, rng=np.random.default_rng(0))
    >>> people = [float(p > 0.5) if asked else None for p, asked in zip(judge, drawn)]
    >>> print(actively_labelled_mean(people, judge, chances).estimate)
    0.555 [0.435, 0.675] (n=100, active)
    """
    where = "actively_labelled_mean"
    check_level(where, level)
    check_lengths(where, human=human, judge=judge, inclusion=inclusion)
    found = numbers_or_none(where, "human", human)
    drawn, labels = ~np.isnan(found), np.nan_to_num(found)
    guesses, chances = numbers(where, "judge", judge), _chances(where, inclusion)
    if (missed := (chances == 1.0) & ~drawn).any():
        raise refusal(where, f"human[{int(np.argmax(missed))}] is None at chance 1", "give the label of each drawn row")
    groups = group(where, len(labels), clusters)
    asked = len(np.unique(groups.codes[drawn]))
    if asked < 2:
        raise refusal(where, f"{asked} rows or clusters were labelled", "give 2 or more: the interval is undefined")
    people, surplus = labels * drawn / chances, guesses * (drawn / chances - 1.0)
    trust = _trust(where, people, surplus, groups, lambda_)
    terms = people - trust * surplus
    error, value = clustered_error(terms, groups), float(terms.mean())
    if error <= 1e-12 * max(1.0, abs(value)):
        raise refusal(where, "the standard error is 0", "give rows that differ")
    estimate = t_interval(value, error, asked - 1, groups, level, name="active")
    spread = float(np.average((labels[drawn] - value) ** 2, weights=1.0 / chances[drawn]))
    return PredictionPowered(estimate, trust, int(drawn.sum()), int((~drawn).sum()), spread / error**2)


def _capped(shares: Floats, labels: float) -> Floats:
    """The shares scaled so that their sum is `labels`, none above 1."""
    falling = np.sort(shares)[::-1]
    left = labels - np.arange(len(shares))
    scale = left / np.cumsum(falling[::-1])[::-1]
    full = int(np.argmax(scale * falling <= 1.0 + 1e-12))
    return np.asarray(np.minimum(1.0, scale[full] * shares))


def _chances(where: str, inclusion: Column) -> Floats:
    check_lengths(where, inclusion=inclusion)
    found = numbers(where, "inclusion", inclusion, 0.0, 1.0)
    if (never := found == 0.0).any():
        raise refusal(where, f"inclusion[{int(np.argmax(never))}] is 0", "give every row a chance above 0")
    return found


def _trust(where: str, people: Floats, surplus: Floats, groups: Groups, lambda_: float | None) -> float:
    if lambda_ is not None:
        if not 0.0 <= lambda_ <= 1.0:
            raise refusal(where, f"lambda_ is {lambda_}", "give one in [0, 1], or None to tune it")
        return float(lambda_)
    sums = groups.totals(np.stack([people - people.mean(), surplus - surplus.mean()], axis=1))
    steep = float(sums[:, 1] @ sums[:, 1])
    return float(np.clip(sums[:, 0] @ sums[:, 1] / steep, 0.0, 1.0)) if steep > 0.0 else 0.0
