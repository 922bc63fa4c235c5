"""Arena-Hard (Li et al., 2024): percentile intervals of published resamples, and how many pairs of them overlap."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.rankings import overlaps, percentile_interval, separability


def test_bounds(case: Callable[..., Any]) -> None:
    items, expected = case("arena_hard_separability")
    samples = dict(iter(items.groupby(["benchmark", "model"])["value"]))
    bounds = expected["published"]["bounds"]
    for benchmark, models in bounds.items():
        for model, ends in models.items():
            assert percentile_interval(samples[benchmark, model], level=0.95) == pytest.approx(tuple(ends), abs=1e-6)


@pytest.mark.parametrize(("level", "printed"), [(0.95, "overlap95"), (0.8, "overlap80")])
def test_overlaps(case: Callable[..., Any], level: float, printed: str) -> None:
    items, expected = case("arena_hard_separability")
    for benchmark, rows in items[items["shared20"] == 1].groupby("benchmark"):
        ends = [percentile_interval(values, level=level) for _, values in rows.groupby("model")["value"]]
        lows, highs = [low for low, _ in ends], [high for _, high in ends]
        overlapping, pairs = expected["published"][printed][benchmark], expected["published"]["pairs"]
        assert overlaps(lows, highs) == overlapping
        assert separability(lows, highs) == pytest.approx(1 - overlapping / pairs)
