"""A killed driver, a killed worker and a lost Ray head: each training goes on from its last checkpoint by itself.

Killed in the hardest way (SIGKILL), among the children of the run itself and never by name alone.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("deepspeed")
psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SPEC = HERE.parents[1] / "specs" / "summarize_RLHF.yaml"
STEPS, EVERY = 24, 4
MINUTES = 8


def started(folder: Path, environment: dict[str, str], scale: str = "short-openrlhf.yaml") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "rlaif_spec", "run", str(SPEC), "--scale", str(HERE / scale), "--seeds", "0"]
    return subprocess.Popen(
        command, cwd=folder, env=environment | {"RLAIF_SPEC_FAKE_GPUS": "5"}, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, shimmed: dict[str, str]) -> Path:
    """A run that nobody disturbed: what comes before RL is taken from it."""
    folder = tmp_path_factory.mktemp("whole")
    run = started(folder, shimmed)
    _, error = run.communicate(timeout=MINUTES * 60)
    assert run.returncode == 0, error
    return folder


def family(run: "subprocess.Popen[str]") -> "list[psutil.Process]":
    return list(psutil.Process(run.pid).children(recursive=True))


def is_driver(process: "psutil.Process") -> bool:
    return process.cmdline()[:3] == ["python", "-m", "openrlhf.cli.train_ppo_ray"]


def is_worker(process: "psutil.Process") -> bool:
    return any("ray::PolicyModelActor" in word for word in process.cmdline())


def is_head(process: "psutil.Process") -> bool:
    return any(word.endswith("/gcs_server") for word in process.cmdline()[:1])


def kill_one(run: "subprocess.Popen[str]", wanted: Callable[["psutil.Process"], bool]) -> int:
    for process in family(run):
        try:
            if wanted(process):
                process.kill()
                return int(process.pid)
        except psutil.NoSuchProcess:
            continue
    raise AssertionError("nobody to kill")


def wait_for_checkpoint(folder: Path, run: "subprocess.Popen[str]") -> None:
    """Until at least one checkpoint is whole."""
    end = time.monotonic() + MINUTES * 60
    while time.monotonic() < end:
        assert run.poll() is None, run.communicate()
        if list((folder / "runs").glob(".rl-*/scratch/checkpoints/_critic/latest")):
            return
        time.sleep(0.2)
    raise AssertionError("no checkpoint")


def at_its_first_checkpoint(whole: Path, folder: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    """A run that found all before RL done, and has something to be continued from."""
    for path in (whole / "runs").iterdir():
        if path.name.startswith(("data-", "sft-", "reward-model-")):
            shutil.copytree(path, folder / "runs" / path.name)
    run = started(folder, environment)
    wait_for_checkpoint(folder, run)
    return run


@pytest.mark.parametrize("wanted", [is_driver, is_worker, is_head], ids=["driver", "worker", "head"])
def test_a_killed_training_continues_from_its_last_checkpoint(
    whole: Path, tmp_path: Path, shimmed: dict[str, str], wanted: Callable[["psutil.Process"], bool]
) -> None:
    run = at_its_first_checkpoint(whole, tmp_path, shimmed)
    kill_one(run, wanted)
    children = family(run)
    _, error = run.communicate(timeout=MINUTES * 60)
    assert run.returncode == 0, error
    (saved,) = re.findall(r"continued from global_step(\d+) \(restart 1 of 1\)", error)
    assert int(saved) >= EVERY
    assert int(saved) % EVERY == 0
    check_finished(tmp_path, int(saved))
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def check_finished(folder: Path, saved: int) -> None:
    """The training did all its steps, those up to the checkpoint only once."""
    (rl,) = (folder / "runs").glob("rl-*")
    rows = [json.loads(line) for line in (rl / "train.jsonl").read_text().splitlines()]
    found = [row["step"] for row in rows]
    assert found == sorted(set(found))
    assert set(range(saved + 1, STEPS + 1)) <= set(found)
    note = json.loads((rl / "engine.json").read_bytes())
    assert note["attempts"] == 2
    candidates = json.loads((rl / "candidates.json").read_bytes())["candidates"]
    assert [row["step"] for row in candidates] == [12, 24]


def test_a_runner_that_is_killed_leaves_nothing_running_and_the_next_one_goes_on(
    whole: Path, tmp_path: Path, shimmed: dict[str, str]
) -> None:
    run = at_its_first_checkpoint(whole, tmp_path, shimmed)
    children = family(run)
    run.kill()
    run.communicate()
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    again = started(tmp_path, shimmed)
    _, error = again.communicate(timeout=MINUTES * 60)
    assert again.returncode == 0, error
    assert "(continued)" in error
    (log,) = (tmp_path / "runs").glob("rl-*/command.sh")
    assert "--ckpt.load_enable" in log.read_text()
