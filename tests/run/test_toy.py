"""The shipped scale as it is: what the README promises, measured anew. Minutes; `make slow`."""

import json
from pathlib import Path

import pytest

from rlaif_spec import Request, Screen, run_experiment

SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["summarize_dRLAIF", "harmless_same_size_RLAIF"])
def test_the_policy_beats_sft_with_its_interval_clear(spec: str, tmp_path: Path) -> None:
    request = Request(
        SPECS / f"{spec}.yaml", scale="toy", runs=tmp_path / "runs", results=tmp_path / "results", seeds=(0,)
    )
    outcome = run_experiment(request, Screen(quiet=True))
    figures = json.loads((outcome.folder / "metrics.json").read_text())["figures"]
    (win,) = [row["interval"] for row in figures if row["measure"] == "win rate" and row["against"] == "sft"]
    assert win["clusters"] == 500
    assert win["low"] > 0.5
