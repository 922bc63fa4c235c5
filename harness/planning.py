"""What every design shares: its options, how clusters count, and the search for the difference that rows detect."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypedDict, Unpack

import numpy as np

from harness.checks import Floats, check_lengths, check_level, numbers, refusal
from harness.estimates import Estimate
from harness.intervals import bootstrap_totals
from harness.resampling import Bootstrap, Clusters, Groups, group

ROUNDING = 1e-9
"""Relative error by which a number of clusters may miss a whole one without another being added."""


class Plan(TypedDict, total=False):
    """Options of every design: power 0.8, level 0.95, rows_per_cluster (m) 1, intra-cluster correlation (ρ) 0."""

    power: float
    level: float
    rows_per_cluster: int
    correlation: float


@dataclass(frozen=True)
class Design:
    """The size of a study and what it detects.

    >>> print(Design(1000, 500, 2, 0.0569, power=0.8, level=0.95, method="z test"))
    1000 rows in 500 clusters detect 0.0569 (80 % power, 95 % level; z test)
    """

    rows: int
    """Of each system where two of them are rated on rows of their own."""
    clusters: int
    rows_per_cluster: int
    detectable: float
    """The smallest difference, margin or half-width that these rows allow, in the unit of the rows' values."""
    power: float | None
    """None for the width of an interval, which needs none."""
    level: float
    method: str

    def __str__(self) -> str:
        power = "" if self.power is None else f"{100 * self.power:g} % power, "
        told = f"{self.rows} rows in {self.clusters} clusters detect {self.detectable:.4f}"
        return f"{told} ({power}{100 * self.level:g} % level; {self.method})"


@dataclass(frozen=True)
class Problem:
    """A test of one difference d: its variance a row where d is 0 and where it is d, and the largest d there is."""

    null: Callable[[float], float]
    alternative: Callable[[float], float]
    largest: float
    method: str


@dataclass(frozen=True)
class Terms:
    """Checked options of a design, and what follows from them."""

    where: str
    power: float | None
    level: float
    rows_per_cluster: int
    correlation: float

    def __post_init__(self) -> None:
        check_level(self.where, self.level)
        if self.power is not None and not 0.5 <= self.power < 1.0:
            raise refusal(self.where, f"power is {self.power}", "give one from 0.5 to below 1, such as 0.8")
        if self.rows_per_cluster != int(self.rows_per_cluster):
            raise refusal(self.where, f"rows_per_cluster is {self.rows_per_cluster}", "give a whole number")
        design_effect(self.rows_per_cluster, self.correlation)

    @classmethod
    def of(cls, where: str, plan: Plan) -> "Terms":
        """Fill in what is not given and refuse what is no option."""
        known = ("power", "level", "rows_per_cluster", "correlation")
        if unknown := set(plan) - set(known):
            raise refusal(where, f"{', '.join(sorted(unknown))} is no option", f"give some of {', '.join(known)}")
        power, level = plan.get("power", 0.8), plan.get("level", 0.95)
        return cls(where, power, level, plan.get("rows_per_cluster", 1), plan.get("correlation", 0.0))

    @property
    def reached(self) -> float:
        """The power; only asked for where there is one."""
        return 0.5 if self.power is None else self.power

    @property
    def z_power(self) -> float:
        """The normal quantile of the power."""
        return NormalDist().inv_cdf(self.reached)

    @property
    def one_sided(self) -> float:
        """The normal quantile of the level."""
        return NormalDist().inv_cdf(self.level)

    @property
    def two_sided(self) -> float:
        """The normal quantile of (1 + level) / 2."""
        return NormalDist().inv_cdf((1.0 + self.level) / 2.0)

    def whole(self, independent: float) -> int:
        """The rows, in whole clusters and at least two, that tell as much as that many independent ones."""
        effect = design_effect(self.rows_per_cluster, self.correlation)
        clusters = math.ceil(independent * effect / self.rows_per_cluster * (1.0 - ROUNDING))
        return max(2, clusters) * self.rows_per_cluster

    def independent(self, rows: int) -> float:
        """How many independent rows these tell as much as."""
        if rows % self.rows_per_cluster or rows < 2 * self.rows_per_cluster:
            right = f"give a multiple of {self.rows_per_cluster}, for at least 2 clusters"
            raise refusal(self.where, f"rows is {rows} with {self.rows_per_cluster} a cluster", right)
        return rows / design_effect(self.rows_per_cluster, self.correlation)

    def design(self, rows: int, detectable: float, method: str) -> Design:
        """The answer."""
        size = self.rows_per_cluster
        return Design(rows, rows // size, size, float(detectable), self.power, self.level, method)


def sized(terms: Terms, problem: Problem, difference: float, told: str) -> Design:
    """The rows on which a test has its power against that difference: deff ((z √v₀ + z_power √v₁) / d)²."""
    if not 0.0 < difference <= problem.largest + ROUNDING or not math.isfinite(difference):
        right = f"give a difference that is not 0, within {problem.largest:g}"
        raise refusal(terms.where, told, right)
    difference = min(difference, problem.largest)
    reach = terms.two_sided * math.sqrt(problem.null(difference))
    reach += terms.z_power * math.sqrt(max(0.0, problem.alternative(difference)))
    return detected(terms, problem, terms.whole((reach / difference) ** 2))


def detected(terms: Terms, problem: Problem, rows: int) -> Design:
    """The difference against which a test of that many rows has its power; √v₀ and √v₁ are concave, so one root > 0."""
    from scipy.optimize import brentq  # here, because only a search for a root needs it

    root = math.sqrt(terms.independent(rows))

    def beyond(d: float) -> float:
        needed = terms.two_sided * math.sqrt(problem.null(d))
        return root * d - needed - terms.z_power * math.sqrt(max(0.0, problem.alternative(d)))

    high = problem.largest
    if math.isinf(high):  # the variance is then the same for all differences
        high = 2.0 * (terms.two_sided + terms.z_power) * math.sqrt(problem.null(0.0)) / root
    if beyond(high) < -ROUNDING * root:
        raise refusal(terms.where, f"{rows} rows detect no difference", f"give more: none is above {high:g}")
    low = 1e-30  # 0 itself is a root where both variances vanish there, as for a base of 0
    found = high if beyond(high) <= 0.0 else float(brentq(beyond, low, high, xtol=1e-15))
    return terms.design(rows, found, problem.method)


def wide(terms: Terms, rows: int, share: float) -> Design:
    """Half the width of Wilson's interval of a share."""
    z, n = terms.two_sided, terms.independent(rows)
    reach = z / (1.0 + z * z / n) * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    return terms.design(rows, reach, "half-width of a Wilson interval")


def check_shares(where: str, **shares: float) -> None:
    """Refuse what is no share of 0 to 1."""
    for name, share in shares.items():
        if not 0.0 <= share <= 1.0:
            raise refusal(where, f"{name} is {share}", "give a share from 0 to 1")


def design_effect(rows_per_cluster: float, correlation: float) -> float:
    """1 + (m - 1) ρ: by how much clusters of m rows raise the variance of a mean. Unequal sizes: m = Σm² / Σm.

    Raises `HarnessError` for m < 1, ρ outside [-1, 1], and an effect that is not above 0.
    Reference: Kish (1965), Survey Sampling, chapter 5.

    >>> round(design_effect(2, 0.66), 2)
    1.66
    """
    where = "design_effect"
    if not 1.0 <= rows_per_cluster < math.inf:
        raise refusal(where, f"rows_per_cluster is {rows_per_cluster}", "give 1 or more")
    numbers(where, "correlation", [correlation], -1.0, 1.0)
    effect = 1.0 + (rows_per_cluster - 1.0) * correlation
    if effect <= 0.0:
        raise refusal(where, f"correlation is {correlation}", f"give more than {-1.0 / (rows_per_cluster - 1.0):.3g}")
    return effect


def intracluster_correlation(
    values: Sequence[float] | Floats, clusters: Clusters, **options: Unpack[Bootstrap]
) -> Estimate:
    """How alike rows of one cluster are: ρ of n `values`, by analysis of variance, with a bootstrap over clusters.

    ρ = (B - W) / (B + (m₀ - 1) W) with mean squares B between and W within K clusters of m_k rows, and
    m₀ = (n - Σm_k² / n) / (K - 1). Below 0 where rows of a cluster differ more than chance, as under position bias.

    Raises `HarnessError` where no cluster has two rows, values are all equal, and as `cluster_bootstrap` does.
    Reference: Donner (1986), A Review of Inference Procedures for the Intraclass Correlation Coefficient in the
    One-Way Random Effects Model, International Statistical Review 54(1).

    >>> scores, prompts = [0.9, 0.8, 0.2, 0.4, 0.6, 0.5, 0.7, 0.9], ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> print(intracluster_correlation(scores, prompts, rng=np.random.default_rng(0)))
    0.822 [-0.857, 0.883] (n=8, 4 clusters, cluster bootstrap)
    """
    columns, groups = _cluster_columns("intracluster_correlation", values, clusters)
    return bootstrap_totals("intracluster_correlation", columns, _correlation, groups, options)


def intracluster_correlation_value(values: Sequence[float] | Floats, clusters: Clusters) -> float:
    """The figure of `intracluster_correlation` without an interval, and its refusals.

    >>> round(intracluster_correlation_value([1, 1, 0, 0, 1, 0, 1, 1], ["a", "a", "b", "b", "c", "c", "d", "d"]), 4)
    0.5714
    """
    where = "intracluster_correlation_value"
    return float(_correlation(_cluster_columns(where, values, clusters)[0].sum(axis=0)))


def _cluster_columns(where: str, values: Sequence[float] | Floats, clusters: Clusters) -> tuple[Floats, Groups]:
    """What the correlation is made of, (n, 6), on the first row of each cluster and 0 on the others."""
    check_lengths(where, values=values, clusters=clusters)
    found = numbers(where, "values", values)
    groups = group(where, len(found), clusters)
    if groups.count == len(found):
        raise refusal(where, "every cluster has one row", "give at least one cluster of two")
    if np.ptp(found) == 0.0:
        raise refusal(where, f"every value is {found[0]:g}", "give rows that differ")
    centred = found - found.mean()
    size, total, square = groups.totals(np.stack([np.ones(len(found)), centred, centred**2], axis=1)).T
    within = np.maximum(square - total**2 / size, 0.0)
    columns = np.zeros((len(found), 6))
    first = np.unique(groups.codes, return_index=True)[1]
    columns[first] = np.stack([np.ones(groups.count), size, size**2, total, total**2 / size, within], axis=1)
    return columns, groups


def _correlation(totals: Floats) -> Floats:
    """The correlation from totals (..., 6) over clusters of 1, m, m², S, S² / m and the squares within."""
    count, rows, sizes, total, squares, within = np.moveaxis(totals, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (squares - total**2 / rows) / (count - 1.0)
        inner = within / (rows - count)
        usual = (rows - sizes / rows) / (count - 1.0)
        return np.asarray((between - inner) / (between + (usual - 1.0) * inner))
