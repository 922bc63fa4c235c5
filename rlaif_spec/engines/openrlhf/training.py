"""What the commands for SFT, reward model and RL have in common: where a job reads and writes, and flags they share.

Every flag with a meaning is written out, none is left to OpenRLHF's default: defaults change between its releases.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rlaif_spec.spec.openrlhf import OpenRlhfSettings
from rlaif_spec.spec.settings import Optimizer
from rlaif_spec.store import SCRATCH

TEMPLATE: Final = "{}"
"""The prompt as it stands, at every stage: OpenRLHF's defaults differ between SFT and the others."""
ADAM_BETAS: Final = ("0.9", "0.95")
ADAM_EPSILON: Final = "1e-08"
LEAST_LEARNING_RATE: Final = "0.1"
UNLIMITED: Final = "100000000"
RUN_NAME: Final = "train"
"""Folder of a job's event files under `--logger.tensorboard_dir`."""
METRICS: Final = "metrics"
CHECKPOINTS: Final = "checkpoints"
DEMONSTRATIONS: Final = "demonstrations.jsonl"
PREFERENCES: Final = "preferences.jsonl"
PROMPTS: Final = "prompts.jsonl"
AGENT: Final = "agent.py"
LAST: Final = "last"
"""The policy at the end of RL."""
REWARD_MODEL: Final = "reward-model"
"""A step's reward model with its head put to scale."""


@dataclass(frozen=True)
class Place:
    """Where a job reads and writes."""

    model: str
    """Folder of the model it starts from (a Hub id only where a plan is shown before anything is fetched)."""
    data: Path
    scratch: Path
    """Checkpoints and metrics; kept only until the step is finished."""
    output: Path
    """Where the trained model goes."""
    seed: int
    resume: bool = False
    """Whether a checkpoint lies there to be continued from."""

    @classmethod
    def within(cls, folder: Path, model: str, data: str, seed: int) -> "Place":
        """In the folder of a step: its data file by name, checkpoints in its scratch, the model beside them."""
        folder = folder.absolute()  # jobs run in folders of their own
        scratch = folder / SCRATCH
        return cls(model=model, data=scratch / data, scratch=scratch, output=folder / "model", seed=seed)

    def for_candidates(self) -> "Place":
        """The same place, the trained model among the candidates: which of them becomes the model is chosen later."""
        return replace(self, output=self.scratch / LAST)

    def resumed(self, resume: bool) -> "Place":
        """The same place, with or without a checkpoint to be continued from."""
        return replace(self, resume=resume)


@dataclass(frozen=True)
class Nodes:
    """Where a job runs: `head` is the address of the first node, wanted where there are several."""

    count: int
    gpus: int
    """On each node, for SFT and reward model; RL's are its placement's business."""
    head: str = "localhost"

    @property
    def world(self) -> int:
        """GPUs of all nodes."""
        return self.count * self.gpus


def micro_batch(batch_size: int, world: int, limit: int) -> int:
    """Rows of one GPU at a time: the largest number up to `limit` that splits a GPU's share of the batch evenly."""
    share = max(1, batch_size // world)
    return max(size for size in range(1, min(limit, share) + 1) if share % size == 0)


def number(value: float) -> str:
    """A number as a flag's value: the shortest text that is read back as the same number."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def optimizer_flags(optimizer: Optimizer, steps: int, prefix: str = "") -> dict[str, list[str]]:
    """AdamW, warm-up as a share of the steps that OpenRLHF rounds up to the same number, cosine to a tenth."""
    ratio = max(0.0, optimizer.warmup_steps - 0.5) / max(1, steps)
    return {
        f"--{prefix}optim": ["adam"],
        f"--{prefix}adam.lr": [number(optimizer.learning_rate)],
        f"--{prefix}adam.betas": list(ADAM_BETAS),
        f"--{prefix}adam.eps": [ADAM_EPSILON],
        f"--{prefix}adam.weight_decay": ["0"],
        f"--{prefix}lr_scheduler": ["cosine_with_min_lr"],
        f"--{prefix}lr_warmup_ratio": [number(ratio)],
        f"--{prefix}min_lr_ratio": [LEAST_LEARNING_RATE],
        f"--{prefix}max_norm": [number(optimizer.max_grad_norm)],
    }


def deepspeed_flags(settings: OpenRlhfSettings) -> dict[str, list[str]]:
    """Memory and numerics."""
    flags: dict[str, list[str]] = {
        "--ds.zero_stage": [str(settings.zero_stage)],
        "--ds.param_dtype": [settings.param_dtype],
        "--ds.attn_implementation": [settings.attention],
        "--ds.zpg": ["1"],
        "--ds.tensor_parallel_size": ["1"],
        "--ds.ring_attn_size": ["1"],
        "--ds.lora.rank": ["0"],
    }
    return flags | switches({"--ds.adam_offload": settings.adam_offload, "--ds.packing_samples": settings.packing})


def checkpoint_flags(place: Place, settings: OpenRlhfSettings, save_steps: int) -> dict[str, list[str]]:
    """Where the model and the checkpoints go; continued only from a checkpoint that is there."""
    flags: dict[str, list[str]] = {
        "--ckpt.output_dir": [str(place.output)],
        "--ckpt.path": [str(place.scratch / CHECKPOINTS)],
        "--ckpt.save_steps": [str(save_steps)],
        "--ckpt.max_num": [str(settings.max_checkpoints)],
        "--ckpt.max_mem": [UNLIMITED],
    }
    return flags | switches({"--ckpt.load_enable": place.resume})


def logger_flags(place: Place, project: str | None = None) -> dict[str, list[str]]:
    """Event files always, a project of Weights & Biases where one is named; its key stays in the environment.

    For RL only: SFT and reward model write no event files where they log there.
    """
    flags = {
        "--logger.logging_steps": ["1"],
        "--logger.tensorboard_dir": [str(place.scratch / METRICS)],
        "--logger.wandb.run_name": [RUN_NAME],
    }
    if project is not None:
        flags |= {"--logger.wandb.key": ["env"], "--logger.wandb.project": [project]}
    return flags


def switches(wanted: Mapping[str, bool]) -> dict[str, list[str]]:
    """The switches that are on."""
    return {flag: [] for flag, on in wanted.items() if on}


def launcher(settings: OpenRlhfSettings, nodes: Nodes) -> tuple[str, ...]:
    """What starts SFT and reward model: one process a GPU; on several nodes through srun, in the job's allocation."""
    port = str(settings.master_port)
    if settings.launcher == "deepspeed" and nodes.count == 1:
        return ("deepspeed", "--num_gpus", str(nodes.gpus), "--master_port", port, "--module")
    run = ("python", "-m", "torch.distributed.run", "--nnodes", str(nodes.count), "--nproc_per_node", str(nodes.gpus))
    if nodes.count == 1:
        return (*run, "--master_addr", "127.0.0.1", "--master_port", port, "-m")
    everywhere = ("srun", "--overlap", "--nodes", str(nodes.count), "--ntasks-per-node", "1")
    meeting = ("--rdzv_backend", "c10d", "--rdzv_id", RUN_NAME, "--rdzv_endpoint", f"{nodes.head}:{port}")
    return (*everywhere, *run, *meeting, "-m")


ENVIRONMENT: Final = {"TOKENIZERS_PARALLELISM": "false", "WANDB_SILENT": "true"}
"""Of SFT and reward model; NCCL and CUDA variables of the caller pass through."""
RAY_ENVIRONMENT: Final = {"WANDB_SILENT": "true"}
"""Of an RL job. OpenRLHF names TOKENIZERS_PARALLELISM, NCCL_DEBUG and RAY_ENABLE_ZERO_COPY_TORCH_TENSORS itself, from
the head's environment, and Ray ends a job whose own environment names one of them too."""
