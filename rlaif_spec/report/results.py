"""The result folder of an experiment: small, reviewable, and all that `compare` reads.

    results/<experiment>/<scale>/
        spec.yaml        what was asked        plan.json        the steps and their keys
        provenance.json  with what, how long   metrics.json     every figure, as long rows
        ratings.jsonl    the judge's opinion of each response, without any text
        report.md        the tables
"""

from pathlib import Path

import yaml
from pydantic import ValidationError

from rlaif_spec.errors import ArtifactError, UserError
from rlaif_spec.plan import Plan
from rlaif_spec.report.figures import Figure, Metrics
from rlaif_spec.report.measure import SeedRating
from rlaif_spec.report.policies import RatedPolicy, rated_win_rate
from rlaif_spec.report.tables import render
from rlaif_spec.spec.experiment import Experiment
from rlaif_spec.spec.scale import Scale
from rlaif_spec.spec.settings import EvaluationSettings
from rlaif_spec.stages.context import Rating
from rlaif_spec.store import Store, read_rows, write_json, write_rows, write_whole

METRICS = "metrics.json"
RATINGS = "ratings.jsonl"


def write_results(
    folder: Path, experiment: Experiment, plan: Plan, store: Store, measured: tuple[Metrics, list[SeedRating]]
) -> None:
    """Write everything but provenance, which the runner knows."""
    metrics, ratings = measured
    folder.mkdir(parents=True, exist_ok=True)
    spec = yaml.safe_dump(experiment.model_dump(mode="json", exclude_none=True), sort_keys=False)
    write_whole(folder / "spec.yaml", spec)
    write_json(folder / "plan.json", {step.id: step.summary() for step in plan.steps})
    write_rows(folder / RATINGS, ratings)
    title = f"# {metrics.experiment} at scale {metrics.scale}\n\nJudged by: {metrics.judge}.\n\n"
    write_whole(folder / "report.md", f"{title}{render(metrics.figures)}\n\n{_curves(plan, store)}".rstrip() + "\n")
    write_json(folder / METRICS, metrics.model_dump(mode="json"))


def compare_results(root: Path) -> list[Figure]:
    """Every figure under `root`, and the win rate of each policy against each other policy of its task."""
    results = _read_all(root)
    figures: dict[tuple[object, ...], Figure] = {}
    for metrics, _ in results:
        for figure in metrics.figures:
            if figure.measure != "win rate" or metrics.judge != "oracle":
                figures[figure.measure, figure.task, figure.subject, figure.against, figure.prompt, metrics.scale] = figure
    return [*_all_pairs(results), *figures.values()]
