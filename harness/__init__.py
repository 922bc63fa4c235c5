"""Statistics that stand alone: every number comes with its interval, its n and the method that made the interval.

Needs numpy, scipy and, for tables only, pandas; knows nothing of models, experiments or files. Three rules hold
throughout. Rows that belong together are resampled together. What could not be read is counted beside a figure,
never inside it. An interval that is undefined is refused in one line, never printed as zero width.
"""

from harness.agreement import Alignment, PositionBias, alignment, longer_wins, majority, positional_agreement
from harness.bootstrap import bootstrap, bootstrap_ratio, cluster_bootstrap
from harness.checks import HarnessError
from harness.estimates import Estimate
from harness.means import mean, standard_error
from harness.preference import HarmlessRate, WinRate, harmless_rate, soft_win_rate, win_rate
from harness.proportions import proportion
from harness.tables import table

__all__ = [
    "Alignment",
    "Estimate",
    "HarmlessRate",
    "HarnessError",
    "PositionBias",
    "WinRate",
    "alignment",
    "bootstrap",
    "bootstrap_ratio",
    "cluster_bootstrap",
    "harmless_rate",
    "longer_wins",
    "majority",
    "mean",
    "positional_agreement",
    "proportion",
    "soft_win_rate",
    "standard_error",
    "table",
    "win_rate",
]
