"""What stands around an RL job: a labeler's server where its weights are ours, and the key that it asks for."""

from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlaif_spec.engines.openrlhf import rl_launch
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.launch.dashboard import Cluster
from rlaif_spec.engines.openrlhf.launch.ray_job import JobOutcome, RayJob
from rlaif_spec.engines.openrlhf.rl_launch import Launch
from rlaif_spec.engines.openrlhf.server import ServerPlan
from rlaif_spec.engines.openrlhf.training import Place
from rlaif_spec.engines.protocol import Job, LabelerScores
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.spec import load_scale
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.settings import LabelSettings

TOY = Path(str(files("rlaif_spec") / "toy_models" / "toy-xs"))
SCALE = load_scale(Path(__file__).parents[3] / "tests" / "openrlhf_cpu" / "short-openrlhf.yaml")
FAR = Endpoint(url="http://far:8000/v1", model="judge", key_variable="FAR_KEY")


class Block:
    """A process of ours that lives for a block."""

    cluster = Cluster("http://127.0.0.1:1")

    def __enter__(self) -> "Block":
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def check(self) -> None:
        pass

    def answers(self) -> bool:
        return True


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The servers that were planned, and the jobs that were submitted."""
    found = SimpleNamespace(servers=[], jobs=[])

    def serve(plan: ServerPlan, log: Path) -> Block:
        found.servers.append(plan)
        return Block()

    def submit(command: Command, cluster: Cluster, job: RayJob, watch: Any) -> JobOutcome:
        found.jobs.append(job)
        return JobOutcome("one", "SUCCEEDED", 0, 1.0, "")

    monkeypatch.setattr(rl_launch, "LabelerServer", serve)
    monkeypatch.setattr(rl_launch, "RayHead", lambda settings, log: Block())
    monkeypatch.setattr(rl_launch, "wait_for_gpus", lambda cluster, gpus: None)
    monkeypatch.setattr(rl_launch, "submit_and_wait", submit)
    return found


def launch(folder: Path, labeler: Path | Endpoint | None) -> Launch:
    texts = PromptLibrary("toy", "helpful")
    scores = (
        None
        if labeler is None
        else LabelerScores(labeler, False, texts, {}, LabelSettings(), lambda turns: [0.0 for _ in turns])
    )
    assert SCALE.openrlhf is not None
    place = Place.within(folder, str(TOY), "prompts.jsonl", 1)
    place.scratch.mkdir(parents=True)
    return Launch(place, SCALE.openrlhf, Job(folder, 1, lambda progress: None), scores, SCALE.rl, lambda row: {})


COMMAND = Command("train_ppo_ray", ("python", "-m"), {})


def test_a_labeler_whose_weights_are_ours_is_served_and_asked_directly(tmp_path: Path, began: SimpleNamespace) -> None:
    one = launch(tmp_path, TOY)
    one.start(COMMAND)
    one.write_agent(tmp_path / "agent.py")
    (plan,), (job,) = began.servers, began.jobs
    assert plan.key_variable == "RLAIF_SPEC_LABELER_KEY"
    assert "RLAIF_SPEC_LABELER_KEY" in job.secret_variables
    text = (tmp_path / "agent.py").read_text()
    assert f"url={plan.url!r}" in text
    assert "direct=True" in text
    assert "top_logprobs=200" in text


def test_somebody_elses_server_is_not_started_and_its_key_goes_to_the_job(
    tmp_path: Path, began: SimpleNamespace
) -> None:
    one = launch(tmp_path, FAR)
    one.start(COMMAND)
    one.write_agent(tmp_path / "agent.py")
    (job,) = began.jobs
    assert began.servers == []
    assert "FAR_KEY" in job.secret_variables
    text = (tmp_path / "agent.py").read_text()
    assert "url='http://far:8000/v1'" in text
    assert "direct=False" in text


def test_without_a_labeler_there_is_no_server_and_no_key(tmp_path: Path, began: SimpleNamespace) -> None:
    launch(tmp_path, None).start(COMMAND)
    (job,) = began.jobs
    assert began.servers == []
    assert not [name for name in job.secret_variables if "LABELER" in name]
