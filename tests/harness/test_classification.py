"""Judges of several classes against scikit-learn."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from harness import HarnessError, cluster_bootstrap, proportion
from harness.classification import Classification, classification, classification_value

labels = st.sampled_from(["loss", "tie", "win"])
columns = st.lists(st.tuples(labels, labels), min_size=1, max_size=30)
few = settings(deadline=None, max_examples=25)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(seed: int, rows: int, noise: float = 0.3) -> tuple[list[int], list[int]]:
    """A judge that mostly repeats gold."""
    generator = rng(seed)
    gold = generator.choice(3, size=rows, p=[0.2, 0.3, 0.5])
    said = np.where(generator.random(rows) < noise, generator.integers(0, 3, size=rows), gold)
    return said.tolist(), gold.tolist()


def judged(said: Any, gold: Any, **options: Any) -> Classification:
    given_: dict[str, Any] = {"rng": rng(), "resamples": 1_000} | options
    return classification(said, gold, **given_)


def macro_of(said: Any, gold: Any) -> list[float]:
    return list(precision_recall_fscore_support(gold, said, average="macro", zero_division=0)[:3])


def counted_macro(said: Any, gold: Any) -> list[float]:
    """`macro_of`, a hundred times faster."""
    right, here, there = (
        np.array([np.sum(rows) for rows in kind])
        for kind in zip(*[((said == c) & (gold == c), said == c, gold == c) for c in {*said, *gold}], strict=True)
    )
    scores = right / np.maximum(here, 1), right / np.maximum(there, 1), 2 * right / (here + there)
    return [float(score.mean()) for score in scores]


@given(columns)
@few
def test_figures_are_those_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    said, gold = [row[0] for row in rows], [row[1] for row in rows]
    value = classification_value(said, gold)
    assert counted_macro(np.array(said), np.array(gold)) == pytest.approx(macro_of(said, gold))
    assert value[0] == pytest.approx(accuracy_score(gold, said))
    assert value[1:] == pytest.approx(macro_of(said, gold))


@pytest.mark.parametrize("seed", range(4))
def test_classes_and_counts_are_those_of_scikit_learn(seed: int) -> None:
    said, gold = drawn(seed, 60)
    said = [label + 5 * (label == 0) * (seed % 2) for label in said]  # a class of the judge alone, and one never said
    result = judged(said, gold)
    names: list[Any] = [row.label for row in result.classes]
    theirs = np.array(precision_recall_fscore_support(gold, said, labels=names, zero_division=0))
    assert names == sorted(set(said) | set(gold))
    mine = [[row.precision, row.recall, row.f1, row.support] for row in result.classes]
    assert np.array(mine) == pytest.approx(theirs.T)
    assert np.array(result.confusion).tolist() == confusion_matrix(gold, said, labels=names).tolist()
    assert [row.predicted for row in result.classes] == [said.count(name) for name in names]
    assert [row.right for row in result.classes] == [result.confusion[at][at] for at in range(len(names))]
    assert (result.never_predicted, result.never_gold) == (seed % 2, seed % 2)
    figures = [result.precision.value, result.recall.value, result.f1.value]
    assert figures == pytest.approx(macro_of(said, gold))
    assert (result.accuracy.value, *figures) == pytest.approx(classification_value(said, gold))
    assert result.accuracy == proportion(sum(a == b for a, b in zip(said, gold, strict=True)), 60)


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_are_those_of_resampled_rows(clustered: bool) -> None:
    said, gold = map(np.array, drawn(7, 90))
    clusters = np.arange(90) // 3 if clustered else np.arange(90)
    result = judged(said, gold, clusters=clusters if clustered else None, level=0.9, resamples=20_000)
    generator, found = rng(8), []
    for _ in range(600):
        picks = generator.integers(0, clusters.max() + 1, size=clusters.max() + 1)
        rows = np.concatenate([np.flatnonzero(clusters == pick) for pick in picks])
        found.append(counted_macro(said[rows], gold[rows]))
    ends = np.quantile(found, [0.05, 0.95], axis=0)
    for at, estimate in enumerate((result.precision, result.recall, result.f1)):
        width = ends[1, at] - ends[0, at]
        assert (estimate.low, estimate.high) == pytest.approx(ends[:, at], abs=0.12 * width)
        assert estimate.clusters == (30 if clustered else None)
        assert (estimate.n, estimate.level) == (90, 0.9)


def test_a_class_that_a_resample_lacks_is_not_in_its_mean() -> None:
    said, gold = [0] * 6 + [1] * 6 + [2], [0] * 5 + [1] + [1] * 6 + [2]
    result = judged(said, gold)
    assert result.f1.low > 0.7  # counting the rare class as 0 where it was not drawn would bring it to two thirds


@given(columns, st.permutations(["loss", "tie", "win"]), st.randoms())
@few
def test_names_and_order_do_not_matter(rows: list[tuple[str, str]], names: list[str], random: Any) -> None:
    renamed = dict(zip(["loss", "tie", "win"], names, strict=True))
    other = [(renamed[said], renamed[gold]) for said, gold in rows]
    random.shuffle(other)
    plain = classification_value(*zip(*rows, strict=True))
    assert classification_value(*zip(*other, strict=True)) == pytest.approx(plain)
    exchanged = classification_value(*zip(*[(gold, said) for said, gold in rows], strict=True))
    assert (exchanged.precision, exchanged.recall) == pytest.approx((plain.recall, plain.precision))
    assert exchanged.f1 == pytest.approx(plain.f1)


def test_unparsed_is_left_out_or_wrong() -> None:
    said, gold = drawn(3, 40)
    more, answers = [*said, None, None], [*gold, 1, 2]
    clusters = [at % 21 for at in range(42)]
    plain = judged(said, gold, clusters=clusters[:40])
    left = judged(more, answers, clusters=clusters)
    assert left.unparsed == 2
    assert (left.accuracy, left.f1, left.classes) == (plain.accuracy, plain.f1, plain.classes)
    wrong = judged(more, answers, unparsed="wrong")
    scores = precision_recall_fscore_support(answers, [*said, 9, 9], labels=[0, 1, 2], zero_division=0)
    assert (wrong.precision.value, wrong.recall.value) == pytest.approx((np.mean(scores[0]), np.mean(scores[1])))
    assert wrong.accuracy == proportion(sum(a == b for a, b in zip(more, answers, strict=True)), 42)
    assert (wrong.unparsed, sum(map(sum, wrong.confusion))) == (2, 40)
    assert classification_value(more, answers, unparsed="wrong").recall == pytest.approx(wrong.recall.value)
    assert classification_value(more, answers) == pytest.approx(classification_value(said, gold))


def test_a_class_of_rows_that_are_left_out_is_none() -> None:
    said: list[Any] = ["win", "loss", "win", None, "win"]
    gold = ["win", "loss", "loss", "tie", "win"]
    left = judged(said, gold)
    assert [row.label for row in left.classes] == ["loss", "win"]
    assert left.confusion == ((1, 1), (0, 2))
    assert (left.never_predicted, left.never_gold, left.unparsed) == (0, 0, 1)
    assert left.f1.value == np.mean([row.f1 for row in left.classes]) == classification_value(said, gold).f1
    wrong = judged(said, gold, unparsed="wrong")
    assert [(row.label, row.support) for row in wrong.classes] == [("loss", 2), ("tie", 1), ("win", 2)]
    assert (wrong.never_predicted, wrong.unparsed) == (1, 1)
    assert wrong.f1.value == pytest.approx(np.mean([row.f1 for row in wrong.classes]))


def test_clusters_and_seeds_reach_every_figure() -> None:
    said, gold = drawn(11, 60)
    clusters, seeds = [at // 2 for at in range(60)], [at // 20 for at in range(60)]
    result = judged(said, gold, clusters=clusters, seeds=seeds)
    methods = {estimate.method for estimate in (result.accuracy, result.precision, result.recall, result.f1)}
    assert methods == {"hierarchical bootstrap over 3 seeds"}
    right = [float(a == b) for a, b in zip(said, gold, strict=True)]
    assert judged(said, gold, clusters=clusters).accuracy.value == pytest.approx(float(np.mean(right)))
    assert result.accuracy == cluster_bootstrap(right, clusters, seeds=seeds, rng=rng(), resamples=1_000)


@pytest.mark.parametrize("interval", ["percentile", "basic", "bca"])
def test_intervals_widen_with_level(interval: str) -> None:
    said, gold = drawn(13, 80)
    found = [judged(said, gold, level=level, interval=interval).f1 for level in (0.5, 0.9, 0.99)]
    widths = [estimate.high - estimate.low for estimate in found]
    assert widths == sorted(widths)
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in found)


def test_labels_of_any_kind_and_any_column() -> None:
    said, gold = drawn(17, 30)
    plain = judged(said, gold)
    assert judged(pd.Series(said), np.array(gold)) == plain
    pairs = judged([(label, "x") for label in said], [(label, "x") for label in gold])
    assert (pairs.f1, pairs.confusion) == (plain.f1, plain.confusion)


def test_a_judge_that_is_always_right_has_figures_without_intervals() -> None:
    assert classification_value(["a", "b"], ["a", "b"]) == (1.0, 1.0, 1.0, 1.0)
    with pytest.raises(HarnessError, match="classification: every resample gives 1; give rows that differ"):
        judged(["a", "b"] * 5, ["a", "b"] * 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: classification_value([], []), "classification_value: judge and gold empty"),
        (lambda: classification_value(["a"], ["a", "b"]), r"lengths differ \(judge has 1, gold has 2\)"),
        (lambda: classification_value([None], ["a"]), "classification_value: no row could be read"),
        (lambda: classification_value(["a"], [None]), r"gold\[0\] is None; leave out rows without an answer"),
        (lambda: classification_value([math.nan], [1]), r"judge\[0\] is nan; give a label, or None where"),
        (lambda: classification_value([None, 1], ["1", "1"]), r"judge\[1\] is 1 but gold\[0\] is '1'; give words"),
        (
            lambda: classification_value(["a"], ["a"], unparsed="tie"),  # type: ignore[arg-type]
            "classification_value: unparsed is 'tie'; use 'wrong' or 'left out'",
        ),
        (lambda: judged(["a", "b"], ["a", "a"], clusters=[1, 1]), "classification: all rows are in one cluster"),
        (lambda: judged(["a", "b"], ["a", "a"], clusters=[1]), "judge has 2, gold has 2, clusters has 1"),
        (lambda: judged(["a", "b"], ["a", "a"], rng=7), "classification: rng is 7"),
        (lambda: judged(["a", "b"], ["a", "a"], level=0), "classification: level is 0"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()
