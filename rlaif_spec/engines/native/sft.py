"""Supervised fine-tuning: negative log-likelihood of the tokens of people's responses, prompts not trained on."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rlaif_spec.engines.native.checkpoint import Checkpoint, Trainable
from rlaif_spec.engines.native.models import Tokens, load_language_model, load_tokens, right_padded, save_model
from rlaif_spec.engines.native.training import batch_of, learning_rate, steps_of, train, update
from rlaif_spec.engines.protocol import Job, Turn
from rlaif_spec.spec.settings import SftSettings

Sequence_ = tuple[list[int], list[int]]
"""Token ids of a prompt and of the response to it."""


def train_sft(source: Path, turns: Sequence[Turn], settings: SftSettings, job: Job, device: torch.device) -> None:
    """Fine-tune the model in `source` into `job.folder / "model"`."""
    tokens = load_tokens(source)
    trainable = Trainable("policy", load_language_model(source, device))
    model: PreTrainedModel = trainable.model  # type: ignore[assignment]
    rows = [(tokens.prompt(turn.prompt), tokens.response(turn.response)) for turn in turns]
    steps = steps_of(len(rows), settings.epochs, settings.batch_size)

    def step(at: int) -> dict[str, float]:
        batch = batch_of(rows, at, settings.batch_size, job.seed)
        loss = update(
            trainable,
            batch,
            lambda part: -response_log_probabilities(model, tokens, part)[0].sum(),
            divisor=sum(len(response) for _, response in batch),
            micro_batch_size=settings.micro_batch_size,
            learning_rate=learning_rate(settings.optimizer, at, steps),
            max_grad_norm=settings.optimizer.max_grad_norm,
        )
        return {"loss": loss}

    checkpoint = Checkpoint(job.folder, [trainable])
    train(job, checkpoint, steps, step)
    save_model(model, tokens, job.folder / "model")


def response_log_probabilities(
    model: PreTrainedModel, tokens: Tokens, rows: Sequence[Sequence_], *, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Log-probability of each response token, and a mask of which are there; both (rows, longest response).

    At the sampling temperature, these are the log-probabilities of the distribution that was sampled from.
    """
    joined = [[*prompt, *response] for prompt, response in rows]
    tokens.check(max(map(len, joined)))
    ids = right_padded(joined, tokens.pad, model.device)
    places, targets, mask = response_places(rows, model.device)
    longest = max(len(prompt) for prompt, _ in rows)
    first = min(len(prompt) for prompt, _ in rows) - 1
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=ids.shape[1] - first).logits
    assert longest > first  # noqa: S101
    chosen = logits.gather(1, (places - first)[:, :, None].expand(-1, -1, logits.shape[-1]))
    logs = (chosen / temperature).log_softmax(-1).gather(2, targets[:, :, None]).squeeze(-1)
    return logs * mask, mask


def response_places(rows: Sequence[Sequence_], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each response token: the position before it (where it is predicted), its id, and whether it is there."""
    longest = max(len(response) for _, response in rows)
    places = [[min(at, len(response) - 1) + len(prompt) - 1 for at in range(longest)] for prompt, response in rows]
    targets = [[*response, *[0] * (longest - len(response))] for _, response in rows]
    mask = [[float(at < len(response)) for at in range(longest)] for _, response in rows]
    return (
        torch.tensor(places, device=device),
        torch.tensor(targets, device=device),
        torch.tensor(mask, device=device),
    )
