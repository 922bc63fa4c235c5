"""Real Ray: a head of ours, jobs that end in every way, everything killed by pid."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("ray")

from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.launch import (
    Checks,
    Cluster,
    HeadSettings,
    JobOutcome,
    RayHead,
    RayJob,
    Watch,
    cluster_gpus,
    submit_and_wait,
    unmet_gpus,
)
from rlaif_spec.engines.openrlhf.launch.keeper import descendants
from rlaif_spec.engines.openrlhf.launch.ray_head import free_ports
from rlaif_spec.errors import EngineError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

FAILING = """
import ray
class JudgementError(Exception): pass
@ray.remote
class Labeler:
    def judge(self):
        raise JudgementError("9 of 10 replies could not be read")
ray.init(); ray.get(Labeler.remote().judge.remote())
"""
WAITING = """
import os, sys, time, pathlib, ray
@ray.remote
class Actor:
    def pid(self): return os.getpid()
    def work(self): time.sleep(600)
ray.init()
actor = Actor.remote()
pids = pathlib.Path(sys.argv[-1])
text = f"{os.getpid()} {ray.get(actor.pid.remote())}"
pids.with_suffix(".part").write_text(text); pids.with_suffix(".part").rename(pids)
ray.get(actor.work.remote())
"""
SHORT_OF_GPUS = """
import ray
from ray.util.placement_group import placement_group
ray.init()
ray.get(placement_group([{"GPU": 1, "CPU": 0}] * 5).ready())
"""


class Script(Command):
    """A command that runs a small program instead of OpenRLHF."""

    @property
    def argv(self) -> list[str]:
        return ["python", "-c", *self.launcher]


def script(*words: str, environment: dict[str, str] | None = None) -> Command:
    return Script(program="train_ppo_ray", launcher=words, flags={}, environment=environment or {})


def settings() -> HeadSettings:
    port, dashboard = free_ports(2)
    return HeadSettings(gpus=2, cpus=2, port=port, dashboard_port=dashboard)


def watch(tick=lambda: None, checks: Checks | None = None) -> Watch:  # type: ignore[no-untyped-def]
    def rows() -> list[dict[str, float]]:
        tick()
        return []

    return Watch(steps=1, rows=rows, tell=lambda progress: None, say=lambda line: None, checks=checks or Checks())


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with RayHead(settings(), tmp_path_factory.mktemp("head") / "head.log") as one:
        yield one


@pytest.fixture
def job(tmp_path: Path) -> RayJob:
    return RayJob("test", 1, tmp_path / "driver.log", lost_seconds=8.0)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_gone(pids: list[int], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not all(gone(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.2)
    assert [pid for pid in pids if not gone(pid)] == []


def waiting_job(cluster: Cluster, job: RayJob, act) -> JobOutcome:  # type: ignore[no-untyped-def]
    """Run the job that waits; `act(driver, actor)` is called once both processes are there."""
    pids = job.log.parent / "pids"
    done = []

    def tick() -> None:
        if pids.exists() and not done:
            done.append(True)
            act(*map(int, pids.read_text(encoding="utf-8").split()))

    return submit_and_wait(script(WAITING, str(pids)), cluster, job, watch(tick))


def test_a_job_that_succeeds(head: RayHead, job: RayJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-0123456789")
    job = replace(job, secret_variables=("A_KEY", "NOT_SET"), metadata={"stage": "rl"})
    program = "import os; print(os.environ['A_KEY'], os.environ['PLAIN'], 'NOT_SET' in os.environ)"
    outcome = submit_and_wait(script(program, environment={"PLAIN": "word"}), head.cluster, job, watch())
    assert (outcome.status, outcome.exit_code, outcome.reason) == ("SUCCEEDED", 0, "")
    assert 0 < outcome.seconds < 60
    log = job.log.read_text(encoding="utf-8")
    assert "*** word False" in log
    assert "sk-0123456789" not in log


def test_the_root_of_a_failure_in_an_actor(head: RayHead, job: RayJob) -> None:
    outcome = submit_and_wait(script(FAILING), head.cluster, job, watch())
    assert (outcome.status, outcome.exit_code) == ("FAILED", 1)
    assert outcome.reason.endswith("JudgementError: 9 of 10 replies could not be read")
    assert "RayTaskError" not in outcome.reason


def test_a_killed_driver(head: RayHead, job: RayJob) -> None:
    outcome = waiting_job(head.cluster, job, lambda driver, actor: os.kill(driver, signal.SIGKILL))
    assert outcome.status == "FAILED"
    assert "SIGKILL" in outcome.reason


def test_a_killed_actor(head: RayHead, job: RayJob) -> None:
    outcome = waiting_job(head.cluster, job, lambda driver, actor: os.kill(actor, signal.SIGKILL))
    assert outcome.status == "FAILED"
    assert "ActorDiedError" in outcome.reason
    assert "Actor" in outcome.reason.rpartition("(")[2]


def test_an_interrupt_stops_the_job(head: RayHead, job: RayJob) -> None:
    pids: list[int] = []

    def interrupt(driver: int, actor: int) -> None:
        pids.extend((driver, actor))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        waiting_job(head.cluster, job, interrupt)
    wait_gone(pids)


def test_gpus_that_are_short_are_seen(head: RayHead, job: RayJob) -> None:
    said: list[str | None] = []

    def ask() -> None:
        said.append(unmet_gpus(head.cluster))
        if said[-1]:
            raise KeyboardInterrupt

    assert unmet_gpus(head.cluster) is None
    with pytest.raises(KeyboardInterrupt):
        submit_and_wait(script(SHORT_OF_GPUS), head.cluster, job, watch(ask))
    assert said[-1] == "GPUs are short: processes of the job wait for 5 more than are free; the cluster has 2"


def test_only_the_token_opens_the_head(head: RayHead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with pytest.raises(EngineError, match="status 401"):
        cluster_gpus(Cluster(head.address))
    assert head.cluster.token not in repr(head.cluster)


def test_two_heads_side_by_side_and_a_taken_port(head: RayHead, tmp_path: Path) -> None:
    other = RayHead(replace(settings(), gpus=3), tmp_path / "other.log")
    with other:
        pids = descendants(other.pid)
        assert (cluster_gpus(head.cluster), cluster_gpus(other.cluster)) == ([2], [3])
        outcome = submit_and_wait(script("1 / 0"), other.cluster, RayJob("b", 1, tmp_path / "b.log"), watch())
        assert outcome.reason == "ZeroDivisionError: division by zero"
        with pytest.raises(EngineError, match="is taken"), RayHead(other._settings, tmp_path / "third.log"):
            pass
    assert len(pids) > 5
    wait_gone(pids)
    assert head.alive()
    assert cluster_gpus(head.cluster) == [2]


@pytest.mark.parametrize("checked", [False, True])
def test_a_head_that_is_killed_under_a_job(job: RayJob, tmp_path: Path, checked: bool) -> None:
    """With the head among the checks the wait ends at once; without, as a lost cluster."""
    with RayHead(settings(), tmp_path / "head.log") as head:
        pids = tmp_path / "pids"

        def kill() -> None:
            if pids.exists() and head.alive():
                os.kill(head.pid, signal.SIGKILL)
                killed.append(time.monotonic())

        one = watch(kill, Checks(health=(head.check,) if checked else ()))
        family = descendants(head.pid)
        killed: list[float] = []
        if checked:
            with pytest.raises(EngineError, match=r"^Ray's head was ended by SIGKILL"):
                submit_and_wait(script(WAITING, str(pids)), head.cluster, job, one)
        else:
            outcome = submit_and_wait(script(WAITING, str(pids)), head.cluster, job, one)
            assert (outcome.status, outcome.exit_code) == ("LOST", None)
            assert "does not answer" in outcome.reason
        assert time.monotonic() - killed[0] < 60
    wait_gone([*family, *map(int, pids.read_text(encoding="utf-8").split())])


def test_no_ray_is_left_when_the_runner_is_killed(tmp_path: Path) -> None:
    port, dashboard = free_ports(2)
    program = (
        "import pathlib, sys, time\n"
        "from rlaif_spec.engines.openrlhf.launch import HeadSettings, RayHead\n"
        f"with RayHead(HeadSettings(1, 1, {port}, {dashboard}), pathlib.Path(sys.argv[1])) as head:\n"
        "    print(head.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "head.log")], stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        keeper = int(runner.stdout.readline())
        family = [keeper, *descendants(keeper)]
        folder = Path(f"/proc/{keeper}/cmdline").read_text(encoding="utf-8").partition("--temp-dir=")[2].split("\0")[0]
        assert len(family) > 5
        runner.kill()
    wait_gone(family)
    shutil.rmtree(folder)  # the one thing that a killed runner leaves
