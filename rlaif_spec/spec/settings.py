"""Every training and asking setting, each documented under its field with the paper's value.

A scale holds one of each. All fields are part of a step's key: changing one redoes what depends on it, and
nothing else. What only changes speed (threads, batch of inference) is in `scale.Compute` and is no part of any key.
"""

from typing import Annotated, Literal

from pydantic import Field

from rlaif_spec.frozen import Frozen

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(Frozen):
    """AdamW with linear warm-up and linear decay to a tenth; the paper used Adafactor at 1e-5 throughout."""

    learning_rate: Annotated[float, Field(ge=0)]
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    max_grad_norm: Rate = 1.0


class SftSettings(Frozen):
    """Supervised fine-tuning on people's responses (paper: 1 epoch, batch 128)."""

    epochs: Annotated[int, Field(ge=0)] = 1
    """0 uses the off-the-shelf model as it is, as the paper does for dialogue."""
    batch_size: Count = 128
    micro_batch_size: Count = 128
    """Rows in memory at a time; gradients are accumulated, the result is the same up to rounding."""
    optimizer: Optimizer


class RewardModelSettings(Frozen):
    """Cross-entropy on soft labels (paper: 2-3 epochs, batch 128 for summaries, 32 for dialogue)."""

    epochs: Count = 2
    batch_size: Count = 128
    micro_batch_size: Count = 128
    optimizer: Optimizer


class RlSettings(Frozen):
    """REINFORCE with a learned value baseline (paper section 3.3, appendices A.3 and F)."""

    steps: Count
    """Policy updates (paper: 8 epochs, about 7,300)."""
    batch_size: Count = 128
    """Responses of one update, one a prompt."""
    micro_batch_size: Count = 128
    beta: Share = 0.05
    """Objective (1 - beta) reward - beta KL(policy || SFT)."""
    temperature: Rate = 0.9
    optimizer: Optimizer
    value_optimizer: Optimizer
    """The value model is a model of its own, started from the SFT policy; its settings are not in the paper."""
    standardize_reward: bool = False
    """Shift and scale rewards once, to mean 0 and deviation 1 over the SFT policy's own responses. Our choice, for
    reward models, whose scale is arbitrary; scores of d-RLAIF are in [-1, 1] already."""
    checkpoint_every: Count = 20
    """A candidate is kept every so many steps."""
    select: Literal["last", "labeler"] = "last"
    """Which candidate becomes the policy: the last one, or the one that the `selector` labeler of the scale prefers
    most often to SFT on validation prompts (after the paper's checkpoint choice by an off-the-shelf model)."""


class LabelSettings(Frozen):
    """How labelers are asked."""

    rationale_tokens: Count = 512
    """Longest chain of thought, decoded greedily (paper appendix D)."""
    max_unparsed: Share = 0.05
    """A labeling step fails when a larger share of its replies cannot be read."""
    min_mass: Share = 0.0
    """A reply counts as unread when the answers together have less probability than this."""


class ResponseSettings(Frozen):
    """How policies answer for the evaluation (not stated in the paper)."""

    max_new_tokens: Count = 128
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy."""


class EvaluationSettings(Frozen):
    """How responses are rated and intervals computed."""

    raters: Count = 3
    """Independent raters of each comparison (paper appendix I)."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=100)] = 10_000
