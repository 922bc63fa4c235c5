"""The interval of a share of rows: Wilson's where they are independent, the cluster bootstrap's where they are not."""

from typing import TypedDict

import numpy as np

from harness.bootstrap import mean_of
from harness.checks import Floats, refusal
from harness.estimates import Estimate
from harness.proportions import proportion
from harness.resampling import Bootstrap, Clusters, Interval, Settings, group


class ShareOptions(TypedDict, total=False):
    """Options of `Bootstrap`; all but `level` serve only with clusters or seeds, and `rng` is required with those."""

    rng: np.random.Generator | None
    level: float
    resamples: int
    interval: Interval


def share_of(
    where: str, values: Floats, clusters: Clusters | None, seeds: Clusters | None, options: ShareOptions | Bootstrap
) -> Estimate:
    """Mean of n checked values in [0, 1]: Wilson's interval of independent rows, otherwise the cluster bootstrap's."""
    alone = clusters is None and seeds is None
    settings = _settings(where, options, alone=alone)
    if alone:
        return proportion(float(values.sum()), len(values), level=settings.level)
    return mean_of(where, values, group(where, len(values), clusters, seeds), settings)


def _settings(where: str, options: ShareOptions | Bootstrap, *, alone: bool) -> Settings:
    """Checked options; `alone` says that rows are independent, so that nothing is drawn and `rng` may be missing."""
    rng = options.get("rng")
    if rng is None:
        if not alone:
            raise refusal(where, "clusters without rng", "give numpy.random.default_rng(seed)")
        rng = np.random.default_rng(0)  # nothing is drawn, but the other options are checked all the same
    return Settings.of(where, {**options, "rng": rng})
