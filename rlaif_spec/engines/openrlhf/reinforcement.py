"""The command of RL: the paper's REINFORCE with a learned value baseline, said in PPO's flags (section 3.3).

Z_t - V(X_t)            `gae` with gamma = lambda = 1
one policy              on-policy: one update for each batch of rollouts, so the ratio is 1 and nothing clips
V started from SFT      `--critic.model_name_or_path`
(1 - beta) r - beta KL  up to the factor 1 - beta, r - beta / (1 - beta) KL: `--algo.kl.init_coef`
steps                   the prompt file holds a row for each response, so that one pass over it is all steps
"""

from dataclasses import dataclass
from pathlib import Path

from rlaif_spec.engines.openrlhf.command import Command, with_extra
from rlaif_spec.engines.openrlhf.training import (
    RAY_ENVIRONMENT,
    TEMPLATE,
    UNLIMITED,
    Place,
    checkpoint_flags,
    deepspeed_flags,
    logger_flags,
    micro_batch,
    number,
    optimizer_flags,
    switches,
)
from rlaif_spec.spec.openrlhf import Colocated, OpenRlhfSettings, Role
from rlaif_spec.spec.settings import ResponseSettings, RlSettings

NO_CLIPPING = "1000000000"
ROLES = ("actor", "ref", "critic", "reward")


@dataclass(frozen=True)
class RewardModelFolder:
    """A reward model gives the reward."""

    folder: str


@dataclass(frozen=True)
class AgentFile:
    """The labeler gives the reward: d-RLAIF."""

    file: Path


@dataclass(frozen=True)
class Method:
    """What of the method an RL command says."""

    settings: RlSettings
    respond: ResponseSettings


def kl_coefficient(beta: float) -> float:
    """beta / (1 - beta): the objective (1 - beta) r - beta KL is (1 - beta) times r - this KL."""
    return beta / (1 - beta)


def saved_every(settings: RlSettings, own: OpenRlhfSettings) -> int:
    """Steps between two checkpoints: the most up to `resume_every` that meet every candidate."""
    limit = min(own.resume_every, settings.checkpoint_every)
    return max(size for size in range(1, limit + 1) if settings.checkpoint_every % size == 0)


def rl_command(place: Place, reward: RewardModelFolder | AgentFile, method: Method, own: OpenRlhfSettings) -> Command:
    """One RL job."""
    settings = method.settings
    flags = {
        "--actor.model_name_or_path": [place.model],
        "--critic.model_name_or_path": [place.model],
        **_reward(reward),
        **_data(place, method, own),
        **_batches(settings, own),
        **_algorithm(settings),
        **optimizer_flags(settings.optimizer, settings.steps, "actor."),
        **optimizer_flags(settings.value_optimizer, settings.steps, "critic."),
        **deepspeed_flags(own),
        "--ds.value_head_prefix": ["score"],
        **switches({"--actor.gradient_checkpointing_enable": own.gradient_checkpointing}),  # of the critic, too
        **_placement(own, has_reward_model=isinstance(reward, RewardModelFolder)),
        **checkpoint_flags(place, own, saved_every(settings, own)),
        "--ckpt.save_hf": [],
        "--ckpt.best_metric_key": ["none"],
        **logger_flags(place, own.wandb_project),
    }
    return Command("train_ppo_ray", ("python", "-m"), with_extra(flags, own.flags.rl), RAY_ENVIRONMENT)


def _reward(reward: RewardModelFolder | AgentFile) -> dict[str, list[str]]:
    if isinstance(reward, AgentFile):
        return {"--train.agent_func_path": [str(reward.file)]}
    return {"--reward.model_name_or_path": [reward.folder]}


def _data(place: Place, method: Method, own: OpenRlhfSettings) -> dict[str, list[str]]:
    return {
        "--data.prompt_dataset": [str(place.data)],
        "--data.prompt_split": ["train"],
        "--data.input_key": ["input"],
        "--data.label_key": ["label"],
        "--data.input_template": [TEMPLATE],
        "--data.max_len": [str(own.max_tokens)],
        "--data.max_samples": [UNLIMITED],
        "--data.dataloader_num_workers": ["0"],
        "--rollout.max_new_tokens": [str(method.respond.max_new_tokens)],
        "--rollout.temperature": [number(method.settings.temperature)],
        "--rollout.top_p": ["1"],
        "--train.seed": [str(place.seed)],
    }


def _batches(settings: RlSettings, own: OpenRlhfSettings) -> dict[str, list[str]]:
    micro = micro_batch(settings.batch_size, actors(own), settings.micro_batch_size)
    return {
        "--rollout.batch_size": [str(settings.batch_size)],
        "--rollout.vllm_generate_batch_size": [str(settings.batch_size)],
        "--rollout.n_samples_per_prompt": ["1"],
        "--rollout.micro_batch_size": [str(micro)],
        "--train.batch_size": [str(settings.batch_size)],
        "--train.micro_batch_size": [str(micro)],
        "--train.num_episodes": ["1"],
        "--train.max_epochs": ["1"],
        "--eval.steps": ["-1"],
    }


def _algorithm(settings: RlSettings) -> dict[str, list[str]]:
    return {
        "--algo.advantage.estimator": ["gae"],
        "--algo.advantage.gamma": ["1"],
        "--algo.advantage.lambd": ["1"],
        "--algo.advantage.no_std_norm": [],
        "--algo.advantage.is_correction_level": ["off"],
        "--algo.kl.init_coef": [number(kl_coefficient(settings.beta))],
        "--algo.kl.estimator": ["k1"],
        "--reward.clip_range": [f"-{NO_CLIPPING}", NO_CLIPPING],
        "--actor.policy_loss_type": ["ppo"],
        "--actor.loss_agg_mode": ["token-mean"],
        "--actor.eps_clip": ["0.2"],
        "--actor.aux_loss_coef": ["0"],
        "--critic.value_clip": [NO_CLIPPING],
        "--critic.freezing_steps": ["-1"],
    }


def actors(own: OpenRlhfSettings) -> int:
    """Processes that train the policy."""
    placement = own.placement
    if isinstance(placement, Colocated):
        return own.nodes * placement.gpus
    return placement.actor.nodes * placement.actor.gpus


def gpus_of(own: OpenRlhfSettings, *, has_reward_model: bool) -> int:
    """GPUs that RL takes on all nodes, without the labeler's server."""
    placement = own.placement
    if isinstance(placement, Colocated):
        return own.nodes * placement.gpus
    roles = [placement.actor, placement.reference, placement.critic, *([placement.reward] if has_reward_model else [])]
    return sum(role.nodes * role.gpus for role in roles) + placement.engines * placement.tensor_parallel


def _placement(own: OpenRlhfSettings, *, has_reward_model: bool) -> dict[str, list[str]]:
    placement = own.placement
    if isinstance(placement, Colocated):
        everywhere = Role(nodes=own.nodes, gpus=placement.gpus)
        roles = dict.fromkeys(ROLES, everywhere)
        engines = own.nodes * placement.gpus // placement.tensor_parallel
    else:
        roles = dict(
            zip(ROLES, (placement.actor, placement.reference, placement.critic, placement.reward), strict=True)
        )
        engines = placement.engines
    if not has_reward_model:
        roles.pop("reward")
    flags = {}
    for name, role in roles.items():
        flags[f"--{name}.num_nodes"] = [str(role.nodes)]
        flags[f"--{name}.num_gpus_per_node"] = [str(role.gpus)]
    together = isinstance(placement, Colocated)
    return {
        **flags,
        "--vllm.num_engines": [str(engines)],
        "--vllm.tensor_parallel_size": [str(placement.tensor_parallel)],
        "--vllm.gpu_memory_utilization": [number(placement.gpu_memory_utilization)],
        "--vllm.sync_backend": ["nccl"],
        **switches(
            {
                "--vllm.enable_prefix_caching": True,
                "--train.colocate_all": together,
                "--vllm.enable_sleep": together,
                "--ds.enable_sleep": together,
            }
        ),
    }
