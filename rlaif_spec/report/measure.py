"""From the artifacts of a finished plan to figures."""

from collections.abc import Mapping, Sequence

from harness import HarnessError
from rlaif_spec.errors import RunError
from rlaif_spec.frozen import Frozen
from rlaif_spec.plan import Plan, PolicyRun
from rlaif_spec.plan.steps import Labels, Ratings, RewardModel
from rlaif_spec.records import Comparison, Judgement, Score, SoftLabel
from rlaif_spec.report.figures import Figure, Metrics, RunOfSeed
from rlaif_spec.report.labelers import control_figures, labeler_figures, reward_model_figure
from rlaif_spec.report.policies import RatedPolicy, judged_win_rate, rated_harmless_rate, rated_win_rate
from rlaif_spec.spec.experiment import AlignmentExperiment, Experiment, PolicyExperiment
from rlaif_spec.spec.scale import Scale
from rlaif_spec.stages.context import LABELS, RATINGS, SCORES, VERDICTS, Rating
from rlaif_spec.store import Store, read_rows


class SeedRating(Frozen):
    """A rating with the seed it belongs to: the rows of `ratings.jsonl` in a result folder."""

    seed: int
    rating: Rating


def measure(
    name: str, experiment: Experiment, scale: Scale, plan: Plan, store: Store
) -> tuple[Metrics, list[SeedRating]]:
    """All figures of an experiment, and the ratings by which other policies can be compared to it later."""
    try:
        return _measure(name, experiment, scale, plan, store)
    except HarnessError as error:
        raise RunError(f"{name}: a figure is not defined: {error}") from error


def _measure(
    name: str, experiment: Experiment, scale: Scale, plan: Plan, store: Store
) -> tuple[Metrics, list[SeedRating]]:
    figures: list[Figure]
    runs: tuple[RunOfSeed, ...] = ()
    ratings: list[SeedRating] = []
    if isinstance(experiment, AlignmentExperiment):
        figures = _alignment(plan, store, scale)
    else:
        figures, runs, ratings = _policies(name, experiment, scale, plan, store)
    settings = scale.evaluation
    metrics = Metrics(
        experiment=name,
        task=experiment.task if isinstance(experiment, PolicyExperiment) else None,
        scale=scale.name,
        judge=scale.judge.kind,
        figures=tuple(figures),
        runs=runs,
        raters=settings.raters,
        level=settings.level,
        resamples=settings.resamples,
    )
    return metrics, ratings


def _policies(
    name: str, experiment: PolicyExperiment, scale: Scale, plan: Plan, store: Store
) -> tuple[list[Figure], tuple[RunOfSeed, ...], list[SeedRating]]:
    by_seed = {run.seed: run for run in plan.policies}
    policy = _rated(name, experiment, {seed: run.ratings for seed, run in by_seed.items()}, store)
    figures: list[Figure | None] = []
    for opponent in experiment.compare_to:
        if policy.has_utilities:
            other = {seed: run.opponents[opponent] for seed, run in by_seed.items()}
            figures.append(rated_win_rate(policy, _rated(opponent, experiment, other, store), scale.evaluation))
        else:
            verdicts = {
                seed: read_rows(store.open(run.verdicts[opponent]) / VERDICTS, Judgement)
                for seed, run in by_seed.items()
                if opponent in run.verdicts
            }
            figures.append(judged_win_rate(name, opponent, experiment.task, verdicts, scale.evaluation))
    figures.append(rated_harmless_rate(policy, scale.evaluation))
    figures += _labeler_of(experiment, by_seed, store, scale)
    runs = tuple(
        RunOfSeed(
            seed=seed,
            data=run.data.id,
            policy=run.policy.id,
            opponents={name: other.responses.policy.id for name, other in run.opponents.items()},
        )
        for seed, run in by_seed.items()
    )
    rows = [SeedRating(seed=seed, rating=row) for seed, part in policy.ratings.items() for row in part]
    return [figure for figure in figures if figure is not None], runs, rows


def _rated(name: str, experiment: PolicyExperiment, steps: Mapping[int, Ratings], store: Store) -> RatedPolicy:
    return RatedPolicy(
        name=name,
        task=experiment.task,
        artifacts={seed: step.responses.policy.id for seed, step in steps.items()},
        ratings={seed: read_rows(store.open(step) / RATINGS, Rating) for seed, step in steps.items()},
    )


def _labeler_of(
    experiment: PolicyExperiment, runs: Mapping[int, PolicyRun], store: Store, scale: Scale
) -> list[Figure]:
    level = scale.evaluation.level
    figures: list[Figure] = []
    labelled = {seed: _labelled(run.labeler, store) for seed, run in runs.items() if run.labeler is not None}
    if labelled and experiment.labeler is not None:
        subject = f"labeler {experiment.labeler.size}"
        figures += labeler_figures(subject, experiment.task, experiment.labeler.prompt, labelled, level)
    margins = [pair for run in runs.values() if run.reward_model for pair in _margins(run.reward_model, store)]
    if margins:
        figures.append(_reward_model(experiment, runs, margins, store, scale))
    return figures


def _reward_model(
    experiment: PolicyExperiment,
    runs: Mapping[int, PolicyRun],
    margins: Sequence[tuple[float, Comparison]],
    store: Store,
    scale: Scale,
) -> Figure:
    labeler = experiment.labeler
    labels = [run.reward_model.labels for run in runs.values() if run.reward_model is not None]
    made = [store.open(step) / LABELS for step in labels if isinstance(step, Labels)]
    asked = [row for path in made for row in read_rows(path, SoftLabel)]
    return reward_model_figure(
        f"{experiment.policy.size}, labels by {'people' if labeler is None else labeler.size}",
        experiment.task,
        margins,
        prompt=None if labeler is None else labeler.prompt,
        seeds=len(runs),
        unread=sum(row.prefers_first is None for row in asked),
        settings=scale.evaluation,
    )


def _alignment(plan: Plan, store: Store, scale: Scale) -> list[Figure]:
    level = scale.evaluation.level
    cells: dict[tuple[str, str, str], dict[int, list[tuple[Comparison, SoftLabel]]]] = {}
    for cell in plan.alignment:
        rows = cells.setdefault((cell.task, cell.size, cell.prompt), {})
        rows[cell.seed] = _labelled(cell.labels, store)
    figures: list[Figure] = []
    for task in dict.fromkeys(cell.task for cell in plan.alignment):
        of_task = {key: rows for key, rows in cells.items() if key[0] == task}
        for (_, size, prompt), rows in of_task.items():
            figures += labeler_figures(f"labeler {size}", task, prompt, rows, level)
        some = next(iter(of_task.values()))
        figures += control_figures(task, {seed: [row for row, _ in part] for seed, part in some.items()}, level)
    return figures


def _labelled(step: Labels, store: Store) -> list[tuple[Comparison, SoftLabel]]:
    comparisons = read_rows(store.open(step.data) / f"{step.part}.jsonl", Comparison)
    labels = read_rows(store.open(step) / LABELS, SoftLabel)
    return list(zip(comparisons, labels, strict=True))


def _margins(step: RewardModel, store: Store) -> list[tuple[float, Comparison]]:
    comparisons = read_rows(store.open(step.start.data) / "alignment.jsonl", Comparison)
    scores = {row.id: row.value for row in read_rows(store.open(step) / SCORES, Score)}
    margins = []
    for row in comparisons:
        first, second = scores[f"{row.id}/first"], scores[f"{row.id}/second"]
        if row.human is not None and first is not None and second is not None:
            margins.append((first - second, row))
    return margins
