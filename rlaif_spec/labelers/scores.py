"""Direct RLAIF: the labeler's expected score of one response (paper section 2.2.2).

The likelihoods of the scores 1 to 10 are normalised, s = sum_i i P(i), and mapped linearly to [-1, 1] by
(s - 5.5) / 4.5; the paper gives the range but not the map. "10" may be two tokens; `LanguageModel` keeps its
probability apart from that of "1".
"""

from collections.abc import Sequence
from typing import Final

from rlaif_spec.lm import LanguageModel

SCORES: Final = tuple(str(score) for score in range(1, 11))


def expected_scores(model: LanguageModel, prompts: Sequence[str], *, min_mass: float) -> list[float | None]:
    """Expected score in [-1, 1] for each scoring prompt; None where the reply could not be read."""
    return [expected_score(reply, min_mass) for reply in model.choice_probabilities(prompts, SCORES)]


def expected_score(reply: Sequence[float], min_mass: float) -> float | None:
    """Expected score in [-1, 1] by the probabilities of `SCORES`; None where they are less than `min_mass` together."""
    mass = sum(reply)
    if mass <= 0.0 or mass < min_mass:
        return None
    expected = sum(score * probability for score, probability in enumerate(reply, start=1)) / mass
    return (expected - 5.5) / 4.5
