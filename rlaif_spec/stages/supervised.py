"""Stages that learn from texts as they are: the data, the SFT policy, and the reward model."""

import random
from pathlib import Path

from rlaif_spec.datasets import load_data
from rlaif_spec.engines.protocol import PreferencePair, Turn
from rlaif_spec.errors import DataError, RunError
from rlaif_spec.plan.steps import Data, HumanLabels, RewardModel, Sft
from rlaif_spec.records import Comparison, Score, SoftLabel
from rlaif_spec.stages.context import LABELS, SCORES, SKIPPED, Context, library
from rlaif_spec.store import read_rows, write_json, write_rows

PARTS = ("demonstrations", "comparisons", "prompts", "validation", "evaluation", "alignment")


def write_data(step: Data, folder: Path) -> None:
    """Split the texts of the task and write each part."""
    dataset = load_data(step.task, step.source, seed=step.seed)
    for part in PARTS:
        write_rows(folder / f"{part}.jsonl", getattr(dataset, part))
    write_json(folder / SKIPPED, dataset.skipped)


def train_sft(step: Sft, folder: Path, context: Context) -> None:
    """Fine-tune the off-the-shelf model on people's responses."""
    texts = library(step)
    rows = context.examples(step.data, "demonstrations")
    turns = [Turn(prompt=texts.policy(row.context), response=row.reference) for row in rows if row.reference]
    if not turns:
        raise DataError(f"{step.data.id}: no demonstrations to train SFT on; bind contexts with references")
    model = context.engine.open_model(step.model.source)
    context.engine.train_sft(model, turns, step.settings, context.job(step, folder))


def train_reward_model(step: RewardModel, folder: Path, context: Context) -> None:
    """Learn from soft or people's labels, then score the held-out comparisons for the report."""
    texts = library(step.start)
    data = context.store.open(step.start.data)
    comparisons = read_rows(data / "comparisons.jsonl", Comparison)
    probabilities = _probabilities(step, comparisons, context)
    rows = [
        PreferencePair(texts.policy(row.context), row.first, row.second, probabilities[row.id])
        for row in comparisons
        if row.id in probabilities
    ]
    if not rows:
        raise RunError(f"{step.id}: none of {len(comparisons)} comparisons has a label that could be read")
    random.Random(step.random_seed).shuffle(rows)
    context.engine.train_reward_model(context.trained(step.start), rows, step.settings, context.job(step, folder))
    _score_held_out(step, folder, context)


def _probabilities(step: RewardModel, comparisons: list[Comparison], context: Context) -> dict[str, float]:
    """P(first is preferred) by comparison; those without a label are left out (and counted by the report)."""
    if isinstance(step.labels, HumanLabels):
        chosen = {"first": 1.0, "second": 0.0, "tie": 0.5}
        return {row.id: chosen[row.human] for row in comparisons if row.human is not None}
    labels = read_rows(context.store.open(step.labels) / LABELS, SoftLabel)
    return {label.id: label.prefers_first for label in labels if label.prefers_first is not None}


def _score_held_out(step: RewardModel, folder: Path, context: Context) -> None:
    texts = library(step.start)
    held_out = read_rows(context.store.open(step.start.data) / "alignment.jsonl", Comparison)
    sides = [Turn(texts.policy(row.context), text) for row in held_out for text in (row.first, row.second)]
    values = context.engine.reward_scores(folder / "model", sides)
    names = [f"{row.id}/{side}" for row in held_out for side in ("first", "second")]
    write_rows(folder / SCORES, [Score(id=name, value=value) for name, value in zip(names, values, strict=True)])
