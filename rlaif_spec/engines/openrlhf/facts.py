"""What this machine is like, for the preflight and for the launch: GPUs, packages, the first node's address."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rlaif_spec.engines.openrlhf.command import Command, Program, with_extra
from rlaif_spec.engines.openrlhf.preflight import Facts, template_of
from rlaif_spec.engines.openrlhf.training import TEMPLATE, Nodes
from rlaif_spec.spec.openrlhf import OpenRlhfSettings

LOOPBACK: Final = "127.0.0.1"


def visible_gpus() -> int:
    """GPUs of this node that the caller may use, without loading torch."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return len(devices())
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    found = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    return sum(line.startswith("GPU ") for line in found.stdout.splitlines())


def here(own: OpenRlhfSettings, rows: int, *, evaluation_rows: int = 0, labeler_gpus: int = 0) -> Facts:
    """The facts on a job that is about to start here; a Ray cluster that runs already is asked for its GPUs itself."""
    facts = promised(own, rows, evaluation_rows=evaluation_rows, labeler_gpus=labeler_gpus)
    gpus = visible_gpus() if own.ray.address is None else own.gpus_per_node
    return replace(facts, gpus_per_node=gpus, flash_attention=importlib.util.find_spec("flash_attn") is not None)


def promised(own: OpenRlhfSettings, rows: int, *, evaluation_rows: int = 0, labeler_gpus: int = 0) -> Facts:
    """The facts on a job that is planned, on the GPUs that the scale promises."""
    return Facts(
        rows=rows,
        evaluation_rows=evaluation_rows,
        gpus_per_node=own.gpus_per_node,
        flash_attention=True,
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
    """Where SFT and reward model run: on several nodes only where our SLURM script started Ray, since srun is there."""
    count = own.nodes if own.ray.address is not None and on_this_node(own.ray.address) else 1
    return Nodes(count, own.supervised_gpus or own.gpus_per_node, first_node(own))


def on_this_node(address: str) -> bool:
    """Whether an address is of this very node: Ray was started here, by our SLURM script."""
    return urlsplit(address).hostname in (LOOPBACK, "localhost", "::1")


def first_node(own: OpenRlhfSettings) -> str:
    """The address under which the other nodes reach this one: that of the interface by which it would reach others."""
    if own.nodes == 1:
        return LOOPBACK
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing; a host's own name often means loopback
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def tensor_parallel(folder: Path, limit: int) -> int:
    """Over how many GPUs vLLM can split a model: the largest power of two up to `limit` that divides its heads."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = int(config.get("text_config", config).get("num_attention_heads", 1))
    sizes = [1 << power for power in range(limit.bit_length())]
    fitting = [size for size in sizes if size <= limit and heads % size == 0]
    return max(fitting)


def devices() -> list[str]:
    """The GPUs of this node that the caller may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [part.strip() for part in named.split(",") if part.strip()]
    return [str(index) for index in range(visible_gpus())]
