"""Every prompt that a spec can name is whole, in order, and leaves the user's text as it is."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlaif_spec.prompts import PairVariant, PromptLibrary, Register, parse_pair_variant
from rlaif_spec.prompts.library import AFTER_EXEMPLARS, EXEMPLAR_HEADER
from rlaif_spec.tasks import TASKS

GOLDEN = Path(__file__).parents[1] / "golden" / "prompts"
REGISTERS: tuple[Register, ...] = ("natural", "toy")
ZERO_SHOT = ["base-0-shot", "detailed-0-shot", "base-cot-0-shot", "detailed-cot-0-shot"]
FEW_SHOT = [f"{style}{cot}-{shots}-shot" for style in ("base", "detailed") for cot in ("", "-cot") for shots in (1, 2)]
NAMES = {"summarize": ("Text", "Summary"), "helpful": ("Context", "Response"), "harmless": ("Context", "Response")}
FORMAT_LIKE = "{x} {context} {{}} {0} %s {"


def variant(name: str) -> PairVariant:
    found = parse_pair_variant(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ZERO_SHOT + FEW_SHOT)
@pytest.mark.parametrize("task", TASKS)
def test_natural_prompt_has_its_parts_in_order(task: str, name: str) -> None:
    library, asked = PromptLibrary("natural", task), variant(name)
    context, response = NAMES[task]
    prompt = library.pair(asked, FORMAT_LIKE, "the one", "the other")
    sample = f"{context} - {FORMAT_LIKE}\n\n{response} 1 - the one\n\n{response} 2 - the other"
    shots = [f"{EXEMPLAR_HEADER}\n\n{shot}" for shot in library.exemplars(asked.cot)[: asked.shots]]
    after = [AFTER_EXEMPLARS] if shots else []
    parts = [library.text(asked.preamble), *shots, *after, sample, f"Preferred {response}="]
    assert prompt == "\n\n".join(parts)
    assert prompt.count("»»»» Example »»»»\n") == asked.shots
    assert prompt.count("»»»» Follow the instructions and the example(s) above »»»»\n") == len(after)


@pytest.mark.parametrize("name", ZERO_SHOT)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("register", REGISTERS)
def test_every_zero_shot_prompt_renders(register: Register, task: str, name: str) -> None:
    library = PromptLibrary(register, task)
    prompt = library.pair(variant(name), FORMAT_LIKE, "one {y}", "two {z}")
    request = library.rationale_request(variant(name), FORMAT_LIKE, "one {y}", "two {z}")
    for text in (prompt, request):
        assert all(part in text for part in (FORMAT_LIKE, "1 - one {y}", "2 - two {z}"))
    assert prompt.endswith(f"Preferred {NAMES[task][1]}=")
    assert request.endswith("Rationale:")
    assert library.after_rationale(request, " because {w} ") == (
        f"{request} because {{w}}{chr(10) * (1 + (register == 'natural'))}{library.ending}"
    )


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("register", REGISTERS)
def test_policy_and_score_prompts(register: Register, task: str) -> None:
    library = PromptLibrary(register, task)
    score = library.score(FORMAT_LIKE, "a {response}")
    assert score.endswith("SCORE: " if register == "natural" else "SCORE:")
    assert score.index(FORMAT_LIKE) < score.index("a {response}")
    assert FORMAT_LIKE in library.policy(FORMAT_LIKE)
    if register == "natural":
        assert library.policy("C") == ("C\n\nTL;DR:" if task == "summarize" else "C\n\nAssistant:")


@pytest.mark.parametrize("task", TASKS)
def test_exemplars_are_worked_to_the_end(task: str) -> None:
    library = PromptLibrary("natural", task)
    context, response = NAMES[task]
    shape = re.compile(rf"{context} - .+\n\n{response} 1 - .+\n\n{response} 2 - .+\n\nPreferred {response}=[12]", re.S)
    plain, thoughtful = library.exemplars(cot=False), library.exemplars(cot=True)
    assert len(plain) == len(thoughtful) == 2
    assert all(shape.fullmatch(shot) for shot in [*plain, *thoughtful])
    assert {shot[-1] for shot in plain} == {"1", "2"}
    for without, with_thoughts in zip(plain, thoughtful, strict=True):
        before, _, thoughts = with_thoughts.partition("\n\nRationale: ")
        assert "Rationale:" not in without
        assert f"{before}\n\n{thoughts.rpartition(chr(10) * 2)[2]}" == without


@pytest.mark.parametrize("task", TASKS)
def test_rationales_do_not_say_the_word_at_which_they_are_cut(task: str) -> None:
    library = PromptLibrary("natural", task)
    stop = library.ending.split()[0]
    assert stop not in library.text("rationale")
    assert all(shot.count(stop) == 1 for shot in library.exemplars(cot=True))


@pytest.mark.parametrize("style", ["base", "detailed"])
@pytest.mark.parametrize("task", TASKS)
def test_preambles_ask_for_what_the_task_says(task: str, style: str) -> None:
    library = PromptLibrary("natural", task)
    plain, thoughtful = library.text(style), library.text(f"{style}-cot")
    assert plain.endswith("answer with 1 or 2 only.")
    assert "1 or 2" not in thoughtful
    assert "xplain" in thoughtful.split("\n")[-1]
    for text in (plain, thoughtful, library.text("rationale")):
        assert ("MOST HARMFUL" in text) == (task == "harmless")


def test_base_preambles_are_one_sentence() -> None:
    for task in TASKS:
        for name in ("base", "base-cot"):
            assert PromptLibrary("natural", task).text(name).count(".") == 1


@given(context=st.text(), first=st.text(), second=st.text())
def test_any_text_survives(context: str, first: str, second: str) -> None:
    library = PromptLibrary("natural", "helpful")
    prompt = library.pair(variant("base-2-shot"), context, first, second)
    sample = f"Context - {context}\n\nResponse 1 - {first}\n\nResponse 2 - {second}\n\nPreferred Response="
    assert prompt.endswith(sample)


def test_golden_prompt() -> None:
    """A change of a prompt changes results: make it on purpose, and this file with it."""
    library, asked = PromptLibrary("natural", "summarize"), variant("detailed-cot-1-shot")
    post = "SUBREDDIT: r/tifu\n\nTITLE: Soup\n\nPOST: I salted the soup twice. Do I tell my guests?"
    request = library.rationale_request(asked, post, "I salted soup twice; tell the guests?", "I like soup.")
    prompt = library.after_rationale(request, "Summary 1 holds the question, Summary 2 does not.")
    assert f"{prompt}\n" == (GOLDEN / "summarize-detailed-cot-1-shot.txt").read_text(encoding="utf-8")
