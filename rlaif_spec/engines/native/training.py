"""What SFT, reward model and RL share: one update, the order of rows, the log, the end.

An update's loss is a sum over its rows divided by a number that is known before it starts. So it may be computed in
micro-batches of any size with the same result up to rounding.
"""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from rlaif_spec.engines.native.checkpoint import Checkpoint, Trainable
from rlaif_spec.engines.protocol import Job, Progress
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.settings import Optimizer
from rlaif_spec.store import write_whole

Row = TypeVar("Row")
LOG = "train.jsonl"


def update(
    trainable: Trainable,
    batch: Sequence[Row],
    loss: Callable[[Sequence[Row]], Tensor],
    *,
    divisor: float,
    micro_batch_size: int,
    learning_rate: float,
    max_grad_norm: float,
) -> float:
    """One step of AdamW on `sum of loss over the batch / divisor`; the loss."""
    trainable.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for start in range(0, len(batch), micro_batch_size):
        part = loss(batch[start : start + micro_batch_size]) / divisor
        part.backward()  # type: ignore[no-untyped-call]
        total += float(part.detach())
    norm = torch.nn.utils.clip_grad_norm_(trainable.parameters.values(), max_grad_norm)
    if not torch.isfinite(norm):
        raise EngineError(f"the gradient of the {trainable.name} is not finite; lower its optimizer.learning_rate")
    for group in trainable.optimizer.param_groups:
        group["lr"] = learning_rate
    trainable.optimizer.step()
    return total


def learning_rate(optimizer: Optimizer, step: int, steps: int) -> float:
    """Linear warm-up, then linear decay to a tenth; `step` counts from 0."""
    if step < optimizer.warmup_steps:
        return optimizer.learning_rate * (step + 1) / optimizer.warmup_steps
    left = (steps - step) / max(1, steps - optimizer.warmup_steps)
    return optimizer.learning_rate * (0.1 + 0.9 * min(1.0, left))


def steps_of(rows: int, epochs: int, batch_size: int) -> int:
    """Number of updates; the last of an epoch may be small."""
    return epochs * -(-rows // batch_size)


def batch_of(rows: Sequence[Row], step: int, batch_size: int, seed: int) -> list[Row]:
    """The rows of update `step`: every epoch sees each once, in an order that only seed and epoch decide."""
    epoch, place = divmod(step, steps_of(len(rows), 1, batch_size))
    order = list(range(len(rows)))
    random.Random(f"{seed}|{epoch}").shuffle(order)
    return [rows[at] for at in order[place * batch_size : (place + 1) * batch_size]]


def train(job: Job, checkpoint: Checkpoint, steps: int, step: Callable[[int], dict[str, float]]) -> None:
    """Do the steps that are left, each leaving a row in the log and a word on the screen."""
    done = checkpoint.restore()
    log = job.folder / LOG
    _cut(log, done)
    for at in range(done, steps):
        figures = step(at)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": at + 1, **figures}, allow_nan=False) + "\n")
        job.tell(Progress(at + 1, steps, figures))
        if at + 1 < steps:
            checkpoint.save_if_due(at + 1)
        else:
            checkpoint.save(steps)


def _cut(log: Path, rows: int) -> None:
    """Keep the first rows: what was logged after the checkpoint is done again."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)[:rows] if log.is_file() else []
    write_whole(log, "".join(lines))
