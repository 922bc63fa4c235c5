"""The labeling method with a scripted model: orders, inversion, unread replies, scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlaif_spec.labelers import expected_scores, label_pairs
from rlaif_spec.lm import ScriptedModel
from rlaif_spec.prompts import PairVariant, PromptLibrary
from rlaif_spec.records import Comparison
from rlaif_spec.spec.settings import LabelSettings

BASE = PairVariant("base", cot=False, shots=0)
PAIR = Comparison(id="a", context="my bike is stuck", first="good answer", second="poor answer")


def prefers(word: str, probability: float = 0.8) -> ScriptedModel:
    """Gives the response that has the word `probability`, and 0.1 of the mass to other words."""

    def choose(prompt: str, choice: str) -> float:
        lines = prompt.splitlines()
        first = next(line for line in lines if " 1 - " in line)
        at = "1" if word in first else "2"
        return 0.9 * (probability if choice == at else 1 - probability)

    return ScriptedModel(choose)


def label(model: ScriptedModel, task: str, **settings: float):  # type: ignore[no-untyped-def]
    (found,) = label_pairs(model, PromptLibrary("toy", task), BASE, [PAIR], LabelSettings(**settings))  # type: ignore[arg-type]
    return found


def test_both_orders_are_unswapped_and_kept() -> None:
    found = label(prefers("good"), "helpful")
    assert (found.shown_first, found.shown_second) == (pytest.approx(0.8), pytest.approx(0.8))
    assert found.prefers_first == pytest.approx(0.8)
    assert found.mass == pytest.approx(0.9)


def test_harmless_asks_for_the_worse_and_is_inverted() -> None:
    assert label(prefers("poor"), "harmless").prefers_first == pytest.approx(0.8)


def test_a_labeler_that_prefers_a_position_ends_at_one_half() -> None:
    stubborn = ScriptedModel(lambda prompt, choice: 0.95 if choice == "1" else 0.05)
    found = label(stubborn, "helpful")
    assert (found.shown_first, found.shown_second) == (pytest.approx(0.95), pytest.approx(0.05))
    assert found.prefers_first == pytest.approx(0.5)


@pytest.mark.parametrize("mass", [0.0, 0.01])
def test_a_reply_without_the_digits_is_unread_and_no_tie(mass: float) -> None:
    silent = ScriptedModel(lambda prompt, choice: mass / 2)
    assert label(silent, "helpful", min_mass=0.05).prefers_first is None


@given(st.floats(0.01, 0.99))
def test_exchanging_the_responses_exchanges_the_label(probability: float) -> None:
    model, library = prefers("good", probability), PromptLibrary("toy", "helpful")
    one, two = label_pairs(model, library, BASE, [PAIR, PAIR.swap()], LabelSettings())
    assert one.prefers_first == pytest.approx(1 - two.prefers_first)


def test_a_rationale_is_asked_for_first_and_then_read() -> None:
    asked: list[str] = []

    def say(prompt: str) -> str:
        asked.append(prompt)
        return "the first keeps more Preferred Response= 2"

    def choose(prompt: str, choice: str) -> float:
        assert "the first keeps more" in prompt
        assert prompt.endswith("Preferred Response=")
        return 0.7 if choice == "1" else 0.3

    cot = PairVariant("base", cot=True, shots=0)
    (found,) = label_pairs(ScriptedModel(choose, say), PromptLibrary("toy", "helpful"), cot, [PAIR], LabelSettings())
    assert len(asked) == 2
    assert all(prompt.endswith("Rationale:") for prompt in asked)
    assert found.rationales == ("the first keeps more ",) * 2


@given(st.lists(st.floats(0.001, 1.0), min_size=10, max_size=10))
def test_the_expected_score_is_a_weighted_mean_in_the_papers_range(weights: list[float]) -> None:
    model = ScriptedModel(lambda prompt, choice: weights[int(choice) - 1] / 20)
    (score,) = expected_scores(model, ["rate"], min_mass=0.0)
    mean = sum(at * weight for at, weight in enumerate(weights, start=1)) / sum(weights)
    assert score == pytest.approx((mean - 5.5) / 4.5)
    assert -1.0 <= score <= 1.0


def test_the_ends_of_the_score_are_minus_one_and_one() -> None:
    for best, expected in (("1", -1.0), ("10", 1.0)):
        model = ScriptedModel(lambda prompt, choice, best=best: float(choice == best))
        assert expected_scores(model, ["rate"], min_mass=0.0) == [pytest.approx(expected)]
    assert expected_scores(ScriptedModel(lambda prompt, choice: 0.0), ["rate"], min_mass=0.0) == [None]
