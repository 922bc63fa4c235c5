"""Who evaluates, in the place of the paper's raters.

The raters of a toy world see the oracle's utility through noise (`worlds.oracle`), so their verdicts follow from
the utilities alone: any two policies can be compared afterwards, without their texts. A labeler as judge reads
both responses, in both orders.
"""

import random
from collections.abc import Sequence

from rlaif_spec.records import Judgement, Outcome, SoftLabel
from rlaif_spec.worlds import rater_probability


def rater_verdicts(
    ids: Sequence[str],
    policy: Sequence[float],
    opponent: Sequence[float],
    *,
    raters: int,
    names: tuple[str, str],
) -> list[Judgement]:
    """Each rater's choice between two policies on each prompt, from the utilities of their responses.

    A choice is a draw of the rater's preference (paper appendix I: no ties are allowed). It is a function of the
    prompt, the rater and the unordered pair of names, so that exchanging the policies exchanges the verdicts.
    """
    ordered = names[0] <= names[1]
    key = "|".join(sorted(names))
    judgements = []
    for prompt, mine, theirs in zip(ids, policy, opponent, strict=True):
        low, high = (mine, theirs) if ordered else (theirs, mine)
        for rater in range(raters):
            chose_low = random.Random(f"{key}|{prompt}|{rater}").random() < rater_probability(low, high)
            outcome: Outcome = "policy" if chose_low == ordered else "opponent"
            judgements.append(Judgement(id=prompt, rater=rater, outcome=outcome))
    return judgements


def labeler_verdicts(labels: Sequence[SoftLabel]) -> list[Judgement]:
    """A labeler's verdicts where `first` is the policy's response; exactly 0.5 is a tie, unread is unparsed."""
    return [Judgement(id=label.id, rater=0, outcome=_outcome(label.prefers_first)) for label in labels]


def _outcome(prefers_policy: float | None) -> Outcome:
    if prefers_policy is None:
        return "unparsed"
    if prefers_policy == 0.5:
        return "tie"
    return "policy" if prefers_policy > 0.5 else "opponent"
