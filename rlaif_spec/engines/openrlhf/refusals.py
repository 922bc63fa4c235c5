"""What is refused on this machine before a job is made: missing packages, GPUs or keys, models that would run code."""

import importlib.util
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rlaif_spec.engines.openrlhf.facts import on_this_node, tensor_parallel, visible_gpus
from rlaif_spec.errors import UserError
from rlaif_spec.spec.openrlhf import OPENRLHF, OpenRlhfSettings

NEEDED: Final = ("openrlhf", "deepspeed", "ray", "vllm", "flash_attn", "datasets", "tensorboard")


def check_installed() -> None:
    """Refuse to start without the packages and GPUs that OpenRLHF needs: one line, with what to do."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    gpus = visible_gpus()
    lacks = [f"packages that are not installed ({', '.join(missing)})"] if missing else []
    lacks += [] if gpus else ["an NVIDIA GPU, and none is to be seen here (nvidia-smi)"]
    if lacks:
        raise UserError(
            f"engine openrlhf needs {' and '.join(lacks)}; on a machine with CUDA, after torch and nvcc:"
            " pip install --no-build-isolation '.[openrlhf]' in the checkout (docs/how-to/run-on-a-cluster.md);"
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


def check_gpus(own: OpenRlhfSettings) -> None:
    """Refuse a scale that promises more GPUs on this node than are there, or that its launcher would choose wrongly."""
    there = visible_gpus()
    if own.gpus_per_node > there:
        wanted = own.gpus_per_node
        raise UserError(f"openrlhf.gpus_per_node: {wanted}, and {there} are to be seen here; at most {there}")
    if own.launcher == "deepspeed" and "CUDA_VISIBLE_DEVICES" in os.environ:
        raise UserError(
            "openrlhf.launcher: deepspeed chooses GPUs itself, whatever CUDA_VISIBLE_DEVICES says; unset it, or take"
            " torchrun"
        )


def check_wandb(own: OpenRlhfSettings) -> None:
    """Refuse to log to Weights & Biases without a key: OpenRLHF would ask for one after loading."""
    if own.wandb_project is not None and not os.environ.get("WANDB_API_KEY"):
        raise UserError("openrlhf.wandb_project: WANDB_API_KEY is not set; export it, or leave wandb_project out")


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


def check_heads(folder: Path, wanted: int) -> None:
    """Refuse to split a policy over GPUs that do not divide its heads: vLLM would do so within Ray's processes."""
    found = tensor_parallel(folder, wanted)
    if found != wanted:
        raise UserError(
            f"openrlhf.placement.tensor_parallel: {wanted} GPUs do not divide the policy's attention heads;"
            f" {found} would"
        )


def check_cluster(own: OpenRlhfSettings, *, starts_labeler: bool) -> None:
    """Refuse to start a labeler's server beside somebody else's Ray: its GPUs may be Ray's, and it out of reach."""
    if starts_labeler and own.ray.address is not None and not on_this_node(own.ray.address):
        raise UserError(
            "openrlhf.labeler: on a Ray cluster that runs already, start the labeler's server on GPUs that are not"
            " Ray's, and bind its size to it: {endpoint: {url: http://host:8000/v1, model: name}}"
        )
