"""Win rates of systems against evalica and against resampling rows, ranks and overlaps by counting, pairs by hand."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import evalica
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Estimate, HarnessError, cluster_bootstrap, proportion, soft_win_rate
from harness.rankings import (
    Ranking,
    WinLoseTie,
    average_win_rates,
    overlaps,
    pairs_of_ranking,
    percentile_interval,
    ranks_of,
    separability,
    win_matrix,
    win_table,
)

WINNERS = {"first": evalica.Winner.X, "second": evalica.Winner.Y, "tie": evalica.Winner.Draw}
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.sampled_from(list(WINNERS))), min_size=1, max_size=40
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def columns(rows: Sequence[tuple[int, int, str]]) -> tuple[list[str], list[str], list[str]]:
    names = "abcde"
    return (
        [names[one] for one, _, _ in rows],
        [names[(one + ahead) % 5] for one, ahead, _ in rows],
        [word for _, _, word in rows],
    )


def battles(seed: int, rows: int, systems: int = 4) -> tuple[Any, Any, Any]:
    generator = rng(seed)
    first = generator.integers(systems, size=rows)
    second = (first + generator.integers(1, systems, size=rows)) % systems
    ahead = 1.0 / (1.0 + np.exp(0.5 * (first - second)))
    outcomes = np.where(generator.random(rows) < 0.2, 0.5, generator.random(rows) < ahead)
    return first, second, outcomes


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_averages_equal_evalica(rows: list[tuple[int, int, str]]) -> None:
    first, second, outcomes = columns(rows)
    mine = win_matrix(first, second, outcomes)
    theirs = evalica.average_win_rate(first, second, [WINNERS[word] for word in outcomes]).scores.to_dict()
    assert dict(zip(mine.systems, mine.averages(), strict=True)) == pytest.approx(theirs)
    points = evalica.counting(first, second, [WINNERS[word] for word in outcomes]).scores
    votes = pd.Series(first + second).value_counts()
    assert dict(zip(mine.systems, mine.averages("vote"), strict=True)) == pytest.approx((points / votes).to_dict())


def test_matrix_by_hand() -> None:
    mine = win_matrix(["a", "a", "b", "a"], ["b", "b", "a", "c"], ["first", "tie", "unparsed", "second"])
    assert (mine.systems, mine.unparsed) == (("a", "b", "c"), 1)
    assert mine.points.tolist() == [[0, 1.5, 0], [0.5, 0, 0], [1, 0, 0]]
    assert mine.battles.tolist() == [[0, 2, 1], [2, 0, 0], [1, 0, 0]]
    assert (mine.share("a", "b"), mine.share("b", "a"), mine.share("c", "a")) == (0.75, 0.25, 1.0)
    assert mine.averages().tolist() == [0.375, 0.25, 1.0]
    assert mine.averages("vote").tolist() == [0.5, 0.25, 1.0]


@pytest.mark.parametrize("by", ["opponent", "vote"])
def test_two_systems_are_a_mean(by: Any) -> None:
    generator = rng(1)
    values, prompts = generator.choice([0.0, 0.5, 1.0], size=60), np.repeat(np.arange(20), 3)
    names = (["x"] * 60, ["y"] * 60)
    mine = average_win_rates(*names, values, by=by, clusters=prompts, rng=rng(), resamples=4_000)
    mean = cluster_bootstrap(values, prompts, rng=rng(), resamples=4_000)
    x, y = mine.estimates
    assert (x.value, x.n, x.clusters, x.method) == (pytest.approx(mean.value), 60, 20, "cluster bootstrap")
    assert (x.low, x.high) == pytest.approx((mean.low, mean.high), abs=0.02)
    assert (y.value, y.low, y.high) == pytest.approx((1 - x.value, 1 - x.high, 1 - x.low))


@pytest.mark.parametrize("by", ["opponent", "vote"])
def test_equals_resampling_rows(by: Any) -> None:
    first, second, outcomes = battles(2, rows=150)
    mine = average_win_rates(first, second, outcomes, by=by, rng=rng(), level=0.9, resamples=4_000)
    generator, drawn = rng(3), []
    for _ in range(1_000):
        rows = generator.integers(150, size=150)
        drawn.append(win_matrix(first[rows], second[rows], outcomes[rows]).averages(by))
    expected = np.quantile(drawn, [0.05, 0.95], axis=0).T
    found = np.array([(estimate.low, estimate.high) for estimate in mine.estimates])
    assert found == pytest.approx(expected, abs=0.012)
    assert mine.values == pytest.approx(win_matrix(first, second, outcomes).averages(by))


def test_intervals_of_every_kind() -> None:
    first, second, outcomes = battles(4, rows=200)
    for clusters in (None, np.arange(200) // 4):
        made = [
            average_win_rates(
                first, second, outcomes, clusters=clusters, interval=kind, rng=rng(), resamples=4_000
            ).estimates[0]
            for kind in ("percentile", "basic", "bca")
        ]
        ends = np.array([(one.low, one.high) for one in made])
        assert np.ptp(ends, axis=0).max() < 0.03
        assert len({tuple(pair) for pair in ends.tolist()}) == 3


def test_rows_in_any_order_and_sides_either_way() -> None:
    first, second, outcomes = battles(5, rows=80)
    order = rng(6).permutation(80)
    mine = average_win_rates(first, second, outcomes, rng=rng(), resamples=500)
    moved = average_win_rates(second[order], first[order], 1.0 - outcomes[order], rng=rng(), resamples=500)
    assert moved.estimates == mine.estimates
    assert moved.rank_intervals.tolist() == mine.rank_intervals.tolist()


def test_intervals_widen_with_the_level() -> None:
    first, second, outcomes = battles(7, rows=80)
    levels = [
        average_win_rates(first, second, outcomes, rng=rng(), level=level, resamples=2_000)
        for level in (0.5, 0.8, 0.95, 0.99)
    ]
    for narrow, wide in itertools.pairwise(levels):
        for inner, outer in zip(narrow.estimates, wide.estimates, strict=True):
            assert outer.low <= inner.low <= inner.value <= inner.high <= outer.high
        assert (wide.rank_intervals[:, 0] <= narrow.rank_intervals[:, 0]).all()
        assert (wide.rank_intervals[:, 1] >= narrow.rank_intervals[:, 1]).all()
        assert (wide.significant_ranks() <= narrow.significant_ranks()).all()


def test_the_same_in_every_resample_is_wilson() -> None:
    first, second = ["a"] * 6 + ["b"] * 6, ["b", "c"] * 3 + ["c"] * 6
    outcomes = ["first"] * 6 + ["first", "second"] * 3
    mine = average_win_rates(first, second, outcomes, rng=rng(), by="vote").estimates[0]
    wilson = proportion(6, 6)
    assert (mine.value, mine.low, mine.high) == pytest.approx((1.0, wilson.low, wilson.high))
    assert (mine.n, mine.clusters, mine.method) == (12, None, "wilson")
    grouped = average_win_rates(first, second, outcomes, clusters=np.arange(12) // 2, rng=rng(), by="vote")
    wilson = proportion(3, 3)
    assert (grouped.estimates[0].low, grouped.estimates[0].high) == pytest.approx((wilson.low, wilson.high))
    assert grouped.estimates[0].method == "wilson on clusters"


def test_a_system_that_is_often_left_out_is_refused_or_counted() -> None:
    first, second, outcomes = battles(8, rows=300, systems=3)
    rare = np.r_[first, [9] * 5], np.r_[second, [0] * 5], np.r_[outcomes, 1, 0, 0.5, 1, 0]
    mine = average_win_rates(*rare, rng=rng(), resamples=1_000)
    assert 0 < mine.undefined < 10
    assert len(mine.draws) == 1_000 - mine.undefined
    assert f"{mine.undefined} of 1000 resamples undefined" in mine.estimates[3].method
    rarer = np.r_[first, 9, 9], np.r_[second, 0, 0], np.r_[outcomes, 1, 0]
    with pytest.raises(HarnessError, match=r"average_win_rates: undefined in \d+ of 1000 resamples"):
        average_win_rates(*rarer, rng=rng(), resamples=1_000)


def a_ranking(draws: Any, values: Sequence[float] | None = None, level: float = 0.8) -> Ranking:
    drawn = np.asarray(draws, dtype=float)
    ends = [percentile_interval(column, level) for column in drawn.T]
    middle = np.median(drawn, axis=0) if values is None else values
    estimates = tuple(
        Estimate(float(value), low, high, level, len(drawn), None, "test")
        for value, (low, high) in zip(middle, ends, strict=True)
    )
    return Ranking(tuple("abc"[: len(ends)]), estimates, drawn, 0, 0)


def test_ranks_by_counting() -> None:
    draws = rng(9).normal([0.0, 0.2, 1.5], 0.5, size=(999, 3))
    mine = a_ranking(draws)
    ranked = np.array([[1 + sum(other > one for other in draw) for one in draw] for draw in draws])
    assert mine.ranks.tolist() == [3, 2, 1]
    assert mine.rank_intervals[:, 0].tolist() == np.quantile(ranked, 0.1, axis=0, method="lower").tolist()
    assert mine.rank_intervals[:, 1].tolist() == np.quantile(ranked, 0.9, axis=0, method="higher").tolist()
    better = [[np.quantile(draws[:, other] - draws[:, one], 0.1) > 0 for other in range(3)] for one in range(3)]
    assert mine.significant_ranks().tolist() == (1 + np.sum(better, axis=1)).tolist() == [2, 2, 1]
    assert mine.separability() == pytest.approx(2 / 3)


def test_scores_that_move_together_are_told_apart_by_their_difference_only() -> None:
    common = rng(10).normal(size=500)
    mine = a_ranking(np.stack([common, common + 0.1], axis=1))
    assert mine.significant_ranks().tolist() == [2, 1]
    assert mine.significant_ranks("intervals").tolist() == [1, 1]
    apart = a_ranking(np.stack([common, common + 10.0], axis=1))
    assert apart.significant_ranks("intervals").tolist() == apart.rank_intervals[:, 0].tolist() == [2, 1]


def test_rank_intervals_hold_the_rank() -> None:
    draws = np.stack([np.full(100, 1.0) + np.arange(100) / 1e4, np.full(100, 2.0)], axis=1)
    mine = a_ranking(draws, values=[1.005, 2.0])
    assert mine.rank_intervals.tolist() == [[2, 2], [1, 1]]
    turned = Ranking(mine.systems, mine.estimates[::-1], draws, 0, 0)
    assert turned.rank_intervals.tolist() == [[1, 2], [1, 2]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.7]), min_size=1, max_size=8))
def test_equal_scores_share_a_rank(values: list[float]) -> None:
    expected = [1 + sum(other > one for other in values) for one in values]
    noise = 1e-14 * rng(1).random(len(values))
    assert ranks_of(np.array(values) + noise).tolist() == expected


def test_win_table_by_hand() -> None:
    table = win_table(list("abaabc"), list("babbaa"), ["first", "first", "tie", "unparsed", "second", "tie"])
    assert table["a", "b"] == (2, 1, 1, 1)
    assert table["b", "a"] == WinLoseTie(wins=1, losses=2, ties=1, unparsed=1)
    assert table["a", "c"] == table["c", "a"] == (0, 0, 1, 0)
    assert len(table) == 4
    soft = win_table(["a", "a", "b", "b"], ["b", "b", "a", "a"], [0.9, 0.5, 0.9, 0.4])
    assert soft["a", "b"] == (2, 1, 1, 0)


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_win_table_agrees_with_the_matrix(rows: list[tuple[int, int, str]]) -> None:
    first, second, outcomes = columns(rows)
    table, matrix = win_table(first, second, outcomes), win_matrix(first, second, outcomes)
    for (one, other), cell in table.items():
        assert matrix.share(one, other) == pytest.approx(
            (cell.wins + cell.ties / 2) / (cell.wins + cell.losses + cell.ties)
        )
        assert table[other, one] == (cell.losses, cell.wins, cell.ties, cell.unparsed)
    assert sum(sum(cell) for cell in table.values()) == 2 * len(rows)


RANKINGS = st.dictionaries(
    st.sampled_from("uvwx"), st.lists(st.sampled_from([1, 2, 2.5, 3]), min_size=1, max_size=4), min_size=1
).filter(lambda rankings: any(len(ranks) > 1 for ranks in rankings.values()))


@settings(max_examples=50, deadline=None)
@given(RANKINGS, st.integers(0, 99))
def test_pairs_of_ranking_are_all_pairs(rankings: dict[str, list[float]], seed: int) -> None:
    rows = [(item, "abcd"[at], rank) for item, ranks in rankings.items() for at, rank in enumerate(ranks)]
    rows = [rows[at] for at in rng(seed).permutation(len(rows))]
    mine = pairs_of_ranking(*zip(*rows, strict=True))
    expected = {
        (one[0], one[1], other[1]): "first" if one[2] < other[2] else "second" if one[2] > other[2] else "tie"
        for one, other in itertools.combinations(rows, 2)
        if one[0] == other[0]
    }
    assert dict(zip(zip(mine.items, mine.first, mine.second, strict=True), mine.outcomes, strict=True)) == expected
    assert len(mine.outcomes) == len(expected)
    assert mine.alone == sum(len(ranks) == 1 for ranks in rankings.values())
    assert [rows[row][:2] for row in mine.rows] == list(zip(mine.items, mine.first, strict=True))


def test_pairs_of_ranking_take_series() -> None:
    frame = pd.DataFrame({"item": [3, 3, 4, 4], "system": list("abba"), "rank": [1, 2, 1, 1]}, index=[9, 8, 7, 6])
    mine = pairs_of_ranking(frame["item"], frame["system"], frame["rank"])
    assert (mine.first, mine.second, mine.outcomes, mine.items) == (["a", "b"], ["b", "a"], ["first", "tie"], [3, 4])
    assert win_table(mine.first, mine.second, mine.outcomes)["a", "b"] == (1, 0, 1, 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_percentile_interval_is_numpy(samples: list[float], level: float) -> None:
    low, high = percentile_interval(samples, level)
    expected = np.percentile(samples, [50 * (1 - level), 50 * (1 + level)])
    assert (low, high) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-6)
    assert min(samples) <= low <= high <= max(samples)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), min_size=2, max_size=12), st.randoms())
def test_overlaps_by_pairs(intervals: list[tuple[int, int]], random: Any) -> None:
    ends = [(low, low + width) for low, width in intervals]
    count = sum(other[0] < one[1] for one, other in itertools.combinations(sorted(ends), 2))
    random.shuffle(ends)
    lows, highs = zip(*ends, strict=True)
    assert overlaps(lows, highs) == count
    assert separability(lows, highs) == pytest.approx(1 - count / math.comb(len(ends), 2))


TWO = (["a", "b"], ["b", "a"], ["tie", "first"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_win_rates(*TWO, by="system", rng=rng()), "average_win_rates: by is 'system'; use opponent or"),
        (lambda: average_win_rates(*TWO, rng=None), "average_win_rates: rng is None"),
        (lambda: average_win_rates(["a"], ["b"], ["tie"], rng=rng()), "rows are 1; give 2 or more rows"),
        (lambda: win_matrix(*TWO).averages("system"), "averages: by is 'system'; use opponent or vote"),
        (lambda: win_matrix(*TWO).share("a", "c"), "win_matrix: 'c' is no system; use one of 'a', 'b'"),
        (lambda: win_matrix(*TWO).share("a", "a"), "win_matrix: 'a' never met 'a'; ask for systems that met"),
        (lambda: a_ranking(np.eye(2)).significant_ranks("rank"), "by is 'rank'; use difference or intervals"),
        (lambda: pairs_of_ranking(["q"], ["a", "b"], [1, 2]), r"lengths differ \(items has 1, systems has 2"),
        (lambda: pairs_of_ranking(["q", "q"], ["a", "b"], [1, math.nan]), r"ranks\[1\] is nan; give finite numbers"),
        (
            lambda: pairs_of_ranking(["q", "q"], ["a", "a"], [1, 2]),
            "item 'q' has an entry twice; give each ranking its",
        ),
        (
            lambda: pairs_of_ranking(["q", "r"], ["a", "a"], [1, 2]),
            "no item has two entries; give the ranks of entries",
        ),
        (lambda: pairs_of_ranking(["q", None], ["a", "b"], [1, 2]), r"pairs_of_ranking: items\[1\] is missing"),
        (lambda: pairs_of_ranking(["q", "q"], [None, "b"], [1, 2]), r"pairs_of_ranking: systems\[0\] is missing"),
        (lambda: percentile_interval([]), "percentile_interval: samples empty; give at least one row"),
        (lambda: percentile_interval([1.0], level=2.0), "percentile_interval: level is 2.0"),
        (lambda: percentile_interval([1.0, math.inf]), r"samples\[1\] is inf"),
        (lambda: overlaps([0.0, 2.0], [1.0, 1.0]), r"overlaps: interval 1 is \[2, 1\]; give low <= high"),
        (lambda: overlaps([0.0], [1.0, 2.0]), r"overlaps: lengths differ \(lows has 1, highs has 2\)"),
        (lambda: separability([0.0], [1.0]), "separability: there is 1 interval; give 2 or more"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        call()


def test_rounding_is_no_significance() -> None:
    """a and b have the same outcomes in another order, so no draw tells them apart but by rounding."""
    opponents, shares = ["c", "d", "e"] * 2, [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]
    columns = (["a"] * 3 + ["b"] * 3) * 30, opponents * 30, shares * 30
    ranking = average_win_rates(*columns, clusters=np.arange(180) // 6, rng=np.random.default_rng(0), resamples=300)
    assert ranking.ranks.tolist() == ranking.significant_ranks().tolist() == [4, 4, 1, 1, 1]
    assert ranking.rank_intervals[:2].tolist() == [[4, 4], [4, 4]]


def test_intervals_that_touch_but_for_rounding_do_not_rank() -> None:
    ends = [(0.5, 0.3, 0.6), (0.8, 0.6 + 1e-15, 0.9)]
    estimates = tuple(Estimate(*found, 0.95, 100, None, "test") for found in ends)
    mine = Ranking(("a", "b"), estimates, np.tile([0.5, 0.8], (100, 1)), 0, 0)
    assert mine.significant_ranks("intervals").tolist() == [1, 1]


def test_the_same_in_every_resample_counts_clusters_as_the_mean_does() -> None:
    prompts, seeds = list(range(10)) * 3, np.repeat(["s", "t", "u"], 10)
    for named in (prompts, [(seed, prompt) for seed, prompt in zip(seeds, prompts, strict=True)], None):
        groups: Any = {"clusters": named, "seeds": seeds, "rng": rng()}
        ranked = average_win_rates(["a"] * 30, ["b"] * 30, ["first"] * 30, **groups).estimates[0]
        assert ranked == soft_win_rate([1.0] * 30, **groups).estimate
        assert ranked.method == "wilson on clusters"
