"""How many rows a study needs, and what it can detect: before any data, by the normal approximation.

Each kind of comparison has a pair of functions: the rows for a difference, and the smallest difference for the rows.
Rows of one prompt (two orders, several samples) tell less than independent ones: n rows count as n / deff with the
design effect deff = 1 + (m - 1) ρ. Fewer than about 30 clusters want Student's t, and designs with several training
seeds have no such formula: `harness.simulated_power` takes both.
"""

import math
from dataclasses import replace
from statistics import NormalDist
from typing import Unpack

from scipy.special import ndtr

from harness.checks import numbers, refusal
from harness.planning import Design, Plan, Problem, Terms, check_shares, detected, sized, wide


def win_rate_sample_size(rate: float, *, ties: float = 0.0, **plan: Unpack[Plan]) -> Design:
    """Rows for a two-sided test of a win rate against one half, where the true one is `rate` with a share of `ties`.

    n = deff ((z₁₋α⸝₂ √v₀ + z_power √v₁) / d)² with d = |rate - ½|, v₀ = (1 - ties) / 4 and v₁ = v₀ - d², rounded up to
    whole clusters. `detectable` of the result is that of the rounded n, so never more than d.

    Raises `HarnessError` for a rate of one half or outside [ties / 2, 1 - ties / 2], ties outside [0, 1), power outside
    [0.5, 1), a level outside (0, 1), and rows that are so negatively correlated that deff <= 0.
    Reference: Chow, Shao, Wang (2008), Sample Size Calculations in Clinical Research, section 4.1.

    >>> win_rate_sample_size(0.55).rows, win_rate_sample_size(0.55, ties=0.2).rows
    (783, 626)
    """
    terms = Terms.of("win_rate_sample_size", plan)
    return sized(terms, _win_rate(terms.where, ties), abs(rate - 0.5), f"rate is {rate}")


def win_rate_detectable(rows: int, *, ties: float = 0.0, **plan: Unpack[Plan]) -> Design:
    """The smallest distance from one half that `rows` show with the power asked; see `win_rate_sample_size`.

    Raises `HarnessError` as that does, for rows that do not fill whole clusters, and where no distance is large enough.

    >>> print(f"{win_rate_detectable(1000, rows_per_cluster=2, correlation=0.66).detectable:.3f}")
    0.057
    """
    terms = Terms.of("win_rate_detectable", plan)
    return detected(terms, _win_rate(terms.where, ties), rows)


def paired_sample_size(
    difference: float, *, sd: float | None = None, discordance: float | None = None, **plan: Unpack[Plan]
) -> Design:
    """Rows for a two-sided test that two systems, both rated on every row, differ by `difference` on average.

    Give `sd`, the standard deviation of the rows' differences (see `sd_of_difference`), and
    n = deff ((z₁₋α⸝₂ + z_power) sd / d)². Or for verdicts of 0 or 1 (McNemar) `discordance` ψ, the share of rows on
    which the two differ: v₀ = ψ and v₁ = ψ - d² in the formula of `win_rate_sample_size`.

    Raises `HarnessError` for a difference of 0 or beyond ψ, both or none of sd and discordance, an sd that is not above
    0, ψ outside (0, 1], and as `win_rate_sample_size` does. Reference: Connor (1987), Sample Size for Testing
    Differences in Proportions for the Paired-Sample Design, Biometrics 43(1).

    >>> paired_sample_size(0.05, discordance=0.3).rows, paired_sample_size(0.05, sd=0.5).rows
    (940, 785)
    """
    terms = Terms.of("paired_sample_size", plan)
    return sized(terms, _paired(terms.where, sd, discordance), abs(difference), f"difference is {difference}")


def paired_detectable(
    rows: int, *, sd: float | None = None, discordance: float | None = None, **plan: Unpack[Plan]
) -> Design:
    """The smallest mean difference that `rows` show; see `paired_sample_size`, and its refusals.

    >>> print(f"{paired_detectable(500, discordance=0.3).detectable:.3f}")
    0.068
    """
    terms = Terms.of("paired_detectable", plan)
    return detected(terms, _paired(terms.where, sd, discordance), rows)


def proportions_sample_size(first: float, second: float, **plan: Unpack[Plan]) -> Design:
    """Rows of each of two systems, rated on different rows, for a two-sided test of shares `first` and `second`.

    v₀ = 2 p̄ (1 - p̄) with p̄ their mean, v₁ = p₁ (1 - p₁) + p₂ (1 - p₂) in the formula of `win_rate_sample_size`.

    Raises `HarnessError` for equal shares, one outside [0, 1], and as `win_rate_sample_size` does.
    Reference: Fleiss, Levin, Paik (2003), Statistical Methods for Rates and Proportions, chapter 4.

    >>> proportions_sample_size(0.76, 0.88).rows
    160
    """
    terms = Terms.of("proportions_sample_size", plan)
    check_shares(terms.where, first=first, second=second)
    problem = _independent(min(first, second))
    return sized(terms, problem, abs(first - second), f"first is {first} and second {second}")


def proportions_detectable(rows: int, base: float, **plan: Unpack[Plan]) -> Design:
    """The smallest rise above a share `base` that `rows` of each of two systems show; see `proportions_sample_size`.

    For a fall give 1 - base. Raises `HarnessError` as that does, and for a base of 1, above which is nothing.

    >>> print(f"{proportions_detectable(500, 0.76).detectable:.3f}")
    0.071
    """
    terms = Terms.of("proportions_detectable", plan)
    _check_base(terms.where, base)
    return detected(terms, _independent(base), rows)


def alignment_sample_size(
    first: float, second: float, *, discordance: float | None = None, **plan: Unpack[Plan]
) -> Design:
    """Pairs for a test that two labelers, or a labeler and a control, differ in alignment on the same pairs (McNemar).

    `discordance` is the share of pairs on which exactly one is right; without it they err independently, which is
    p₁ (1 - p₂) + p₂ (1 - p₁): more than where both find the same pairs hard. Formula: `paired_sample_size`.

    Raises `HarnessError` for equal alignments, one outside [0, 1], a discordance that they do not allow, and as
    `paired_sample_size` does.

    >>> alignment_sample_size(0.78, 0.74).rows, alignment_sample_size(0.78, 0.74, discordance=0.15).rows
    (1792, 734)
    """
    terms = Terms.of("alignment_sample_size", plan)
    check_shares(terms.where, first=first, second=second)
    most = min(first + second, 2.0 - first - second)
    if discordance is not None and not abs(first - second) <= discordance <= most:
        raise refusal(terms.where, f"discordance is {discordance}", f"give {abs(first - second):g} to {most:g}")
    problem = _aligned(terms.where, min(first, second), discordance)
    return sized(terms, problem, abs(first - second), f"first is {first} and second {second}")


def alignment_detectable(rows: int, base: float, *, discordance: float | None = None, **plan: Unpack[Plan]) -> Design:
    """The smallest gain over an alignment of `base` that `rows` pairs show; see `alignment_sample_size`.

    For a loss give 1 - base. A gain d and a discordance ψ go together where d <= ψ <= min(2 base + d, 2 - 2 base - d).

    Raises `HarnessError` as that does, for a base of 1, and a discordance that the base and the gain do not allow.

    >>> print(f"{alignment_detectable(500, 0.622, discordance=0.3).detectable:.3f}")
    0.068
    """
    terms = Terms.of("alignment_detectable", plan)
    _check_base(terms.where, base)
    if discordance is not None and discordance >= 2.0 - 2.0 * base:
        raise refusal(terms.where, f"discordance is {discordance}", f"give less than {2.0 - 2.0 * base:g}")
    found = detected(terms, _aligned(terms.where, base, discordance), rows)
    if discordance is not None and discordance > (most := 2.0 * base + found.detectable):
        told = f"discordance is {discordance} with a gain of {found.detectable:.3g}"
        raise refusal(terms.where, told, f"give at most {most:.3g}")
    return found


def half_width_sample_size(
    half_width: float, *, share: float = 0.5, level: float = 0.95, rows_per_cluster: int = 1, correlation: float = 0.0
) -> Design:
    """Rows for a Wilson interval of a share (alignment, harmless rate) that reaches `half_width` to either side.

    With u = z² / n and h the half-width, u solves h² (1 + u)² = u p (1 - p) + u² / 4.

    Raises `HarnessError` for a half-width outside (0, 0.5), a share outside [0, 1], and as `win_rate_sample_size` does.

    >>> half_width_sample_size(0.03).rows, half_width_sample_size(0.03, share=0.78).rows
    (1064, 731)
    """
    where = "half_width_sample_size"
    terms = Terms(where, None, level, rows_per_cluster, correlation)
    check_shares(where, share=share)
    if not 0.0 < half_width < 0.5:
        raise refusal(where, f"half_width is {half_width}", "give one between 0 and 0.5")
    square = half_width**2
    middle, curve = 2.0 * square - share * (1.0 - share), 0.25 - square
    ratio = (middle + math.sqrt(middle**2 + 4.0 * curve * square)) / (2.0 * curve)
    return wide(terms, terms.whole(terms.two_sided**2 / ratio), share)


def half_width(
    rows: int, *, share: float = 0.5, level: float = 0.95, rows_per_cluster: int = 1, correlation: float = 0.0
) -> Design:
    """Half the width of the Wilson interval of a share of `rows`; see `half_width_sample_size`, and its refusals.

    >>> print(f"{half_width(1000, share=0.78, rows_per_cluster=2, correlation=0.5).detectable:.4f}")
    0.0314
    """
    terms = Terms("half_width", None, level, rows_per_cluster, correlation)
    check_shares("half_width", share=share)
    return wide(terms, rows, share)


def sd_of_difference(first: float, second: float, correlation: float) -> float:
    """√(s₁² + s₂² - 2 r s₁ s₂): standard deviation of the difference of two scores of one row that correlate by r.

    With r = 0 it serves two systems that are rated on rows of their own (then `rows` are those of each).

    Raises `HarnessError` for an sd that is negative or not finite, and a correlation outside [-1, 1].

    >>> sd_of_difference(0.5, 0.5, 0.5)
    0.5
    """
    where = "sd_of_difference"
    spreads = numbers(where, "sds", [first, second], 0.0)
    share = numbers(where, "correlation", [correlation], -1.0, 1.0)[0]
    return math.sqrt(max(0.0, float(spreads @ spreads - 2.0 * share * spreads.prod())))


def equivalence_sample_size(
    margin: float,
    *,
    sd: float | None = None,
    discordance: float | None = None,
    difference: float = 0.0,
    **plan: Unpack[Plan],
) -> Design:
    """Rows that show a difference to lie within ± `margin` (TOST), where the true one is `difference`.

    Both one-sided z tests at α = 1 - level, so that level 0.95 asks for a 90 % interval inside the margins. With
    s = sd √(deff / n) and d the difference, the power is Φ((Δ - |d|) / s - z₁₋α) + Φ((Δ + |d|) / s - z₁₋α) - 1; with
    d = 0, n = deff ((z₁₋α + z_(1 + power) / 2) sd / Δ)². `sd` is that of the rows' values: √((1 - ties) / 4) for a win
    rate, that of differences for two systems; or `discordance` ψ gives √(ψ - d²) as in `paired_sample_size`.

    Raises `HarnessError` for a difference that is not within the margin, both or none of sd and discordance, and as
    `paired_sample_size` does. Reference: Schuirmann (1987), A Comparison of the Two One-Sided Tests Procedure and the
    Power Approach, Journal of Pharmacokinetics and Biopharmaceutics 15(6).

    >>> equivalence_sample_size(0.05, sd=0.5).rows, equivalence_sample_size(0.05, sd=0.5, difference=0.02).rows
    (857, 1718)
    """
    terms, away = Terms.of("equivalence_sample_size", plan), abs(difference)
    spread = _spread(terms.where, sd, discordance, difference)
    _check_margin(terms.where, margin, difference, margin - away)
    reach = _tost_reach(terms, 2.0 * away / (margin - away), 0.0)
    return _equivalent(terms, terms.whole((reach * spread / (margin - away)) ** 2), spread, away)


def equivalence_detectable(
    rows: int,
    *,
    sd: float | None = None,
    discordance: float | None = None,
    difference: float = 0.0,
    **plan: Unpack[Plan],
) -> Design:
    """The smallest margin within which `rows` show a difference to lie; see `equivalence_sample_size`.

    >>> print(f"{equivalence_detectable(1000, sd=0.5, rows_per_cluster=2, correlation=0.66).detectable:.3f}")
    0.060
    """
    terms, away = Terms.of("equivalence_detectable", plan), abs(difference)
    spread = _spread(terms.where, sd, discordance, difference)
    return _equivalent(terms, rows, spread, away)


def noninferiority_sample_size(
    margin: float,
    *,
    sd: float | None = None,
    discordance: float | None = None,
    difference: float = 0.0,
    **plan: Unpack[Plan],
) -> Design:
    """Rows that show a difference to be above - `margin`, where the true one is `difference` (positive is better).

    One-sided z test at α = 1 - level: n = deff ((z₁₋α + z_power) sd / (Δ + d))². `sd` and `discordance` are those of
    `equivalence_sample_size`.

    Raises `HarnessError` for a difference that is not above - margin, and as `equivalence_sample_size` does.
    Reference: Chow, Shao, Wang (2008), Sample Size Calculations in Clinical Research, section 3.1.

    >>> noninferiority_sample_size(0.05, sd=0.5).rows, noninferiority_sample_size(0.05, sd=0.5, difference=0.02).rows
    (619, 316)
    """
    terms = Terms.of("noninferiority_sample_size", plan)
    spread = _spread(terms.where, sd, discordance, difference)
    _check_margin(terms.where, margin, difference, margin + difference)
    reach = terms.one_sided + terms.z_power
    return _noninferior(terms, terms.whole((reach * spread / (margin + difference)) ** 2), spread, difference)


def noninferiority_detectable(
    rows: int,
    *,
    sd: float | None = None,
    discordance: float | None = None,
    difference: float = 0.0,
    **plan: Unpack[Plan],
) -> Design:
    """The smallest margin by which `rows` show a system to be no worse; see `noninferiority_sample_size`.

    Raises `HarnessError` as that does, and where the difference is so large that no margin is needed.

    >>> print(f"{noninferiority_detectable(1000, sd=0.5).detectable:.3f}")
    0.039
    """
    terms = Terms.of("noninferiority_detectable", plan)
    spread = _spread(terms.where, sd, discordance, difference)
    return _noninferior(terms, rows, spread, difference)


def _win_rate(where: str, ties: float) -> Problem:
    if not 0.0 <= ties < 1.0:
        raise refusal(where, f"ties is {ties}", "give a share from 0 to below 1")
    variance = (1.0 - ties) / 4.0
    method = "z test of a win rate against one half"
    return Problem(lambda d: variance, lambda d: variance - d * d, (1.0 - ties) / 2.0, method)


def _paired(where: str, sd: float | None, discordance: float | None) -> Problem:
    if sd is not None and discordance is None:
        if not 0.0 < sd < math.inf:
            raise refusal(where, f"sd is {sd}", "give a finite one above 0")
        return Problem(lambda d: sd * sd, lambda d: sd * sd, math.inf, "z test of a paired difference")
    if discordance is None or sd is not None:
        raise refusal(where, "both or none of sd and discordance", "give one of them")
    return _discordant(where, discordance)


def _discordant(where: str, discordance: float) -> Problem:
    if not 0.0 < discordance <= 1.0:
        raise refusal(where, f"discordance is {discordance}", "give a share above 0, at most 1")
    return Problem(lambda d: discordance, lambda d: discordance - d * d, discordance, "McNemar")


def _check_base(where: str, base: float) -> None:
    check_shares(where, base=base)
    if base == 1.0:
        raise refusal(where, f"base is {base}", "give one below 1: nothing is above it")


def _independent(base: float) -> Problem:
    def null(d: float) -> float:
        middle = base + d / 2.0
        return 2.0 * middle * (1.0 - middle)

    def alternative(d: float) -> float:
        return base * (1.0 - base) + (base + d) * (1.0 - base - d)

    return Problem(null, alternative, 1.0 - base, "z test of two independent shares")


def _aligned(where: str, base: float, discordance: float | None) -> Problem:
    if discordance is not None:
        problem = _discordant(where, discordance)
        return replace(problem, largest=min(discordance, 2.0 - 2.0 * base - discordance))

    def null(d: float) -> float:
        return base * (1.0 - base - d) + (base + d) * (1.0 - base)

    return Problem(null, lambda d: null(d) - d * d, 1.0 - base, "McNemar, errors independent")


def _spread(where: str, sd: float | None, discordance: float | None, difference: float) -> float:
    problem = _paired(where, sd, discordance)
    if not abs(difference) < problem.largest:
        raise refusal(where, f"difference is {difference}", f"give one within ±{problem.largest:g}")
    return math.sqrt(problem.alternative(difference))


def _check_margin(where: str, margin: float, difference: float, gap: float) -> None:
    if not (0.0 < margin < math.inf and gap > 0.0):
        told = f"margin is {margin} with a difference of {difference}"
        raise refusal(where, told, "give a margin above 0 and beyond the difference")


def _equivalent(terms: Terms, rows: int, spread: float, away: float) -> Design:
    error = spread / math.sqrt(terms.independent(rows))
    reach = _tost_reach(terms, 0.0, 2.0 * away / error)
    return terms.design(rows, away + reach * error, "two one-sided z tests")


def _noninferior(terms: Terms, rows: int, spread: float, difference: float) -> Design:
    reach = terms.one_sided + terms.z_power
    margin = reach * spread / math.sqrt(terms.independent(rows)) - difference
    if margin <= 0.0:
        raise refusal(terms.where, f"difference is {difference}", "test for superiority: no margin is needed")
    return terms.design(rows, margin, "one-sided z test")


def _tost_reach(terms: Terms, slope: float, offset: float) -> float:
    """x with Φ(x - z) + Φ((1 + slope) x + offset - z) - 1 = power: standard errors to the nearer margin."""
    from scipy.optimize import brentq  # here, because only a search for a root needs it

    def lacking(x: float) -> float:
        near, far = ndtr(x - terms.one_sided), ndtr((1.0 + slope) * x + offset - terms.one_sided)
        return float(near + far - 1.0) - terms.reached

    # with the far margin out of sight x is the lower end, with both equally near the upper one
    low = terms.one_sided + terms.z_power
    high = terms.one_sided + NormalDist().inv_cdf((1.0 + terms.reached) / 2.0)
    return float(brentq(lacking, low - 1e-6, high + 1e-6, xtol=1e-13))
