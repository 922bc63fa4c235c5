"""What our entry modules, agents, collectors and CPU shims take for granted of OpenRLHF, held against its source.

Nothing is imported: definitions are cut out of the installed release and looked at, or run among stand-ins.
"""

import __future__

import ast
import asyncio
import contextlib
import inspect
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlaif_spec.engines.openrlhf.parsers import installed, source_text

pytestmark = pytest.mark.skipif(installed() is None, reason="openrlhf is not installed")

REWARD_DATA, SFT_DATA = "datasets/reward_dataset.py", "datasets/sft_dataset.py"
RM_TRAINER, AGENT, ENGINE = "trainer/rm_trainer.py", "utils/agent.py", "trainer/ray/vllm_engine.py"


def node_of(path: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef:
    """The definition of `Class.method`, a class or a function, without what decorates it."""
    body = ast.parse(source_text(path)).body
    found: Any = None
    for part in name.split("."):
        (found,) = (node for node in body if getattr(node, "name", None) == part)
        body = found.body
    found.decorator_list = []
    return found  # type: ignore[no-any-return]


def taken_out(path: str, name: str, **names: Any) -> Any:
    """A definition made anew among `names`."""
    scope: dict[str, Any] = dict(names)
    code = compile(ast.Module([node_of(path, name)], []), path, "exec", flags=__future__.annotations.compiler_flag)
    exec(code, scope)  # noqa: S102  # the installed release
    return scope[name.rpartition(".")[2]]


def calls(node: ast.AST) -> Iterator[str]:
    return (ast.unparse(call) for call in ast.walk(node) if isinstance(call, ast.Call))


def parameters(path: str, name: str) -> list[str]:
    node = node_of(path, name)
    assert not isinstance(node, ast.ClassDef)
    return [argument.arg for argument in node.args.args]


# The soft reward model


def test_the_trainer_builds_its_loss_by_the_name_that_we_replace() -> None:
    imported = [n for n in ast.parse(source_text(RM_TRAINER)).body if isinstance(n, ast.ImportFrom)]
    assert any(name.name == "PairWiseLoss" and name.asname is None for node in imported for name in node.names)
    assert "PairWiseLoss()" in calls(node_of(RM_TRAINER, "RewardModelTrainer.__init__"))


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_the_loss_gets_scores_and_margin(method: str) -> None:
    found = [call for call in calls(node_of(RM_TRAINER, f"RewardModelTrainer.{method}")) if "loss_fn(" in call]
    assert found == ["self.loss_fn(chosen_reward, reject_reward, margin)"]


def test_a_row_is_read_by_the_name_that_we_replace() -> None:
    assert any(
        call.startswith("preprocess_data(") for call in calls(node_of(REWARD_DATA, "RewardDataset.process_data"))
    )


def test_margin_passes_through_and_is_zero_where_it_is_missing() -> None:
    known = taken_out("datasets/utils.py", "exist_and_not_none")
    read = taken_out(REWARD_DATA, "preprocess_data", exist_and_not_none=known)
    row = {"prompt": "p", "chosen": "c", "rejected": "r"}
    assert read({**row, "margin": 0.3}, "{}", "prompt") == ("p", "c", "r", 0.3)
    assert read(row, "{}", "prompt") == ("p", "c", "r", 0)


def test_margin_is_what_a_row_carries_to_the_batch() -> None:
    process = taken_out(REWARD_DATA, "RewardDataset.process_data", preprocess_data=lambda *a: ("p", "c", "r", 0.3))
    keys = dict.fromkeys(("input_template", "prompt_key", "chosen_key", "rejected_key", "apply_chat_template"))
    assert process(SimpleNamespace(**keys, is_dpo=False), {})["extra"] == 0.3


class Words:
    """A tokenizer that keeps the texts it is given."""

    eos_token, eos_token_id = "<eos>", 2

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str, **settings: Any) -> dict[str, list[list[int]]]:
        self.texts.append(text)
        return {"input_ids": [[1, 1]], "attention_mask": [[1, 0]]}


@pytest.mark.parametrize(("end", "becomes"), [("<eos>", "<eos>"), ("", " <eos>"), ("<eos>\n", "<eos>")])
def test_a_text_that_ends_with_the_end_of_text_token_is_left_alone(end: str, becomes: str) -> None:
    """Another gets a space before the token, which no rollout has; so our data files write the token themselves."""
    words = Words()
    pairs = SimpleNamespace(
        tokenizer=words, max_length=9, prompts=["ask "], chosens=["yes" + end], rejects=["no" + end]
    )
    taken_out(REWARD_DATA, "RewardDataset.__getitem__")(SimpleNamespace(**vars(pairs), extras=[0]), 0)
    sft = SimpleNamespace(tokenizer=words, max_length=9, prompts=["ask "], responses=["yes" + end], pretrain_mode=False)
    taken_out(SFT_DATA, "SFTDataset.__getitem__")(SimpleNamespace(**vars(sft), get_loss_mask=lambda *a: None), 0)
    assert words.texts == ["ask yes" + becomes, "ask no" + becomes, "ask yes" + becomes]


# Agents


def executor_class() -> Any:
    base = taken_out(AGENT, "AgentExecutorBase", ABC=ABC, abstractmethod=abstractmethod)
    names = {"AgentExecutorBase": base, "cycle": cycle, "deepcopy": deepcopy, "logger": logging.getLogger("contract")}
    return taken_out(AGENT, "SingleTurnAgentExecutor", asyncio=asyncio, **names)


def test_execute_takes_what_our_agent_takes() -> None:
    names = list(inspect.signature(executor_class().execute).parameters)
    assert names[1:] == ["prompt", "label", "sampling_params", "max_length", "hf_tokenizer", "llm_engine", "images"]


def test_an_executor_without_a_reward_leaves_it_to_the_agent() -> None:
    """Tokens and the place of the response among them are exact; reward, scores and logs are to be filled."""

    async def generate(ids: list[int], params: Any, multi_modal_data: Any) -> SimpleNamespace:
        answer = SimpleNamespace(token_ids=[7, 8], finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[answer])

    def tokenizer(text: str, **settings: Any) -> dict[str, list[Any]]:
        return {"input_ids": [SimpleNamespace(tolist=lambda: [4, 5, 6])]}

    params, engine = SimpleNamespace(max_tokens=5, logprobs=None), SimpleNamespace(generate=generate)
    output = asyncio.run(executor_class()(None).execute("ask", "label", params, 20, tokenizer, engine))
    told = {"prompt": "ask", "label": "label", "images": None, "mm_train_inputs": None}
    tokens = {"observation_tokens": [4, 5, 6, 7, 8], "action_ranges": [(3, 5)], "rollout_log_probs": None}
    assert output == told | tokens | {"truncated": False, "reward": None, "scores": None, "extra_logs": {}}


@pytest.mark.parametrize(
    ("source", "words"),
    [("class Agent: pass", "must contain"), ("class AgentExecutor: pass", "must inherit"), (None, None)],
)
def test_an_agent_file_holds_agent_executor_made_without_arguments(
    tmp_path: Path, source: str | None, words: str | None
) -> None:
    file = tmp_path / "agent.py"
    file.write_text(source or "class AgentExecutor(ArithmeticError):\n    def __init__(self): self.made = True\n")
    load = taken_out(ENGINE, "_load_agent_executor", AgentExecutorBase=ArithmeticError)
    with pytest.raises(AssertionError, match=words) if words else contextlib.nullcontext():
        assert load(str(file)).made


# Figures and checkpoints


def test_rl_writes_each_figure_of_a_step_as_a_scalar() -> None:
    written: list[tuple[str, float, int]] = []
    writer = SimpleNamespace(add_scalar=lambda *row: written.append(row))
    board = taken_out("utils/logging_utils.py", "TensorboardLogger")
    to_board = board.__new__(board)  # its __init__ would open a file
    to_board.writer = writer
    settings = SimpleNamespace(logger=SimpleNamespace(logging_steps=1), ckpt=SimpleNamespace(save_steps=float("inf")))
    trainer = SimpleNamespace(args=settings, wandb_logger=None, tensorboard_logger=to_board)
    save = taken_out("trainer/ppo_trainer.py", "BasePPOTrainer.save_logs_and_checkpoints")
    save(trainer, 3, {"kl": 0.5, "rollout/reward_mean": 2.0, "nothing": None})
    assert written == [("train/kl", 0.5, 3), ("train/rollout/reward_mean", 2.0, 3)]


def test_rl_logs_to_the_board_whenever_a_folder_is_named() -> None:
    text = ast.unparse(node_of("trainer/ppo_trainer.py", "BasePPOTrainer.__init__"))
    assert "TensorboardLogger(self.args) if self.args.logger.tensorboard_dir else None" in text


@pytest.mark.parametrize("path", [RM_TRAINER, "trainer/sft_trainer.py", "utils/logging_utils.py"])
def test_every_program_writes_scalars_under_train(path: str) -> None:
    assert re.search(r"add_scalar\(f'train/\{k\}', v, global_step\)", ast.unparse(ast.parse(source_text(path))))


def test_the_figures_that_we_collect_of_a_rollout_are_written() -> None:
    text = ast.unparse(node_of("trainer/ppo_trainer.py", "BasePPOTrainer._compute_rollout_stats"))
    for name in ("rollout/reward_mean", "rollout/response_length_mean", "rollout/num_samples"):
        assert f"'{name}'" in text


@pytest.mark.parametrize(
    ("path", "name", "condition"),
    [
        ("cli/train_sft.py", "train", "args.ckpt.load_enable and os.path.exists(args.ckpt.path)"),
        ("cli/train_rm.py", "train", "args.ckpt.load_enable and os.path.exists(args.ckpt.path)"),
        ("trainer/ray/ppo_actor.py", "PolicyModelActor.init_model_from_pretrained", "os.path.exists(ckpt_path)"),
        ("trainer/ray/ppo_critic.py", "CriticModelActor.init_model_from_pretrained", "os.path.exists(ckpt_path)"),
    ],
)
def test_a_missing_checkpoint_is_passed_over_in_silence(path: str, name: str, condition: str) -> None:
    """Why the preflight looks for it."""
    tests = [node for node in ast.walk(node_of(path, name)) if isinstance(node, ast.If)]
    (found,) = (node for node in tests if condition in ast.unparse(node.test))
    assert found.orelse == []


@pytest.mark.parametrize("role", ["actor", "critic"])
def test_checkpoints_of_rl_lie_under_the_role(role: str) -> None:
    assert f"os.path.join(args.ckpt.path, '_{role}')" in ast.unparse(
        ast.parse(source_text(f"trainer/ray/ppo_{role}.py"))
    )


# The CPU shims


@pytest.mark.parametrize(
    ("path", "name", "takes"),
    [
        ("trainer/ray/ppo_actor.py", "ActorPPOTrainer.broadcast_to_vllm", ["self"]),
        ("trainer/ray/ppo_actor.py", "ActorPPOTrainer._init_vllm_sync_group", ["self", "backend"]),
        (
            "trainer/ray/vllm_worker_wrap.py",
            "WorkerWrap.update_weight",
            ["self", "name", "dtype", "shape", "empty_cache"],
        ),
        (ENGINE, "RolloutRayActor.update_weight", ["self", "name", "dtype", "shape", "empty_cache"]),
    ],
)
def test_weights_go_to_the_engines_through_what_the_shims_replace(path: str, name: str, takes: list[str]) -> None:
    assert parameters(path, name) == takes


def test_an_engine_passes_an_update_on_by_name() -> None:
    (call,) = calls(node_of(ENGINE, "RolloutRayActor.update_weight"))
    assert call == "self.llm.collective_rpc('update_weight', args=(name, dtype, shape, empty_cache))"


def test_the_replay_buffer_keeps_its_device_under_the_name_that_the_shim_corrects() -> None:
    text = ast.unparse(node_of("trainer/ppo_utils/replay_buffer.py", "NaiveReplayBuffer.__init__"))
    assert "self.target_device = torch.device(f'cuda:{torch.cuda.current_device()}')" in text


@pytest.mark.parametrize(("path", "name"), [(SFT_DATA, "SFTDataset"), (REWARD_DATA, "RewardDataset")])
def test_the_number_of_readers_is_a_default_that_the_shims_change(path: str, name: str) -> None:
    node = node_of(path, f"{name}.__init__")
    assert isinstance(node, ast.FunctionDef)
    last = [argument.arg for argument in node.args.args][-len(node.args.defaults) :]
    assert "num_processors" in last


def test_deepspeed_settings_come_from_the_function_that_the_shim_wraps() -> None:
    assert any(
        call.startswith("get_train_ds_config(")
        for call in calls(ast.parse(source_text("utils/deepspeed/deepspeed.py")))
    )
