"""Statistics of preference and safety evaluation, each figure with its n and its interval.

Numbers in, results out: numpy and scipy below, pandas for tables, nothing known of models or specs. A result is an
object that carries its interval and prints itself. Random numbers come from the generator that is passed in. What is
undefined is refused by name (`HarnessError`); what could not be read is counted and never becomes a number.

>>> import numpy as np
>>> import harness
>>> print(harness.proportion(62, 100))
0.620 [0.522, 0.709] (n=100, wilson)
"""

from harness.agreement import (
    Alignment,
    PositionBias,
    alignment,
    longer_wins,
    majority,
    positional_agreement,
)
from harness.bootstrap import cluster_bootstrap
from harness.estimates import Estimate, HarnessError
from harness.preference import HarmlessRate, WinRate, harmless_rate, win_rate
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
    "cluster_bootstrap",
    "harmless_rate",
    "longer_wins",
    "majority",
    "positional_agreement",
    "proportion",
    "table",
    "win_rate",
]
