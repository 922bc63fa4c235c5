"""What is resampled together: against drawing rows one by one, and what must not change the draws."""

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError, soft_win_rate, standard_error
from harness.bootstrap import bootstrap, cluster_bootstrap
from harness.checks import Floats
from harness.resampling import Settings, _kinds


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def naive_hierarchical(values: Floats, clusters: Floats, seeds: Floats, resamples: int) -> Floats:
    """Draw seeds, then clusters of each drawn seed, then lay their rows end to end."""
    generator, means = rng(10), []
    by_seed = [
        [values[(seeds == s) & (clusters == c)] for c in np.unique(clusters[seeds == s])] for s in np.unique(seeds)
    ]
    for _ in range(resamples):
        rows: list[Floats] = []
        for pick in generator.integers(len(by_seed), size=len(by_seed)):
            inside = by_seed[pick]
            rows += [inside[at] for at in generator.integers(len(inside), size=len(inside))]
        means.append(np.concatenate(rows).mean())
    return np.array(means)


def nested() -> tuple[Floats, Floats, Floats]:
    """Four seeds of five to nine prompts of one to three rows, each level with a mean of its own."""
    generator = rng(11)
    rows = [
        (1.0 * s, 100.0 * s + c, s_mean + c_mean + generator.normal())
        for s, s_mean in enumerate(generator.normal(size=4))
        for c, c_mean in enumerate(generator.normal(size=generator.integers(5, 10)))
        for _ in range(generator.integers(1, 4))
    ]
    seeds, clusters, values = np.array(rows).T
    return values, clusters, seeds


def test_hierarchical_equals_drawing_seeds_then_prompts() -> None:
    values, clusters, seeds = nested()
    mine = cluster_bootstrap(values, clusters, seeds=seeds, rng=rng(), level=0.8, resamples=20_000)
    low, high = np.quantile(naive_hierarchical(values, clusters, seeds, 4_000), [0.1, 0.9])
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert mine.method == "hierarchical bootstrap over 4 seeds"
    assert mine.clusters == len({*clusters})


def crossed() -> tuple[Floats, Floats, Floats]:
    """Four seeds that answer the same 30 prompts, except some, once or twice."""
    generator = rng(21)
    of_seed, of_prompt = generator.normal(size=4), generator.normal(size=30)
    rows = [
        (1.0 * s, 1.0 * c, of_seed[s] + of_prompt[c] + generator.normal())
        for s in range(4)
        for c in range(30)
        for _ in range(generator.integers(0, 3))
    ]
    seeds, prompts, values = np.array(rows).T
    return values, prompts, seeds


def naive_crossed(values: Floats, prompts: Floats, seeds: Floats, resamples: int) -> Floats:
    """Draw seeds and prompts apart; a row counts as often as its seed was drawn, times as often as its prompt."""
    generator, means = rng(22), []
    for _ in range(resamples):
        drawn_seeds, drawn_prompts = generator.integers(4, size=4), generator.integers(30, size=30)
        times = [(drawn_seeds == s).sum() * (drawn_prompts == p).sum() for s, p in zip(seeds, prompts, strict=True)]
        means.append(np.average(values, weights=times))
    return np.array(means)


def test_shared_prompts_are_drawn_once_for_all_seeds() -> None:
    values, prompts, seeds = crossed()
    mine = cluster_bootstrap(values, prompts, seeds=seeds, rng=rng(), level=0.8, resamples=20_000)
    low, high = np.quantile(naive_crossed(values, prompts, seeds, 4_000), [0.1, 0.9])
    assert mine.value == pytest.approx(values.mean())
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert (mine.clusters, mine.method) == (30, "crossed bootstrap over 4 seeds")
    slow = bootstrap(
        lambda weights: float(np.average(values, weights=weights)),
        len(values),
        clusters=prompts,
        seeds=seeds,
        rng=rng(),
        level=0.8,
        resamples=4_000,
    )
    assert (slow.low, slow.high) == pytest.approx((low, high), abs=0.07 * (high - low))
    bca = cluster_bootstrap(values, prompts, seeds=seeds, rng=rng(), interval="bca")
    assert bca.method == "crossed bootstrap bca over 4 seeds"


def test_copies_of_a_seed_do_not_narrow() -> None:
    values = (rng(23).random(100) < 0.6).astype(float)
    once = cluster_bootstrap(values, range(100), rng=rng())
    seeds = np.repeat([0, 1, 2], 100)
    thrice = cluster_bootstrap(np.tile(values, 3), list(range(100)) * 3, seeds=seeds, rng=rng())
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert thrice.clusters == once.clusters
    error = soft_win_rate(np.tile(values, 3), clusters=list(range(100)) * 3, seeds=seeds, rng=rng()).standard_error
    assert error == pytest.approx(standard_error(values))


def test_seeds_alone_make_every_row_a_cluster_of_its_seed() -> None:
    values, _, seeds = nested()
    one = cluster_bootstrap(values, seeds=seeds, rng=rng())
    other = cluster_bootstrap(values, np.arange(len(values)), seeds=seeds, rng=rng())
    assert one == other


def test_seeds_widen_what_they_move() -> None:
    values, clusters, seeds = nested()
    flat = cluster_bootstrap(values, clusters, rng=rng())
    deep = cluster_bootstrap(values, clusters, seeds=seeds, rng=rng())
    assert deep.high - deep.low > 1.2 * (flat.high - flat.low)
    bca = cluster_bootstrap(values, clusters, seeds=seeds, rng=rng(), interval="bca")
    assert bca.method == "hierarchical bootstrap bca over 4 seeds"
    assert bca.low < deep.value < bca.high


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_weights_and_totals_are_one_law(seeded: bool, interval: Any) -> None:
    values, clusters, seeds = nested()
    groups: dict[str, Any] = {"clusters": clusters, "seeds": seeds} if seeded else {"clusters": clusters}

    def mean(weights: Floats) -> float:
        return float(np.average(values, weights=weights))

    slow = bootstrap(mean, len(values), rng=rng(12), resamples=3_000, level=0.8, interval=interval, **groups)
    fast = cluster_bootstrap(values, rng=rng(13), resamples=10_000, level=0.8, interval=interval, **groups)
    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.06 * (fast.high - fast.low))
    assert (slow.n, slow.clusters, slow.method) == (fast.n, fast.clusters, fast.method)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=30))
def test_kinds_are_the_distinct_rows_and_their_counts(rows: list[tuple[int, int, int]]) -> None:
    kinds, counts = _kinds(np.array(rows, dtype=float))
    expected: dict[tuple[float, ...], int] = {}
    for row in rows:
        expected[tuple(map(float, row))] = expected.get(tuple(map(float, row)), 0) + 1
    assert {tuple(kind): count for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)} == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=4, max_size=30).filter(lambda names: len(set(names)) > 1))
def test_names_of_clusters_do_not_matter(names: list[str]) -> None:
    values = rng(16).normal(size=len(names))
    kinds: list[Any] = [names, np.array(names), pd.Series(names), [(name, 1) for name in names]]
    kinds.append(pd.Series(names, dtype="category"))
    results = [cluster_bootstrap(values, kind, rng=rng(), resamples=100) for kind in kinds]
    assert len({result.clusters for result in results}) == 1
    assert all(result.value == pytest.approx(results[0].value) for result in results)
    wide, narrow = (cluster_bootstrap(values, names, rng=rng(), level=level) for level in (0.9, 0.5))
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_memory_does_not_grow_with_rows_or_resamples() -> None:
    values = (rng(17).random(100_000) < 0.6).astype(float)
    clusters = np.arange(100_000) // 2

    def peak(resamples: int) -> int:
        tracemalloc.start()
        cluster_bootstrap(values, clusters, rng=rng(), resamples=resamples)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    few, many = peak(1_000), peak(200_000)
    assert many - few < 200_000 * 8 * 4  # the drawn values themselves, and copies that quantiles make of them


@pytest.mark.parametrize(
    ("clusters", "seeds", "message"),
    [
        (None, ["s"] * 3, "all rows are of one seed; give 2 or more seeds: the interval is undefined"),
        ([1.0, np.nan, 2.0], None, r"clusters\[1\] is nan; name the cluster of each row"),
        (np.array([1.0, np.nan, 2.0]), None, r"clusters\[1\] is nan"),
        (["a", "b", None], None, r"clusters\[2\] is None"),
        (["a", "b", "c"], ["s", "t"], r"lengths differ \(seeds has 2, rows are 3\); give one for each row"),
    ],
)
def test_refused_groups(clusters: Any, seeds: Any, message: str) -> None:
    with pytest.raises(HarnessError, match="cluster_bootstrap: " + message):
        cluster_bootstrap([1.0, 0.0, 1.0], clusters, seeds=seeds, rng=rng())


def test_refused_options() -> None:
    with pytest.raises(HarnessError, match="here: seed is no option; give some of rng, level, resamples, interval"):
        Settings.of("here", {"rng": rng(), "seed": 1})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(HarnessError, match="here: interval is 'bc'; use percentile, basic or bca"):
        Settings.of("here", {"rng": rng(), "interval": "bc"})  # type: ignore[typeddict-item]
    with pytest.raises(HarnessError, match=r"here: rng is None; give numpy.random.default_rng\(seed\)"):
        Settings.of("here", {})  # type: ignore[typeddict-item]
    with pytest.raises(HarnessError, match="rows are 1; give 2 or more rows"):
        cluster_bootstrap([1.0], rng=rng())


def test_the_order_of_rows_does_not_matter_whatever_the_names() -> None:
    values, clusters, seeds = nested()
    texts = [f"s{seed:.0f}" for seed in seeds]
    mixed = [seed if seed % 2 else text for seed, text in zip(seeds.tolist(), texts, strict=True)]
    for names in (texts, mixed, [(text, 1) for text in texts]):
        one = cluster_bootstrap(values, clusters, seeds=names, rng=rng(), resamples=500)
        other = cluster_bootstrap(values[::-1], clusters[::-1], seeds=names[::-1], rng=rng(), resamples=500)
        assert (other.low, other.high) == pytest.approx((one.low, one.high))


@pytest.mark.parametrize(
    "far",
    [
        np.array([-(2**62) - 5, 2**62 + 5, 3, 4]),
        np.array([-1, 127, 3, 4], dtype=np.int8),
        np.array([2**63 - 2, 2**63 - 1, 2**63, 2**63 + 1], dtype=np.uint64),
    ],
)
def test_whole_numbers_far_apart_are_names_like_others(far: Any) -> None:
    values = [1.0, 0.0, 1.0, 0.5]
    assert cluster_bootstrap(values, far, rng=rng()) == cluster_bootstrap(values, [1, 2, 3, 4], rng=rng())


def test_a_missing_name_of_pandas_is_refused() -> None:
    names = pd.Series(["a", None, "b"], dtype="string")
    with pytest.raises(HarnessError, match=r"clusters\[1\] is <NA>; name the cluster of each row"):
        cluster_bootstrap([1.0, 0.0, 1.0], names, rng=rng())
