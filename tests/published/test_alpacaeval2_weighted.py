"""AlpacaEval 2 (Dubois et al., 2024): weighted win rates of 57 systems, errors, wins, draws, discrete win rates."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.preference import soft_win_rate


def test_every_printed_figure(case: Callable[..., Any]) -> None:
    items, expected = case("alpacaeval2_weighted")
    left_out = {entry["model"]: set(entry["columns"]) for entry in expected["not_reproduced"]}
    compared = 0
    for printed in expected["published"]:
        rows = items[items["model"] == printed["model"]]
        codes = rows["preference"].replace(0, 1.5)  # 0 and 1.5 are both a draw
        read = codes.notna()
        rate = soft_win_rate(
            codes[read] - 1.0, clusters=rows["item"][read], rng=np.random.default_rng(0), resamples=100
        )
        ours = {
            "win_rate": 100 * rate.estimate.value,
            "standard_error": 100 * rate.standard_error,
            "n_wins": rate.wins,
            "n_wins_base": rate.losses,
            "n_draws": rate.ties,
            "n_total": rate.estimate.n,
            "discrete_win_rate": 100 * rate.discrete,
            "avg_length": int(rows["len_model"].mean()),
        }
        wanted = printed.keys() - {"model"} - left_out.get(printed["model"], set())
        compared += len(wanted)
        assert {name: ours[name] for name in wanted} == pytest.approx(
            {name: printed[name] for name in wanted}, abs=1e-6
        )
    assert compared > 400
