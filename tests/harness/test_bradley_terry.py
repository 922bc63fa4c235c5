"""Bradley-Terry against evalica, statsmodels and scipy's optimiser, against log odds by hand, and its laws."""

import importlib
import itertools
from collections.abc import Sequence
from typing import Any

import evalica
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from harness import HarnessError, standard_error
from harness.bradley_terry import ELO, BradleyTerry, bradley_terry, bradley_terry_ranking

WORDS = {1.0: "first", 0.5: "tie", 0.0: "second"}
TIED = ("davidson", "rao-kupper")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def battles(seed: int, rows: int = 300, systems: int = 5, ties: float = 0.25) -> tuple[Any, Any, Any]:
    """A connected round of battles and noise on top."""
    generator = rng(seed)
    strengths = generator.normal(size=systems)
    first = generator.integers(systems, size=rows)
    second = (first + generator.integers(1, systems, size=rows)) % systems
    won = generator.random(rows) < expit(strengths[first] - strengths[second])
    outcomes = np.where(generator.random(rows) < ties, 0.5, won)
    ring = np.arange(systems)
    return np.r_[first, ring], np.r_[second, (ring + 1) % systems], np.r_[outcomes, np.ones(systems)]


def design(first: Any, second: Any) -> Any:
    """+1 for the first and -1 for the second, the last system left out as the reference."""
    size = int(max(first.max(), second.max())) + 1
    return (np.eye(size)[first] - np.eye(size)[second])[:, :-1]


def centred(strengths: Any, covariance: Any) -> tuple[Any, Any]:
    """From strengths against the last system to strengths that sum to zero."""
    size = len(strengths) + 1
    turn = np.eye(size)[:, :-1] - 1.0 / size
    return turn @ strengths, turn @ covariance @ turn.T


def likelihood(ties: str, values: Any, rows: tuple[Any, Any, Any]) -> float:
    """Row by row, from the chances as the papers print them."""
    first, second, outcomes = rows
    one, other = np.exp(values[first]), np.exp(values[second])
    if ties == "davidson":
        middle = np.exp(values[-1]) * np.sqrt(one * other)
        won, lost, tied = (part / (one + other + middle) for part in (one, other, middle))
    else:
        theta = 1.0 + np.exp(values[-1])
        won, lost = one / (one + theta * other), other / (other + theta * one)
        tied = (theta**2 - 1.0) * one * other / ((one + theta * other) * (other + theta * one))
    return float(np.log(np.select([outcomes == 1.0, outcomes == 0.0], [won, lost], tied)).sum())


@pytest.mark.parametrize("odds", [(3, 1, 0), (1, 3, 2), (7, 2, 5), (1, 1, 0)])
def test_two_systems_are_log_odds(odds: tuple[int, int, int]) -> None:
    outcomes = np.repeat([1.0, 0.0, 0.5], odds)
    mine = bradley_terry(["x"] * sum(odds), ["y"] * sum(odds), outcomes)
    share = (odds[0] + odds[2] / 2) / sum(odds)
    assert mine.systems == ("x", "y")
    assert mine.strengths == pytest.approx([logit(share) / 2, -logit(share) / 2])
    assert mine.win_probabilities == pytest.approx(np.array([[0.5, share], [1 - share, 0.5]]))
    gap = mine.difference("x", "y", level=0.9)
    assert gap.value == pytest.approx(logit(share))
    mean = pytest.approx(standard_error(outcomes) / (share * (1 - share)))
    assert np.sqrt(mine.covariance[0, 0]) * 2 == mean
    assert (gap.n, gap.clusters, gap.method) == (sum(odds), None, "sandwich")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(0, 60))
def test_equals_evalica(seed: int, systems: int, rows: int) -> None:
    first, second, outcomes = battles(seed, rows, systems)
    winners = [{1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}[score] for score in outcomes]
    theirs = evalica.bradley_terry(first.tolist(), second.tolist(), winners, tolerance=1e-12, limit=100_000).scores
    mine = bradley_terry(first, second, outcomes)
    assert dict(zip(mine.systems, mine.strengths, strict=True)) == pytest.approx(np.log(theirs).to_dict(), abs=1e-6)
    assert mine.strengths.sum() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("soft", [False, True])
def test_equals_statsmodels_and_its_robust_errors(soft: bool) -> None:
    first, second, outcomes = battles(1)
    outcomes = rng(2).random(len(first)) if soft else outcomes
    clusters = rng(3).integers(40, size=len(first))
    model = sm.GLM(outcomes, design(first, second), family=sm.families.Binomial())
    alone, n = model.fit(tol=1e-12, cov_type="HC0"), len(first)
    mine = bradley_terry(first, second, outcomes)
    strengths, covariance = centred(alone.params, alone.cov_params())
    assert mine.strengths == pytest.approx(strengths, abs=1e-8)
    assert mine.covariance == pytest.approx(covariance * n / (n - 1), rel=1e-6, abs=1e-9)
    options = {"groups": clusters, "use_correction": False}
    together = model.fit(tol=1e-12, cov_type="cluster", cov_kwds=options)
    grouped = bradley_terry(first, second, outcomes, clusters=clusters)
    _, covariance = centred(together.params, together.cov_params())
    assert grouped.covariance == pytest.approx(covariance * 40 / 39, rel=1e-6, abs=1e-9)
    assert (grouped.freedom, grouped.clusters, grouped.method) == (39, 40, "cluster sandwich")


def test_clusters_within_seeds_leave_the_seeds_to_speak() -> None:
    first, second, outcomes = battles(4)
    seeds, clusters = np.arange(len(first)) % 3, np.arange(len(first)) // 5
    by_seed = bradley_terry(first, second, outcomes, clusters=seeds)
    mine = bradley_terry(first, second, outcomes, clusters=clusters, seeds=seeds)
    assert mine.covariance == pytest.approx(by_seed.covariance)
    assert mine.freedom == by_seed.freedom == 2
    assert mine.method == "cluster sandwich over 3 seeds"


@pytest.mark.parametrize("ties", TIED)
@pytest.mark.parametrize("seed", range(4))
def test_models_of_ties_maximise_their_likelihood(ties: Any, seed: int) -> None:
    rows = battles(seed, rows=120, systems=4)
    mine = bradley_terry(*rows, ties=ties)
    assert mine.tie is not None

    def below(values: Any) -> float:
        return -likelihood(ties, np.r_[values[:3], -values[:3].sum(), values[3]], rows)

    found = minimize(below, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
    assert mine.strengths == pytest.approx(np.r_[found.x[:3], -found.x[:3].sum()], abs=1e-4)
    assert mine.tie == pytest.approx(np.exp(found.x[3]) + (ties == "rao-kupper"), rel=1e-4)
    assert mine.strengths.sum() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("ties", TIED)
def test_robust_errors_of_models_of_ties_from_numerical_derivatives(ties: Any) -> None:
    rows = battles(6, rows=120, systems=3)
    mine = bradley_terry(*rows, ties=ties)
    assert mine.tie is not None
    best = np.r_[mine.strengths[:2], np.log(mine.tie - (ties == "rao-kupper"))]

    def at(values: Any, row: int) -> float:
        return likelihood(ties, np.r_[values[:2], -values[:2].sum(), values[2]], tuple(c[row : row + 1] for c in rows))

    step, n = 1e-4 * np.eye(3), len(rows[0])
    scores = np.array([[(at(best + s, r) - at(best - s, r)) / 2e-4 for s in step] for r in range(n)])

    def whole(values: Any) -> float:
        return likelihood(ties, np.r_[values[:2], -values[:2].sum(), values[2]], rows)

    bend = np.array(
        [
            [
                (whole(best + s + t) - whole(best + s - t) - whole(best - s + t) + whole(best - s - t)) / 4e-8
                for t in step
            ]
            for s in step
        ]
    )
    inverse = np.linalg.inv(-bend)
    expected = (inverse @ scores.T @ scores @ inverse)[:2, :2] * n / (n - 1)
    assert mine.covariance[:2, :2] == pytest.approx(expected, rel=1e-3)


def test_chances_of_models_of_ties_by_hand() -> None:
    first, second, outcomes = ["a"] * 9 + ["b"] * 3, ["b"] * 9 + ["a"] * 3, [1.0] * 5 + [0.5] * 4 + [1.0] * 3
    for ties in TIED:
        mine = bradley_terry(first, second, outcomes, ties=ties)
        assert mine.chances("a", "b") == pytest.approx((5 / 12, 4 / 12, 3 / 12))
        assert mine.chances("b", "a") == pytest.approx((3 / 12, 4 / 12, 5 / 12))
        assert mine.win_probabilities[0, 1] == pytest.approx(7 / 12)
        assert np.diag(mine.win_probabilities) == pytest.approx([0.5, 0.5])
    davidson = bradley_terry(first, second, outcomes, ties="davidson")
    assert davidson.tie == pytest.approx(4 / np.sqrt(15))
    assert davidson.difference("a", "b").value == pytest.approx(np.log(5 / 3))
    half = bradley_terry(first, second, outcomes)
    assert half.chances("a", "b") == pytest.approx((7 / 12, 0.0, 5 / 12))
    assert half.tie is None


def test_scale_of_elo() -> None:
    mine = bradley_terry(*battles(7))
    assert pytest.approx(400 / np.log(10)) == ELO
    assert mine.elo().mean() == pytest.approx(1000.0)
    anchored = mine.elo(anchor=2, at=1114.0)
    assert anchored[2] == pytest.approx(1114.0)
    assert np.diff(anchored) == pytest.approx(np.diff(mine.elo()))
    expected = 1.0 / (1.0 + 10.0 ** ((anchored[None, :] - anchored[:, None]) / 400.0))
    assert mine.win_probabilities == pytest.approx(expected)


@pytest.mark.parametrize("ties", ["half", *TIED])
def test_laws(ties: Any) -> None:
    first, second, outcomes = battles(8)
    names = np.array(["m3", "m1", "m4", "m0", "m2"])
    mine = bradley_terry(first, second, outcomes, ties=ties)
    order = rng(9).permutation(len(first))
    for other in (
        bradley_terry(first[order], second[order], outcomes[order], ties=ties),
        bradley_terry(second, first, 1.0 - outcomes, ties=ties),
        bradley_terry(np.tile(first, 3), np.tile(second, 3), np.tile(outcomes, 3), ties=ties),
        bradley_terry(first, second, [WORDS[score] for score in outcomes], ties=ties),
        bradley_terry(pd.Series(first), pd.Categorical(second), pd.Series(outcomes), ties=ties),
    ):
        assert other.strengths == pytest.approx(mine.strengths, abs=1e-9)
        assert other.win_probabilities + other.win_probabilities.T == pytest.approx(np.ones((5, 5)))
    renamed = bradley_terry(names[first], names[second], outcomes, ties=ties)
    assert dict(zip(renamed.systems, renamed.strengths, strict=True)) == pytest.approx(
        dict(zip(names.tolist(), mine.strengths, strict=True))
    )
    turned = bradley_terry(first, second, 1.0 - outcomes, ties=ties)
    assert turned.strengths == pytest.approx(-mine.strengths, abs=1e-9)
    assert turned.covariance == pytest.approx(mine.covariance, abs=1e-9)


def test_expected_points_are_the_points() -> None:
    first, second, outcomes = battles(10)
    mine = bradley_terry(first, second, outcomes)
    chance = mine.win_probabilities[first, second]
    for system in range(5):
        points = outcomes[first == system].sum() + (1 - outcomes)[second == system].sum()
        assert chance[first == system].sum() + (1 - chance)[second == system].sum() == pytest.approx(points)


def test_intervals() -> None:
    mine = bradley_terry(*battles(11))
    for narrow, wide in zip(mine.estimates(0.8), mine.estimates(0.99), strict=True):
        assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    forth, back = mine.difference(0, 3), mine.difference(3, 0)
    assert (forth.value, forth.low, forth.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert [one.value for one in mine.estimates()] == pytest.approx(mine.strengths.tolist())
    assert sorted(mine.ranks.tolist()) == [1, 2, 3, 4, 5]
    assert mine.ranks[int(np.argmax(mine.strengths))] == 1


def test_a_prior_shrinks_and_makes_any_rows_do() -> None:
    rows = battles(12, ties=0.0)
    sizes = [float(np.abs(bradley_terry(*rows, prior=prior).strengths).max()) for prior in (0.0, 1.0, 10.0, 1e6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 1e-3
    mine = bradley_terry(["a", "c"], ["b", "d"], ["first", "tie"], prior=0.5)
    gap = 2 * mine.strengths[0]
    assert mine.strengths.sum() == pytest.approx(0.0, abs=1e-12)
    assert 1.0 - expit(gap) == pytest.approx(
        0.5 * mine.strengths[0]
    )  # the slope of the likelihood is that of the prior
    assert mine.strengths[2:] == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_prior_equals_a_ridge_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    first, second, outcomes = battles(13, ties=0.0)
    signs = np.eye(5)[first] - np.eye(5)[second]
    theirs = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(signs, outcomes)
    assert bradley_terry(first, second, outcomes, prior=2.0).strengths == pytest.approx(theirs.coef_[0], abs=1e-5)


def naive(rows: tuple[Any, Any, Any], clusters: Any, ties: Any, resamples: int) -> Any:
    """Draw clusters, lay their rows end to end, fit."""
    generator, fits, count = rng(99), [], int(clusters.max()) + 1
    members = [np.flatnonzero(clusters == cluster) for cluster in range(count)]
    for _ in range(resamples):
        picked = np.concatenate([members[pick] for pick in generator.integers(count, size=count)])
        fits.append(bradley_terry(*(column[picked] for column in rows), ties=ties).strengths)
    return np.quantile(fits, [0.1, 0.9], axis=0).T


@pytest.mark.parametrize(
    ("ties", "grouped"), [("half", False), ("half", True), ("davidson", True), ("rao-kupper", False)]
)
def test_equals_refitting_resampled_rows(ties: Any, grouped: bool) -> None:
    rows = battles(14, rows=400, systems=3)
    clusters = np.arange(len(rows[0])) // (4 if grouped else 1)
    named = {"clusters": clusters} if grouped else {}
    mine = bradley_terry_ranking(*rows, ties=ties, rng=rng(), level=0.8, resamples=2_000, **named)
    ends = np.array([(one.low, one.high) for one in mine.estimates])
    assert ends == pytest.approx(naive(rows, clusters, ties, resamples=150), abs=0.05)
    assert mine.values == pytest.approx(bradley_terry(*rows, ties=ties).strengths)
    assert mine.draws.sum(axis=1) == pytest.approx(np.zeros(2_000), abs=1e-7)
    sandwich = bradley_terry(*rows, ties=ties, **named).estimates(0.8)
    assert ends == pytest.approx(np.array([(one.low, one.high) for one in sandwich]), abs=0.03)
    assert {one.clusters for one in mine.estimates} == {int(clusters.max()) + 1 if grouped else None}


@pytest.mark.parametrize("ties", ["half", *TIED])
def test_each_draw_is_a_fit(ties: Any) -> None:
    from harness.battles import count_battles, drawn_tallies, grouped
    from harness.resampling import Settings

    rows = battles(15, rows=60, systems=3)
    counted = count_battles("test", *rows)
    groups = grouped("test", rows[2], counted, None, None)
    (tally,) = drawn_tallies(counted, groups, Settings(rng(), 0.95, 100, "percentile"))
    mine = bradley_terry_ranking(*rows, ties=ties, rng=rng(), resamples=100)
    assert mine.undefined == 0
    for draw, columns in zip(mine.draws[:10], zip(*tally, strict=True), strict=False):
        sizes = [(n - p - t / 2, p - t / 2, t) for n, p, t in zip(*columns, strict=True)]
        names = zip(counted.first, counted.second, sizes, strict=True)
        laid = [
            (a, b, s) for a, b, size in names for s, c in zip((0.0, 1.0, 0.5), size, strict=True) for _ in range(int(c))
        ]
        assert draw == pytest.approx(bradley_terry(*zip(*laid, strict=True), ties=ties).strengths, abs=1e-8)


def test_ranking_on_the_scale_of_elo() -> None:
    rows = battles(16)
    plain = bradley_terry_ranking(*rows, rng=rng(), resamples=500)
    mine = bradley_terry_ranking(*rows, rng=rng(), resamples=500, scale="elo", anchor=1, at=1500.0)
    assert mine.values == pytest.approx(bradley_terry(*rows).elo(anchor=1, at=1500.0))
    for one, other in zip(mine.estimates, plain.estimates, strict=True):
        assert one.high - one.low == pytest.approx(ELO * (other.high - other.low))
    assert mine.ranks.tolist() == plain.ranks.tolist() == bradley_terry(*rows).ranks.tolist()
    assert mine.rank_intervals.tolist() == plain.rank_intervals.tolist()


@pytest.mark.parametrize("clusters", [None, np.arange(305) // 5])
def test_intervals_of_every_kind(clusters: Any) -> None:
    rows = battles(17)
    made = {
        kind: bradley_terry_ranking(*rows, clusters=clusters, interval=kind, rng=rng(), resamples=2_000).estimates[0]
        for kind in ("percentile", "basic", "bca")
    }
    ends = np.array([(one.low, one.high) for one in made.values()])
    assert np.ptp(ends, axis=0).max() < 0.15
    assert made["basic"].low == pytest.approx(2 * made["basic"].value - made["percentile"].high)
    assert made["bca"].low not in ends[:2, 0]


def test_resamples_that_are_not_connected_are_counted() -> None:
    first, second, outcomes = battles(18, rows=200, systems=3, ties=0.0)
    lucky = np.r_[first, [9] * 30], np.r_[second, [0] * 30], np.r_[outcomes, [1.0] * 25, [0.0] * 5]
    mine = bradley_terry_ranking(*lucky, rng=rng(), resamples=1_000)
    assert 0 < mine.undefined < 10
    assert len(mine.draws) == 1_000 - mine.undefined
    assert mine.estimates[0].method == f"bootstrap, {mine.undefined} of 1000 resamples undefined"
    rarer = np.r_[first, [9] * 30], np.r_[second, [0] * 30], np.r_[outcomes, [1.0] * 29, [0.0]]
    with pytest.raises(
        HarnessError, match=r"\d+ of 1000 resamples have no finite maximum; give more battles, or a pri"
    ):
        bradley_terry_ranking(*rarer, rng=rng(), resamples=1_000)
    assert bradley_terry_ranking(*rarer, rng=rng(), resamples=1_000, prior=0.1).undefined == 0


def test_resamples_without_ties_are_counted() -> None:
    first, second, outcomes = battles(19, rows=200, systems=3, ties=0.0)
    rows = np.r_[first, [0] * 6], np.r_[second, [1] * 6], np.r_[outcomes, [0.5] * 6]
    mine = bradley_terry_ranking(*rows, ties="davidson", rng=rng(), resamples=1_000)
    assert 0 < mine.undefined <= 10


def test_far_apart_and_hardly_connected() -> None:
    first, second = np.repeat(np.arange(6), 100_000), np.repeat(np.arange(6) + 1, 100_000)
    outcomes = np.ones(600_000)
    outcomes[::100_000] = 0.0
    mine = bradley_terry(first, second, outcomes)
    assert np.diff(mine.strengths) == pytest.approx(np.full(6, -np.log(99_999)), rel=1e-9)


def test_unparsed_rows_are_counted_beside() -> None:
    rows = [("a", "b", "first"), ("b", "a", "unparsed"), ("b", "a", "first"), ("c", "a", "unparsed"), ("a", "b", "tie")]
    mine = bradley_terry(*zip(*rows, strict=True), clusters=["p", "q", "r", "s", "p"])
    assert (mine.systems, mine.n, mine.unparsed, mine.clusters) == (("a", "b"), 3, 2, 2)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=12)
)
def test_a_fit_exists_exactly_where_no_part_is_apart(rows: Sequence[tuple[int, int, float]]) -> None:
    first, second = np.array([one for one, _, _ in rows]), np.array([(one + ahead) % 4 for one, ahead, _ in rows])
    outcomes = np.array([score for _, _, score in rows])
    systems = sorted({*first.tolist(), *second.tolist()})
    assume(len(systems) > 1)
    exists = all(
        ((outcomes > 0) & np.isin(first, part) & ~np.isin(second, part)).any()
        or ((outcomes < 1) & np.isin(second, part) & ~np.isin(first, part)).any()
        for size in range(1, len(systems))
        for part in itertools.combinations(systems, size)
    )
    if exists:
        assert np.isfinite(bradley_terry(first, second, outcomes).strengths).all()
    else:
        with pytest.raises(HarnessError, match="won or tied against"):
            bradley_terry(first, second, outcomes)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([(0, 1), (0, 2), (1, 2)]), st.sampled_from([0.0, 0.5, 1.0])), max_size=9),
    st.sampled_from(TIED),
)
def test_a_model_of_ties_is_refused_exactly_where_it_runs_off(rows: Any, ties: Any) -> None:
    rows = [*rows, ((0, 1), 1.0), ((0, 1), 0.5), ((1, 2), 0.5)]
    (first, second), outcomes = np.array([pair for pair, _ in rows]).T, np.array([score for _, score in rows])

    def at(prior: float) -> Any:
        mine = bradley_terry(first, second, outcomes, ties=ties, prior=prior)
        return np.r_[mine.strengths, np.log(mine.tie or np.nan)]

    try:
        best = at(0.0)
    except HarnessError as error:
        assert "bradley_terry: the model of ties has no finite maximum" in str(error)  # noqa: PT017
        assert np.abs(at(1e-7) - at(1e-4)).max() > 1.0
    else:
        assert at(1e-7) == pytest.approx(best, abs=1e-3)


def test_a_fit_that_does_not_arrive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("harness.bradley_terry"), "STEPS", 1)
    with pytest.raises(HarnessError, match="the likelihood is too flat for a maximum"):
        bradley_terry(*battles(20))


def test_resamples_of_models_of_ties_with_a_prior() -> None:
    first, second, outcomes = ["a"] * 10, ["b"] * 10, [1.0] * 6 + [0.5] * 4
    mine = bradley_terry_ranking(first, second, outcomes, ties="davidson", prior=0.5, rng=rng(), resamples=500)
    assert mine.undefined <= 5
    assert np.isfinite(mine.draws).all()


def fitted(**options: Any) -> BradleyTerry:
    return bradley_terry(["a", "b", "a"], ["b", "a", "b"], ["first", "first", "tie"], **options)


WON = (["a", "b", "a"], ["b", "c", "c"], ["first", "first", "first"])
LOST = (["a", "b", "b"], ["b", "a", "c"], ["first", "first", "first"])
TIES = (["a", "a", "b", "b"], ["b", "c", "c", "a"], ["tie", "tie", "tie", "tie"])
DRAWN = (["a"] * 4, ["b"] * 4, ["tie"] * 4)
LED = (["a", "a", "a"], ["b", "b", "b"], ["first", "tie", "first"])
HARD = (["a", "b"], ["b", "a"], ["first", "first"])
SOFT = (["a", "b"], ["b", "a"], [0.7, 0.6])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bradley_terry(*WON), "bradley_terry: no other system won or tied against 'a'; compare them with more"),
        (lambda: bradley_terry(*LOST), "'c' never won or tied against another system; .* or give a prior above 0"),
        (lambda: bradley_terry_ranking(*WON, rng=rng()), "bradley_terry_ranking: no other system won or tied against"),
        (lambda: bradley_terry(*HARD, ties="draws"), "ties is 'draws'; use one of half, davidson, rao-kupper"),  # type: ignore[arg-type]
        (lambda: bradley_terry(*HARD, prior=-1.0), "prior is -1.0; give 0, or the precision of a normal prior"),
        (lambda: bradley_terry(*HARD, prior=float("nan")), "prior is nan"),
        (lambda: bradley_terry(*SOFT, ties="davidson"), "davidson with soft outcomes; use ties='half'"),
        (lambda: bradley_terry(*HARD, ties="rao-kupper"), "rao-kupper where no rows are ties; use ties='half'"),
        (lambda: bradley_terry(*TIES, ties="davidson"), "davidson where all rows are ties; use ties='half'"),
        (lambda: bradley_terry(*LED, ties="davidson"), "bradley_terry: the model of ties has no finite maximum; use"),
        (lambda: bradley_terry(*LED, ties="rao-kupper"), "bradley_terry: the model of ties has no finite maximum; use"),
        (lambda: bradley_terry(*TIES).estimates(), "bradley_terry: the rows leave no error; give rows that differ"),
        (lambda: fitted().estimates(level=1.0), "bradley_terry: level is 1.0"),
        (lambda: fitted().difference("a", "c"), "bradley_terry: 'c' is no system; use one of 'a', 'b'"),
        (lambda: fitted().difference("a", "a"), "the rows leave no error"),
        (lambda: fitted().chances("z", "a"), "'z' is no system"),
        (lambda: fitted().elo(anchor="z"), "elo: 'z' is no system"),
        (lambda: fitted().elo(at=float("nan")), "elo: at is nan; give a finite number, such as 1000"),
        (lambda: bradley_terry(*HARD, clusters=["x", "x"]), "all rows are in one cluster"),
        (lambda: bradley_terry(["a"], ["b"], ["tie"]), "rows are 1; give 2 or more rows"),
        (lambda: bradley_terry_ranking(*HARD, scale="chess", rng=rng()), "scale is 'chess'; use log or elo"),  # type: ignore[arg-type]
        (lambda: bradley_terry_ranking(*HARD, rng=None), "bradley_terry_ranking: rng is None"),  # type: ignore[arg-type]
        (lambda: bradley_terry_ranking(*DRAWN, rng=rng()), "bradley_terry_ranking: every resample gives 0"),
        (
            lambda: bradley_terry(["a", "a"], ["b", "b"], [1e-14, 1e-14]),
            "the likelihood is too flat for a maximum; give",
        ),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
