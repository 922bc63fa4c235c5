"""Soft labels of pairs: the paper's labeling method (sections 2.1, 2.1.1 and 2.1.2).

Softmax over the log-probabilities of "1" and "2", asked in both orders, un-swapped and averaged in probability
(the paper says "averaged"; that it is probabilities is our reading). With a chain of thought the model first
writes a rationale, greedily, and is then asked with it. Harmless asks for the more harmful response; its answer
is inverted. A reply that gives the two digits less than `min_mass` together, or nothing at all, is unread; so is one
whose rationale was refused, because without it the answer would be to another question.
"""

from collections.abc import Sequence

from rlaif_spec.lm import LanguageModel
from rlaif_spec.prompts import PairVariant, PromptLibrary
from rlaif_spec.records import Comparison, SoftLabel
from rlaif_spec.spec.settings import LabelSettings
from rlaif_spec.tasks import TASKS

ANSWERS = ("1", "2")


def label_pairs(
    model: LanguageModel,
    library: PromptLibrary,
    variant: PairVariant,
    comparisons: Sequence[Comparison],
    settings: LabelSettings,
) -> list[SoftLabel]:
    """One soft label for each comparison, in their order."""
    shown = [order for comparison in comparisons for order in (comparison, comparison.swap())]
    prompts, rationales = _prompts(model, library, variant, shown, settings)
    replies = _replies(model, prompts)
    invert = TASKS[library.task].asks_for_worse
    labels = []
    for at, comparison in enumerate(comparisons):
        (one, mass_one), (two, mass_two) = (_prefers_shown_first(replies[2 * at + k], settings, invert) for k in (0, 1))
        labels.append(
            SoftLabel(
                id=comparison.id,
                shown_first=one,
                shown_second=None if two is None else 1.0 - two,
                mass=min(mass_one, mass_two),
                rationales=tuple(said or "" for said in rationales[2 * at : 2 * at + 2]),
            )
        )
    return labels


def _prompts(
    model: LanguageModel,
    library: PromptLibrary,
    variant: PairVariant,
    shown: Sequence[Comparison],
    settings: LabelSettings,
) -> tuple[list[str | None], Sequence[str | None]]:
    """What is asked about each order, None where the model gave no rationale to ask with; and the rationales."""
    if not variant.cot:
        return [library.pair(variant, pair.context, pair.first, pair.second) for pair in shown], []
    requests = [library.rationale_request(variant, pair.context, pair.first, pair.second) for pair in shown]
    stop = library.ending.split()[0]
    rationales = model.generate(requests, max_new_tokens=settings.rationale_tokens, stop=stop)
    prompts = [
        None if said is None else library.after_rationale(ask, said)
        for ask, said in zip(requests, rationales, strict=True)
    ]
    return prompts, rationales


def _replies(model: LanguageModel, prompts: Sequence[str | None]) -> list[Sequence[float]]:
    """Probabilities of both answers; 0 of each where nothing can be asked."""
    asked = [prompt for prompt in prompts if prompt is not None]
    found = iter(model.choice_probabilities(asked, ANSWERS) if asked else [])
    return [(0.0, 0.0) if prompt is None else next(found) for prompt in prompts]


def _prefers_shown_first(reply: Sequence[float], settings: LabelSettings, invert: bool) -> tuple[float | None, float]:
    """(probability that the response in the first place is preferred, mass on both answers)."""
    first, second = reply
    mass = first + second
    if mass <= 0.0 or mass < settings.min_mass:
        return None, mass
    prefers = first / mass
    return (1.0 - prefers if invert else prefers), min(mass, 1.0)
