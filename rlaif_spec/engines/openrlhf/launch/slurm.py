"""Scripts for `sbatch`: a whole run over the nodes of one allocation.

`run_script` starts Ray on every node and then `rlaif-spec run` on the first, which keeps
receipts and keys and resumes. Its scale says `openrlhf.ray.address: http://127.0.0.1:PORT`, since the batch script
and Ray's head are on the first node; SFT and reward model go over all nodes by srun and torchrun (`training.launcher`).
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from rlaif_spec.errors import UserError

NAME = re.compile(r"[\w.-]+")
TIME = re.compile(r"[\d:-]+")
OPTION = re.compile(r"--?[A-Za-z][^\n]*")


@dataclass(frozen=True)
class Allocation:
    """What is asked of SLURM, and the ports used within it."""

    job_name: str
    nodes: int
    gpus_per_node: int
    cpus_per_node: int
    labeler_gpus: int = 0
    """GPUs of the first node that Ray does not get: d-RLAIF's labeler is served there."""
    time: str = "24:00:00"
    options: tuple[str, ...] = ()
    """More for sbatch, such as --partition=gpu."""
    setup: tuple[str, ...] = ()
    """Shell lines that come first, such as `source venv/bin/activate`; taken as they stand."""
    port: int = 6379
    dashboard_port: int = 8265


def run_script(allocation: Allocation, arguments: Sequence[str]) -> str:
    """`rlaif-spec run` with these arguments over the allocation; UserError where a name cannot stand in a script."""
    run = shlex.join(["rlaif-spec", "run", *arguments])
    note = f"# The scale must say: openrlhf.ray.address: http://127.0.0.1:{allocation.dashboard_port}"
    return _script(allocation, [*_ray(allocation), note, f"run {run}"])


def _script(allocation: Allocation, lines: Sequence[str]) -> str:
    # -u comes after the setup: the scripts of virtual environments and modules read variables that are not set
    setup = ["set -eo pipefail", *allocation.setup, "set -u"]
    return "\n".join([*_header(allocation), *setup, "", *PRELUDE, "", *lines]) + "\n"


def _header(allocation: Allocation) -> list[str]:
    if not NAME.fullmatch(allocation.job_name):
        raise UserError(f"SLURM job name {allocation.job_name!r}: use letters, digits, dot, dash and underscore only")
    if not TIME.fullmatch(allocation.time):
        raise UserError(f"SLURM time {allocation.time!r}: hours:minutes:seconds, or days-hours:minutes:seconds")
    for option in allocation.options:
        if not OPTION.fullmatch(option):
            raise UserError(f"SLURM option {option!r}: one option a line, such as --partition=gpu")
    options = (
        f"--job-name={allocation.job_name}",
        f"--nodes={allocation.nodes}",
        "--ntasks-per-node=1",
        f"--gpus-per-node={allocation.gpus_per_node}",
        f"--cpus-per-task={allocation.cpus_per_node}",
        f"--time={allocation.time}",
        "--output=%x-%j.log",
        "--signal=B:TERM@120",
        *allocation.options,
    )
    return ["#!/usr/bin/env bash", *(f"#SBATCH {option}" for option in options)]


PRELUDE = (
    'mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")',
    "head=${hosts[0]}  # where this script runs",
    'echo "${#hosts[@]} nodes, the first is $head"',
    'export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"  # srun does not take it from sbatch by itself',
    "",
    "started=()",
    "finish() {  # ends what this script started, by process id; no `ray stop`, which ends other people's Ray too",
    '  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done',
    "  wait || true",
    "}",
    "trap finish EXIT",
    "trap 'exit 143' TERM INT  # SLURM sends TERM two minutes before the time is over",
    "",
    "run() {  # in the background, since bash answers no signal while it waits for a command in the foreground",
    '  "$@" &',
    '  started+=("$!")',
    '  wait "$!"',
    "}",
)


def _ray(allocation: Allocation) -> list[str]:
    """Ray over all nodes, up before the next line is run."""
    gpus = allocation.nodes * allocation.gpus_per_node - allocation.labeler_gpus
    where = f'Cluster("http://127.0.0.1:{allocation.dashboard_port}")'
    check = f"from rlaif_spec.engines.openrlhf.launch import Cluster, wait_for_gpus; wait_for_gpus({where}, {gpus})"
    first, size = (
        f"--num-gpus={count} --num-cpus={allocation.cpus_per_node}"
        for count in (allocation.gpus_per_node - allocation.labeler_gpus, allocation.gpus_per_node)
    )
    lines = [
        "# Whoever reaches Ray's ports can run code: only who has the token of this job may.",
        "RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')",
        "export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0",
        f"ray start --head --block {first} --port={allocation.port} --dashboard-host=127.0.0.1 \\",
        f'  --dashboard-port={allocation.dashboard_port} --temp-dir="/tmp/ray-$SLURM_JOB_ID" --disable-usage-stats &',
        'started+=("$!")',
    ]
    if (others := allocation.nodes - 1) > 0:
        lines += [
            f'srun --overlap --nodes={others} --ntasks={others} --exclude="$head" \\',
            f"  --cpus-per-task={allocation.cpus_per_node} \\",
            f'  ray start --block {size} --address="$head:{allocation.port}" --disable-usage-stats &',
            'started+=("$!")',
        ]
    return [*lines, f"run python -c {shlex.quote(check)}", ""]
