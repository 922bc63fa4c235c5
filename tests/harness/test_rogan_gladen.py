"""Corrected rates by hand, the laws of a perfect judge and of exchanged labels, and coverage."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError, proportion
from harness.rogan_gladen import corrected_rate, rogan_gladen

Z = 1.959963984540054


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def counted(positive: int, n: int, *validation: int, **options: Any) -> Any:
    names = ("true_positive", "human_positive", "true_negative", "human_negative")
    return rogan_gladen(positive, n, **dict(zip(names, validation, strict=True)), **options)


def test_by_hand() -> None:
    mine = counted(70, 100, 45, 50, 40, 50, method="delta")
    assert mine.raw == mine.estimate.value == pytest.approx((0.7 + 0.8 - 1) / (0.9 + 0.8 - 1)) == pytest.approx(5 / 7)
    variance = 0.7 * 0.3 / 100 + (5 / 7) ** 2 * 0.09 / 50 + (2 / 7) ** 2 * 0.16 / 50
    reach = Z * math.sqrt(variance) / 0.7
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((5 / 7 - reach, 5 / 7 + reach))
    assert mine.estimate.method == "Rogan-Gladen, delta"
    assert (mine.judged, mine.sensitivity) == (proportion(70, 100), proportion(45, 50))
    assert mine.specificity == proportion(40, 50)


def test_lang_reiczigel_by_hand() -> None:
    mine = counted(70, 100, 45, 50, 40, 50).estimate
    n, p = 100 + Z**2, (70 + Z**2 / 2) / (100 + Z**2)
    se, sp = 46 / 52, 41 / 52
    rate = (p + sp - 1) / (se + sp - 1)
    moved = 2 * Z**2 * (rate * se * (1 - se) / 52 - (1 - rate) * sp * (1 - sp) / 52)
    variance = p * (1 - p) / n + rate**2 * se * (1 - se) / 52 + (1 - rate) ** 2 * sp * (1 - sp) / 52
    reach = Z * math.sqrt(variance) / (se + sp - 1)
    assert (mine.low, mine.high) == pytest.approx((rate + moved - reach, rate + moved + reach))


@settings(max_examples=50, deadline=None)
@given(
    st.integers(20, 41),
    st.integers(5, 40),
    st.integers(5, 40),
    st.floats(0.1, 0.99),
    st.sampled_from(["delta", "lang-reiczigel"]),
)
def test_exchanging_yes_and_no_turns_the_rate(positive: int, yes: int, no: int, level: float, method: str) -> None:
    options: dict[str, Any] = {"level": level, "method": method}
    mine = counted(positive, 61, 2 * yes + 20, 2 * yes + 27, 2 * no + 20, 2 * no + 25, **options).estimate
    turned = counted(61 - positive, 61, 2 * no + 20, 2 * no + 25, 2 * yes + 20, 2 * yes + 27, **options).estimate
    assert (turned.value, turned.low, turned.high) == pytest.approx((1 - mine.value, 1 - mine.high, 1 - mine.low))
    assert 0.0 <= mine.low <= mine.value <= mine.high <= 1.0
    wider = counted(
        positive, 61, 2 * yes + 20, 2 * yes + 27, 2 * no + 20, 2 * no + 25, **options | {"level": 0.995}
    ).estimate
    assert wider.high - wider.low > mine.high - mine.low


def test_a_perfect_judge_leaves_the_rate() -> None:
    mine = counted(30, 100, 10_000, 10_000, 10_000, 10_000, method="delta").estimate
    reach = Z * math.sqrt(0.3 * 0.7 / 100)
    assert (mine.value, mine.low, mine.high) == pytest.approx((0.3, 0.3 - reach, 0.3 + reach))
    fewer = counted(30, 100, 18, 20, 18, 20, method="delta").estimate
    assert fewer.high - fewer.low > mine.high - mine.low


def test_a_rate_outside_is_clipped_and_said() -> None:
    mine = counted(18, 100, 45, 50, 40, 50)
    assert mine.raw == pytest.approx(-0.02 / 0.7)
    assert (mine.estimate.value, mine.estimate.low) == (0.0, 0.0)
    assert mine.estimate.method.endswith("lang-reiczigel, clipped")


@pytest.mark.parametrize(("rate", "least"), [(0.1, 0.93), (0.7, 0.93)])
def test_covers_where_the_judges_own_rate_does_not(rate: float, least: float) -> None:
    generator, covered, own = rng(1), 0, 0
    for _ in range(400):
        positive = int(generator.binomial(300, rate * 0.85 + (1 - rate) * 0.2))
        right, wrong = int(generator.binomial(50, 0.85)), int(generator.binomial(50, 0.8))
        mine = counted(positive, 300, right, 50, wrong, 50)
        covered += mine.estimate.low <= rate <= mine.estimate.high
        own += mine.judged.low <= rate <= mine.judged.high
    assert covered / 400 >= least
    assert own / 400 < 0.75


def validated(seed: int, n: int = 400, checked: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = rng(seed)
    people = generator.random(n + checked) < 0.6
    judge = np.where(people, generator.random(n + checked) < 0.85, generator.random(n + checked) < 0.2)
    return judge[:n], judge[n:], people[n:]


def test_rows_give_what_counts_give() -> None:
    judge, on_human, people = validated(2)
    mine = corrected_rate(judge, judge_on_human=on_human, human=people, rng=rng(), resamples=4_000)
    delta = counted(
        int(judge.sum()), 400, int((on_human & people).sum()), int(people.sum()),
        int((~on_human & ~people).sum()), int((~people).sum()), method="delta",
    )  # fmt: skip
    assert (mine.raw, mine.sensitivity, mine.specificity) == (
        pytest.approx(delta.raw),
        delta.sensitivity,
        delta.specificity,
    )
    assert mine.judged == delta.judged
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((delta.estimate.low, delta.estimate.high), abs=0.02)
    assert str(mine.estimate).endswith("(n=600, Rogan-Gladen bootstrap)")


def test_copies_in_a_cluster_do_not_narrow() -> None:
    judge, on_human, people = validated(3)
    once = corrected_rate(judge, judge_on_human=on_human, human=people, rng=rng(), resamples=3_000).estimate
    copied = corrected_rate(
        np.tile(judge, 3), judge_on_human=np.tile(on_human, 3), human=np.tile(people, 3),
        clusters=np.tile(np.arange(400), 3), human_clusters=400 + np.tile(np.arange(200), 3),
        rng=rng(), resamples=3_000,
    ).estimate  # fmt: skip
    assert (copied.value, copied.clusters) == (pytest.approx(once.value), 600)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.08)


@pytest.mark.parametrize("method", ["lang-reiczigel", "delta"])
def test_few_validated_rows_give_an_interval_or_a_refusal(method: str) -> None:
    """One success and failure more can take a judge to chance or below it, where no interval is defined."""
    found = 0
    for yes, no in itertools.product(range(1, 6), [1, 2, 3, 4, 5, 10]):
        for right, rejected, positive in itertools.product(range(yes + 1), range(no + 1), (0, 50, 95, 100)):
            try:
                mine = counted(positive, 100, right, yes, rejected, no, method=method).estimate
            except HarnessError:
                continue
            assert 0.0 <= mine.low < mine.high <= 1.0
            assert mine.low <= mine.value <= mine.high
            found += 1
    assert found > 500


ROWS: dict[str, Any] = {"judge_on_human": [1, 1, 0, 0, 1, 0], "human": [1, 1, 0, 0, 0, 1], "rng": rng()}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: counted(5, 10, 5, 10, 5, 10), r"sensitivity 0.5 \+ specificity 0.5 <= 1; give a judge that is better"),
        (lambda: counted(95, 100, 1, 1, 1, 10), "one more success and failure each; validate the judge on more rows"),
        (lambda: counted(95, 100, 1, 1, 1, 4), r"sensitivity 0.667 \+ specificity 0.333 <= 1 with one more success"),
        (lambda: counted(95, 100, 4, 5, 2, 9), "one more success and failure each"),
        (lambda: counted(5, math.nan, 9, 10, 9, 10), "positive is 5 of nan; give whole numbers"),  # type: ignore[arg-type]
        (lambda: counted(11, 10, 9, 10, 9, 10), "positive is 11 of 10; give whole numbers, 0 <= count <= n, n >= 1"),
        (lambda: counted(5, 10, 0, 0, 9, 10), "true_positive is 0 of 0; give whole numbers"),
        (lambda: counted(5, 10, 9, 10, 8.5, 10), "true_negative is 8.5 of 10"),  # type: ignore[arg-type]
        (lambda: counted(5, 10, 9, 10, 9, 10, method="x"), "method is 'x'; use lang-reiczigel or delta"),
        (lambda: counted(5, 10, 9, 10, 9, 10, level=1), "rogan_gladen: level is 1"),
        (
            lambda: counted(0, 10, 10, 10, 10, 10, method="delta"),
            r"the interval has no width in \[0, 1\] at 0; validate",
        ),
        (lambda: counted(999, 1000, 800, 1000, 800, 1000), r"the interval has no width in \[0, 1\] at 1.33"),
        (lambda: corrected_rate([], **ROWS), "corrected_rate: judge empty"),
        (lambda: corrected_rate([1, 0.5], **ROWS), r"judge\[1\] is 0.5; give 0 or 1; prediction_powered_mean takes"),
        (
            lambda: corrected_rate([1, 0], **ROWS | {"human": [1] * 6}),
            "every human label is 1; give rows of both kinds",
        ),
        (lambda: corrected_rate([1, 0], **ROWS | {"human": [1]}), "lengths differ"),
        (lambda: corrected_rate([1, 0], clusters=[1, 2], **ROWS), "only one of the two samples has clusters"),
        (lambda: corrected_rate([1, 0], **ROWS | {"human": [0, 0, 1, 1, 0, 1]}), "sensitivity 0 . specificity 0 <= 1"),
        (lambda: corrected_rate([1, 0], **ROWS), "undefined in .* of 10000 resamples"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
