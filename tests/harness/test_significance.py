"""Tests of a hypothesis against scipy, statsmodels and the enumeration of all that could have happened."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels

from harness import HarnessError
from harness import significance as module
from harness.significance import binomial, mcnemar, mcnemar_counts, permutation_test, sign_test


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


counts = st.integers(0, 60)
halves = st.lists(
    st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 2, st.integers(0, 6)), min_size=2, max_size=30
).filter(lambda rows: len({row[2] for row in rows}) > 1)


@settings(max_examples=50, deadline=None)
@given(counts, counts)
def test_mcnemar_is_that_of_statsmodels(b: int, c: int) -> None:
    mine, mid = mcnemar_counts(b, c), mcnemar_counts(b, c, method="mid-p")
    expected = float(mcnemar_of_statsmodels([[7, b], [c, 9]], exact=True).pvalue) if b + c else 1.0
    assert mine.p == pytest.approx(expected, rel=1e-9)
    lesser, point = scipy.stats.binom.cdf(min(b, c), b + c, 0.5), scipy.stats.binom.pmf(b, b + c, 0.5)
    assert mid.p == pytest.approx(1.0 if b == c else 2 * lesser - point, rel=1e-9)
    assert mid.p <= mine.p <= 1.0
    assert (mine.statistic, mine.n, mine.method, mid.method) == (b - c, b + c, "exact McNemar", "mid-p McNemar")
    assert mcnemar_counts(c, b) == mine._replace(statistic=-mine.statistic)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_counts_the_discordant(rows: list[tuple[bool, bool]]) -> None:
    ours, theirs = (list(column) for column in zip(*rows, strict=True))
    b, c = sum(a and not o for a, o in rows), sum(o and not a for a, o in rows)
    for method in ("exact", "mid-p"):
        found = mcnemar(ours, np.array(theirs), method=method)
        assert found == mcnemar_counts(b, c, method=method)._replace(n=len(rows))


def test_mcnemar_by_hand() -> None:
    assert mcnemar_counts(1, 5).p == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar_counts(1, 5, method="mid-p").p == pytest.approx((2 * 7 - 6) / 64)
    assert mcnemar_counts(0, 0).p == mcnemar_counts(0, 0, method="mid-p").p == 1.0


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.floats(0.0, 1.0), st.floats(0.01, 0.99))
def test_binomial_is_that_of_scipy(n: int, part: float, share: float) -> None:
    successes = round(part * n)
    for chance in (share, 0.5, 0.25):
        expected = scipy.stats.binomtest(successes, n, chance)
        found = binomial(successes, n, share=chance)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-8)
        assert (found.statistic, found.n) == (successes / n, n)
    assert binomial(n - successes, n, share=1 - share).p == pytest.approx(binomial(successes, n, share=share).p)


def test_binomial_of_many_rows() -> None:
    found = binomial(3_001_000, 10_000_000, share=0.3)
    assert found.p == pytest.approx(scipy.stats.binomtest(3_001_000, 10_000_000, 0.3).pvalue, rel=1e-6)
    assert found.method == "exact binomial against 0.3"
    assert binomial(0, 2_000).p == pytest.approx(0.0, abs=1e-300)


@settings(max_examples=50, deadline=None)
@given(halves)
def test_sign_test_is_a_binomial_of_the_signs(rows: list[tuple[float, float, int]]) -> None:
    ours, theirs, clusters = (np.array(column) for column in zip(*rows, strict=True))
    signs = np.sign(ours - theirs)
    grouped = np.array([np.sign((ours - theirs)[clusters == cluster].sum()) for cluster in np.unique(clusters)])
    for found, kept in ((sign_test(ours, theirs), signs), (sign_test(ours, theirs, clusters=clusters), grouped)):
        above, below = int(np.sum(kept > 0)), int(np.sum(kept < 0))
        assert found.p == pytest.approx(scipy.stats.binomtest(above, above + below).pvalue if above + below else 1.0)
        assert (found.statistic, found.n) == (above - below, len(kept))
    back = sign_test(theirs, ours, clusters=clusters)
    assert (back.p, back.statistic) == (found.p, -found.statistic)


def test_sign_test_says_what_it_left_out() -> None:
    assert sign_test([1, 2, 3], [0, 2, 1]).method == "sign test, 1 tie left out"
    assert sign_test([1, 2, 3], [1, 2, 1], clusters=[0, 1, 2]).method == "cluster sign test, 2 ties left out"
    assert sign_test([1, 2], [0, 1]).method == "sign test"


@pytest.mark.parametrize(
    ("ours", "theirs", "clusters"),
    [
        ([0.1 + 0.2] * 10, [0.3] * 10, None),
        ([0.1, 0.2, 0.0] * 10, [0.0, 0.0, 0.3] * 10, np.arange(30) // 3),
        ([1e9 + 0.1, 1e9 + 0.2, 1e9] * 10, [1e9, 1e9, 1e9 + 0.3] * 10, np.arange(30) // 3),
    ],
)
def test_ties_up_to_rounding_are_ties(ours: list[float], theirs: list[float], clusters: Any) -> None:
    signs = sign_test(ours, theirs, clusters=clusters)
    assert (signs.p, signs.statistic) == (1.0, 0.0)
    assert signs.method.endswith("10 ties left out")
    found = permutation_test(ours, theirs, clusters=clusters, rng=rng())
    assert (found.p, found.statistic) == (1.0, 0.0)


def test_rounding_of_large_values_hides_no_equal_flip() -> None:
    """0.1, 0.2 and -0.3 at 10⁹: their sum is 0 up to rounding, so that every flip lies as far."""
    ours, theirs = [1e9 + 0.1, 1e9 + 0.2, 1e9 - 0.3], [1e9] * 3
    assert permutation_test(ours, theirs, rng=rng()).p == 1.0
    assert sign_test([1e9 + 0.1] * 10, [1e9] * 10).p == pytest.approx(2 / 1024)
    assert sign_test([1e-13] * 10 + [1e9], [0.0] * 10 + [1e9]).statistic == 10


def enumerated(sums: list[float]) -> float:
    seen = abs(sum(sums)) - 1e-9
    flips = itertools.product([1, -1], repeat=len(sums))
    return float(np.mean([abs(sum(s * d for s, d in zip(flip, sums, strict=True))) >= seen for flip in flips]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.sampled_from([0.0, 0.1, 0.2, 0.3])), min_size=2, max_size=9))
def test_permutation_is_the_enumeration_of_all_flips(rows: list[tuple[float, float]]) -> None:
    ours = [round(value, 1) for value, _ in rows]
    theirs = [value for _, value in rows]
    found = permutation_test(ours, theirs, rng=rng())
    assert found.p == pytest.approx(enumerated([a - b for a, b in zip(ours, theirs, strict=True)]))
    assert (found.n, found.method) == (len(rows), "exact permutation test")
    assert found.statistic == pytest.approx(np.mean(ours) - np.mean(theirs))
    back = permutation_test(theirs, ours, rng=rng())
    assert (back.p, back.statistic) == pytest.approx((found.p, -found.statistic))


def test_permutation_is_that_of_scipy() -> None:
    ours, theirs = rng(1).normal(0.5, 1.0, size=12), rng(2).normal(size=12)
    expected = scipy.stats.permutation_test(
        (ours, theirs), lambda a, b: np.mean(a) - np.mean(b), permutation_type="samples", n_resamples=5000
    )
    assert permutation_test(ours, theirs, rng=rng()).p == pytest.approx(expected.pvalue)


@settings(max_examples=30, deadline=None)
@given(halves)
def test_clusters_are_flipped_whole(rows: list[tuple[float, float, int]]) -> None:
    ours, theirs, clusters = (np.array(column) for column in zip(*rows, strict=True))
    found = permutation_test(ours, theirs, clusters=clusters, rng=rng())
    sums = [float((ours - theirs)[clusters == cluster].sum()) for cluster in np.unique(clusters)]
    assert found.p == pytest.approx(enumerated(sums))
    assert (found.n, found.method) == (len(sums), "exact cluster permutation test")
    order = rng(1).permutation(len(ours))
    assert permutation_test(ours[order], theirs[order], clusters=clusters[order] + 5, rng=rng()).p == found.p


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=400))
def test_permutation_of_verdicts_is_mcnemars(differences: list[float]) -> None:
    b, c = differences.count(1.0), differences.count(-1.0)
    found = permutation_test(differences, [0.0] * len(differences), rng=rng())
    assert found.p == pytest.approx(mcnemar_counts(b, c).p, rel=1e-8)


@pytest.mark.parametrize("draw", ["equal", "alone"])
def test_drawn_flips_agree_with_the_exact_law(draw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = rng(3).integers(1, 4, size=16).astype(float) if draw == "equal" else rng(3).normal(0.4, 1.0, size=16)
    ours = sizes * np.where(rng(4).random(16) < 0.7, 1.0, -1.0)
    exact = permutation_test(ours, np.zeros(16), rng=rng())
    monkeypatch.setattr(module, "SUPPORT", 10)
    monkeypatch.setattr(module, "BLOCK", 1000)
    drawn = permutation_test(ours, np.zeros(16), rng=rng(), draws=20_000)
    assert exact.method == "exact permutation test"
    assert drawn.method == "permutation test, 20000 draws"
    assert drawn.p == pytest.approx(exact.p, abs=5 * math.sqrt(exact.p * (1 - exact.p) / 20_000))
    assert drawn == permutation_test(ours, np.zeros(16), rng=rng(), draws=20_000)


def test_a_drawn_p_is_never_zero() -> None:
    found = permutation_test(rng(5).normal(5.0, 1.0, size=100), np.zeros(100), rng=rng(), draws=999)
    assert found.p == pytest.approx(1 / 1000)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100))
def test_p_is_uniform_at_most_where_nothing_differs(seed: int) -> None:
    found = [permutation_test(rng(seed + at).normal(size=8), np.zeros(8), rng=rng()).p for at in range(0, 4000, 100)]
    assert np.mean(np.array(found) <= 0.25) <= 0.25 + 4 * math.sqrt(0.25 * 0.75 / 40)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mcnemar([1, 0], [1]), r"mcnemar: lengths differ \(ours_right has 2, theirs_right has 1\)"),
        (lambda: mcnemar([1, 2], [1, 1]), r"mcnemar: ours_right\[1\] is 2; use one of 0, 1"),
        (lambda: mcnemar([1, 0], [0.5, 1]), r"mcnemar: theirs_right\[0\] is 0.5; use one of 0, 1"),
        (lambda: mcnemar([True], [None]), r"mcnemar: theirs_right\[0\] is None"),  # type: ignore[list-item]
        (lambda: mcnemar_counts(1, 2, method="yates"), r"method\[0\] is 'yates'; use one of exact, mid-p"),  # type: ignore[arg-type]
        (lambda: mcnemar_counts(-1, 2), "mcnemar_counts: ours_only is -1; give a whole number, 0 or more"),
        (lambda: mcnemar_counts(1, 2.5), "mcnemar_counts: theirs_only is 2.5"),  # type: ignore[arg-type]
        (lambda: binomial(2.5, 5), "binomial: successes is 2.5; give a whole number, 0 or more"),  # type: ignore[arg-type]
        (lambda: binomial(1, math.nan), "binomial: n is nan"),  # type: ignore[arg-type]
        (lambda: binomial(6, 5), "binomial: successes is 6 with n 5; give 0 <= successes <= n and n >= 1"),
        (lambda: binomial(0, 0), "binomial: successes is 0 with n 0"),
        (lambda: binomial(1, 5, share=1.0), "binomial: share is 1.0; give one between 0 and 1, such as 0.5"),
        (lambda: sign_test([1.0], [0.0]), "sign_test: rows are 1"),
        (lambda: sign_test([1.0, math.nan], [0.0, 1.0]), r"sign_test: ours\[1\] is nan"),
        (lambda: sign_test([1, 0], [0, 0], clusters=["a", "a"]), "sign_test: all rows are in one cluster"),
        (lambda: permutation_test([1, 0], [0, 0], rng=3), "permutation_test: rng is 3"),  # type: ignore[arg-type]
        (lambda: permutation_test([1, 0], [0, 0], rng=rng(), draws=9), "draws is 9; give at least 100, such as 10000"),
        (lambda: permutation_test([1, 0], [0], rng=rng()), "permutation_test: lengths differ"),
    ],
)
def test_refusals(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()


def test_nothing_differs() -> None:
    assert permutation_test([1, 2], [1, 2], rng=rng()).p == 1.0
    assert sign_test([1, 2], [1, 2]).p == 1.0
