"""How many GPUs a command asks for, in OpenRLHF's own order, and whether the cluster has them.

Ray gives no error where GPUs are short: the job waits for ever, without a message.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.preflight_facts import ROLES, Check, Facts, Settings


def processes(command: Command, facts: Facts) -> tuple[int, int] | None:
    """Nodes and processes on each that the launcher of SFT or reward model starts; None where it leaves them open."""
    given: dict[str, str] = {}
    for word, after in zip(command.launcher, [*command.launcher[1:], ""], strict=True):
        name, _, value = word.partition("=")
        given.setdefault(name.replace("-", "_").strip("_"), value or after)
    names = {word.rpartition("/")[2] for word in command.launcher}
    if "deepspeed" in names:
        nodes, each = given.get("num_nodes", str(facts.nodes)), given.get("num_gpus", str(facts.gpus_per_node))
    elif names & {"torchrun", "torch.distributed.run"}:
        nodes, each = given.get("nnodes", "1"), given.get("nproc_per_node", "1")
        each = str(facts.gpus_per_node) if each in ("gpu", "auto") else each
    else:
        return 1, 1
    return (int(nodes), int(each)) if nodes.isdigit() and each.isdigit() else None


def _supervised_gpus(settings: Settings, facts: Facts) -> Iterator[str]:
    shape = processes(settings.command, facts)
    if shape is None or facts.gpus_per_node is None:
        return
    free = facts.gpus_per_node - facts.labeler_gpus
    if shape[1] > free:
        yield f"{settings.program}: {shape[1]} processes on a node that has {free} GPUs free; at most {free}"
    if shape[0] > facts.nodes:
        wrong = f"{shape[0]} nodes are asked for and there are {facts.nodes}: the others are waited for"
        yield f"{settings.program}: {wrong}; at most {facts.nodes}"


@dataclass(frozen=True)
class _Reservation:
    role: str
    gpus: int
    waits: str
    """Where OpenRLHF waits for them."""


def _reservations(settings: Settings) -> Iterator[_Reservation]:
    """The GPUs that train_ppo_ray.train asks Ray for, in its order."""
    everything = settings.on("--train.colocate_all")
    pair = everything or settings.on("--train.colocate_actor_ref")
    if pair:
        yield _Reservation("actor", settings.gpus("actor"), "ray.get(pg.ready()) for actor and reference, in train")
    engines = settings.whole("--vllm.num_engines") * settings.size("--vllm.tensor_parallel_size")
    if engines > 0 and not (everything and not settings.on("--train.async_enable")):
        yield _Reservation("vllm", engines, "ray.get(shared_pg.ready()) in create_vllm_engines")
    valued = "critic" in settings.roles and settings.on("--train.colocate_critic_reward")
    for role in settings.roles:
        with_others = pair if role in ("actor", "reference") else (everything or valued)
        if role == "critic" and valued:
            yield _Reservation(role, settings.gpus(role), "ray.get(pg.ready()) for critic and reward model, in train")
        elif not with_others:
            grouped = settings.size(f"--{ROLES[role]}.num_gpus_per_node") > 1
            waits = (
                "ray.get(pg.ready()) in RayActorGroup" if grouped else "ray.get(refs) after init_model_from_pretrained"
            )
            yield _Reservation(role, settings.gpus(role), f"{waits}, for the {role}")


def gpus_asked(command: Command) -> dict[str, int]:
    """GPUs that each role of train_ppo_ray takes (0 for one on the GPUs of another), `vllm`, and their `total`.

    For SFT and reward model, the launcher's processes: `training` and `total`; nothing where it leaves them open.
    UserError where a flag that decides it cannot be read.
    """
    settings = Settings(command)
    if command.program != "train_ppo_ray":
        shape = processes(command, Facts(rows=None, evaluation_rows=0, gpus_per_node=None, flash_attention=False))
        return {} if shape is None else {"training": math.prod(shape), "total": math.prod(shape)}
    asked = dict.fromkeys([*settings.roles, "vllm"], 0)
    for reservation in _reservations(settings):
        asked[reservation.role] += reservation.gpus
    return {**asked, "total": sum(asked.values())}


def waits(command: Command) -> list[str]:
    """Where train_ppo_ray waits for GPUs without a limit, in its order; nothing for SFT and reward model."""
    if command.program != "train_ppo_ray":
        return []
    return [f"{found.waits} ({found.gpus})" for found in _reservations(Settings(command))]


def _rl_gpus(settings: Settings, facts: Facts) -> Iterator[str]:
    if facts.gpus_per_node is None:
        return
    there = facts.nodes * facts.gpus_per_node
    free, taken = there - facts.labeler_gpus, 0
    for reservation in _reservations(settings):
        taken += reservation.gpus
        if taken > free:
            asked = ", ".join(f"{role} {count}" for role, count in gpus_asked(settings.command).items() if count)
            wrong = f"it asks for more GPUs ({asked}) than are free ({free} of {there})"
            served = f" ({facts.labeler_gpus} are the labeler's: lower labeler.gpus, or bind its size to an endpoint)"
            right = f"at most {free}{served if facts.labeler_gpus else ''}"
            yield f"{settings.program}: {wrong}, and would wait for ever at {reservation.waits}; {right}"
            return


def _colocation(settings: Settings, facts: Facts) -> Iterator[str]:
    everything, pair, valued = "--train.colocate_all", "--train.colocate_actor_ref", "--train.colocate_critic_reward"
    actor = settings.gpus("actor")
    engines = settings.whole("--vllm.num_engines") * settings.size("--vllm.tensor_parallel_size")
    if settings.on(everything) and 0 < engines != actor:
        yield settings.says(everything, f"actor has {actor} GPUs, engines x tensor parallel {engines}", "as many")
    sharing = ((everything, "actor", "reference"), (pair, "actor", "reference"), (valued, "reward", "critic"))
    for flag, one, other in sharing:
        shapes = _shape(settings, one), _shape(settings, other)
        if settings.on(flag) and other in settings.roles and shapes[0] != shapes[1]:
            wrong = f"{one} has {shapes[0]}, {other} {shapes[1]}, which OpenRLHF asserts to be the same"
            yield settings.says(flag, wrong, "the same --*.num_nodes and --*.num_gpus_per_node")
    apart = settings.on(valued) and "critic" in settings.roles
    for role in ("critic", "reward"):
        if settings.on(everything) and not apart and role in settings.roles and settings.gpus(role) > actor:
            wrong = f"the {role} has {_shape(settings, role)}, more than the {actor} GPUs of the actor that it shares"
            yield settings.says(everything, wrong, "as many")


def _shape(settings: Settings, role: str) -> str:
    nodes, each = (settings.whole(f"--{ROLES[role]}.{name}") for name in ("num_nodes", "num_gpus_per_node"))
    return f"{nodes} x {each} GPUs"


SUPERVISED: Final[tuple[Check, ...]] = (_supervised_gpus,)
RL: Final[tuple[Check, ...]] = (_rl_gpus, _colocation)
