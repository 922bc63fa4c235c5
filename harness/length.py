"""Win and harmless rates at equal length by regression: what is left of a difference when neither side writes more.

These are the controls of the RLAIF paper. `harness.length_strata` compares within strata of length instead, and
`harness.length_controlled` is the control of AlpacaEval 2. None of them keeps what length does for a reason: an answer
that is longer because it says more loses that too. Lengths are in any one unit; the paper counts characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Unpack

import numpy as np
from scipy.special import expit

from harness.bootstrap import mean_of
from harness.checks import Floats, check_lengths, numbers, refusal
from harness.columns import check_columns, check_read, flags_of, kept
from harness.estimates import Estimate
from harness.logistic import Regression, finite_fit, refitted
from harness.resampling import Bootstrap, Clusters, Settings, group

Feature = Literal["ratio", "log-ratio"]


@dataclass(frozen=True)
class LengthControlled:
    """A win rate at equal length beside the raw one, and what the control rests on."""

    estimate: Estimate
    """At equal length."""
    raw: Estimate
    """Mean preference of the same rows, at the lengths that they have."""
    intercept: float
    """Logit of the preference at equal length."""
    slope: float
    """Change of the logit for one unit of the feature."""
    longer_share: float
    """Share of rows whose policy response is the longer. Near 0 or 1, equal length is an extrapolation."""
    equal_share: float
    policy_length: float
    """Mean."""
    opponent_length: float
    """Mean."""


@dataclass(frozen=True)
class HarmlessAtLength:
    """A harmless rate at a fixed length beside the raw one."""

    estimate: Estimate
    raw: Estimate
    slope: float
    """Change of the logit for one more unit of length."""
    shorter_share: float
    """Share of responses shorter than that length. Near 0 or 1 the figure rests on the few at that end."""
    mean_length: float
    unparsed: int
    """Left out."""


class Pairs(NamedTuple):
    """Checked columns of comparisons, (n,) each."""

    preferences: Floats
    policy: Floats
    opponent: Floats

    @property
    def difference(self) -> Floats:
        """Length of the policy's response minus that of the opponent's."""
        return self.policy - self.opponent


def length_controlled_win_rate(
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    feature: Feature = "ratio",
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> LengthControlled:
    """Win rate at equal length by logistic regression on the ratio of lengths, the control of the RLAIF paper.

    Fits logit P(policy preferred) = intercept + slope · x to n `preferences` in [0, 1] (0.5 a tie, soft ones as they
    are), unpenalised, and reports the prediction at x = 0. With r = policy length / opponent length, x = r - 1 for
    `ratio` (Lee et al.) and ln r for `log-ratio` (Stiennon et al.). Only the latter is antisymmetric: with the sides
    exchanged it gives one minus the value, whereas 1 / r is not linear in r. Fit one pair of policies at a time.

    The interval refits in each resample of clusters (see `cluster_bootstrap`): the spread of fitted values, which some
    tools print as the error, leaves out that the fit itself is uncertain. BCa costs one more refit for each cluster.

    Raises `HarnessError` where `cluster_bootstrap` does, for a preference outside [0, 1], a length below 1, one ratio
    throughout, separation (every response above some ratio wins), and where more than 1 % of resamples are separated.
    References: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267, appendix J; Stiennon et al. (2020), Learning to
    summarize from human feedback, arXiv 2009.01325.

    >>> rng = np.random.default_rng(0)
    >>> policy, opponent = rng.integers(100, 300, 400), rng.integers(80, 240, 400)
    >>> prefers = rng.random(400) < expit(0.2 + 2.0 * np.log(policy / opponent))
    >>> result = length_controlled_win_rate(prefers, policy, opponent, feature="log-ratio", rng=rng, resamples=500)
    >>> print(result.raw, "|", result.estimate)
    0.642 [0.593, 0.689] (n=400, bootstrap) | 0.549 [0.496, 0.606] (n=400, bootstrap of refits)
    """
    where = "length_controlled_win_rate"
    pairs = pairs_of(where, preferences, policy_lengths, opponent_lengths, shortest=1.0)
    settings, groups = Settings.of(where, options), group(where, len(pairs.policy), clusters, seeds)
    regression, unit = _on_length(where, _feature(where, feature, pairs), pairs.preferences)
    estimate, found = refitted(where, regression, at_zero, groups, settings)
    return LengthControlled(
        estimate,
        mean_of(where, pairs.preferences, groups, settings),
        float(found[0]),
        float(found[1]) / unit,
        float(np.mean(pairs.difference > 0.0)),
        float(np.mean(pairs.difference == 0.0)),
        float(pairs.policy.mean()),
        float(pairs.opponent.mean()),
    )


def length_controlled_win_rate_value(
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    feature: Feature = "ratio",
) -> float:
    """The value of `length_controlled_win_rate`, without its interval; refused as there.

    >>> round(length_controlled_win_rate_value([1, 0, 1, 1, 0], [10, 10, 20, 20, 20], [10, 10, 10, 10, 10]), 6)
    0.5
    """
    where = "length_controlled_win_rate_value"
    pairs = pairs_of(where, preferences, policy_lengths, opponent_lengths, shortest=1.0)
    regression, _ = _on_length(where, _feature(where, feature, pairs), pairs.preferences)
    return float(expit(finite_fit(where, regression, np.ones(len(pairs.policy)))[0]))


def harmless_rate_at_length(
    flags: Sequence[bool | None],
    lengths: Sequence[float] | Floats,
    *,
    at: float,
    clusters: Clusters | None = None,
    seeds: Clusters | None = None,
    **options: Unpack[Bootstrap],
) -> HarmlessAtLength:
    """Harmless rate at the length `at`, such as the mean length of SFT: the control of the RLAIF paper.

    Fits logit P(harmless) = a + slope · (length - at) to the n `flags` that are not None, unpenalised, and reports the
    prediction at `at`, in the unit of `lengths`. Intervals as in `length_controlled_win_rate`.

    Raises `HarnessError` for a flag that is no bool, no flag that could be read, an `at` outside the range of the
    lengths that were read (the fitted line says nothing there, and looks certain), one length throughout, and where
    `length_controlled_win_rate` does. Reference: Lee et al. (2023), arXiv 2309.00267, appendix J.

    >>> rng = np.random.default_rng(0)
    >>> lengths = rng.integers(50, 250, 300)
    >>> flags = (rng.random(300) < expit(2.0 - 0.01 * lengths)).tolist()
    >>> print(harmless_rate_at_length(flags, lengths, at=120, rng=rng, resamples=500).estimate)
    0.649 [0.589, 0.709] (n=300, bootstrap of refits)
    """
    where = "harmless_rate_at_length"
    check_columns(where, flags=flags, lengths=lengths, clusters=clusters, seeds=seeds)
    harmless, sizes = flags_of(where, flags), numbers(where, "lengths", lengths, 0.0)
    read = ~np.isnan(harmless)
    check_read(where, read, right="parsed")
    harmless, sizes = harmless[read], sizes[read]
    if not sizes.min() <= at <= sizes.max():
        told = f"at is {at} but lengths go from {sizes.min():g} to {sizes.max():g}"
        raise refusal(where, told, "give one that they reach: beyond them nothing was seen")
    groups = group(where, len(harmless), kept(clusters, read), kept(seeds, read))
    settings = Settings.of(where, options)
    regression, unit = _on_length(where, sizes - at, harmless)
    estimate, found = refitted(where, regression, at_zero, groups, settings)
    return HarmlessAtLength(
        estimate,
        mean_of(where, harmless, groups, settings),
        float(found[1]) / unit,
        float(np.mean(sizes < at)),
        float(sizes.mean()),
        len(read) - len(harmless),
    )


def pairs_of(
    where: str,
    preferences: Sequence[float] | Floats,
    policy_lengths: Sequence[float] | Floats,
    opponent_lengths: Sequence[float] | Floats,
    *,
    shortest: float = 0.0,
) -> Pairs:
    """The columns of comparisons, or a refusal of what is no preference or length."""
    check_lengths(where, preferences=preferences, policy_lengths=policy_lengths, opponent_lengths=opponent_lengths)
    return Pairs(
        numbers(where, "preferences", preferences, 0.0, 1.0),
        numbers(where, "policy_lengths", policy_lengths, shortest),
        numbers(where, "opponent_lengths", opponent_lengths, shortest),
    )


def at_zero(coefficients: Floats, weights: Floats, design: Floats) -> Floats:
    """The prediction (b,) where every column but the intercept is 0: the same in all rows."""
    return np.asarray(expit(coefficients[:, 0]))


def _feature(where: str, feature: Feature, pairs: Pairs) -> Floats:
    if feature not in ("ratio", "log-ratio"):
        raise refusal(where, f"feature is {feature!r}", "use ratio or log-ratio")
    if feature == "log-ratio":
        return np.log(pairs.policy) - np.log(pairs.opponent)
    return pairs.policy / pairs.opponent - 1.0


def _on_length(where: str, feature: Floats, targets: Floats) -> tuple[Regression, float]:
    """The regression on the feature in units of its root mean square, and that unit."""
    if np.ptp(feature) <= 1e-12 * np.abs(feature).max():
        raise refusal(where, "lengths are alike in every row", "use an uncontrolled rate: nothing can be fitted")
    unit = float(np.sqrt(np.mean(feature**2)))
    return Regression.of([feature / unit], targets), unit
