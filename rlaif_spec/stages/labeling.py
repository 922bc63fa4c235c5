"""The stages in which a labeler reads pairs: labels for training or alignment, and verdicts between policies.

Pairs are labelled in chunks, each written as soon as it is done, so that a killed run loses one chunk at most.
"""

from collections.abc import Sequence
from pathlib import Path

from rlaif_spec.engines.protocol import Progress
from rlaif_spec.errors import JudgementError
from rlaif_spec.judges import labeler_verdicts
from rlaif_spec.labelers import label_pairs
from rlaif_spec.plan.steps import Labels, Responses, Verdicts, data_of
from rlaif_spec.prompts import PairVariant, PromptLibrary, parse_pair_variant
from rlaif_spec.records import Comparison, Response, SoftLabel
from rlaif_spec.spec.settings import LabelSettings
from rlaif_spec.stages.context import LABELS, RESPONSES, VERDICTS, Context
from rlaif_spec.store import append_rows, read_rows, read_whole_rows, write_rows

CHUNK = 50


def write_labels(step: Labels, folder: Path, context: Context) -> None:
    """Label one part of the data."""
    comparisons = read_rows(context.store.open(step.data) / f"{step.part}.jsonl", Comparison)
    texts = PromptLibrary(step.labeler.prompts, step.data.task)
    _in_chunks(step, texts, step.prompt, comparisons, folder, context)


def write_verdicts(step: Verdicts, folder: Path, context: Context) -> None:
    """A labeler in the place of raters: the policy's response stands first in each comparison."""
    task = data_of(step.policy.policy).task
    mine, theirs = (_responses(responses, context) for responses in (step.policy, step.opponent))
    pairs = [
        Comparison(id=row.id, context=row.context, first=row.text, second=other.text)
        for row, other in zip(mine, theirs, strict=True)
    ]
    texts = PromptLibrary(step.labeler.prompts, task)
    labels = _in_chunks(step, texts, step.judge.prompt, pairs, folder, context)
    write_rows(folder / VERDICTS, labeler_verdicts(labels))


def check_read(where: str, unread: int, replies: int, settings: LabelSettings) -> None:
    """Refuse a labeler who cannot be read too often."""
    if unread > settings.max_unparsed * replies:
        raise JudgementError(
            f"{where}: {unread} of {replies} replies could not be read, more than label.max_unparsed"
            f" ({settings.max_unparsed:g}) allows; choose another prompt or labeler, or raise the limit"
        )


def unread_in(labels: Sequence[SoftLabel]) -> int:
    """How many labels could not be read."""
    return sum(label.prefers_first is None for label in labels)


def variant_of(name: str) -> PairVariant:
    """The pair variant of that name; specs and scales have been checked for it."""
    variant = parse_pair_variant(name)
    assert variant is not None, name  # noqa: S101
    return variant


def _in_chunks(
    step: Labels | Verdicts,
    texts: PromptLibrary,
    prompt: str,
    comparisons: Sequence[Comparison],
    folder: Path,
    context: Context,
) -> list[SoftLabel]:
    """All labels; JudgementError as soon as more are unread than may be."""
    model, variant = context.language_model(step.labeler), variant_of(prompt)
    path = folder / LABELS
    found = read_whole_rows(path, SoftLabel)
    labels = found[: len(found) // CHUNK * CHUNK] if len(found) < len(comparisons) else found
    write_rows(path, labels)  # a part of a chunk is labelled again, in the same company
    _check(step, labels, comparisons, path)
    while len(labels) < len(comparisons):
        chunk = comparisons[len(labels) : len(labels) + CHUNK]
        fresh = label_pairs(model, texts, variant, chunk, step.settings)
        append_rows(path, fresh)
        labels += fresh
        context.tell(Progress(len(labels), len(comparisons), {}))
        _check(step, labels, comparisons, path)
    return labels


def _check(step: Labels | Verdicts, labels: Sequence[SoftLabel], comparisons: Sequence[Comparison], path: Path) -> None:
    """`check_read`. A server that refused may be repaired: its labels are made anew, from the answers that it gave."""
    try:
        check_read(step.id, unread_in(labels), len(comparisons), step.settings)
    except JudgementError:
        if step.labeler.source.endpoint is not None:
            path.unlink()
        raise


def _responses(step: Responses, context: Context) -> list[Response]:
    return read_rows(context.store.open(step) / RESPONSES, Response)
