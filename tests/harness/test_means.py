"""Analytic errors: against scipy and statsmodels, and that clusters of one row change nothing."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.means import mean, standard_error

samples = st.lists(st.floats(-100, 100), min_size=2, max_size=40).filter(lambda values: np.ptp(values) > 1e-3)


@given(samples)
def test_rows_alone_have_the_error_of_scipy(values: list[float]) -> None:
    assert standard_error(values) == pytest.approx(float(scipy.stats.sem(values)))
    assert standard_error(values, clusters=range(len(values))) == pytest.approx(standard_error(values))


@settings(deadline=None)
@given(samples, st.floats(0.5, 0.99))
def test_interval_is_students(values: list[float], level: float) -> None:
    mine = mean(values, level=level)
    theirs = scipy.stats.ttest_1samp(values, 0.0).confidence_interval(level)
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))
    assert (mine.method, mine.clusters, mine.n) == ("t", None, len(values))


def test_clusters_have_the_sandwich_of_statsmodels() -> None:
    generator = np.random.default_rng(0)
    clusters = np.repeat(np.arange(30), generator.integers(1, 5, size=30))
    values = generator.normal(size=30)[clusters] + generator.normal(size=len(clusters))
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    expected = float(fit.bse[0]) * np.sqrt(30 / 29)
    assert standard_error(values, clusters=clusters) == pytest.approx(expected)
    reach = scipy.stats.t.ppf(0.975, 29) * expected
    mine = mean(values, clusters=clusters)
    assert (mine.low, mine.high) == pytest.approx((values.mean() - reach, values.mean() + reach))
    assert (mine.method, mine.clusters) == ("t on clusters", 30)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0], {}, "mean: rows are 1; give 2 or more rows: the interval is undefined"),
        ([1.0, 2.0], {"clusters": ["a", "a"]}, "mean: all rows are in one cluster"),
        ([1.0, 1.0], {}, "mean: every cluster has the mean 1; give rows that differ, or use proportion"),
        ([1.0, 2.0], {"level": 2}, "mean: level is 2"),
        ([], {}, "mean: values empty"),
        ([1.0, float("nan")], {}, r"mean: values\[1\] is nan"),
    ],
)
def test_refusals(values: list[float], options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        mean(values, **options)
