"""The interval of a share: Wilson's or the cluster bootstrap's, by whether rows belong together."""

from typing import Any

import numpy as np
import pytest

from harness import HarnessError, cluster_bootstrap, proportion
from harness.shares import share_of

VALUES = np.array([1.0, 0.0, 0.5, 1.0, 1.0, 0.0])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_independent_rows_have_wilsons() -> None:
    assert share_of("test", VALUES, None, None, {}) == proportion(3.5, 6)
    assert share_of("test", VALUES, None, None, {"rng": rng(), "level": 0.8}) == proportion(3.5, 6, level=0.8)


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_rows_that_belong_together_have_the_cluster_bootstraps(interval: Any) -> None:
    clusters, seeds = list("aabbcc"), [0, 0, 0, 1, 1, 1]
    for names in ({"clusters": clusters, "seeds": None}, {"clusters": None, "seeds": seeds}):
        mine = share_of("test", VALUES, **names, options={"rng": rng(), "interval": interval})
        assert mine == cluster_bootstrap(VALUES, **names, rng=rng(), interval=interval)


@pytest.mark.parametrize(
    ("clusters", "seeds", "options", "message"),
    [
        ([0, 1, 2, 3, 4, 5], None, {}, "test: clusters without rng; give numpy.random.default_rng"),
        (None, [0, 0, 0, 1, 1, 1], {}, "test: clusters without rng"),
        (None, None, {"rng": 7}, "test: rng is 7"),
        (None, None, {"resamples": 1}, "test: resamples is 1; give at least 100"),
        (None, None, {"level": 1}, "test: level is 1"),
        ([0] * 6, None, {"rng": rng()}, "test: all rows are in one cluster"),
    ],
)
def test_refusals(clusters: Any, seeds: Any, options: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        share_of("test", VALUES, clusters, seeds, options)
