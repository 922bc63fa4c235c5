"""The reward model: cross-entropy between a soft label and the Bradley-Terry probability of its scores.

    loss = -[p log sigmoid(m) + (1 - p) log sigmoid(-m)],  m = score(first) - score(second)

which is the paper's cross-entropy with softmax([r1, r2]) (section 2.2.1), and with p = 1 the loss on human labels
(appendix A.2). A turn's score is read at its end-of-text token.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import PreTrainedModel

from rlaif_spec.engines.native.checkpoint import Checkpoint, Trainable
from rlaif_spec.engines.native.models import (
    Tokens,
    hidden_outputs,
    load_tokens,
    right_padded,
    save_model,
    start_scalar_model,
)
from rlaif_spec.engines.native.sampling import in_batches
from rlaif_spec.engines.native.training import batch_of, learning_rate, steps_of, train, update
from rlaif_spec.engines.protocol import Job, PreferencePair, Turn
from rlaif_spec.spec.settings import RewardModelSettings


def soft_label_loss(margin: Tensor, prefers_first: Tensor) -> Tensor:
    """Cross-entropy in nats, of the shape of its arguments."""
    return -(prefers_first * logsigmoid(margin) + (1 - prefers_first) * logsigmoid(-margin))


def train_reward_model(
    source: Path, pairs: Sequence[PreferencePair], settings: RewardModelSettings, job: Job, device: torch.device
) -> None:
    """Train a reward model from the model in `source` into `job.folder / "model"`."""
    tokens = load_tokens(source)
    trainable = Trainable("reward model", start_scalar_model(source, device, seed=job.seed))
    model: PreTrainedModel = trainable.model  # type: ignore[assignment]
    steps = steps_of(len(pairs), settings.epochs, settings.batch_size)

    def step(at: int) -> dict[str, float]:
        batch = batch_of(pairs, at, settings.batch_size, job.seed)
        loss = update(
            trainable,
            batch,
            lambda part: _loss(model, tokens, part),
            divisor=len(batch),
            micro_batch_size=settings.micro_batch_size,
            learning_rate=learning_rate(settings.optimizer, at, steps),
            max_grad_norm=settings.optimizer.max_grad_norm,
        )
        return {"loss": loss}

    checkpoint = Checkpoint(job.folder, [trainable])
    train(job, checkpoint, steps, step)
    save_model(model, tokens, job.folder / "model")


def turn_scores(model: PreTrainedModel, tokens: Tokens, turns: Sequence[Turn]) -> Tensor:
    """The score of each turn, in nats: (turns,)."""
    rows = [[*tokens.prompt(turn.prompt), *tokens.response(turn.response)] for turn in turns]
    tokens.check(max(map(len, rows)))
    outputs = hidden_outputs(model, right_padded(rows, tokens.pad, model.device))
    last = torch.tensor([len(row) - 1 for row in rows], device=model.device)
    return outputs.gather(1, last[:, None]).squeeze(1)


@torch.inference_mode()
def score_in_batches(model: PreTrainedModel, tokens: Tokens, turns: Sequence[Turn], size: int) -> list[float]:
    """The scores of any number of turns."""
    scores = [0.0] * len(turns)
    for batch in in_batches([len(turn.prompt) + len(turn.response) for turn in turns], size):
        for at, score in zip(batch, turn_scores(model, tokens, [turns[at] for at in batch]).tolist(), strict=True):
            scores[at] = score
    return scores


def _loss(model: PreTrainedModel, tokens: Tokens, pairs: Sequence[PreferencePair]) -> Tensor:
    first = [Turn(pair.prompt, pair.first) for pair in pairs]
    second = [Turn(pair.prompt, pair.second) for pair in pairs]
    scores = turn_scores(model, tokens, [*first, *second])
    margin = scores[: len(pairs)] - scores[len(pairs) :]
    labels = torch.tensor([pair.prefers_first for pair in pairs], device=margin.device)
    return soft_label_loss(margin, labels).sum()
