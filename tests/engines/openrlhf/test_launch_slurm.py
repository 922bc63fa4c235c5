"""Scripts for SLURM, run with stand-ins for SLURM's and Ray's programs."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rlaif_spec.engines.openrlhf.launch.slurm import Allocation, run_script
from rlaif_spec.errors import UserError

NASTY = 'it\'s $HOME `id` $(touch pwned) "q" \\ ; & | #\n*'
ONE = Allocation("rl", nodes=1, gpus_per_node=8, cpus_per_node=64)
THREE = Allocation("rl", nodes=3, gpus_per_node=8, cpus_per_node=64, options=("--partition=gpu",), setup=("true",))
SCRIPTS = {
    "run on one node": run_script(ONE, [f"specs/{NASTY}.yaml", "--scale", "big"]),
    "run on three nodes": run_script(THREE, ["specs/a b.yaml", "--scale", NASTY]),
}
PROGRAMS = {
    "scontrol": "echo node1; echo node2; echo node3",
    "srun": 'record srun "$@"; while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "ray": 'record ray "$@"; echo "$$" >>"$PIDS"; exec sleep 600',
    "python": """
[[ $2 != *wait_for_gpus* ]] || until [[ -e $PIDS && $(wc -l <"$PIDS") -ge $NODES ]]; do sleep 0.05; done
record check "$2"
echo token""",
    "rlaif-spec": """
record rlaif-spec "$@"
echo "$$" >>"$PIDS"
[[ -z ${HANG:-} ]] || exec sleep 600
exit "${CODE:-0}\"""",
}
RECORD = 'record() { printf "%s\\0" "$@" "" >>"$OUT"; }\n'


class Cluster:
    """A folder of stand-ins, and what they were called with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in PROGRAMS.items():
            path = folder / name
            path.write_text(f"#!/usr/bin/env bash\nset -eu\n{RECORD}{text}\n", encoding="utf-8")
            path.chmod(0o755)

    def start(self, script: str, **environment: str) -> subprocess.Popen[bytes]:
        path = self.folder / "job.sh"
        path.write_text(script, encoding="utf-8")
        own = {"PATH": f"{self.folder}:{os.environ['PATH']}", "OUT": str(self.folder / "out")}
        job = {"PIDS": str(self.folder / "pids"), "SLURM_JOB_ID": "42", "SLURM_JOB_NODELIST": "node[1-3]", "NODES": "2"}
        return subprocess.Popen(["bash", str(path)], env={**own, **job, **environment}, cwd=self.folder)

    def calls(self) -> list[list[str]]:
        text = (self.folder / "out").read_text(encoding="utf-8")
        return [call.split("\0") for call in text.removesuffix("\0\0").split("\0\0")]

    def left(self) -> list[int]:
        path = self.folder / "pids"
        pids = [int(line) for line in path.read_text(encoding="utf-8").split()] if path.exists() else []
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_bash_takes_the_script(script: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_shellcheck_finds_nothing(script: str) -> None:
    # SC2016 warns of $ in single quotes: here words are meant to reach the program as they stand
    checked = subprocess.run(
        ["shellcheck", "--exclude=SC2016", "-"], input=script, text=True, capture_output=True, check=False
    )
    assert checked.stdout == ""


def test_options_come_before_the_first_command() -> None:
    lines = SCRIPTS["run on three nodes"].splitlines()
    options = [line.removeprefix("#SBATCH ") for line in lines[1:] if line.startswith("#SBATCH")]
    assert lines[0] == "#!/usr/bin/env bash"
    assert all(line.startswith("#SBATCH") for line in lines[1 : len(options) + 1])
    assert {"--nodes=3", "--gpus-per-node=8", "--cpus-per-task=64", "--partition=gpu"} <= set(options)


def test_a_whole_run(cluster: Cluster) -> None:
    with cluster.start(SCRIPTS["run on three nodes"], CODE="3") as job:
        assert job.wait(20) == 3
    calls = cluster.calls()
    assert calls[-1] == ["rlaif-spec", "run", "specs/a b.yaml", "--scale", NASTY]
    (head,) = [call for call in calls if call[:3] == ["ray", "start", "--head"]]
    (workers,) = [call for call in calls if call[0] == "srun"]
    (check,) = [call for call in calls if call[0] == "check" and "wait_for_gpus" in call[1]]
    assert {"--num-gpus=8", "--dashboard-host=127.0.0.1", "--temp-dir=/tmp/ray-42", "--block"} <= set(head)
    assert {"--nodes=2", "--ntasks=2", "--exclude=node1", "--address=node1:6379", "--num-gpus=8"} <= set(workers)
    assert check[1].endswith('wait_for_gpus(Cluster("http://127.0.0.1:8265"), 24)')
    assert not (cluster.folder / "pwned").exists()
    assert cluster.left() == []


def test_one_node_needs_no_srun(cluster: Cluster) -> None:
    with cluster.start(SCRIPTS["run on one node"], NODES="1") as job:
        assert job.wait(20) == 0
    assert [call[0] for call in cluster.calls() if call[0] == "srun"] == []
    assert cluster.left() == []


def test_time_is_over(cluster: Cluster) -> None:
    """SLURM's TERM ends the run at once, and Ray with it."""
    with cluster.start(SCRIPTS["run on three nodes"], HANG="1") as job:
        end = time.monotonic() + 20
        while len(cluster.left()) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(cluster.left()) == 3
        job.send_signal(signal.SIGTERM)
        assert job.wait(20) == 143
    assert cluster.left() == []


@pytest.mark.parametrize(
    "allocation",
    [
        Allocation("two words", 1, 8, 64),
        Allocation("a\nrm", 1, 8, 64),
        Allocation("", 1, 8, 64),
        Allocation("rl", 1, 8, 64, options=("--partition=a\nrm -rf /",)),
        Allocation("rl", 1, 8, 64, options=("partition=a",)),
        Allocation("rl", 1, 8, 64, time="1:00\nrm"),
    ],
)
def test_what_cannot_stand_in_a_script_is_refused(allocation: Allocation) -> None:
    with pytest.raises(UserError, match="SLURM"):
        run_script(allocation, ["spec.yaml"])


def test_ray_leaves_the_labelers_gpus_alone_on_the_first_node() -> None:
    text = run_script(replace(THREE, labeler_gpus=3), ["spec.yaml"])
    head, others = (line for line in text.splitlines() if "ray start" in line)
    assert "--num-gpus=5" in head
    assert "--num-gpus=8" in others
    assert ", 21)" in text, "and waits for what is Ray's"
