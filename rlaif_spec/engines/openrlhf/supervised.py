"""Commands of SFT and of the reward model on soft labels."""

from rlaif_spec.engines.openrlhf.command import Command, with_extra
from rlaif_spec.engines.openrlhf.training import (
    ENVIRONMENT,
    TEMPLATE,
    UNLIMITED,
    Nodes,
    Place,
    checkpoint_flags,
    deepspeed_flags,
    launcher,
    logger_flags,
    micro_batch,
    optimizer_flags,
    switches,
)
from rlaif_spec.spec.openrlhf import OpenRlhfSettings
from rlaif_spec.spec.settings import RewardModelSettings, SftSettings

SAVES_AN_EPOCH = 4


def steps_of(rows: int, epochs: int, batch_size: int) -> int:
    """Updates: OpenRLHF drops the last rows of an epoch that fill no batch."""
    return epochs * (rows // batch_size)


def sft_command(place: Place, rows: int, settings: SftSettings, own: OpenRlhfSettings, nodes: Nodes) -> Command:
    """Negative log-likelihood of the responses' tokens, a mean over the tokens of the batch."""
    flags = {
        "--data.dataset": [str(place.data)],
        "--data.input_key": ["input"],
        "--data.output_key": ["output"],
        **_shared(place, rows, settings, own, nodes),
    }
    return Command("train_sft", launcher(own, nodes), with_extra(flags, own.flags.sft), ENVIRONMENT)


def reward_model_command(
    place: Place, rows: int, settings: RewardModelSettings, own: OpenRlhfSettings, nodes: Nodes
) -> Command:
    """Cross-entropy with the soft label, which travels in the column `margin` (see `entry.soft_reward_model`).

    The file of evaluation rows is OpenRLHF's wish only (without one it takes a hundredth of the training rows, and
    fails where that is none); held-out figures are computed by the step itself.
    """
    flags = {
        "--data.dataset": [str(place.data)],
        "--eval.dataset": [str(place.data.with_name("evaluation.jsonl"))],
        "--eval.split": ["train"],
        "--data.prompt_key": ["prompt"],
        "--data.chosen_key": ["chosen"],
        "--data.rejected_key": ["rejected"],
        "--model.loss_type": ["sigmoid"],
        "--model.margin_loss_enable": [],
        "--model.compute_fp32_loss_enable": [],
        "--ds.value_head_prefix": ["score"],
        **_shared(place, rows, settings, own, nodes),
    }
    return Command("train_rm", launcher(own, nodes), with_extra(flags, own.flags.reward_model), ENVIRONMENT)


def _shared(
    place: Place, rows: int, settings: SftSettings | RewardModelSettings, own: OpenRlhfSettings, nodes: Nodes
) -> dict[str, list[str]]:
    steps = steps_of(rows, settings.epochs, settings.batch_size)
    micro = micro_batch(settings.batch_size, nodes.world, settings.micro_batch_size)
    return {
        "--model.model_name_or_path": [place.model],
        "--data.dataset_split": ["train"],
        "--data.input_template": [TEMPLATE],
        "--data.max_len": [str(own.max_tokens)],
        "--data.max_samples": [UNLIMITED],
        "--data.dataloader_num_workers": ["0"],
        "--train.batch_size": [str(settings.batch_size)],
        "--train.micro_batch_size": [str(micro)],
        "--train.max_epochs": [str(settings.epochs)],
        "--train.seed": [str(place.seed)],
        "--model.aux_loss_coef": ["0"],
        "--eval.steps": ["-1"],
        **optimizer_flags(settings.optimizer, steps),
        **deepspeed_flags(own),
        **switches({"--model.gradient_checkpointing_enable": own.gradient_checkpointing}),
        **checkpoint_flags(place, own, max(1, rows // settings.batch_size // SAVES_AN_EPOCH)),
        **logger_flags(place),
    }
