"""The method on one page: what a spec and a scale ask to be done, as steps.

    data ── sft ─┬─────────────────────────────────────────┬─ responses ── ratings, verdicts
                 ├─ labels ── reward-model ── rl (rlhf, rlaif) ─┤
                 └─ labeler's score ───────── rl (d-rlaif) ─────┘

Every condition of a task shares data, SFT policy and labels, because equal steps have equal keys. The pairs that
AI labels are those that people labelled, as in the paper: neither arm sees on-policy data (facts of the paper, 1.9).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, assert_never

from rlaif_spec.frozen import Frozen
from rlaif_spec.plan.steps import (
    NATIVE,
    AnyStep,
    Asker,
    Data,
    HumanLabels,
    LabelerChoice,
    LabelerScore,
    Labels,
    LastCandidate,
    Model,
    OpenRlhf,
    Ratings,
    Responses,
    RewardModel,
    Rl,
    Sft,
    Step,
    Trainer,
    Verdicts,
    Vllm,
    wants_server,
)
from rlaif_spec.spec.experiment import AlignmentExperiment, Experiment, LabelerSpec, Opponent, PolicyExperiment, Size
from rlaif_spec.spec.openrlhf import OPENRLHF
from rlaif_spec.spec.scale import LabelerJudge, Scale
from rlaif_spec.tasks import TaskName


class PolicyRun(Frozen):
    """One seed of a policy spec: the steps whose artifacts the report reads."""

    seed: int
    data: Data
    ratings: Ratings
    opponents: dict[Opponent, Ratings]
    verdicts: dict[Opponent, Verdicts]
    """Filled where a labeler judges in the place of raters; raters of the toy worlds judge from the ratings."""
    labeler: Labels | None
    """The labeler's labels of held-out comparisons, for its alignment with people."""
    reward_model: RewardModel | None
    policy: Sft | Rl


class AlignmentCell(Frozen):
    """One labeler size, prompt, task and seed of an alignment spec."""

    seed: int
    task: TaskName
    size: Size
    prompt: str
    labels: Labels


class Plan(Frozen):
    """Everything that will be done for a spec, in an order in which it can be done."""

    policies: tuple[PolicyRun, ...] = ()
    alignment: tuple[AlignmentCell, ...] = ()

    @property
    def steps(self) -> list[AnyStep]:
        """Every step once, after the steps it needs."""
        ordered: dict[str, AnyStep] = {}
        for run in self.policies:
            outputs = [run.ratings, *run.opponents.values(), *run.verdicts.values(), run.labeler]
            for step in outputs:
                if step is not None:
                    _visit(step, ordered)
        for cell in self.alignment:
            _visit(cell.labels, ordered)
        return list(ordered.values())


def compile_plan(experiment: Experiment, scale: Scale, contents: Mapping[str, str] = MappingProxyType({})) -> Plan:
    """The plan of a spec at a scale; pure, and the same for the same arguments.

    `contents` holds a hash of each local data file by its path, so that a changed file is other work.
    """
    if isinstance(experiment, AlignmentExperiment):
        return Plan(alignment=tuple(_alignment_cells(experiment, scale, contents)))
    return Plan(policies=tuple(_policy_run(experiment, scale, contents, seed) for seed in experiment.seeds))


def _data(scale: Scale, task: TaskName, contents: Mapping[str, str], seed: int) -> Data:
    source = scale.tasks[task]
    hashes = tuple(contents.get(path, "") for path in source.files().values())
    return Data(task=task, source=source, contents=hashes, seed=seed)


def _policy_run(experiment: PolicyExperiment, scale: Scale, contents: Mapping[str, str], seed: int) -> PolicyRun:
    data = _data(scale, experiment.task, contents, seed)
    model = _model(scale, experiment.policy.size)
    sft = Sft(data=data, model=model, settings=scale.sft, trainer=_trainer(scale, "sft"))
    policy, reward_model = _policy(experiment, scale, sft)
    responses = Responses(policy=policy, settings=scale.respond, asked_by=_asker(scale))
    opponents = {name: _opponent(name, scale, sft) for name in experiment.compare_to}
    return PolicyRun(
        seed=seed,
        data=data,
        policy=policy,
        ratings=Ratings(responses=responses, judge=scale.judge),
        opponents={name: Ratings(responses=other, judge=scale.judge) for name, other in opponents.items()},
        verdicts={
            name: Verdicts(
                policy=responses,
                opponent=other,
                judge=scale.judge,
                labeler=_model(scale, scale.judge.size),
                settings=scale.label,
                asked_by=_asker(scale, scale.judge.size),
            )
            for name, other in opponents.items()
            if isinstance(scale.judge, LabelerJudge)
        },
        labeler=_held_out_labels(experiment, scale, data),
        reward_model=reward_model,
    )


def _policy(experiment: PolicyExperiment, scale: Scale, sft: Sft) -> tuple[Sft | Rl, RewardModel | None]:
    """The one place that knows what a reward mode means."""
    match experiment.reward_mode:
        case "sft":
            return sft, None
        case "rlhf":
            reward_model = _reward_model(scale, sft, HumanLabels())
            return _rl(scale, sft, reward_model), reward_model
        case "rlaif":
            labels = _labels(_labeler(experiment), scale, sft.data, part="comparisons")
            reward_model = _reward_model(scale, sft, labels)
            return _rl(scale, sft, reward_model), reward_model
        case "d-rlaif":
            labeler = _labeler(experiment)
            score = LabelerScore(labeler=_model(scale, labeler.size), prompt=labeler.prompt, settings=scale.label)
            return _rl(scale, sft, score), None
        case other:
            assert_never(other)


def _reward_model(scale: Scale, sft: Sft, labels: Labels | HumanLabels) -> RewardModel:
    trainer = _trainer(scale, "reward_model")
    return RewardModel(start=sft, labels=labels, settings=scale.reward_model, trainer=trainer)


def _rl(scale: Scale, sft: Sft, reward: RewardModel | LabelerScore) -> Rl:
    settings = scale.rl
    if isinstance(reward, LabelerScore):  # its scale is the paper's [-1, 1] already
        settings = settings.model_copy(update={"standardize_reward": False})
    selector: LastCandidate | LabelerChoice = LastCandidate()
    if settings.select == "labeler" and scale.selector is not None:
        model = _model(scale, scale.selector.size)
        selector = LabelerChoice(judge=scale.selector, labeler=model, settings=scale.label)
    return Rl(
        start=sft,
        reward=reward,
        settings=settings,
        respond=scale.respond,
        judge=scale.judge,
        selector=selector,
        trainer=_trainer(scale, "rl", served=wants_server(reward)),
        asked_by=_asker(scale),
    )


def _trainer(scale: Scale, program: Literal["sft", "reward_model", "rl"], *, served: bool = False) -> Trainer:
    """Who trains, with what of its own settings changes the result."""
    if scale.engine == "native" or scale.openrlhf is None:
        return NATIVE
    settings = scale.openrlhf
    return OpenRlhf(
        version=OPENRLHF,
        param_dtype=settings.param_dtype,
        flags=getattr(settings.flags, program),
        read_logprobs=settings.labeler.top_logprobs if served else 0,
    )


def _asker(scale: Scale, size: Size | None = None) -> Asker:
    """Who labels, judges and samples; what a server says does not depend on our engine."""
    if size is not None and scale.sizes[size].endpoint is not None:
        return NATIVE
    vllm = scale.engine == "openrlhf" and scale.openrlhf is not None and scale.openrlhf.inference == "vllm"
    return Vllm() if vllm else NATIVE


def _opponent(name: Opponent, scale: Scale, sft: Sft) -> Responses:
    if name == "sft":
        return Responses(policy=sft, settings=scale.respond, asked_by=_asker(scale))
    policy = _rl(scale, sft, _reward_model(scale, sft, HumanLabels()))
    return Responses(policy=policy, settings=scale.respond, asked_by=_asker(scale))


def _held_out_labels(experiment: PolicyExperiment, scale: Scale, data: Data) -> Labels | None:
    if experiment.reward_mode != "rlaif":
        return None
    return _labels(_labeler(experiment), scale, data, part="alignment")


def _alignment_cells(experiment: AlignmentExperiment, scale: Scale, contents: Mapping[str, str]) -> list[AlignmentCell]:
    cells = []
    for seed in experiment.seeds:
        for task in experiment.tasks:
            data = _data(scale, task, contents, seed)
            for size in experiment.sizes:
                for prompt in experiment.prompts:
                    labels = _labels(LabelerSpec(size=size, prompt=prompt), scale, data, part="alignment")
                    cells.append(AlignmentCell(seed=seed, task=task, size=size, prompt=prompt, labels=labels))
    return cells


def _labels(labeler: LabelerSpec, scale: Scale, data: Data, *, part: str) -> Labels:
    return Labels.model_validate(
        {
            "data": data,
            "part": part,
            "labeler": _model(scale, labeler.size),
            "prompt": labeler.prompt,
            "settings": scale.label,
            "asked_by": _asker(scale, labeler.size),
        }
    )


def _labeler(experiment: PolicyExperiment) -> LabelerSpec:
    assert experiment.labeler is not None, "the spec's validator asks for one"  # noqa: S101
    return experiment.labeler


def _model(scale: Scale, size: Size) -> Model:
    return Model(source=scale.sizes[size], prompts=scale.prompts)


def _visit(step: Step, ordered: dict[str, AnyStep]) -> None:
    if step.id not in ordered:
        for needed in step.needs():
            _visit(needed, ordered)
        ordered[step.id] = step  # type: ignore[assignment]
