"""What this machine is like, for the preflight and for the launch: GPUs, packages, the first node's address."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rlaif_spec.engines.openrlhf.command import Command, Program, with_extra
from rlaif_spec.engines.openrlhf.preflight import Facts, template_of
from rlaif_spec.engines.openrlhf.training import TEMPLATE, Nodes
from rlaif_spec.errors import UserError
from rlaif_spec.spec.openrlhf import OPENRLHF, OpenRlhfSettings

NEEDED: Final = ("openrlhf", "deepspeed", "ray", "vllm", "flash_attn", "datasets", "tensorboard")


def visible_gpus() -> int:
    """GPUs that the driver shows on this node, without loading torch."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return len([part for part in named.split(",") if part.strip()])
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    found = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    return sum(line.startswith("GPU ") for line in found.stdout.splitlines())


def here(own: OpenRlhfSettings, rows: int, *, evaluation_rows: int = 0, labeler_gpus: int = 0) -> Facts:
    """The facts on a job that is about to start here; a Ray cluster that runs already is asked for its GPUs itself."""
    return Facts(
        rows=rows,
        evaluation_rows=evaluation_rows,
        gpus_per_node=visible_gpus() if own.ray.address is None else own.gpus_per_node,
        flash_attention=importlib.util.find_spec("flash_attn") is not None,
        nodes=own.nodes,
        labeler_gpus=labeler_gpus,
        templates=templates(own),
    )


def templates(own: OpenRlhfSettings) -> dict[Program, str | None]:
    """How each stage writes its prompts: as they stand, unless flags set by hand say otherwise."""
    by_hand: dict[Program, tuple[str, ...]] = {
        "train_sft": own.flags.sft,
        "train_rm": own.flags.reward_model,
        "train_ppo_ray": own.flags.rl,
    }
    ours = {"--data.input_template": [TEMPLATE], "--data.prompt_key": ["prompt"]}
    return {program: template_of(Command(program, (), with_extra(ours, extra))) for program, extra in by_hand.items()}


def supervised_nodes(own: OpenRlhfSettings) -> Nodes:
    """Where SFT and reward model run: several nodes only within a SLURM allocation, which srun can reach."""
    count = own.nodes if "SLURM_JOB_ID" in os.environ else 1
    return Nodes(count, own.supervised_gpus or own.gpus_per_node, first_node(own))


def first_node(own: OpenRlhfSettings) -> str:
    """The name under which the other nodes reach this one."""
    return "127.0.0.1" if own.nodes == 1 else socket.gethostname()


def check_installed() -> None:
    """Refuse to start without the packages and GPUs that OpenRLHF needs: one line, with what to do."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    gpus = visible_gpus()
    lacks = [f"packages that are not installed ({', '.join(missing)})"] if missing else []
    lacks += [] if gpus else ["an NVIDIA GPU, and none is to be seen here (nvidia-smi)"]
    if lacks:
        raise UserError(
            f"engine openrlhf needs {' and '.join(lacks)}; on a machine with CUDA, after torch and nvcc:"
            " pip install --no-build-isolation 'rlaif-spec[openrlhf]' (docs/how-to/run-on-a-cluster.md);"
            " without a GPU use engine: native, such as --scale toy or small"
        )
    _check_version()


def _check_version() -> None:
    found = version("openrlhf")
    if found != OPENRLHF:
        raise UserError(
            f"openrlhf {found} is installed; flags change between releases, and those of {OPENRLHF} are spoken here:"
            f" pip install openrlhf=={OPENRLHF}"
        )


def check_folder(folder: Path, own: OpenRlhfSettings) -> None:
    """Refuse a model that OpenRLHF would run code from, or read from a pickle; it trusts both without asking."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "auto_map" in config and "remote-code" not in own.accept:
        raise UserError(
            f"{folder}: config.json names Python code (auto_map), which OpenRLHF would run; read it first, then add"
            " remote-code to openrlhf.accept, or take another model"
        )
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: no safetensors here; OpenRLHF would load a pickle; convert the model first")


def tensor_parallel(folder: Path, limit: int) -> int:
    """Over how many GPUs vLLM can split a model: the largest power of two up to `limit` that divides its heads."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = int(config.get("text_config", config).get("num_attention_heads", 1))
    sizes = [2**power for power in range(limit.bit_length())]
    return max(size for size in sizes if size <= limit and heads % size == 0)
