"""Whether a command's batches divide, and whether there are rows enough to fill them."""

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from rlaif_spec.engines.openrlhf.preflight_facts import Check, Facts, Settings, UnreadableError
from rlaif_spec.engines.openrlhf.preflight_gpus import processes

COUNTS: Final = (
    *("batch_size", "micro_batch_size", "n_samples_per_prompt", "num_episodes", "max_epochs", "max_samples"),
    *("num_nodes", "num_gpus_per_node", "tensor_parallel_size", "ring_attn_size", "logging_steps"),
)
"""Last words of flags that must be 1 or more."""

INTERVALS: Final = ("--ckpt.save_steps", "--eval.steps")

ENOUGH_TO_HOLD_OUT: Final = 100
"""Rows from which train_rm can take its own 1 % for evaluation."""


def _sizes(settings: Settings, facts: Facts) -> Iterator[str]:
    for flag in settings.command.flags:
        with suppress(UnreadableError):
            if not settings.knows(flag):
                continue
            if flag.rpartition(".")[2] in COUNTS and settings.whole(flag) < 1:
                yield settings.says(flag, "OpenRLHF divides or counts by it", "at least 1")
            if flag in INTERVALS and settings.whole(flag) < 1 and settings.whole(flag) != -1:
                yield settings.says(flag, "OpenRLHF divides by it", "at least 1, or -1 for never")


def _supervised_batches(settings: Settings, facts: Facts) -> Iterator[str]:
    shape = processes(settings.command, facts)
    if shape is not None:
        yield from _batch_of(settings, "processes", shape[0] * shape[1])


def _rl_batches(settings: Settings, facts: Facts) -> Iterator[str]:
    for role in settings.roles:
        count, shards = settings.gpus(role), settings.shards
        if role in ("actor", "critic"):
            yield from _batch_of(settings, f"GPUs of the {role}", count)
        elif count % shards:
            yield _unsplit(settings, f"GPUs of the {role}", count)


def _batch_of(settings: Settings, what: str, count: int) -> Iterator[str]:
    flag, shards = "--train.batch_size", settings.shards
    if count % shards:
        yield _unsplit(settings, what, count)
        return
    batch, replicas = settings.size(flag), count // shards
    dynamic = settings.program == "train_ppo_ray" and settings.on("--train.dynamic_batch_enable")
    unit = replicas * (1 if dynamic else settings.size("--train.micro_batch_size"))
    if batch % unit:
        wrong = f"{batch} rows are no multiple of {unit} (micro batch x {count} {what} / {shards} that share rows)"
        yield settings.says(flag, f"{wrong}, which DeepSpeed asserts after loading", _multiples(batch, unit))


def _unsplit(settings: Settings, what: str, count: int) -> str:
    wrong = f"{count} {what} do not split in groups of {settings.shards} that share rows (ring attention x this)"
    return settings.says("--ds.tensor_parallel_size", wrong, "sizes that divide it")


def _multiples(number: int, unit: int) -> str:
    below = number // unit * unit
    return " or ".join(str(value) for value in (below, below + unit) if value)


def _rollouts(settings: Settings, facts: Facts) -> Iterator[str]:
    """On policy: one optimizer step takes each response of a rollout once, and each GPU as many of them."""
    batch, per_prompt = settings.size("--rollout.batch_size"), settings.size("--rollout.n_samples_per_prompt")
    responses, rows = batch * per_prompt, settings.size("--train.batch_size")
    if responses != rows:
        wrong = f"{batch} prompts x {per_prompt} responses are {responses} rows, not {rows}: the update is off-policy"
        yield settings.says("--rollout.batch_size", wrong, "make --train.batch_size their product")
    if settings.whole("--train.max_epochs") != 1:
        yield settings.says("--train.max_epochs", "a second pass over the same responses is off-policy", "1")
    for role in settings.roles:
        yield from _chunks(settings, role, responses)


def _chunks(settings: Settings, role: str, responses: int) -> Iterator[str]:
    """async_run_method_batch gives each process of a role its share of the rollout's micro-batches."""
    dynamic = settings.on("--train.dynamic_batch_enable")
    micro = 1 if dynamic else settings.size("--rollout.micro_batch_size")
    replicas = settings.gpus(role) // settings.shards
    sharded = settings.whole("--ds.zero_stage") == 3
    if replicas > 1 and (role in ("actor", "critic") or sharded) and responses % (micro * replicas):
        wrong = f"{responses} responses do not split evenly over {replicas} processes of the {role}: some would wait"
        yield settings.says("--rollout.micro_batch_size", wrong, f"a multiple of {micro * replicas} responses")
    elif math.ceil(responses / micro) < replicas:
        wrong = f"{responses} responses are fewer micro-batches than the {role} has processes ({replicas})"
        yield settings.says("--rollout.micro_batch_size", wrong, "a smaller one, or fewer GPUs")


def _supervised_rows(settings: Settings, facts: Facts) -> Iterator[str]:
    if facts.rows is not None:
        rows = min(facts.rows, settings.size("--data.max_samples"))
        if rows < settings.size("--train.batch_size"):
            wrong = f"{rows} training rows are fewer than one batch, so there is no step"
            yield settings.says("--train.batch_size", wrong, f"at most {rows}, or more rows")
        if settings.program == "train_rm" and not settings.text("--eval.dataset") and rows < ENOUGH_TO_HOLD_OUT:
            wrong = f"without it 1 % of {rows} rows is held out, which is none, and fails after loading"
            yield settings.says("--eval.dataset", wrong, f"name one, or give {ENOUGH_TO_HOLD_OUT} rows")
    if settings.text("--eval.dataset") and facts.evaluation_rows < 1:
        yield settings.says("--eval.dataset", "it has no rows", "at least one, or leave it out")


def _prompts(settings: Settings, facts: Facts) -> Iterator[str]:
    if facts.rows is None:
        return
    flag = "--rollout.batch_size"
    rows, batch = min(facts.rows, settings.size("--data.max_samples")), settings.size(flag)
    steps = rows * settings.size("--rollout.n_samples_per_prompt") // settings.size("--train.batch_size")
    if rows < batch or steps * settings.size("--train.num_episodes") < 1:
        wrong = f"{rows} prompts make no full step (OpenRLHF's max_steps would be {steps})"
        yield settings.says(flag, wrong, f"at most {rows}, or more prompts")
    elif rows % batch:
        wrong = f"a pass over {rows} prompts ends in a rollout of {rows % batch}, which leaves a step half accumulated"
        yield settings.says(flag, wrong, f"cut the prompts: --data.max_samples {rows // batch * batch}")


SUPERVISED: Final[tuple[Check, ...]] = (_sizes, _supervised_batches, _supervised_rows)
RL: Final[tuple[Check, ...]] = (_sizes, _rl_batches, _rollouts, _prompts)
