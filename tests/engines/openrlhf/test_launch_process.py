"""A command of this node: how it ends, what is said of it, and that nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlaif_spec.engines.openrlhf.launch import keeper
from rlaif_spec.engines.openrlhf.launch.process import Child, run_process, surroundings
from rlaif_spec.engines.openrlhf.launch.watch import Watch
from rlaif_spec.errors import EngineError

FAMILY = """
import os, pathlib, signal, subprocess, sys, time
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
orphan = "import subprocess as s, sys; print(s.Popen([sys.executable, '-c', sys.argv[1]], stdout=s.DEVNULL).pid)"
worker = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
left = subprocess.run([sys.executable, "-c", orphan, stubborn], stdout=subprocess.PIPE, start_new_session=True)
pids = pathlib.Path(sys.argv[1])
pids.with_suffix(".part").write_text(f"{os.getpid()} {worker.pid} {int(left.stdout)}")
pids.with_suffix(".part").rename(pids)
time.sleep(float(sys.argv[2]))
"""
"""Like torchrun: a worker in a session of its own, and an orphan; neither listens to SIGTERM."""


def watch(tick=lambda: None) -> Watch:  # type: ignore[no-untyped-def]
    def rows() -> list[dict[str, float]]:
        tick()
        return []

    return Watch(steps=1, rows=rows, tell=lambda progress: None, say=lambda line: None)


def python(program: str, *words: str) -> list[str]:
    return [sys.executable, "-c", program, *words]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(path: Path) -> list[int]:
    end = time.monotonic() + 20
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return [int(word) for word in path.read_text(encoding="utf-8").split()]


def wait_gone(pids: list[int]) -> None:
    end = time.monotonic() + 20
    while not all(map(gone, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    assert [pid for pid in pids if not gone(pid)] == []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlaif_spec.engines.openrlhf.launch.process.POLL_SECONDS", 0.05)


def test_output_is_appended_and_the_environment_is_set(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    program = "import os, sys; print(os.environ['WORD'], os.environ['HOME'] != ''); sys.stderr.write('err\\n')"
    for word in ("one", "two"):
        run_process(python(program), {"WORD": word}, log, watch())
    assert sorted(log.read_text(encoding="utf-8").split()) == sorted(["one", "True", "err", "two", "True", "err"])


def test_a_failure_is_one_line_of_this_attempt(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("KeyError: of an earlier attempt\n", encoding="utf-8")
    with pytest.raises(EngineError) as caught:
        run_process(python("raise SystemExit(3)"), {}, log, watch())
    assert str(caught.value) == f"{Path(sys.executable).name} ended with exit code 3; its log is {log}"
    with pytest.raises(EngineError) as caught:
        run_process(python("raise ValueError('no such column')"), {}, log, watch())
    assert "ended with exit code 1: ValueError: no such column; its log is" in str(caught.value)


def test_a_failed_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^no_such_module ended with exit code 1: .*No module named no_such_module"):
        run_process([sys.executable, "-m", "no_such_module", "--flag"], {}, tmp_path / "log", watch())


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="exit code 127: no-such-program: No such file or directory"):
        run_process(["no-such-program"], {}, tmp_path / "log", watch())


@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, "SIGKILL, as the system"), (signal.SIGSEGV, "SIGSEGV")])
def test_a_command_that_was_killed(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(EngineError, match=f"was ended by {words}"):
        run_process(python(f"import os; os.kill(os.getpid(), {int(number)})"), {}, tmp_path / "log", watch())


def test_programs_beside_this_python_come_first() -> None:
    assert surroundings({"PATH": "/elsewhere"})["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/elsewhere"


@pytest.mark.parametrize("error", [KeyboardInterrupt, EngineError("the labeler's server died")])
def test_nothing_is_left_after_an_exception(tmp_path: Path, error: BaseException) -> None:
    pids = tmp_path / "pids"

    def tick() -> None:
        if pids.exists():
            raise error

    with pytest.raises(BaseException, match=r"died|^$"):
        run_process(python(FAMILY, str(pids), "600"), {}, tmp_path / "log", watch(tick))
    assert [pid for pid in wait_for(pids) if not gone(pid)] == []


def test_nothing_is_left_after_a_good_end(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    run_process(python(FAMILY, str(pids), "0"), {}, tmp_path / "log", watch())
    assert [pid for pid in wait_for(pids) if not gone(pid)] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_runner(tmp_path: Path, number: signal.Signals) -> None:
    pids = tmp_path / "pids"
    program = (
        "import pathlib, sys, time\n"
        "from rlaif_spec.engines.openrlhf.launch.process import Child\n"
        "Child([sys.executable, '-c', *sys.argv[1:4]], {}, pathlib.Path(sys.argv[4]))\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(python(program, FAMILY, str(pids), "600", str(tmp_path / "log"))) as runner:
        family = wait_for(pids)
        assert not any(map(gone, family))
        runner.send_signal(number)
    wait_gone(family)


def test_the_command_ends_when_its_keeper_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with Child(python(FAMILY, str(pids), "600"), {}, tmp_path / "log") as child:
        command, *stubborn = wait_for(pids)
        os.kill(child.pid, signal.SIGKILL)
        wait_gone([command])
        assert child.wait(5) == -signal.SIGKILL
    for pid in stubborn:  # these listen to nobody, and who would have ended them was killed
        os.kill(pid, signal.SIGKILL)


def test_a_second_request_skips_the_patience(tmp_path: Path) -> None:
    patient = "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    patient += "pathlib.Path(sys.argv[1]).write_text('1'); time.sleep(600)"
    with Child(python(patient, str(tmp_path / "up")), {}, tmp_path / "log", grace_seconds=600) as child:
        wait_for(tmp_path / "up")
        began = time.monotonic()
        os.kill(child.pid, signal.SIGTERM)
        time.sleep(0.5)
        assert child.poll() is None
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(20) == 128 + signal.SIGKILL
    assert time.monotonic() - began < 20


def test_grace_is_given(tmp_path: Path) -> None:
    """SIGTERM first: a command that tidies up may do so."""
    tidy = "import signal, sys, time, pathlib\n"
    tidy += "signal.signal(signal.SIGTERM, lambda *a: (print('tidied', flush=True), sys.exit(0)))\n"
    tidy += "pathlib.Path(sys.argv[1]).write_text('1'); time.sleep(600)"
    with Child(python(tidy, str(tmp_path / "up")), {}, tmp_path / "log") as child:
        wait_for(tmp_path / "up")
    assert child.poll() == 0
    assert (tmp_path / "log").read_text(encoding="utf-8") == "tidied\n"


def test_descendants_are_those_below() -> None:
    with subprocess.Popen(python("input()"), stdin=subprocess.PIPE) as child:
        assert child.pid in keeper.descendants(os.getpid())
        assert os.getpid() not in keeper.descendants(os.getpid())
    assert child.pid not in keeper.descendants(os.getpid())


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_torchrun_tells_the_rank_that_failed(tmp_path: Path, rank: int) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import os, time\n"
        "import torch.distributed as d\n"
        "d.init_process_group('gloo')\n"
        f"if d.get_rank() == {rank}:\n    raise ValueError('the cause')\n"
        "d.barrier()\n",
        encoding="utf-8",
    )
    argv = ["torchrun", "--standalone", "--nproc_per_node=2", str(worker)]
    with pytest.raises(EngineError, match="torchrun ended with exit code 1: ValueError: the cause"):
        run_process(argv, {"OMP_NUM_THREADS": "1"}, tmp_path / "log", watch())


@pytest.mark.slow
def test_torchruns_workers_end_with_it(tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    pids = tmp_path / "pids"
    worker.write_text(
        f"import os, pathlib, time\npathlib.Path({str(pids)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n",
        encoding="utf-8",
    )

    def tick() -> None:
        if pids.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_process(["torchrun", "--standalone", "--nproc_per_node=1", str(worker)], {}, tmp_path / "log", watch(tick))
    assert gone(wait_for(pids)[0])
