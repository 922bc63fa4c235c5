"""What becomes of each of our settings in OpenRLHF: said exactly, said otherwise, or not sayable.

The rows are the compile report that `rlaif-spec plan` prints. What is not sayable names a deviation, which the scale
must accept by that name (`openrlhf.accept`), or the compiler refuses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rlaif_spec.engines.openrlhf.command import with_extra
from rlaif_spec.engines.openrlhf.reinforcement import actors, kl_coefficient
from rlaif_spec.engines.openrlhf.supervised import steps_of
from rlaif_spec.engines.openrlhf.training import Nodes, micro_batch, number
from rlaif_spec.plan.steps import LabelerScore, OpenRlhf, RewardModel, Rl, Sft
from rlaif_spec.spec.openrlhf import Deviation, OpenRlhfSettings
from rlaif_spec.spec.settings import Optimizer, RewardModelSettings, RlSettings, SftSettings

Verdict = Literal["exact", "reinterpreted", "not expressible", "set by hand"]


@dataclass(frozen=True)
class Translated:
    """One setting, and what OpenRLHF makes of it."""

    setting: str
    value: str
    verdict: Verdict
    how: str
    deviation: Deviation | None = None
    """By which name it is accepted, where it is not expressible."""


def translation(step: Sft | RewardModel | Rl, rows: int, own: OpenRlhfSettings, nodes: Nodes) -> list[Translated]:
    """The report on one training step; `rows` is the number of its training rows."""
    found = _rl(step, actors(own)) if isinstance(step, Rl) else _supervised(step, rows, nodes)
    return [*_by_hand(step), *found, *_everywhere(own)]


def _by_hand(step: Sft | RewardModel | Rl) -> Iterator[Translated]:
    """Flags that stand in the place of what the rows below say."""
    extra = step.trainer.flags if isinstance(step.trainer, OpenRlhf) else ()
    for flag, values in with_extra({}, extra).items():
        yield Translated(flag, " ".join(values), "set by hand", "in the place of what this report says of it")


def _everywhere(own: OpenRlhfSettings) -> Iterator[Translated]:
    how = f"weights in {own.param_dtype}, optimizer states in fp32; OpenRLHF has no fp32 weights"
    yield Translated("precision", "fp32", "not expressible", how, "half-precision")


def _supervised(step: Sft | RewardModel, rows: int, nodes: Nodes) -> Iterator[Translated]:
    settings = step.settings
    name = "sft" if isinstance(step, Sft) else "reward_model"
    if settings.epochs == 0:
        yield Translated(f"{name}.epochs", "0", "exact", "no job: the model is taken as it is")
        return
    left = rows % settings.batch_size
    yield Translated(
        f"{name}.epochs",
        str(settings.epochs),
        "reinterpreted" if left else "exact",
        f"the last {left} of {rows} rows of an epoch fill no batch and are dropped" if left else "--train.max_epochs",
    )
    yield Translated(f"{name}.batch_size", str(settings.batch_size), "exact", "--train.batch_size")
    yield _micro_batch(name, settings, nodes.world)
    steps = steps_of(rows, settings.epochs, settings.batch_size)
    yield from _optimizer(f"{name}.optimizer", settings.optimizer, steps)
    if isinstance(step, Sft):
        yield Translated("loss", "mean over response tokens", "exact", "token mean over the whole batch")
        return
    how = "our entry module puts the cross-entropy in; P travels in the column `margin`"
    yield Translated("loss", "cross-entropy on soft labels", "exact", how)
    yield Translated(
        "head at the start",
        "deviation 1/sqrt(d+1)",
        "reinterpreted",
        "deviation 1/(d+1), d the width of the model: smaller",
    )


def _rl(step: Rl, actors: int) -> Iterator[Translated]:
    settings = step.settings
    rows = settings.steps * settings.batch_size
    how = f"the prompt file holds {rows} rows: one episode is all steps"
    yield Translated("rl.steps", str(settings.steps), "exact", how)
    yield Translated("rl.batch_size", str(settings.batch_size), "exact", "--rollout.batch_size = --train.batch_size")
    yield _micro_batch("rl", settings, actors)
    yield from _objective(step)
    yield Translated(
        "rl.temperature", number(settings.temperature), "exact", "of sampling and of the log-probabilities"
    )
    yield from _optimizer("rl.optimizer", settings.optimizer, settings.steps)
    yield from _optimizer("rl.value_optimizer", settings.value_optimizer, settings.steps)
    how = "a checkpoint in the format of transformers at each; our runner samples and judges them afterwards"
    yield Translated("rl.checkpoint_every", str(settings.checkpoint_every), "exact", how)
    yield Translated("rl.select", settings.select, "exact", "our runner chooses among those checkpoints")
    room = f"{step.respond.max_new_tokens} tokens"
    yield Translated("respond.max_new_tokens", room, "exact", "--rollout.max_new_tokens")
    how = "generators are not in OpenRLHF's checkpoints"
    yield Translated("resume", "the same bits", "not expressible", how, "resume-redraws")


def _objective(step: Rl) -> Iterator[Translated]:
    settings = step.settings
    beta = settings.beta
    coefficient = number(kl_coefficient(beta))
    how = f"r - {coefficient} KL with --algo.kl.init_coef {coefficient} = beta / (1 - beta): (1 - beta) times ours"
    yield Translated("rl.beta", number(beta), "exact", how)
    yield Translated("baseline", "learned V, Z_t - V(X_t)", "exact", "gae with gamma = lambda = 1, critic from SFT")
    yield Translated("value at the start", "0", "reinterpreted", "a random head of deviation 1/(d+1) on the SFT body")
    how = "the mean of the batch is subtracted (dividing by the deviation is switched off)"
    yield Translated("advantages", "as they are", "not expressible", how, "centred-advantages")
    how = "divided by the batch's tokens; AdamW's step does not depend on the factor, clipping does"
    yield Translated("losses", "sums over tokens, mean over responses", "reinterpreted", how)
    yield Translated("clipping", "none", "exact", "on-policy, so the ratio is 1; rewards and values clip at 1e9")
    how = "scored at its last token; ours ends it with end-of-text first"
    yield Translated("response cut at its limit", "ended", "reinterpreted", how)
    if isinstance(step.reward, LabelerScore):
        how = "the agent file asks the labeler; unread or unanswered responses are masked and counted"
        yield Translated("reward", "labeler's expected score", "exact", how)
    elif settings.standardize_reward:
        how = "the head is divided by the deviation over SFT's responses; the shift is left to the baseline"
        yield Translated("rl.standardize_reward", "true", "reinterpreted", how)
    else:
        yield Translated("rl.standardize_reward", "false", "exact", "the reward model's score as it is")


def _micro_batch(name: str, settings: SftSettings | RewardModelSettings | RlSettings, world: int) -> Translated:
    batch, limit = settings.batch_size, settings.micro_batch_size
    size = micro_batch(batch, world, limit)
    why = "" if size == limit else f": the most up to {limit} that divides a GPU's share"
    return Translated(f"{name}.micro_batch_size", str(limit), "exact", f"{size} on each of {world} GPUs{why}")


def _optimizer(name: str, optimizer: Optimizer, steps: int) -> Iterator[Translated]:
    yield Translated(f"{name}.learning_rate", number(optimizer.learning_rate), "exact", "AdamW, betas 0.9 0.95")
    warm = str(optimizer.warmup_steps)
    yield Translated(f"{name}.warmup_steps", warm, *_warm_up(optimizer.warmup_steps, steps))
    yield Translated(f"{name} schedule", "linear to a tenth", "reinterpreted", "cosine to a tenth; there is no other")
    yield Translated(f"{name}.max_grad_norm", number(optimizer.max_grad_norm), "exact", "--max_norm")


def _warm_up(wanted: int, steps: int) -> tuple[Verdict, str]:
    if wanted == 0:
        return "exact", "none"
    how = f"as a share of {steps} steps, which is rounded up to {wanted}; begins at 0, ours at a {wanted}th"
    return "reinterpreted", how
