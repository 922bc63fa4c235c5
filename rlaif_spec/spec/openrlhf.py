"""What the OpenRLHF engine needs to know beside the method: GPUs, memory, the labeler's server, and which of its
deviations from the method the user accepts.

Every field says which OpenRLHF flag it becomes. What has no field here is written out by the compiler
(`engines/openrlhf`), or set by hand in `flags`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from rlaif_spec.frozen import Frozen
from rlaif_spec.spec.endpoint import RequestSettings
from rlaif_spec.spec.settings import Count

OPENRLHF = "0.11.2"
"""The one release that is supported: flags are renamed between patch releases."""

Deviation = Literal["centred-advantages", "half-precision", "resume-redraws", "remote-code"]
"""What OpenRLHF cannot do as asked (the compile report explains each):

    centred-advantages  the batch mean of advantages is always subtracted
    half-precision      weights are bf16 or fp16 (optimizer states are fp32); so are those of a labeler that vLLM asks
    resume-redraws      a resumed RL run draws other random numbers than one that was never stopped
    remote-code         a model whose folder holds Python code: OpenRLHF would run it
"""


OWN_FLAGS = (
    "--ckpt.output_dir",
    "--ckpt.path",
    "--ckpt.save_steps",
    "--ckpt.save_hf",
    "--ckpt.load_enable",
    "--logger.tensorboard_dir",
    "--logger.logging_steps",
    "--logger.wandb.run_name",
    "--data.dataset",
    "--data.prompt_dataset",
    "--eval.dataset",
    "--train.agent_func_path",
)
"""Flags (and what begins like them) by which the engine finds checkpoints, figures and data."""
SAID_ELSEWHERE = (
    *("--algo.", "--rollout.", "--data.", "--optim", "--adam.", "--lr_", "--min_lr", "--max_norm"),
    *(f"--{role}.{name}" for role in ("actor", "critic") for name in ("adam.", "optim", "lr_", "min_lr", "max_norm")),
    *(f"--{role}.model_name_or_path" for role in ("model", "actor", "critic", "reward")),
    *("--train.max_epochs", "--train.num_episodes", "--train.batch_size", "--train.micro_batch_size", "--train.seed"),
    *("--model.loss_type", "--model.margin", "--reward.remote_url", "--reward.clip_range", "--critic.value_clip"),
    *("--actor.eps_clip", "--actor.policy_loss_type", "--actor.loss_agg_mode", "--ds.param_dtype", "--ds.zero_stage"),
    *("--ds.attn_implementation", "--ds.packing_samples"),
)
"""Flags that settings of the scale become, or that say the method: set by hand they would make the report untrue."""


class Role(Frozen):
    """GPUs of one model during RL."""

    nodes: Count = 1
    gpus: Count
    """On each of its nodes."""


class Colocated(Frozen):
    """All models on the same GPUs; they sleep by turns (`--train.colocate_all`, `--vllm.enable_sleep`)."""

    kind: Literal["colocated"] = "colocated"
    gpus: Count
    """On each node, and the rest of it is free for the labeler's server; Ray may pack them on fewer nodes."""
    tensor_parallel: Count = 1
    """GPUs of one vLLM engine."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.5


class Separate(Frozen):
    """Every model on GPUs of its own."""

    kind: Literal["separate"]
    actor: Role
    reference: Role
    critic: Role
    reward: Role
    """Used where there is a reward model."""
    engines: Count
    """vLLM engines that write responses."""
    tensor_parallel: Count = 1
    gpu_memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.9


Placement = Annotated[Colocated | Separate, Field(discriminator="kind")]


class ServedLabeler(RequestSettings):
    """d-RLAIF's labeler: a server that is started for the run, where its size is no `endpoint` already."""

    gpus: Count = 1
    """GPUs of the server: one replica over as many as divide its heads (a power of two)."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 8101
    top_logprobs: Count = 200
    """How many of the likeliest next tokens are read; answers beyond them count as having no probability."""


class RayCluster(Frozen):
    """Where RL's processes run."""

    address: str | None = None
    """Dashboard address of a running cluster, such as http://head:8265; without it a head is started here."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 6379
    dashboard_port: Annotated[int, Field(ge=1024, le=65535)] = 8265


class ExtraFlags(Frozen):
    """Flags given to OpenRLHF as they stand, one list a program; a flag that the compiler writes too is replaced."""

    sft: tuple[str, ...] = ()
    reward_model: tuple[str, ...] = ()
    rl: tuple[str, ...] = ()

    @field_validator("sft", "reward_model", "rl")
    @classmethod
    def _begins_with_a_flag(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if words and not words[0].startswith("--"):
            raise ValueError(f"{words[0]!r} is no flag; begin with one, such as --ds.adam_offload")
        ours = [word.partition("=")[0] for word in words if word.startswith(OWN_FLAGS)]
        if ours:
            raise ValueError(
                f"{ours[0]} is the engine's own: it finds checkpoints, figures and data by it; leave it out"
            )
        said = [word.partition("=")[0] for word in words if word.startswith(SAID_ELSEWHERE)]
        if said:
            raise ValueError(f"{said[0]} is what settings of the scale or the method itself become; set it there")
        return words


class OpenRlhfSettings(Frozen):
    """Everything about OpenRLHF that the other settings leave open."""

    nodes: Count = 1
    gpus_per_node: Count
    supervised_gpus: Count | None = None
    """GPUs on each node for SFT and reward model; all of them where nothing is said."""
    placement: Placement
    """GPUs of RL."""
    max_tokens: Count
    """Longest prompt and response together, in tokens (`--data.max_len`); paper: 1024 + 128."""
    param_dtype: Literal["bf16", "fp16"] = "bf16"
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 2
    adam_offload: bool = False
    attention: str = "flash_attention_2"
    """`--ds.attn_implementation`; with sdpa flash-attn computes nothing, yet OpenRLHF imports it."""
    packing: bool = False
    """`--ds.packing_samples`; needs flash attention."""
    gradient_checkpointing: bool = True
    launcher: Literal["torchrun", "deepspeed"] = "torchrun"
    """What starts SFT and reward model."""
    master_port: Annotated[int, Field(ge=1024, le=65535)] = 29500
    inference: Literal["vllm", "native"] = "vllm"
    """Who labels, judges and samples: vLLM, or torch in this process."""
    inference_tensor_parallel: Count = 1
    """GPUs over which vLLM splits a model that is asked, at most: a power of two that divides its heads."""
    labeler: ServedLabeler = ServedLabeler()
    ray: RayCluster = RayCluster()
    restarts: Annotated[int, Field(ge=0)] = 2
    """How often a job that died is started again from its last checkpoint."""
    silent_minutes: Annotated[float, Field(gt=0)] = 60.0
    """After so many minutes without a step the screen says so, with the likely cause."""
    resume_every: Count = 100
    """RL steps between two points to resume from, at most: the largest number that divides `rl.checkpoint_every`."""
    max_checkpoints: Annotated[int, Field(ge=2)] = 2
    """Optimizer states kept on disk at a time (`--ckpt.max_num`)."""
    wandb_project: str | None = None
    """Log RL to Weights & Biases too; the key comes from WANDB_API_KEY."""
    accept: tuple[Deviation, ...] = ()
    """Deviations from the method that are accepted; without their names here the compiler refuses."""
    flags: ExtraFlags = ExtraFlags()

    @model_validator(mode="after")
    def _several_nodes(self) -> Self:
        if self.nodes > 1 and self.ray.address is None:
            raise ValueError(
                "ray.address: Ray is started here on one node only; for several name a cluster, or the one that"
                " `rlaif-spec slurm` starts: http://127.0.0.1:8265"
            )
        if self.nodes > 1 and self.launcher == "deepspeed":
            raise ValueError("launcher: deepspeed starts one node; use torchrun for several")
        return self
