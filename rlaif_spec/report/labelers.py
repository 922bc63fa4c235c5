"""How well labelers and reward models agree with people, with the controls printed beside them."""

from collections.abc import Mapping, Sequence

import numpy as np

from harness import alignment, positional_agreement
from harness.agreement import alignment_of_margins
from harness.controls import longer_wins, majority
from rlaif_spec.records import Comparison, SoftLabel
from rlaif_spec.report.figures import Figure, Interval
from rlaif_spec.spec.settings import EvaluationSettings

Labelled = Mapping[int, Sequence[tuple[Comparison, SoftLabel]]]
"""By seed, each held-out comparison with its label."""


def labeler_figures(subject: str, task: str, prompt: str, labelled: Labelled, level: float) -> list[Figure]:
    """Alignment, share of pairs where the position decided, and two rules that read nothing (paper, Tables 2 to 4)."""
    once = {pair[0].id: pair for rows in labelled.values() for pair in rows if pair[0].human is not None}
    pairs = list(once.values())  # seeds may share comparisons; a labeler says the same of each, so it counts once
    if not pairs:
        return []
    human = [row.human or "tie" for row, _ in pairs]
    aligned = alignment([label.prefers_first for _, label in pairs], human, level=level)
    seeds = len(labelled)
    figures = [
        Figure(
            measure="labeler alignment",
            task=task,
            subject=subject,
            prompt=prompt,
            interval=Interval.of(aligned.estimate),
            seeds=seeds,
            unparsed=aligned.unparsed,
            ties=aligned.human_ties,
            note="people's ties left out" if aligned.human_ties else "",
        )
    ]
    figures += _position(subject, task, prompt, [label for _, label in pairs], seeds, level)
    return figures


def control_figures(task: str, comparisons: Mapping[int, Sequence[Comparison]], level: float) -> list[Figure]:
    """What two rules reach that read nothing: the commonest answer, and the longer response."""
    rows = list({row.id: row for part in comparisons.values() for row in part if row.human is not None}.values())
    human = [row.human or "tie" for row in rows]
    lengths = [[len(text) for text in side] for side in ([r.first for r in rows], [r.second for r in rows])]
    return [
        Figure(
            measure="majority control",
            task=task,
            subject="commonest answer",
            interval=Interval.of(majority(human, level=level)),
            seeds=len(comparisons),
        ),
        Figure(
            measure="longer-wins control",
            task=task,
            subject="longer wins",
            interval=Interval.of(longer_wins(lengths[0], lengths[1], human, level=level)),
            seeds=len(comparisons),
        ),
    ]


def reward_model_figure(
    subject: str,
    task: str,
    margins: Sequence[tuple[float, Comparison]],
    *,
    prompt: str | None,
    seeds: int,
    unread: int,
    settings: EvaluationSettings,
) -> Figure:
    """Pairwise accuracy on held-out human preferences (paper, Tables 5 to 7); a margin is first minus second.

    Clusters are comparisons, which seeds may share. `unread` counts the training labels that could not be read.
    """
    result = alignment_of_margins(
        [margin for margin, _ in margins],
        [row.human or "tie" for _, row in margins],
        clusters=[row.id for _, row in margins],
        rng=np.random.default_rng(0),
        level=settings.level,
        resamples=settings.resamples,
    )
    return Figure(
        measure="reward model accuracy",
        task=task,
        subject=subject,
        prompt=prompt,
        interval=Interval.of(result.estimate),
        seeds=seeds,
        unparsed=unread,
        ties=result.human_ties,
    )


def _position(
    subject: str, task: str, prompt: str, labels: Sequence[SoftLabel], seeds: int, level: float
) -> list[Figure]:
    both = [
        (label.shown_first, 1.0 - label.shown_second)
        for label in labels
        if label.shown_first is not None and label.shown_second is not None
    ]
    if not both:
        return []
    result = positional_agreement([one for one, _ in both], [two for _, two in both], level=level)
    return [
        Figure(
            measure="same position",
            task=task,
            subject=subject,
            prompt=prompt,
            interval=Interval.of(result.estimate),
            seeds=seeds,
            unparsed=len(labels) - len(both),
            note=result.note,
        )
    ]
