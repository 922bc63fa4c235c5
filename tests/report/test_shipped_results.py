"""The results in this repository: made by these very specs and models, and what the README says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from rlaif_spec.plan import compile_plan
from rlaif_spec.report import Figure
from rlaif_spec.report.tables import bracket
from rlaif_spec.spec import load_experiment, load_scale

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml") if path.stem != "alignment_real_text")
TRAINED = [name for name in SHIPPED if not name.startswith("alignment") and not name.endswith("_SFT")]
TASKS = ("summarize", "helpful", "harmless")


def figures(spec: str, measure: str) -> list[dict[str, Any]]:
    found = json.loads((ROOT / "results" / spec / "toy" / "metrics.json").read_text())["figures"]
    return [row for row in found if row["measure"] == measure]


@pytest.mark.parametrize("spec", SHIPPED)
def test_results_are_of_the_spec_the_scale_and_the_method_as_they_are(spec: str) -> None:
    plan = compile_plan(load_experiment(ROOT / "specs" / f"{spec}.yaml"), load_scale("toy"))
    stored = json.loads((ROOT / "results" / spec / "toy" / "plan.json").read_text())
    assert list(stored) == [step.id for step in plan.steps], f"rlaif-spec run specs/{spec}.yaml --scale toy"


@pytest.mark.parametrize("spec", TRAINED)
def test_every_trained_policy_beats_sft_on_three_seeds(spec: str) -> None:
    (win,) = [row for row in figures(spec, "win rate") if row["against"] == "sft"]
    assert win["seeds"] == 3
    assert win["interval"]["low"] > 0.5


@pytest.mark.parametrize("spec", [name for name in TRAINED if name.startswith("harmless")])
def test_harmless_rates_rise_with_intervals_apart(spec: str) -> None:
    (before,), (after,) = figures("harmless_SFT", "harmless rate"), figures(spec, "harmless rate")
    assert after["interval"]["low"] > before["interval"]["high"]


@pytest.mark.parametrize("spec", TRAINED)
def test_the_readme_says_what_was_measured(spec: str) -> None:
    measured = [*figures(spec, "win rate"), *figures(spec, "harmless rate")]
    text = (ROOT / "README.md").read_text()
    for row in measured:
        assert bracket(Figure.model_validate(row)) in text


@pytest.mark.parametrize("task", TASKS)
def test_alignment_rises_with_size_with_intervals_apart(task: str) -> None:
    """As in the paper's Table 3."""
    of_task = [row for row in figures("alignment_by_size", "labeler alignment") if row["task"] == task]
    by_size = {row["subject"]: row["interval"] for row in of_task}
    assert by_size["labeler XS"]["high"] < by_size["labeler S"]["low"]
    assert by_size["labeler S"]["high"] < by_size["labeler L"]["low"]


def test_the_card_of_the_toy_models_says_what_was_measured() -> None:
    card = (ROOT / "rlaif_spec" / "toy_models" / "README.md").read_text()
    for row in figures("alignment_by_size", "labeler alignment"):
        assert bracket(Figure.model_validate(row)) in card
