"""How many and which rows people label: closed forms against search, the design, and the mean that it leads to."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from harness import HarnessError, mean
from harness.allocation import (
    actively_labelled_mean,
    agreement_correlation,
    draw_rows,
    human_labels_needed,
    inclusion_probabilities,
)
from harness.prediction_powered import prediction_powered_mean

Z = 1.959963984540054


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 0.2), st.integers(10_000, 10**6), st.floats(-1.0, 0.99), st.floats(0.1, 0.5))
def test_labels_needed_are_the_fewest(width: float, rows: int, correlation: float, deviation: float) -> None:
    needed = human_labels_needed(width, rows, correlation=correlation, deviation=deviation)

    def reach(n: float) -> float:
        known = max(correlation, 0.0) ** 2
        return Z * deviation * math.sqrt((1 - known) / n + known / rows)

    assert 2 <= needed <= rows
    assert reach(needed) <= width * (1 + 1e-9)
    assert needed == 2 or reach(needed - 1) > width * (1 - 1e-9)


def test_labels_needed_by_hand_and_monotone() -> None:
    assert human_labels_needed(0.05, 10**9, correlation=0.0) == math.ceil((Z * 0.5 / 0.05) ** 2) == 385
    assert human_labels_needed(0.05, 10**9, correlation=0.8) == math.ceil(0.36 * (Z * 0.5 / 0.05) ** 2)
    assert human_labels_needed(0.05, 10**9, correlation=-0.8) == 385
    assert human_labels_needed(0.05, 1_000, correlation=1.0) == 2
    asked = [human_labels_needed(0.05, rows, correlation=0.8) for rows in (500, 1_000, 10_000)]
    assert asked == sorted(asked, reverse=True)
    surer = [human_labels_needed(0.05, 1_000, correlation=0.8, level=level) for level in (0.8, 0.95, 0.99)]
    assert surer == sorted(surer)


def test_labels_needed_give_that_half_width() -> None:
    generator, reached = rng(1), []
    n = human_labels_needed(0.06, 2_000, correlation=0.6)
    for _ in range(100):
        people = (generator.random(2_000) < 0.5).astype(float)
        judge = np.where(generator.random(2_000) < 0.8, people, 1 - people)
        mine = prediction_powered_mean(people[:n], judge[:n], judge[n:]).estimate
        reached.append((mine.high - mine.low) / 2)
    assert float(np.mean(reached)) == pytest.approx(0.06, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_agreement_correlation_is_that_of_labels(seed: int) -> None:
    generator = rng(seed)
    people = generator.integers(0, 2, size=30)
    judge = np.where(generator.random(30) < 0.7, people, 1 - people)
    people[:2], judge[:2] = [0, 1], [0, 1]
    mine = agreement_correlation(
        float(np.mean(people == judge)), human_rate=float(people.mean()), judge_rate=float(judge.mean())
    )
    assert mine == pytest.approx(np.corrcoef(people, judge)[0, 1])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1.0), st.floats(0.02, 1.0))
def test_inclusion_sums_to_the_labels(seed: int, floor: float, part: float) -> None:
    found = rng(seed).beta(0.3, 0.3, size=50)
    labels = 50 * part
    mine = inclusion_probabilities(found, labels, floor=floor)
    assert mine.sum() == pytest.approx(labels)
    assert mine.max() <= 1.0
    assert mine.min() >= floor * part * (1 - 1e-9)
    shares = floor + (1 - floor) * np.sqrt(found * (1 - found)) / np.sqrt(found * (1 - found)).mean()
    if part < 1.0:
        scale = brentq(lambda c: np.minimum(1.0, c * shares).sum() - labels, 0.0, 1e6)
        assert mine == pytest.approx(np.minimum(1.0, scale * shares), rel=1e-6)
    order = rng(seed).permutation(50)
    assert inclusion_probabilities(found[order], labels, floor=floor) == pytest.approx(mine[order])
    assert inclusion_probabilities(1 - found, labels, floor=floor) == pytest.approx(mine)


def test_inclusion_of_a_sure_judge_is_uniform() -> None:
    assert inclusion_probabilities([0.0, 1.0, 1.0, 0.0], 2) == pytest.approx([0.5] * 4)
    assert inclusion_probabilities([0.5, 0.9, 0.2], 3) == pytest.approx([1.0] * 3)


def test_draws_have_their_chances() -> None:
    chances, generator = np.array([0.05, 0.5, 1.0]), rng(2)
    often = np.mean([draw_rows(chances, rng=generator) for _ in range(4_000)], axis=0)
    assert often == pytest.approx(chances, abs=0.03)
    assert often[2] == 1.0


def labelled(people: np.ndarray, drawn: np.ndarray) -> list[float | None]:
    return [float(label) if asked else None for label, asked in zip(people, drawn, strict=True)]


def design(seed: int, tilt: float) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """A judge that is sure of most rows and right about that; `tilt` makes it say yes too often."""
    generator = rng(seed)
    truth = np.where(generator.random(600) < 0.7, generator.choice([0.02, 0.98], size=600), 0.5)
    return np.clip(truth + tilt, 0.0, 1.0), (generator.random(600) < truth).astype(float), generator


@pytest.mark.parametrize(("tilt", "lambda_"), [(0.0, None), (0.2, None), (0.2, 1.0)])
def test_is_right_on_average_and_covers(tilt: float, lambda_: float | None) -> None:
    off, covered, sure, hard = [], 0, [], []
    for seed in range(300):
        judge, people, generator = design(seed, tilt)
        chances = inclusion_probabilities(judge, 150, floor=0.3)
        drawn = draw_rows(chances, rng=generator)
        mine = actively_labelled_mean(labelled(people, drawn), judge, chances, lambda_=lambda_).estimate
        off.append(mine.value - people.mean())
        covered += mine.low <= people.mean() <= mine.high
        sure.append(judge.mean() - people.mean())
        hard.append(people[np.argsort(np.abs(judge - 0.5))[:150]].mean() - people.mean())
    assert abs(float(np.mean(off))) < 4 * float(np.std(off)) / math.sqrt(300)
    assert covered / 300 >= 0.93
    assert abs(float(np.mean(sure))) == pytest.approx(0.12 if tilt else 0.0, abs=0.03)


def test_by_default_lambda_is_one_and_covers_with_a_biased_judge() -> None:
    """Tuned on the same few rows of large weight, the interval covers less than with λ fixed beforehand."""
    covered = {1.0: 0, None: 0}
    for seed in range(600):
        judge, people, generator = design(seed, 0.2)
        chances = inclusion_probabilities(judge, 100)
        drawn = draw_rows(chances, rng=generator)
        given_labels = labelled(people, drawn)
        for lambda_ in (1.0, None):
            mine = actively_labelled_mean(given_labels, judge, chances, lambda_=lambda_)
            covered[lambda_] += mine.estimate.low <= 0.5 <= mine.estimate.high
        default = actively_labelled_mean(given_labels, judge, chances)
        assert default == actively_labelled_mean(given_labels, judge, chances, lambda_=1.0)
        assert default.lambda_ == 1.0
    assert covered[1.0] > covered[None]
    assert covered[1.0] / 600 >= 0.93


def test_labelling_the_unsure_rows_alone_is_biased() -> None:
    generator, off, alone = rng(3), [], []
    for _ in range(100):
        truth = np.where(generator.random(600) < 0.5, 0.95, 0.5)
        people = (generator.random(600) < truth).astype(float)
        chances = inclusion_probabilities(truth, 150)
        drawn = draw_rows(chances, rng=generator)
        off.append(actively_labelled_mean(labelled(people, drawn), truth, chances).estimate.value - 0.725)
        alone.append(people[np.argsort(np.abs(truth - 0.5))[:150]].mean() - 0.725)
    assert abs(float(np.mean(off))) < 0.01
    assert float(np.mean(alone)) < -0.2


def test_is_narrower_than_uniform_where_the_judge_knows_its_doubts() -> None:
    ratio = []
    for seed in range(60):
        judge, people, generator = design(seed, 0.0)
        widths = []
        for floor in (0.1, 1.0):
            chances = inclusion_probabilities(judge, 150, floor=floor)
            drawn = draw_rows(chances, rng=generator)
            mine = actively_labelled_mean(labelled(people, drawn), judge, chances)
            widths.append(mine.estimate.high - mine.estimate.low)
        ratio.append(widths[0] / widths[1])
    assert float(np.mean(ratio)) < 0.93


def test_all_rows_labelled_is_their_mean() -> None:
    people = [1.0, 0.0, 1.0, 1.0, 0.0]
    mine, plain = actively_labelled_mean(people, [0.5] * 5, [1.0] * 5), mean(people)
    assert (mine.estimate.value, mine.estimate.low, mine.estimate.high) == pytest.approx(
        (plain.value, plain.low, plain.high)
    )
    assert (mine.lambda_, mine.human, mine.rest) == (1.0, 5, 0)
    assert mine.effective_labels == pytest.approx(4.0)


def test_copies_in_a_cluster_do_not_narrow() -> None:
    judge, people, generator = design(4, 0.1)
    chances = inclusion_probabilities(judge, 150)
    human = labelled(people, draw_rows(chances, rng=generator))
    once = actively_labelled_mean(human, judge, chances).estimate
    copied = actively_labelled_mean(
        human * 3, np.tile(judge, 3), np.tile(chances, 3), clusters=np.tile(np.arange(600), 3)
    ).estimate
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert (copied.clusters, copied.method) == (600, "active on clusters")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: human_labels_needed(0, 10, correlation=0), "half_width or deviation is 0; give both above 0"),
        (lambda: human_labels_needed(-1, 10, correlation=0), r"half_width and deviation\[0\] is -1"),
        (lambda: human_labels_needed(0.1, 1, correlation=0), "rows is 1; give 2 or more"),
        (lambda: human_labels_needed(0.1, 10, correlation=1.5), r"correlation\[0\] is 1.5"),
        (lambda: human_labels_needed(0.1, 10, correlation=0, level=0), "human_labels_needed: level is 0"),
        (
            lambda: human_labels_needed(0.1, 10, correlation=0),
            "labels of all 10 rows do not reach ± 0.1; give more rows",
        ),
        (lambda: agreement_correlation(0.9, human_rate=1.0), "rates are 1 and 0.5; give two between 0 and 1"),
        (lambda: agreement_correlation(0.9, human_rate=0.9), r"agreement is 0.9; these rates allow \[0.4, 0.6\]"),
        (lambda: inclusion_probabilities([], 1), "probabilities empty"),
        (lambda: inclusion_probabilities([2.0], 1), r"probabilities\[0\] is 2.0"),
        (lambda: inclusion_probabilities([0.5], 1, floor=0), "floor is 0; give one above 0 and at most 1, such as 0.1"),
        (lambda: inclusion_probabilities([0.5], 2), "labels is 2 of 1 rows; give one above 0 and at most the rows"),
        (lambda: draw_rows([0.0], rng=rng()), r"draw_rows: inclusion\[0\] is 0; give every row a chance above 0"),
        (lambda: draw_rows([0.5], rng=7), "rng is 7"),  # type: ignore[arg-type]
        (lambda: actively_labelled_mean([1], [1, 0], [1, 1]), "lengths differ"),
        (
            lambda: actively_labelled_mean([1, None], [1, 0], [1, 1]),
            r"human\[1\] is None at chance 1; give the label of",
        ),
        (
            lambda: actively_labelled_mean([1, None], [1, 0], [1, 0.5]),
            "1 rows or clusters were labelled; give 2 or more",
        ),
        (lambda: actively_labelled_mean([1, 0], [1, 0], [1, 1], lambda_=-1), "lambda_ is -1; give one in"),
        (lambda: actively_labelled_mean([1, 1], [1, 0], [1, 1]), "the standard error is 0; give rows that differ"),
        (lambda: actively_labelled_mean([1, 0], [1, 0], [1, 1], level=1), "level is 1"),
        (lambda: actively_labelled_mean([math.nan, 0], [1, 0], [1, 1]), r"human\[0\] is nan"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
