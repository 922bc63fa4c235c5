"""RL around its job: candidates are kept, judged and chosen as in the native engine, whatever was killed in between."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rlaif_spec.engines.openrlhf import attempts, rl_training
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.rl_launch import Launch, labeler_gpus
from rlaif_spec.engines.openrlhf.rl_training import RlTraining
from rlaif_spec.engines.protocol import Job, LabelerScores, RewardModelScore, RlTask, Turn
from rlaif_spec.errors import EngineError
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.spec import load_scale
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.settings import LabelSettings, ResponseSettings

ROOT = Path(__file__).parents[3]
TOY = Path(str(files("rlaif_spec") / "toy_models" / "toy-xs"))
SCALE = load_scale(ROOT / "tests" / "openrlhf_cpu" / "short-openrlhf.yaml")
STEPS, EVERY = 24, 12


class NamedByFolder:
    """Asking in which a policy answers with the step of its folder."""

    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1

    def respond(self, folder: Path, prompts: Sequence[str], settings: ResponseSettings, *, seed: int) -> list[str]:
        return [(folder / "step.txt").read_text() if (folder / "step.txt").is_file() else "0"] * len(prompts)


def policy(folder: Path, step: int) -> None:
    shutil.copytree(TOY, folder, dirs_exist_ok=True)
    (folder / "step.txt").write_text(str(step))


def finished_job(launch: Launch, command: Command) -> None:
    """What OpenRLHF leaves."""
    checkpoints = Path(command.value("--ckpt.path") or "")
    for step in (4, 8, 12, 16, 20, 24):
        policy(checkpoints / f"global_step{step}_hf", step)
    policy(Path(command.value("--ckpt.output_dir") or ""), 24)


def metrics(folder: Path) -> list[dict[str, float]]:
    row = {"policy_loss": 0.1, "rollout/num_samples": 8.0, "rollout/reward_mean": 1.0, "return": 0.9}
    return [{"step": float(step), **row, "rollout/response_length_mean": 5.0} for step in range(1, STEPS + 1)]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    commands: list[Command] = []

    def start(launch: Launch, command: Command) -> None:
        commands.append(command)
        finished_job(launch, command)

    monkeypatch.setattr(Launch, "start", start)
    monkeypatch.setattr(rl_training, "refuse", lambda command, facts: None)
    monkeypatch.setattr(rl_training, "rows", metrics)
    monkeypatch.setattr(attempts, "rows", lambda folder: [])
    return commands


def training(folder: Path, reward: Any, best: int = 0) -> RlTraining:
    """One whose task prefers the candidate at place `best`."""
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    assert SCALE.openrlhf is not None
    task = RlTask(
        prompts=["my bike is stuck ."],
        validation=["my bike is stuck ."],
        reward=reward,
        probe=lambda turns: {"answered": float(turns[0].response)},
        choose=lambda figures: best,
        respond=SCALE.respond,
    )
    settings = SCALE.rl.model_copy(update={"standardize_reward": False})
    job = Job(folder, 7, lambda progress: None)
    return RlTraining(TOY, task, settings, job, SCALE.openrlhf, NamedByFolder())  # type: ignore[arg-type]


def reward_model(turns: Sequence[Turn]) -> list[float]:
    return [0.0 for _ in turns]


def test_candidates_are_judged_in_order_and_the_chosen_one_is_the_model(tmp_path: Path, started: list[Command]) -> None:
    training(tmp_path, RewardModelScore(TOY, reward_model)).run()
    found = json.loads((tmp_path / "candidates.json").read_bytes())
    assert [(row["step"], row["answered"]) for row in found["candidates"]] == [(12, 12), (24, 24)]
    assert found["chosen"] == 0
    assert (tmp_path / "model" / "step.txt").read_text() == "12"
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == STEPS


def test_a_run_that_was_killed_after_the_choice_chooses_the_same_again(tmp_path: Path, started: list[Command]) -> None:
    training(tmp_path, RewardModelScore(TOY, reward_model)).run()
    before = (tmp_path / "candidates.json").read_bytes()
    shutil.rmtree(tmp_path / "model")
    training(tmp_path, RewardModelScore(TOY, reward_model)).run()
    assert (tmp_path / "candidates.json").read_bytes() == before
    assert (tmp_path / "model" / "step.txt").read_text() == "12"
    assert len(started) == 1, "the job itself is not started again"


def test_a_candidate_that_is_not_whole_is_named(tmp_path: Path, started: list[Command]) -> None:
    reward = RewardModelScore(TOY, reward_model)
    training(tmp_path, reward).run()
    (tmp_path / "scratch" / "checkpoints" / "global_step12_hf" / "tokenizer_config.json").unlink()
    with pytest.raises(EngineError, match="no policy of step 12 is whole"):
        training(tmp_path, reward).run()


def test_one_pass_over_the_prompts_is_all_steps(tmp_path: Path, started: list[Command]) -> None:
    training(tmp_path, RewardModelScore(TOY, reward_model)).run()
    (command,) = started
    rows = Path(command.value("--data.prompt_dataset") or "").read_text().splitlines()
    assert len(rows) == STEPS * SCALE.rl.batch_size
    assert command.value("--reward.model_name_or_path") == str(TOY)
    assert command.number("--actor.num_nodes", 0) == 1


def test_direct_rlaif_leaves_an_agent_file_without_a_key(
    tmp_path: Path, started: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLAIF_SPEC_LABELER_KEY", "a-secret")
    texts = PromptLibrary("toy", "helpful")
    contexts = {"my bike is stuck .": "the context"}
    training(tmp_path, LabelerScores(TOY, False, texts, contexts, LabelSettings(), reward_model)).run()
    (command,) = started
    agent = Path(command.value("--train.agent_func_path") or "")
    compile(agent.read_text(), "agent.py", "exec")
    assert "a-secret" not in agent.read_text()
    assert "http://127.0.0.1:8101/v1" in agent.read_text()
    first = json.loads(Path(command.value("--data.prompt_dataset") or "").read_text().splitlines()[0])
    assert first["label"] == "the context"
    assert not command.has("--reward.model_name_or_path")


def test_direct_rlaif_asks_a_server_that_is_somebody_elses_and_starts_none(
    tmp_path: Path, started: list[Command]
) -> None:
    server = Endpoint(url="http://far:8000/v1", model="judge", key_variable="FAR_KEY", in_flight=3)
    scores = LabelerScores(server, True, PromptLibrary("toy", "helpful"), {}, LabelSettings(), reward_model)
    contexts = {"my bike is stuck .": "the context"}
    training(tmp_path, replace(scores, contexts=contexts)).run()
    (command,) = started
    settings: dict[str, Any] = {}
    text = Path(command.value("--train.agent_func_path") or "").read_text()
    exec(text.replace("AgentExecutor = agent_executor(SETTINGS)", ""), settings)  # noqa: S102
    asked = settings["SETTINGS"]
    assert (asked.url, asked.model, asked.chat, asked.in_flight) == ("http://far:8000/v1", "judge", True, 3)
    assert (asked.key_variable, asked.top_logprobs, asked.direct) == ("FAR_KEY", 20, False)
    assert SCALE.openrlhf is not None
    assert labeler_gpus(SCALE.openrlhf, scores) == 0
    assert labeler_gpus(SCALE.openrlhf, replace(scores, labeler=TOY)) == SCALE.openrlhf.labeler.gpus > 0


def test_a_reward_that_cannot_leave_this_process_is_refused(tmp_path: Path, started: list[Command]) -> None:
    with pytest.raises(EngineError, match="a reward must be a reward model or a labeler"):
        training(tmp_path, reward_model).run()
