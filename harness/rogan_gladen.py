"""The rate that people would find, from a judge whose errors were counted on a few rows that people labelled too.

It asks only that the judge errs as often on the rows that are corrected as on those that validated it, so validation
may come from elsewhere. Where the validated rows are a random part of the same rows, `prediction_powered_mean` is
narrower. Ties have no place here: a judge that says three things has no sensitivity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Unpack

import numpy as np
from scipy.special import ndtri

from harness.checks import Floats, check_lengths, check_level, numbers, refusal
from harness.columns import joined_clusters
from harness.estimates import Estimate
from harness.intervals import bootstrap_totals
from harness.proportions import proportion
from harness.resampling import Bootstrap, Clusters, group

CorrectedMethod = Literal["lang-reiczigel", "delta"]


@dataclass(frozen=True)
class CorrectedRate:
    """A corrected rate, and the three rates it is made of."""

    estimate: Estimate
    """Clipped to [0, 1], as its interval is."""
    raw: float
    """Before it was clipped: far outside [0, 1] says that the judge errs otherwise here than where it was validated."""
    judged: Estimate
    """The rate that the judge found (Wilson on rows)."""
    sensitivity: Estimate
    specificity: Estimate


def rogan_gladen(
    positive: int,
    n: int,
    *,
    true_positive: int,
    human_positive: int,
    true_negative: int,
    human_negative: int,
    level: float = 0.95,
    method: CorrectedMethod = "lang-reiczigel",
) -> CorrectedRate:
    """The rate (p + Sp - 1) / (Se + Sp - 1) with p = positive / n, by the judge, of n rows without human labels.

    Se = true_positive / human_positive and Sp = true_negative / human_negative are the shares of the rows that people
    labelled positive (negative) where the judge agrees. Both intervals count the error of all three:

    - delta: θ ± z √(p(1-p)/n + θ² Se(1-Se)/n₊ + (1-θ)² Sp(1-Sp)/n₋) / (Se + Sp - 1).
    - lang-reiczigel: the same at p' = (np + z²/2) / (n + z²), Se' and Sp' of one more success and failure each, moved
      by 2z² (θ' Se'(1-Se')/(n₊+2) - (1-θ') Sp'(1-Sp')/(n₋+2)); it covers with few rows, and where a rate is 0 or 1.

    Value and interval are clipped to [0, 1], and an interval that leaves the value out is widened to it.

    Raises `HarnessError` for counts that are not whole, n < 1, counts above their n, Se + Sp <= 1 (the judge knows
    nothing), Se' + Sp' <= 1 in lang-reiczigel (too few validated rows to say that it does), an unknown method, a level
    outside (0, 1), and an interval that has no width, or none in [0, 1].
    Reference: Rogan and Gladen (1978), American Journal of Epidemiology 107(1); Lang and Reiczigel (2014), Preventive
    Veterinary Medicine 113(1), equations 4 and 16.

    >>> found = rogan_gladen(70, 100, true_positive=45, human_positive=50, true_negative=40, human_negative=50)
    >>> print(found.estimate)
    0.714 [0.551, 0.886] (n=100, Rogan-Gladen, lang-reiczigel)
    """
    where = "rogan_gladen"
    check_level(where, level)
    if method not in ("lang-reiczigel", "delta"):
        raise refusal(where, f"method is {method!r}", "use lang-reiczigel or delta")
    counts = {"positive": (positive, n), "true_positive": (true_positive, human_positive)}
    counts["true_negative"] = (true_negative, human_negative)
    for name, (some, all_of_them) in counts.items():
        whole = float(some).is_integer() and float(all_of_them).is_integer()
        if not (whole and 0 <= some <= all_of_them and all_of_them >= 1):
            raise refusal(where, f"{name} is {some} of {all_of_them}", "give whole numbers, 0 <= count <= n, n >= 1")
    judged, sensitivity, specificity = (proportion(*pair, level=level) for pair in counts.values())
    raw = _corrected(where, judged.value, sensitivity.value, specificity.value)
    z = float(ndtri((1.0 + level) / 2.0))
    rates = (judged.value, sensitivity.value, specificity.value)
    low, high = _interval(where, rates, (n, human_positive, human_negative), z, method)
    value, low, high = (float(np.clip(number, 0.0, 1.0)) for number in (raw, low, high))
    if low == high:
        raise refusal(where, f"the interval has no width in [0, 1] at {raw:.3g}", "validate the judge on such rows")
    told = f"Rogan-Gladen, {method}{'' if value == raw else ', clipped'}"
    estimate = Estimate(value, min(low, value), max(high, value), level, n=int(n), clusters=None, method=told)
    return CorrectedRate(estimate, raw, judged, sensitivity, specificity)


def corrected_rate(
    judge: Sequence[bool] | Floats,
    *,
    judge_on_human: Sequence[bool] | Floats,
    human: Sequence[bool] | Floats,
    clusters: Clusters | None = None,
    human_clusters: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> CorrectedRate:
    """`rogan_gladen` from rows that may belong together, its interval from resampling clusters of both samples.

    `judge` (n verdicts, 0 or 1) are those to correct; `judge_on_human` and `human` (m each) are verdicts and human
    labels of the validated rows. A cluster that both samples name is one cluster. n of the estimate counts all rows.
    Values are clipped to [0, 1] in every resample as well.

    Raises `HarnessError` for a value other than 0 and 1, validated rows of one kind only, Se + Sp <= 1, also in more
    than 1 % of resamples, clusters of one sample without those of the other, and where `bootstrap` does.

    >>> verdicts, checked = [1, 1, 0, 1] * 25, [1] * 20 + [0] * 20 + [1] * 2
    >>> people = [1] * 18 + [0] * 2 + [0] * 18 + [1] * 4
    >>> print(corrected_rate(verdicts, judge_on_human=checked, human=people, rng=np.random.default_rng(0)).estimate)
    0.803 [0.650, 1.000] (n=142, Rogan-Gladen bootstrap)
    """
    where = "corrected_rate"
    check_lengths(where, judge=judge)
    check_lengths(where, judge_on_human=judge_on_human, human=human)
    verdicts, checked = _binary(where, "judge", judge), _binary(where, "judge_on_human", judge_on_human)
    people = _binary(where, "human", human)
    if np.ptp(people) == 0.0:
        raise refusal(where, f"every human label is {people[0]:g}", "give rows of both kinds")
    shared = joined_clusters(where, (clusters, len(verdicts)), (human_clusters, len(people)))
    groups = group(where, len(verdicts) + len(people), shared)
    upper = np.stack([verdicts, np.ones(len(verdicts)), *np.zeros((4, len(verdicts)))], axis=1)
    agreed = (checked * people, people, (1.0 - checked) * (1.0 - people), 1.0 - people)
    columns = np.concatenate([upper, np.stack([*np.zeros((2, len(people))), *agreed], axis=1)])
    judged, sensitivity, specificity = columns.sum(axis=0).reshape(3, 2)
    raw = _corrected(where, *(float(some / n) for some, n in (judged, sensitivity, specificity)))
    estimate = bootstrap_totals(where, columns, _clipped, groups, options, name="Rogan-Gladen bootstrap")
    parts = (proportion(float(some), int(n), level=estimate.level) for some, n in (judged, sensitivity, specificity))
    return CorrectedRate(estimate, raw, *parts)


def _corrected(where: str, judged: float, sensitivity: float, specificity: float) -> float:
    known = sensitivity + specificity - 1.0
    if known <= 1e-12:
        told = f"sensitivity {sensitivity:.3g} + specificity {specificity:.3g} <= 1"
        raise refusal(where, told, "give a judge that is better than chance")
    return (judged + specificity - 1.0) / known


def _interval(
    where: str, rates: tuple[float, float, float], counts: tuple[int, int, int], z: float, method: CorrectedMethod
) -> tuple[float, float]:
    """The ends, neither clipped nor widened, from rates and counts of judge, sensitivity and specificity."""
    p, se, sp = rates
    n, positives, negatives = (float(count) for count in counts)
    if method == "lang-reiczigel":
        p, n = (n * p + z * z / 2.0) / (n + z * z), n + z * z
        se, positives = (positives * se + 1.0) / (positives + 2.0), positives + 2.0
        sp, negatives = (negatives * sp + 1.0) / (negatives + 2.0), negatives + 2.0
        if se + sp <= 1.0 + 1e-12:
            told = f"sensitivity {se:.3g} + specificity {sp:.3g} <= 1 with one more success and failure each"
            raise refusal(where, told, "validate the judge on more rows")
    rate = (p + sp - 1.0) / (se + sp - 1.0)
    from_positives, from_negatives = se * (1.0 - se) / positives, sp * (1.0 - sp) / negatives
    variance = p * (1.0 - p) / n + rate**2 * from_positives + (1.0 - rate) ** 2 * from_negatives
    reach = z * variance**0.5 / (se + sp - 1.0)
    if method == "lang-reiczigel":
        rate += 2.0 * z * z * (rate * from_positives - (1.0 - rate) * from_negatives)
    return rate - reach, rate + reach


def _clipped(totals: Floats) -> Floats:
    """The corrected rate, clipped, of totals (judged, n, true positive, positive, true negative, negative)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        judged, sensitivity, specificity = (totals[..., at] / totals[..., at + 1] for at in (0, 2, 4))
        known = sensitivity + specificity - 1.0
        return np.where(known > 1e-12, np.clip((judged + specificity - 1.0) / known, 0.0, 1.0), np.nan)


def _binary(where: str, name: str, values: Sequence[bool] | Floats) -> Floats:
    found = numbers(where, name, values, 0.0, 1.0)
    if (between := (found != 0.0) & (found != 1.0)).any():
        at = int(np.argmax(between))
        raise refusal(where, f"{name}[{at}] is {found[at]:g}", "give 0 or 1; prediction_powered_mean takes the rest")
    return found
