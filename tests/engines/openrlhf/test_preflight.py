"""Each refusal of the preflight, next to what is not refused."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlaif_spec.engines.openrlhf import flags
from rlaif_spec.engines.openrlhf.command import Command, Program
from rlaif_spec.engines.openrlhf.preflight import (
    Facts,
    checkpoint_of,
    gpus_asked,
    problems,
    refuse,
    template_of,
)
from rlaif_spec.errors import UserError

FACTS = Facts(rows=1024, evaluation_rows=0, gpus_per_node=8, flash_attention=False)
ANY_DATA = replace(FACTS, rows=None, gpus_per_node=None)
TORCHRUN = ("torchrun", "--nproc_per_node", "8", "-m")
SUPERVISED = {"--ds.attn_implementation": ["sdpa"], "--data.input_template": ["{}"]}
BASE = {
    "train_sft": Command("train_sft", TORCHRUN, SUPERVISED),
    "train_rm": Command("train_rm", TORCHRUN, SUPERVISED),
    "train_ppo_ray": Command(
        "train_ppo_ray",
        ("python", "-m"),
        {
            "--actor.model_name_or_path": ["sft"],
            "--critic.model_name_or_path": ["sft"],
            "--reward.model_name_or_path": ["rm"],
            "--vllm.num_engines": ["8"],
            "--train.colocate_all": [],
            "--rollout.batch_size": ["128"],
            "--train.batch_size": ["128"],
            "--ckpt.save_steps": ["10"],
            "--ds.attn_implementation": ["sdpa"],
        },
    ),
}
"""Commands without a problem, from which each test departs."""


def changed(program: Program, more: dict[str, list[str]], less: Sequence[str] = ()) -> Command:
    base = BASE[program]
    kept = {flag: values for flag, values in base.flags.items() if flag not in less}
    return replace(base, flags={**kept, **more})


@pytest.mark.parametrize("program", list(BASE))
def test_a_sound_command_may_start(program: str) -> None:
    assert problems(BASE[program], FACTS) == []
    refuse(BASE[program], FACTS)


def test_all_problems_come_at_once_as_the_users_error() -> None:
    command = changed("train_ppo_ray", {"--use_ms": [], "--algo.kl.init": ["0"], "--ds.lora.rank": ["8"]})
    with pytest.raises(UserError) as caught:
        refuse(command, FACTS)
    assert len(str(caught.value).splitlines()) == len(problems(command, FACTS)) == 3


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"--algo.kl.init": ["0.1"]}, "cut short"),
        ({"--train.batch_size": ["many"]}, "no whole number"),
        ({"--train.micro_batch_size": ["3"]}, "no multiple of 24"),
        ({"--rollout.batch_size": ["64"]}, "64 rows, not 128: the update is off-policy"),
        ({"--train.max_epochs": ["2"]}, "train_ppo_ray --train.max_epochs 2: a second pass"),
        ({"--rollout.batch_size": ["2048"]}, "1024 prompts make no full step"),
        ({"--ds.zero_stage": ["3"], "--reward.num_gpus_per_node": ["3"]}, "evenly over 3 processes of the reward"),
        (
            {"--ds.tensor_parallel_size": ["2"], "--ref.num_gpus_per_node": ["3"]},
            "3 GPUs of the reference do not split",
        ),
        ({"--rollout.micro_batch_size": ["32"]}, "do not split evenly over 8 processes of the actor"),
        ({"--ds.tensor_parallel_size": ["3"]}, "8 GPUs of the actor do not split in groups of 3"),
        ({"--rollout.batch_size": ["2048"], "--train.batch_size": ["2048"]}, "1024 prompts make no full step"),
        ({"--data.max_samples": ["1000"]}, "cut the prompts: --data.max_samples 896"),
        ({"--data.input_template": ["Ask"]}, "not exactly one {}"),
        ({"--data.input_template": ["{} {}"]}, "not exactly one {}"),
        ({"--data.input_template": ["{"]}, "not exactly one {}"),
        ({"--data.input_template": ["{}\\n"]}, "a backslash and an n"),
        ({"--vllm.num_engines": ["4"]}, "actor has 8 GPUs, engines x tensor parallel 4"),
        ({"--ref.num_gpus_per_node": ["4"]}, "actor has 1 x 8 GPUs, reference 1 x 4 GPUs"),
        ({"--reward.num_nodes": ["2"]}, "the reward has 2 x 8 GPUs, more than the 8 GPUs of the actor"),
        ({"--ds.packing_samples": []}, "needs flash-attn"),
        ({"--train.dynamic_batch_enable": []}, "silently replaces --ds.attn_implementation sdpa"),
        ({"--ds.attn_implementation": ["flash_attention_2"]}, "flash-attn is not installed, and OpenRLHF imports it"),
        ({"--ds.lora.rank": ["8"]}, "where a whole model is loaded"),
        ({"--ds.load_in_4bit": []}, "do not reach vLLM"),
        ({"--reward.normalize_enable": []}, "uninitialised memory"),
        ({"--vllm.num_engines": ["0"]}, "from vLLM only"),
        ({"--algo.advantage.estimator": ["rloo"]}, "compares responses to one prompt"),
        ({"--algo.advantage.estimator": ["dr_grpo"]}, "compares responses to one prompt"),
        ({"--critic.model_name_or_path": []}, "0 values"),
        ({"--ckpt.load_enable": []}, "silently start over"),
        ({"--ckpt.save_steps": ["-1"]}, "nothing is saved"),
        ({"--ckpt.disable_ds": []}, "no optimizer state is saved"),
        ({"--algo.kl.target": ["6"]}, "in no checkpoint"),
        ({"--logger.wandb.key": ["secret"]}, "write the word env"),
        ({"--train.async_enable": []}, "off-policy"),
        ({"--train.partial_rollout_enable": []}, "off-policy"),
        ({"--use_ms": []}, "swaps the hub"),
        ({"--eval.steps": ["0"]}, "divides by it"),
        ({"--logger.logging_steps": ["0"]}, "at least 1"),
    ],
)
def test_what_rl_is_refused_for(more: dict[str, list[str]], says: str) -> None:
    found = problems(changed("train_ppo_ray", more), FACTS)
    assert any(says in line for line in found)
    assert all(line.startswith("train_ppo_ray") and "secret" not in line for line in found)


def test_a_critic_is_named_where_there_is_one() -> None:
    without = changed("train_ppo_ray", {}, less=["--critic.model_name_or_path"])
    (line,) = problems(without, FACTS)
    assert "name the model it starts from" in line
    estimator = {"--algo.advantage.estimator": ["reinforce"]}
    assert problems(replace(without, flags={**without.flags, **estimator}), FACTS) == []


def test_the_word_env_is_no_key() -> None:
    assert problems(changed("train_ppo_ray", {"--logger.wandb.key": ["env"]}), FACTS) == []


@pytest.mark.parametrize(
    ("program", "more", "facts", "says"),
    [
        ("train_sft", {}, replace(FACTS, rows=127), "127 training rows are fewer than one batch"),
        ("train_sft", {"--data.max_samples": ["100"]}, FACTS, "100 training rows are fewer than one batch"),
        ("train_sft", {"--train.micro_batch_size": ["12"]}, FACTS, "no multiple of 96"),
        ("train_sft", {}, replace(FACTS, gpus_per_node=4), "8 processes on a node that has 4 GPUs free"),
        ("train_sft", {}, replace(FACTS, labeler_gpus=1), "8 processes on a node that has 7 GPUs free"),
        ("train_sft", {"--eval.dataset": ["e"]}, FACTS, "no rows"),
        ("train_rm", {"--ds.ring_attn_size": ["2"]}, FACTS, "goes with --ds.packing_samples only"),
        ("train_rm", {"--ds.packing_samples": []}, FACTS, "silently replaces"),
        ("train_rm", {"--ckpt.load_enable": []}, FACTS, "silently start over"),
        ("train_rm", {"--optim": ["adafactor"]}, FACTS, "none of adam, muon"),
    ],
)
def test_what_sft_and_reward_model_are_refused_for(
    program: Program, more: dict[str, list[str]], facts: Facts, says: str
) -> None:
    assert any(says in line for line in problems(changed(program, more), facts))


def test_packing_is_fine_with_flash_attention_and_only_by_that_name() -> None:
    there = replace(FACTS, flash_attention=True)
    for kind, count in (("flash_attention_2", 0), ("flash_attention_3", 0), ("kernels-community/vllm-flash-attn3", 1)):
        packed = changed("train_sft", {"--ds.packing_samples": [], "--ds.attn_implementation": [kind]})
        assert len(problems(packed, there)) == count


@pytest.mark.parametrize("rows", [1, 99, 100, 101, 199])
def test_a_reward_model_needs_rows_to_hold_out_exactly_where_one_hundredth_is_none(rows: int) -> None:
    small = {"--train.batch_size": ["8"], "--train.micro_batch_size": ["1"]}
    found = problems(changed("train_rm", small), replace(FACTS, rows=rows))
    assert any("--eval.dataset" in line for line in found) == (int(rows * 0.01) == 0)
    with_rows = problems(
        changed("train_rm", {**small, "--eval.dataset": ["e.jsonl"]}), replace(FACTS, rows=rows, evaluation_rows=1)
    )
    assert not any("--eval.dataset" in line for line in with_rows)


@pytest.mark.parametrize(
    ("launcher", "batch"),
    [
        (("torchrun", "--nproc_per_node", "3", "-m"), "24"),
        (("torchrun", "--nproc-per-node=3", "--nnodes=2", "-m"), "48"),
        (
            ("srun", "--nodes", "2", "python", "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "3"),
            "48",
        ),
        (("torchrun", "--nproc_per_node", "gpu", "-m"), "64"),
        (("deepspeed", "--num_gpus", "3", "--module"), "24"),
        (("deepspeed", "--module"), "64"),
        (("python", "-m"), "8"),
    ],
)
def test_every_launcher_says_how_many_processes_share_a_batch(launcher: tuple[str, ...], batch: str) -> None:
    facts = replace(FACTS, nodes=1 if "deepspeed" in launcher else 2)
    for asked, is_right in ((batch, True), (str(int(batch) + 1), False)):
        command = replace(changed("train_sft", {"--train.batch_size": [asked]}), launcher=launcher)
        assert (problems(command, facts) == []) is is_right


def test_a_launcher_that_leaves_the_count_open_is_not_guessed_at() -> None:
    command = replace(BASE["train_sft"], launcher=("torchrun", "--nproc_per_node", "gpu", "-m"))
    assert problems(command, ANY_DATA) == []
    assert gpus_asked(command) == {}
    assert gpus_asked(BASE["train_sft"]) == {"training": 8, "total": 8}


# Templates


def test_prompt_formats_are_compared_as_they_come_out() -> None:
    sft = replace(BASE["train_sft"], flags={"--ds.attn_implementation": ["sdpa"]})
    assert template_of(sft) == "User: {}\nAssistant: "
    assert template_of(BASE["train_sft"]) is template_of(BASE["train_rm"]) is template_of(BASE["train_ppo_ray"]) is None
    chat: dict[str, list[str]] = {"--data.apply_chat_template": []}
    assert template_of(changed("train_sft", chat)) == template_of(changed("train_ppo_ray", chat))


def test_a_reward_model_without_a_prompt_column_uses_no_template() -> None:
    template = {"--data.input_template": ["Q: {}"]}
    assert template_of(changed("train_rm", template)) is None
    assert template_of(changed("train_rm", {**template, "--data.prompt_key": ["prompt"]})) == "Q: {}"


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ({"--data.input_template": ["Q: {}"]}, {"--data.input_template": ["Q: {}"]}, True),
        ({"--data.input_template": ["Q: {}"]}, {"--data.input_template": ["{}"]}, False),
        ({"--data.input_template": [""]}, {"--data.input_template": ["{}"]}, True),
        ({"--data.apply_chat_template": []}, {"--data.apply_chat_template": []}, True),
        ({"--data.apply_chat_template": []}, {}, False),
        (
            {"--data.apply_chat_template": [], "--data.tokenizer_chat_template": ["x"]},
            {"--data.apply_chat_template": []},
            False,
        ),
    ],
)
def test_stages_that_write_prompts_differently_are_refused(
    one: dict[str, list[str]], other: dict[str, list[str]], agree: bool
) -> None:
    facts = replace(FACTS, templates={"train_sft": template_of(changed("train_sft", one))})
    found = problems(changed("train_ppo_ray", other), facts)
    assert (found == []) is agree
    assert all("differently" in line for line in found)


# Checkpoints


def written(folder: Path, tag: str) -> None:
    (folder / tag).mkdir(parents=True)
    (folder / "latest").write_text(tag)


def test_rl_resumes_only_where_actor_and_critic_have_the_same_step(tmp_path: Path) -> None:
    command = changed("train_ppo_ray", {"--ckpt.load_enable": [], "--ckpt.path": [str(tmp_path)]})
    assert checkpoint_of(command) == tmp_path / "_actor"
    assert len(problems(command, FACTS)) == 2
    written(tmp_path / "_actor", "global_step8")
    assert len(problems(command, FACTS)) == 1
    written(tmp_path / "_critic", "global_step4")
    assert ["different steps" in line for line in problems(command, FACTS)] == [True]
    written(tmp_path / "_critic", "global_step8")
    assert problems(command, FACTS) == []


def test_a_checkpoint_is_a_folder_that_the_file_names(tmp_path: Path) -> None:
    command = changed("train_sft", {"--ckpt.load_enable": [], "--ckpt.path": ["elsewhere"]})
    facts = replace(FACTS, checkpoint=tmp_path)
    (tmp_path / "global_step3").mkdir()
    assert len(problems(command, facts)) == 1
    (tmp_path / "latest").write_text("\n")
    assert len(problems(command, facts)) == 1
    (tmp_path / "latest").write_text("global_step3\n")
    assert problems(command, facts) == []
    (tmp_path / "global_step3").rmdir()
    assert len(problems(command, facts)) == 1


# GPUs


def test_gpus_add_up_for_every_placement() -> None:
    together = BASE["train_ppo_ray"]
    assert gpus_asked(together) == {"actor": 8, "reference": 0, "critic": 0, "reward": 0, "vllm": 0, "total": 8}
    apart = changed("train_ppo_ray", {}, less=["--train.colocate_all"])
    assert gpus_asked(apart)["total"] == 40
    no_kl = changed("train_ppo_ray", {"--algo.kl.init_coef": ["0"]}, less=["--train.colocate_all"])
    assert "reference" not in gpus_asked(no_kl)
    agent = changed("train_ppo_ray", {"--train.agent_func_path": ["a.py"]}, less=["--train.colocate_all"])
    assert gpus_asked(agent)["total"] == 32


@pytest.mark.parametrize(
    ("nodes", "labeler", "waits"),
    [
        (5, 0, None),
        (5, 1, "RayActorGroup, for the reward"),
        (4, 0, "RayActorGroup, for the reward"),
        (3, 0, "RayActorGroup, for the critic"),
        (1, 0, "RayActorGroup, for the actor"),
        (1, 4, "create_vllm_engines"),
    ],
)
def test_where_a_job_that_is_too_large_would_wait(nodes: int, labeler: int, waits: str | None) -> None:
    apart = changed("train_ppo_ray", {}, less=["--train.colocate_all"])
    found = problems(apart, replace(FACTS, nodes=nodes, labeler_gpus=labeler))
    assert len(found) == (waits is not None)
    assert all(str(waits) in line for line in found)


def test_one_gpu_has_no_placement_group_to_wait_for() -> None:
    one = {f"--{role}.num_gpus_per_node": ["1"] for role in ("actor", "ref", "critic", "reward")}
    apart = changed("train_ppo_ray", {**one, "--vllm.num_engines": ["1"]}, less=["--train.colocate_all"])
    (line,) = problems(apart, replace(FACTS, gpus_per_node=4))
    assert "ray.get(refs) after init_model_from_pretrained, for the reward" in line


def test_a_size_that_is_no_number_is_said_once_and_in_words() -> None:
    command = changed("train_ppo_ray", {"--actor.num_nodes": ["two"]})
    assert len(problems(command, FACTS)) == 1
    with pytest.raises(UserError, match=r"--actor\.num_nodes"):
        gpus_asked(command)


# Laws

NUMBERS = st.sampled_from(["-1", "0", "1", "2", "x", "", "1.5"])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_a_command_says_problems_are_lines_with_what_would_be_right(data: st.DataObject) -> None:
    program = data.draw(st.sampled_from(sorted(BASE)))
    names = data.draw(st.lists(st.sampled_from(sorted(flags.table()[program])), max_size=6))  # type: ignore[index]
    more = {name: data.draw(st.lists(NUMBERS | st.text(max_size=3), max_size=2)) for name in names}
    for line in problems(changed(program, more), FACTS):  # type: ignore[arg-type]
        assert "\n" not in line
        where, _, rest = line.partition(": ")
        assert where.startswith(program)
        assert "; " in rest
