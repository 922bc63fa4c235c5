"""The result folder of an experiment: small, reviewable, and all that `compare` reads.

results/<experiment>/<scale>/
    spec.yaml        what was asked        plan.json        the steps and their keys
    provenance.json  with what, how long   metrics.json     every figure, as long rows
    ratings.jsonl    the judge's opinion of each response, without any text
    report.md        the tables
"""

from pathlib import Path

from pydantic import ValidationError

from rlaif_spec.errors import ArtifactError, UserError
from rlaif_spec.plan import Plan
from rlaif_spec.report.curves import curves
from rlaif_spec.report.figures import Figure, Metrics
from rlaif_spec.report.measure import SeedRating
from rlaif_spec.report.policies import RatedPolicy, rated_win_rate
from rlaif_spec.report.portable import portable
from rlaif_spec.report.tables import render
from rlaif_spec.spec.settings import EvaluationSettings
from rlaif_spec.stages.context import Rating
from rlaif_spec.store import Store, read_rows, write_json, write_rows, write_whole

Result = tuple[Metrics, RatedPolicy | None]
"""A result folder: its figures, and its policy where an oracle rated the responses."""
METRICS = "metrics.json"
RATINGS = "ratings.jsonl"


def write_results(folder: Path, plan: Plan, store: Store, measured: tuple[Metrics, list[SeedRating]]) -> None:
    """Write everything but spec and provenance, which the runner knows."""
    metrics, ratings = measured
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "plan.json", {step.id: portable(step.summary()) for step in plan.steps})
    write_rows(folder / RATINGS, ratings)
    title = f"# {metrics.experiment} at scale {metrics.scale}\n\nJudged by: {metrics.judge}.\n\n"
    write_whole(folder / "report.md", f"{title}{render(metrics.figures)}\n\n{curves(plan, store)}".rstrip() + "\n")
    write_json(folder / METRICS, metrics.model_dump(mode="json"))


def compare_results(root: Path) -> list[Figure]:
    """Every figure under `root`, and the win rate of each policy against each other policy of its task.

    Two policies are set side by side where they answered the same prompts: at one scale, on the same data of a seed.
    A figure that was measured more than once is given once: the one that rests on most counts.
    """
    results = _read_all(root)
    figures: dict[tuple[object, ...], Figure] = {}
    for metrics, _ in results:
        for figure in metrics.figures:
            key = (figure.measure, figure.task, figure.subject, figure.against, figure.prompt, metrics.scale)
            rebuilt = figure.measure == "win rate" and _opponent_is_there(metrics, figure, results)
            if not rebuilt and (key not in figures or figures[key].interval.n < figure.interval.n):
                figures[key] = _placed(figure, metrics)
    return [*_all_pairs(results), *figures.values()]


def _placed(figure: Figure, metrics: Metrics) -> Figure:
    return figure.model_copy(update={"scale": metrics.scale, "judge": metrics.judge})


def _opponent_is_there(metrics: Metrics, figure: Figure, results: list[Result]) -> bool:
    """Whether the opponent of a stored win rate has a result folder of its own, so that the pair is measured anew."""
    opponents = {run.opponents.get(figure.against or "") for run in metrics.runs}
    return any(
        policy is not None and opponents <= set(policy.artifacts.values())
        for other, policy in results
        if other.scale == metrics.scale
    )


def _all_pairs(results: list[Result]) -> list[Figure]:
    """Win rates from ratings, of every two policies that answered the same prompts."""
    figures = []
    for at, (metrics, mine) in enumerate(results):
        settings = EvaluationSettings(raters=metrics.raters, level=metrics.level, resamples=metrics.resamples)
        for other_metrics, theirs in results[at + 1 :]:
            if mine is not None and theirs is not None and metrics.scale == other_metrics.scale:
                seeds = _shared_seeds(metrics, other_metrics)
                pair = _better_first(mine.only(seeds), theirs.only(seeds))
                figure = rated_win_rate(*pair, settings) if mine.task == theirs.task else None
                figures += [_placed(figure, metrics)] if figure is not None else []
    return figures


def _shared_seeds(metrics: Metrics, other: Metrics) -> set[int]:
    """Seeds on which two different policies saw the same data."""
    theirs = {run.seed: run for run in other.runs}
    return {
        run.seed
        for run in metrics.runs
        if run.seed in theirs and run.data == theirs[run.seed].data and run.policy != theirs[run.seed].policy
    }


def _better_first(one: RatedPolicy, other: RatedPolicy) -> tuple[RatedPolicy, RatedPolicy]:
    """SFT is always the opponent, as in the paper's tables; else the order of the names."""
    return (other, one) if one.name.endswith("SFT") else (one, other)


def _read_all(root: Path) -> list[Result]:
    paths = sorted(root.glob(f"*/*/{METRICS}"))
    if not paths:
        raise UserError(f"{root}: no results here; expected <experiment>/<scale>/{METRICS} of `rlaif-spec run`")
    return [_read(path) for path in paths]


def _read(path: Path) -> Result:
    try:
        metrics = Metrics.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "file"
        raise ArtifactError(f"{path}: {field}: {first['msg']}; run its spec again to write it anew") from None
    if metrics.task is None or metrics.judge != "oracle":
        return metrics, None
    ratings: dict[int, list[Rating]] = {run.seed: [] for run in metrics.runs}
    for row in read_rows(path.with_name(RATINGS), SeedRating):
        ratings.setdefault(row.seed, []).append(row.rating)
    artifacts = {run.seed: run.policy for run in metrics.runs}
    return metrics, RatedPolicy(metrics.experiment, metrics.task, artifacts, ratings)
