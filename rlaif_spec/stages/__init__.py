"""How each kind of step is done; who computes is the engine's business."""

from pathlib import Path
from typing import assert_never

from rlaif_spec.plan.steps import AnyStep, Data, Labels, Ratings, Responses, RewardModel, Rl, Sft, Verdicts
from rlaif_spec.stages.context import Context
from rlaif_spec.stages.labeling import write_labels, write_verdicts
from rlaif_spec.stages.policy import train_policy, write_ratings, write_responses
from rlaif_spec.stages.supervised import train_reward_model, train_sft, write_data

__all__ = ["Context", "perform"]


def perform(step: AnyStep, folder: Path, context: Context) -> None:
    """Do one step in `folder`; the steps it needs are finished."""
    match step:
        case Data():
            write_data(step, folder)
        case Sft():
            train_sft(step, folder, context)
        case Labels():
            write_labels(step, folder, context)
        case RewardModel():
            train_reward_model(step, folder, context)
        case Rl():
            train_policy(step, folder, context)
        case Responses():
            write_responses(step, folder, context)
        case Ratings():
            write_ratings(step, folder, context)
        case Verdicts():
            write_verdicts(step, folder, context)
        case other:
            assert_never(other)
