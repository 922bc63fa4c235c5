"""Logistic regression against statsmodels and scikit-learn, separation against its definition, refits against fits."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from harness import HarnessError
from harness import logistic as module
from harness.checks import Floats
from harness.logistic import Regression, ascend, collapse, finite_fit, fit, refit, refitted
from harness.resampling import Groups, Settings, drawn_weights, group, weights_without_one

SEEDS = st.integers(0, 2**32 - 1)


def problem(seed: int, rows: int, columns: int) -> tuple[Regression, Floats]:
    """Soft and hard targets, uneven weights, an offset; some weights are 0."""
    rng = np.random.default_rng(seed)
    found = [rng.normal(size=rows) for _ in range(columns)]
    targets = np.where(rng.random(rows) < 0.5, rng.random(rows), rng.integers(0, 2, rows))
    return Regression.of(found, targets, offset=rng.normal(size=rows)), rng.integers(0, 4, rows).astype(np.float64)


def two_targets(regression: Regression, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """A soft row as a win and a loss of its weights: what scikit-learn takes."""
    wins, losses = weights * regression.targets, weights * (1.0 - regression.targets)
    hard = np.repeat([1.0, 0.0], len(weights))
    return np.tile(regression.design[:, 1:], (2, 1)), hard, np.concatenate([wins, losses])


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(0, 3))
def test_equals_statsmodels(seed: int, columns: int) -> None:
    regression, weights = problem(seed, 60, columns)
    theirs = sm.GLM(
        regression.targets,
        regression.design,
        family=sm.families.Binomial(),
        freq_weights=weights,
        offset=regression.offset,
    ).fit(tol=1e-12)
    assert fit(regression, weights) == pytest.approx(theirs.params, abs=1e-6)


@pytest.mark.parametrize("ridge", [1e-8, 0.5, 20.0])
def test_equals_scikit_learn(ridge: float) -> None:
    rng = np.random.default_rng(3)
    columns, targets = [rng.normal(size=80), rng.normal(size=80)], rng.random(80)
    regression, weights = Regression.of(columns, targets, ridge), rng.integers(1, 4, 80).astype(np.float64)
    features, hard, shares = two_targets(regression, weights)
    theirs = LogisticRegression(C=1.0 / ridge, tol=1e-10, max_iter=1000).fit(features, hard, sample_weight=shares)
    expected = [theirs.intercept_[0], *theirs.coef_[0]]
    assert fit(regression, weights) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-2, 2), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=8))
def test_finite_just_where_outcomes_overlap(rows: list[tuple[int, float]]) -> None:
    """Albert and Anderson (1984): wins and losses must not be parted by a length, even one that both may touch."""
    lengths, targets = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    wins, losses = lengths[targets > 0.0], lengths[targets < 1.0]
    overlap = len(wins) > 0 < len(losses) and wins.max() > losses.min() and losses.max() > wins.min()
    expected = bool(overlap and np.ptp(lengths) > 0.0)
    assert bool(np.isfinite(fit(Regression.of([lengths], targets), np.ones(len(rows)))).all()) is expected


def test_nearly_separated_is_finite() -> None:
    lengths = np.linspace(-1.0, 1.0, 2_000)
    targets = (lengths > 0.0).astype(np.float64)
    targets[[999, 1000]] = targets[[1000, 999]]
    found = fit(Regression.of([lengths], targets), np.ones(2_000))
    assert np.isfinite(found).all()
    assert found[1] > 100.0


def test_ridge_makes_separation_finite() -> None:
    lengths, targets = np.array([-1.0, -0.5, 0.5, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert np.isnan(fit(Regression.of([lengths], targets), np.ones(4))).all()
    found = fit(Regression.of([lengths], targets, ridge=0.1), np.ones(4))
    assert found == pytest.approx([0.0, found[1]], abs=1e-9)
    chance = 1.0 / (1.0 + np.exp(-found[1] * lengths))
    assert (targets - chance) @ lengths == pytest.approx(0.1 * found[1])  # the score vanishes


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.integers(6, 40))
def test_refits_equal_fits(seed: int, rows: int) -> None:
    """Small samples too, in which many resamples are separated: both say so."""
    regression, _ = problem(seed, rows, 1)
    hard = Regression(regression.design, np.round(regression.targets), regression.ridge, regression.offset)
    start = fit(regression, np.ones(rows))
    draws = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1.0 / rows), size=25).astype(np.float64)
    for one in (regression, hard):
        expected = np.stack([fit(one, drawn) for drawn in draws])
        assert refit(one, draws, start) == pytest.approx(expected, abs=1e-8, nan_ok=True)


def test_refits_from_a_bad_start() -> None:
    regression, weights = problem(5, 50, 2)
    expected = fit(regression, weights)
    found = refit(regression, np.stack([weights, weights]), np.array([30.0, -40.0, 25.0]))
    assert found == pytest.approx(np.stack([expected, expected]), abs=1e-9)


def test_refits_that_wander_are_taken_up_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WARM", 1)
    regression, weights = problem(6, 50, 1)
    assert refit(regression, weights[None], np.zeros(2))[0] == pytest.approx(fit(regression, weights), abs=1e-9)


def test_steps_are_halved_where_newton_overshoots() -> None:
    """-log cosh: from 2, full Newton steps run away from the maximum at 0."""

    def step(at: Floats) -> Floats:
        return np.asarray(-np.tanh(at) * np.cosh(at) ** 2)

    assert abs(2.0 + step(np.array([2.0]))[0]) > 2.0
    found = ascend(lambda at: float(-np.log(np.cosh(at[0]))), step, np.array([2.0]))
    assert found == pytest.approx([0.0], abs=1e-9)


def clustered(seed: int) -> tuple[Regression, Groups]:
    """Two orders of each of 30 pairs, and a sixth of the pairs twice."""
    rng = np.random.default_rng(seed)
    lengths = np.repeat(rng.normal(size=30), 2)[np.append(np.arange(60), np.arange(10))]
    targets = rng.integers(0, 3, 70) / 2.0
    clusters = np.append(np.repeat(np.arange(30), 2), np.repeat(np.arange(5), 2))
    return Regression.of([lengths], targets), group("test", 70, clusters)


def test_equal_rows_collapse() -> None:
    regression, groups = clustered(1)
    cells, counts, within = collapse(regression, groups)
    assert len(counts) == 30
    assert sorted(counts) == [2.0] * 25 + [4.0] * 5
    assert within.count == groups.count
    assert fit(cells, counts) == pytest.approx(fit(regression, np.ones(70)), abs=1e-10)
    for mine, rows in zip(
        drawn_weights(within, options(resamples=100)), drawn_weights(groups, options(resamples=100)), strict=True
    ):
        assert fit(cells, mine * counts) == pytest.approx(fit(regression, rows), abs=1e-8)


def test_independent_rows_do_not_collapse() -> None:
    regression, _ = clustered(1)
    groups = group("test", 70)
    cells, counts, within = collapse(regression, groups)
    assert cells is regression
    assert within is groups
    assert counts.tolist() == [1.0] * 70


def options(seed: int = 7, **given: object) -> Settings:
    return Settings.of("test", {"rng": np.random.default_rng(seed), **given})  # type: ignore[typeddict-item]


def intercept(coefficients: Floats, weights: Floats, design: Floats) -> Floats:
    return coefficients[:, 0]


@pytest.mark.parametrize("interval", ["percentile", "basic", "bca"])
@pytest.mark.parametrize("seeds", [None, [at % 2 for at in range(70)]])
def test_interval_equals_fits_one_by_one(interval: str, seeds: list[int] | None) -> None:
    regression, plain = clustered(2)
    groups = plain if seeds is None else group("test", 70, plain.codes, seeds)
    given_options = options(resamples=200, interval=interval)
    mine, found = refitted("test", regression, intercept, groups, given_options)
    drawn = np.array([fit(regression, weights)[0] for weights in drawn_weights(groups, options(resamples=200))])
    left = np.array([fit(regression, weights)[0] for weights in weights_without_one(groups)])
    expected = module.interval_of("test", found[0], drawn, left, groups, given_options, rows=70)
    assert (mine.value, mine.low, mine.high) == pytest.approx((found[0], expected.low, expected.high), abs=1e-7)
    assert (mine.n, mine.clusters) == (70, groups.named)
    assert "bootstrap of refits" in mine.method


def test_blocks_do_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    regression, groups = clustered(3)
    whole, _ = refitted("test", regression, intercept, groups, options(resamples=150))
    monkeypatch.setattr(module, "BLOCK", 1)
    parts, _ = refitted("test", regression, intercept, groups, options(resamples=150))
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=1e-9)


def test_separation_is_refused() -> None:
    parted = Regression.of([np.array([-1.0, 0.0, 1.0])], np.array([0.0, 0.0, 1.0]))
    with pytest.raises(HarnessError, match=r"test: no finite fit \(the outcomes are all alike, or a length parts one"):
        finite_fit("test", parted, np.ones(3))
    barely = Regression.of([np.array([-1.0, 0.0, 1.0, -1.0])], np.array([0.0, 0.0, 1.0, 1.0]))
    with pytest.raises(HarnessError, match=r"undefined in \d+ of 200 resamples; give more rows"):
        refitted("test", barely, intercept, group("test", 4), options(resamples=200))


def test_no_maximum_is_nan() -> None:
    found = ascend(lambda at: float(at[0]), lambda at: np.ones(1), np.zeros(1))
    assert np.isnan(found).all()
