"""The posterior probability that one system is better, under Beta-binomial models whose assumptions travel with it.

Rows are verdicts (right or wrong, harmless or not, won, tied or lost). They count as independent unless clusters are
named; then the counts are divided by the design effect, so that rows of one prompt do not count as so many.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import betainc, betaln, expit

from harness.checks import Floats, among, check_lengths, refusal
from harness.columns import check_apart
from harness.means import clustered_error
from harness.resampling import Clusters, group

JEFFREYS = (0.5, 0.5)
"""The Beta prior that is invariant to how a rate is expressed; (1, 1) is the uniform one."""
STEPS = 10
"""Of the integral, for each unit or standard deviation of the logit; its error is that of rounding (see the tests)."""
POINTS = 4096, 2**22
"""Of the integral, at least and at most (34 MB a column)."""


class Posterior(NamedTuple):
    """The posterior probability that ours is better, and everything it rests on.

    >>> print(Posterior(0.934, (0.5, 0.5), 200, 200.0, "rows independent"))
    P=0.934 (n=200, prior Beta(0.5, 0.5), rows independent)
    """

    probability: float
    """Not a p-value: 0.5 says that nothing is known."""
    prior: tuple[float, float]
    """Of Beta(a, b), the same for both systems."""
    n: int
    """Rows of both, ties included."""
    effective_n: float
    """Independent rows that they are worth: n without clusters."""
    assumption: str

    def __str__(self) -> str:
        a, b = self.prior
        return f"P={self.probability:.3f} (n={self.n}, prior Beta({a:g}, {b:g}), {self.assumption})"


def probability_better(
    ours: Sequence[float] | np.ndarray[Any, Any],
    theirs: Sequence[float] | np.ndarray[Any, Any],
    *,
    ours_clusters: Clusters | None = None,
    theirs_clusters: Clusters | None = None,
    prior: tuple[float, float] = JEFFREYS,
) -> Posterior:
    """P(rate of ours > rate of theirs | n₁ and n₂ rows of 1 or 0), the samples independent of each other.

    Without clusters `probability_better_counts` of the successes. With them each sample's successes and n are divided
    by its design effect, clustered variance / variance of independent rows, or 1 where that is smaller; where all rows
    are alike, by rows / clusters. For two systems on the same prompts give `probability_above_half` the preferences
    (1 + ours - theirs) / 2 instead.

    Raises `HarnessError` for a value that is not 0 or 1, fewer than 2 rows or clusters, clusters of one sample only or
    shared by both, and a prior that is not positive. Reference: Kish (1965), Survey Sampling (design effect).

    >>> print(probability_better([1, 1, 1, 0, 1, 1], [0, 1, 0, 1, 0, 0]))
    P=0.962 (n=12, prior Beta(0.5, 0.5), rows and samples independent)
    >>> doubled = [1, 1, 1, 0, 1, 1] * 2, [0, 1, 0, 1, 0, 0] * 2
    >>> print(probability_better(*doubled, ours_clusters=list("abcdef") * 2, theirs_clusters=list("uvwxyz") * 2))
    P=0.962 (n=24, prior Beta(0.5, 0.5), clusters and samples independent, design effects 2.00 and 2.00)
    """
    where = "probability_better"
    check_lengths(where, ours=ours)
    check_lengths(where, theirs=theirs)
    mine, other = among(where, "ours", ours, (0.0, 1.0)), among(where, "theirs", theirs, (0.0, 1.0))
    check_apart(where, ours_clusters, theirs_clusters)
    first, second = _design_effect(where, mine, ours_clusters), _design_effect(where, other, theirs_clusters)
    successes = float(mine.sum()) / first, float(other.sum()) / second
    found = _better(where, successes[0], len(mine) / first, successes[1], len(other) / second, prior)
    if ours_clusters is None:
        return found
    told = f"clusters and samples independent, design effects {first:.2f} and {second:.2f}"
    return found._replace(n=len(mine) + len(other), assumption=told)


def probability_better_counts(
    ours_successes: int,
    ours_n: int,
    theirs_successes: int,
    theirs_n: int,
    *,
    prior: tuple[float, float] = JEFFREYS,
) -> Posterior:
    """P(p₁ > p₂ | s₁ of n₁, s₂ of n₂), with p_i ~ Beta(a, b) apart from each other and all rows independent.

    P = ∫ f₁(x) F₂(x) dx, f and F the density and distribution of Beta(a + s, b + n - s). It is integrated by the
    trapezoid rule over the logit of x, where the density is smooth and its tails fall exponentially; the step follows
    the narrower of the two, and the number of points the tails, which are long under a small prior without a success
    or failure. Exchanging the systems gives 1 - P.

    Raises `HarnessError` for n < 1, successes outside [0, n], a prior that is not positive, and one so small (below
    0.001) that both tails cannot be integrated. Reference: Gelman et al. (2013), Bayesian Data Analysis, third edition,
    chapter 2 (Beta-binomial model).

    >>> print(probability_better_counts(60, 100, 50, 100))
    P=0.922 (n=200, prior Beta(0.5, 0.5), rows and samples independent)
    """
    return _better("probability_better_counts", ours_successes, ours_n, theirs_successes, theirs_n, prior)


def probability_above_half(
    preferences: Sequence[float] | np.ndarray[Any, Any],
    *,
    clusters: Clusters | None = None,
    prior: tuple[float, float] = JEFFREYS,
) -> Posterior:
    """P(win rate > ½ | n `preferences`): 1 a win, 0 a loss, 0.5 a tie; see `probability_above_half_counts`.

    With clusters the wins and losses are divided by the design effect of the preferences, as in `probability_better`.

    Raises `HarnessError` for another value (cut soft preferences first), fewer than 2 rows or clusters, and a prior
    that is not positive.

    >>> print(probability_above_half([1, 1, 0, 0.5, 1, 1]))
    P=0.912 (n=6, prior Beta(0.5, 0.5), rows independent, ties left out)
    """
    where = "probability_above_half"
    check_lengths(where, preferences=preferences)
    found = among(where, "preferences", preferences, (0.0, 0.5, 1.0))
    effect = _design_effect(where, found, clusters)
    wins, losses = float(np.sum(found == 1.0)), float(np.sum(found == 0.0))
    kind = "rows independent" if clusters is None else f"clusters independent, design effect {effect:.2f}"
    chance = _above_half(where, wins / effect, losses / effect, prior)
    return Posterior(chance, prior, len(found), len(found) / effect, f"{kind}, ties left out")


def probability_above_half_counts(
    wins: int, losses: int, ties: int = 0, *, prior: tuple[float, float] = JEFFREYS
) -> Posterior:
    """P(win rate > ½ | wins, losses, ties), with all rows independent: P(x > ½) of x ~ Beta(a + wins, b + losses).

    Ties are left out, and nothing is lost by it: with a tie as half a win each, the win rate is above ½ exactly where
    a win is more probable than a loss, and under a Dirichlet prior on (win, loss, tie) the share of wins among both
    does not depend on the ties. n counts them.

    Raises `HarnessError` for counts below 0, no rows at all, and a prior that is not positive.

    >>> print(probability_above_half_counts(33, 20, 47))
    P=0.963 (n=100, prior Beta(0.5, 0.5), rows independent, ties left out)
    """
    where, rows = "probability_above_half_counts", wins + losses + ties
    if min(wins, losses, ties) < 0 or rows < 1:
        raise refusal(where, f"wins, losses, ties are {wins}, {losses}, {ties}", "give counts >= 0, and one above 0")
    chance = _above_half(where, wins, losses, prior)
    return Posterior(chance, prior, rows, float(rows), "rows independent, ties left out")


def _better(
    where: str, ours: float, ours_n: float, theirs: float, theirs_n: float, prior: tuple[float, float]
) -> Posterior:
    a, b = _checked(where, prior)
    for name, successes, n in (("ours", ours, ours_n), ("theirs", theirs, theirs_n)):
        if not (n > 0 and 0 <= successes <= n):
            raise refusal(where, f"{name} is {successes} of {n}", "give 0 <= successes <= n and n >= 1")
    first, second = (a + ours, b + ours_n - ours), (a + theirs, b + theirs_n - theirs)
    # over the narrower density the other's distribution is the smoother factor
    narrow = _spread(first) <= _spread(second)
    logits, shares = _logit_grid(where, prior, *(first if narrow else second))
    # where theirs is the narrower, by the upper tail of ours, so that a small chance keeps its digits
    chance = float(shares @ (_below(second, logits) if narrow else _below(first[::-1], -logits)))
    rows = ours_n + theirs_n
    return Posterior(chance, prior, round(rows), float(rows), "rows and samples independent")


def _spread(shape: tuple[float, float]) -> float:
    """About the standard deviation of the logit of a Beta variable."""
    return float(np.sqrt(1.0 / shape[0] + 1.0 / shape[1]))


def _logit_grid(where: str, prior: tuple[float, float], a: float, b: float) -> tuple[Floats, Floats]:
    """Logits of Beta(a, b) out to where the density is below e⁻⁴⁵ of its height, and their shares, which sum to 1."""
    centre, spread = np.log(a / b), _spread((a, b))
    low, high = centre - 10.0 * spread - 45.0 / a, centre + 10.0 * spread + 45.0 / b
    points = max(POINTS[0], int(STEPS * (high - low) / min(1.0, spread)))
    if points > POINTS[1]:
        raise refusal(where, f"prior is {prior}", "give parts of 0.001 or more")
    logits = np.linspace(low, high, points)
    heights = a * logits - (a + b) * np.logaddexp(0.0, logits)
    shares = np.exp(heights - heights.max())
    return logits, shares / shares.sum()


def _below(shape: tuple[float, float], logits: Floats) -> Floats:
    """P(logit of a Beta variable < each of the logits), also where x or 1 - x is no float or rounds to one."""
    a, b = shape
    upper = logits > 10.0
    ends = np.where(upper, -logits, logits)
    first, second = np.where(upper, b, a), np.where(upper, a, b)
    power = np.exp(np.minimum(0.0, first * ends - np.log(first) - betaln(a, b)))
    tails = np.where(ends < -700.0, power, betainc(first, second, expit(ends)))
    return np.asarray(np.where(upper, 1.0 - tails, tails))


def _above_half(where: str, wins: float, losses: float, prior: tuple[float, float]) -> float:
    a, b = _checked(where, prior)
    return float(betainc(b + losses, a + wins, 0.5))


def _design_effect(where: str, values: Floats, clusters: Clusters | None) -> float:
    """Variance of the mean with clusters over that without, at least 1; m copies of every row give m."""
    rows, groups = len(values), group(where, len(values), clusters)
    if np.ptp(values) == 0.0:
        return rows / groups.count
    error = clustered_error(values, groups)
    return max(1.0, error**2 * (1.0 - 1.0 / groups.count) * rows / float(values.var()))


def _checked(where: str, prior: tuple[float, float]) -> tuple[float, float]:
    if not (len(prior) == 2 and all(0.0 < part < np.inf for part in prior)):
        raise refusal(where, f"prior is {prior}", "give two numbers above 0, such as (0.5, 0.5)")
    return prior
