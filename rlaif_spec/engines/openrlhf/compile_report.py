"""What `rlaif-spec plan` says of the OpenRLHF jobs of a plan: settings, command, GPUs, memory, tokens, refusals.

Nothing is loaded or fetched. Memory is that of weights, gradients and optimizer states, in the arithmetic of ZeRO
(Rajbhandari et al., 2020); activations, which depend on the texts, come on top. Tokens are upper bounds.
"""

from collections.abc import Iterator

from rlaif_spec.engines.openrlhf.compile import CompiledJob, serves_labeler
from rlaif_spec.engines.openrlhf.data import EVALUATION_ROWS
from rlaif_spec.engines.openrlhf.facts import promised, supervised_nodes
from rlaif_spec.engines.openrlhf.parsers import checked, installed
from rlaif_spec.engines.openrlhf.preflight import gpus_asked, problems
from rlaif_spec.engines.openrlhf.preflight_gpus import waits
from rlaif_spec.engines.openrlhf.refusals import check_cluster
from rlaif_spec.engines.openrlhf.translation import Translated
from rlaif_spec.errors import UserError
from rlaif_spec.plan.steps import LabelerScore, RewardModel, Rl, Sft
from rlaif_spec.spec.openrlhf import Colocated, OpenRlhfSettings

GIGABYTE = 1e9
HALF, MOMENTS = 2.0, 12.0
"""Bytes a parameter: weights or gradients in half precision; fp32 weights and both moments of AdamW."""


def refusals(jobs: list[CompiledJob], own: OpenRlhfSettings) -> list[str]:
    """Why the jobs must not start, one line each; empty where they may."""
    found: list[str] = []
    for deviation in sorted({name for job in jobs for name in job.deviations} - set(own.accept)):
        how = next(row.how for job in jobs for row in job.translation if row.deviation == deviation)
        found.append(
            f"openrlhf.accept: {deviation} is not accepted ({how}); add {deviation} to openrlhf.accept in the scale,"
            " or use engine: native"
        )
    for job in jobs:
        try:
            check_cluster(own, starts_labeler=_labeler_gpus(job, own) > 0)
        except UserError as error:
            found.append(str(error))
        if job.command is not None:
            found += [f"{job.step.kind}: {line}" for line in _problems(job, own)]
    return list(dict.fromkeys(found))


def _problems(job: CompiledJob, own: OpenRlhfSettings) -> list[str]:
    """The preflight on the GPUs that the scale promises, and OpenRLHF's own checks where it is installed."""
    assert job.command is not None  # noqa: S101
    held_out = min(EVALUATION_ROWS, job.rows) if isinstance(job.step, RewardModel) else 0
    facts = promised(own, job.rows, evaluation_rows=held_out, labeler_gpus=_labeler_gpus(job, own))
    found = problems(job.command, facts)
    if not found and installed() is not None:
        found += checked(job.command.program, job.command.arguments).problems
    return found


def _labeler_gpus(job: CompiledJob, own: OpenRlhfSettings) -> int:
    return own.labeler.gpus if serves_labeler(job.step) else 0


def report(job: CompiledJob, own: OpenRlhfSettings) -> list[str]:
    """The report on one job, line by line."""
    if job.command is None:
        return [f"{job.step.id}: no job; the model is taken as it is"]
    lines = [f"{job.step.id}: OpenRLHF {job.command.program}", *_table(job.translation), ""]
    lines += [f"  {line}" for line in job.command.shell().splitlines()]
    return [*lines, "", *(f"  {line}" for line in _needs(job, own)), ""]


def _table(rows: list[Translated]) -> list[str]:
    width = max(len(row.setting) for row in rows)
    value = max(len(row.value) for row in rows)
    verdict = max(len(row.verdict) for row in rows)
    return [
        f"  {row.setting:<{width}}  {row.value:<{value}}  {row.verdict:<{verdict}}  {row.how}"
        + (f" [accept: {row.deviation}]" if row.deviation else "")
        for row in rows
    ]


def _needs(job: CompiledJob, own: OpenRlhfSettings) -> Iterator[str]:
    assert job.command is not None  # noqa: S101
    asked = gpus_asked(job.command)
    labeler = _labeler_gpus(job, own)
    each = ", ".join(f"{role} {count}" for role, count in asked.items() if count and role != "total")
    served = f" and {labeler} for the labeler's server" if labeler else ""
    yield f"GPUs: {asked['total']} ({each}){served}, of {own.nodes} x {own.gpus_per_node}"
    if own.nodes > 1 and not isinstance(job.step, Rl):
        yield f"nodes: {'all, by srun' if supervised_nodes(own).count > 1 else 'this one; RL is on all'}"
    yield f"memory: {_memory(job, own, asked)}"
    if labeler and (weights := _served_weights(job)) is not None:
        yield f"memory of the labeler's server: {weights / labeler:.1f} GB of weights a GPU, and its cache"
    if isinstance(job.step, Rl) and isinstance(job.step.reward, LabelerScore):
        server = job.step.reward.labeler.source.endpoint
        if server is not None:
            yield f"labeler: {server.model} at {server.url}, asked by every vLLM engine: it must be reached from there"
    yield f"tokens: {_tokens(job, own)}"
    for line in waits(job.command):
        yield f"waits for ever where GPUs are short: {line}"


def _memory(job: CompiledJob, own: OpenRlhfSettings, asked: dict[str, int]) -> str:
    start = job.step if isinstance(job.step, Sft) else job.step.start
    parameters = start.model.source.parameters
    if parameters is None:
        return "not reckoned; say how many parameters the model has (sizes.XS.parameters in the scale)"
    if not isinstance(job.step, Rl):
        return f"{_trained(parameters, asked['total'], own) / GIGABYTE:.1f} GB a GPU, and activations"
    return _rl_memory(job.step, parameters, own, asked)


def _served_weights(job: CompiledJob) -> float | None:
    """Gigabytes of the labeler's weights, in half precision, where the scale says how many there are."""
    if not isinstance(job.step, Rl) or not isinstance(job.step.reward, LabelerScore):
        return None
    parameters = job.step.reward.labeler.source.parameters
    return None if parameters is None else HALF * parameters / GIGABYTE


def _rl_memory(step: Rl, parameters: float, own: OpenRlhfSettings, asked: dict[str, int]) -> str:
    copies = ["policy", "value model", "reference", *([] if _asks(step) else ["reward model"])]
    if not isinstance(own.placement, Colocated):
        roles = {name: _trained(parameters, asked[name], own) / GIGABYTE for name in ("actor", "critic")}
        trained = ", ".join(f"{name} {size:.1f} GB" for name, size in roles.items())
        frozen = HALF * parameters / GIGABYTE
        return f"a GPU: {trained}, {' and '.join(copies[2:])} {frozen:.1f} GB each, and activations"
    gpus = asked["total"]
    weights = _weights(parameters, gpus, own)
    always, update = len(copies) * weights / GIGABYTE, (_trained(parameters, gpus, own) - weights) / GIGABYTE
    share = f"{own.placement.gpu_memory_utilization:.0%} of the GPU"
    return (
        f"a GPU: {always:.1f} GB always ({', '.join(copies)}), beside it by turns {update:.1f} GB and activations in"
        f" an update, or vLLM's {share}"
    )


def _weights(parameters: float, gpus: int, own: OpenRlhfSettings) -> float:
    """Bytes of one model's weights on each GPU: sleep moves optimizer states and gradients away, and not these."""
    return HALF * parameters / (gpus if own.zero_stage >= 3 else 1)


def _trained(parameters: float, gpus: int, own: OpenRlhfSettings) -> float:
    """Bytes on each GPU: ZeRO 1 splits the optimizer states, 2 the gradients too, 3 the weights too."""
    stage = own.zero_stage
    states = 0.0 if own.adam_offload else MOMENTS * parameters
    gradients = HALF * parameters
    return (
        _weights(parameters, gpus, own)
        + (gradients / gpus if stage >= 2 else gradients)
        + (states / gpus if stage >= 1 else states)
    )


def _tokens(job: CompiledJob, own: OpenRlhfSettings) -> str:
    if isinstance(job.step, Rl):
        wrote = job.rows * job.step.respond.max_new_tokens
        asked = f"; the labeler is asked {job.rows:,} times or more" if _asks(job.step) else ""
        return f"at most {wrote:,} written in {job.rows:,} responses, {job.rows * own.max_tokens:,} trained on{asked}"
    sides = 2 if isinstance(job.step, RewardModel) else 1
    total = job.rows * job.step.settings.epochs * own.max_tokens * sides
    return f"at most {total:,} trained on"


def _asks(step: Rl) -> bool:
    return isinstance(step.reward, LabelerScore)
