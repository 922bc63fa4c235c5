"""Three laws of the preflight, held against OpenRLHF's own code.

GPUs that its `train` reserves, among stand-ins for Ray; rows that its RayActorGroup gives each process; settings that
its checks rewrite or refuse.
"""

import __future__

import ast
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from types import CodeType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rlaif_spec.engines.openrlhf import flags
from rlaif_spec.engines.openrlhf.command import Command, Program
from rlaif_spec.engines.openrlhf.parsers import checked, installed, source_text
from rlaif_spec.engines.openrlhf.preflight import Facts, gpus_asked, problems

pytestmark = pytest.mark.skipif(installed() is None, reason="openrlhf is not installed")

UNKNOWN = Facts(rows=None, evaluation_rows=0, gpus_per_node=None, flash_attention=False)
SUPERVISED = {"--ds.attn_implementation": ["sdpa"], "--data.input_template": ["{}"]}
BASE: dict[Program, dict[str, list[str]]] = {
    "train_sft": SUPERVISED,
    "train_rm": SUPERVISED,
    "train_ppo_ray": {
        "--actor.model_name_or_path": ["sft"],
        "--critic.model_name_or_path": ["sft"],
        "--reward.model_name_or_path": ["rm"],
        "--vllm.num_engines": ["8"],
        "--rollout.batch_size": ["128"],
        "--train.batch_size": ["128"],
        "--ckpt.save_steps": ["10"],
        "--ds.attn_implementation": ["sdpa"],
    },
}
"""Flags without a problem, from which each law departs."""


def changed(program: Program, more: dict[str, list[str]]) -> Command:
    return Command(program, ("python", "-m"), {**BASE[program], **more})


class Cluster:
    """Stands for Ray: counts the GPUs that are reserved, and what each process is sent."""

    def __init__(self) -> None:
        self.reserved = 0.0
        self.sent: dict[int, int] = {}

    def placement_group(self, bundles: list[dict[str, int]], strategy: str) -> SimpleNamespace:
        self.reserved += sum(bundle["GPU"] for bundle in bundles)
        return SimpleNamespace(free=[1.0] * len(bundles), ready=lambda: None)

    def actor_type(self) -> SimpleNamespace:
        return SimpleNamespace(options=self._options)

    def _options(self, num_gpus: float, scheduling_strategy: Any = None, **rest: Any) -> SimpleNamespace:
        if scheduling_strategy is None:
            self.reserved += num_gpus
        else:
            place = scheduling_strategy.placement_group_bundle_index
            scheduling_strategy.placement_group.free[place] -= num_gpus
            assert scheduling_strategy.placement_group.free[place] > -1e-9
        return SimpleNamespace(remote=lambda *ranks, **named: self._process())

    def _process(self) -> SimpleNamespace:
        name = len(self.sent)
        self.sent[name] = 0

        def execute(method: str, chunk: dict[str, list[int]], start: int, end: int) -> None:
            self.sent[name] += sum(chunk["experience"])

        address = SimpleNamespace(remote=lambda: None)
        return SimpleNamespace(get_master_addr_port=address, execute_batch=SimpleNamespace(remote=execute))

    def names(self) -> dict[str, Any]:
        actor_type = self.actor_type()
        kinds = ("PolicyModelActor", "ReferenceModelActor", "CriticModelActor", "RewardModelActor", "RolloutRayActor")
        return {
            **dict.fromkeys(kinds, actor_type),
            "ray": SimpleNamespace(get=lambda ref: (0, 0), put=lambda value: value, is_initialized=lambda: True),
            "placement_group": self.placement_group,
            "PlacementGroupSchedulingStrategy": lambda **named: SimpleNamespace(**named),
            "get_bundle_indices": lambda group, at, size: list(range(at * size, (at + 1) * size)),
            "get_strategy": lambda args: SimpleNamespace(print=lambda *words: None),
            "batch_vllm_engine_call": lambda *words: None,
        }


@cache
def code_of(path: str, name: str) -> CodeType:
    """A definition of OpenRLHF; `train` of RL only up to the trainer."""
    (node,) = (node for node in ast.parse(source_text(path)).body if getattr(node, "name", None) == name)
    if isinstance(node, ast.FunctionDef) and name == "train":
        (end,) = (at for at, line in enumerate(node.body) if "import PPOTrainer" in ast.unparse(line))
        node.body = node.body[:end]
    code: CodeType = compile(ast.Module([node], []), path, "exec", flags=__future__.annotations.compiler_flag)
    return code


def definitions(names: dict[str, Any]) -> dict[str, Any]:
    """OpenRLHF's `train` of RL, `create_vllm_engines` and RayActorGroup, among `names`."""
    wanted = {"cli/train_ppo_ray.py": "train", "trainer/ray/vllm_engine.py": "create_vllm_engines"}
    for path, name in {**wanted, "trainer/ray/launcher.py": "RayActorGroup"}.items():
        exec(code_of(path, name), names)  # noqa: S102  # the installed release, which the command would start
    return names


def size(low: int, high: int) -> st.SearchStrategy[list[str]]:
    return st.integers(low, high).map(lambda value: [str(value)])


SWITCHES = ("colocate_all", "colocate_actor_ref", "colocate_critic_reward", "async_enable")
ROLES = ("actor", "ref", "critic", "reward")
PLACEMENTS = st.fixed_dictionaries(
    {
        **{f"--{role}.num_nodes": size(1, 2) for role in ROLES},
        **{f"--{role}.num_gpus_per_node": size(1, 3) for role in ROLES},
        "--vllm.num_engines": size(1, 4),
        "--vllm.tensor_parallel_size": size(1, 2),
    }
)


def held_against_openrlhf(more: dict[str, list[str]]) -> None:
    """GPUs asked for are those that its own code reserves; a placement that it does not get through has a problem."""
    command = changed("train_ppo_ray", {**more, **EASY_BATCHES})
    arguments = checked("train_ppo_ray", command.arguments).arguments
    assert arguments is not None
    cluster = Cluster()
    try:
        definitions(cluster.names())["train"](arguments)
    except (AssertionError, IndexError):
        assert any("colocate" in line for line in problems(command, UNKNOWN))
    else:
        assert gpus_asked(command)["total"] == pytest.approx(cluster.reserved)
        async_only = [line for line in problems(command, UNKNOWN) if "async_enable" not in line]
        assert async_only == []


@pytest.mark.parametrize("switches", list(product([False, True], repeat=len(SWITCHES))))
@pytest.mark.parametrize("others", [1, 2, 3])
def test_gpus_asked_are_those_that_openrlhf_reserves_under_all_switches(switches: list[bool], others: int) -> None:
    """The actor has 2 GPUs, critic and reward model `others`."""
    for coefficient, estimator, remote in product(("0", "0.05"), ("gae", "reinforce"), ([], ["r.py"])):
        sizes = {f"--{role}.num_gpus_per_node": [str(others if role[-1] in "cd" else 2)] for role in ROLES}
        held_against_openrlhf(
            {
                **sizes,
                **{f"--train.{name}": [] for name, on in zip(SWITCHES, switches, strict=True) if on},
                **({"--reward.remote_url": remote} if remote else {}),
                "--algo.kl.init_coef": [coefficient],
                "--algo.advantage.estimator": [estimator],
                "--vllm.num_engines": ["2"],
            }
        )


@settings(max_examples=100, deadline=None)
@given(more=PLACEMENTS, switch=st.sampled_from([*SWITCHES[:3], None]))
def test_gpus_asked_are_those_that_openrlhf_reserves_for_all_sizes(
    more: dict[str, list[str]], switch: str | None
) -> None:
    held_against_openrlhf({**more, **({f"--train.{switch}": []} if switch else {})})


EASY_BATCHES = {"--train.batch_size": ["360"], "--rollout.batch_size": ["360"]}
"""No placement of these tests has trouble with them."""


@settings(max_examples=150, deadline=None)
@given(
    gpus=st.integers(1, 4),
    prompts=st.integers(1, 16),
    responses=st.integers(1, 3),
    micro=st.integers(1, 4),
    rollout_micro=st.integers(1, 4),
)
def test_batches_are_right_exactly_where_every_process_gets_as_many_rows_and_makes_whole_steps(
    gpus: int, prompts: int, responses: int, micro: int, rollout_micro: int
) -> None:
    rows = prompts * responses
    command = changed(
        "train_ppo_ray",
        {
            **{f"--{role}.num_gpus_per_node": [str(gpus)] for role in ("actor", "ref", "critic", "reward")},
            "--train.colocate_all": [],
            "--vllm.num_engines": [str(gpus)],
            "--rollout.batch_size": [str(prompts)],
            "--rollout.n_samples_per_prompt": [str(responses)],
            "--rollout.micro_batch_size": [str(rollout_micro)],
            "--train.batch_size": [str(rows)],
            "--train.micro_batch_size": [str(micro)],
        },
    )
    cluster = Cluster()
    names = definitions(cluster.names())
    group = names["RayActorGroup"](1, gpus, cluster.actor_type())
    sizes = [len(range(start, min(start + rollout_micro, rows))) for start in range(0, rows, rollout_micro)]
    steps_are_whole = any(micro * gpus * accumulated == rows for accumulated in range(1, rows + 1))
    try:
        group.async_run_method_batch("append", experience=sizes)
    except ValueError:
        shares_are_equal = False
    else:
        shares_are_equal = len(set(cluster.sent.values())) == 1
    assert (problems(command, UNKNOWN) == []) is (steps_are_whole and shares_are_equal)


REWRITES: dict[str, Callable[[], st.SearchStrategy[list[str]]]] = {
    "--ds.packing_samples": lambda: st.just([]),
    "--train.dynamic_batch_enable": lambda: st.just([]),
    "--ds.ring_attn_size": lambda: size(1, 2),
    "--ds.attn_implementation": lambda: st.sampled_from([["sdpa"], ["eager"], ["flash_attention_2"]]),
    "--data.input_template": lambda: st.sampled_from([["{}"], ["Q: {}"], ["Q"], [""]]),
}


@settings(max_examples=100, deadline=None)
@given(data=st.data(), program=st.sampled_from(sorted(BASE)))
def test_what_openrlhf_rewrites_or_asserts_is_refused_before(data: st.DataObject, program: Program) -> None:
    known = flags.table()[program]
    options = {flag: values() for flag, values in REWRITES.items() if flag in known}
    command = changed(program, data.draw(st.fixed_dictionaries({}, optional=options)))
    assume(checked(program, command.arguments).problems)
    assert problems(command, replace(UNKNOWN, flash_attention=True, templates={}))
