"""The local language model: whole answers, exclusive of each other, whatever the batch."""

import math
from pathlib import Path

import pytest
import torch

from rlaif_spec.engines.choices import exclusive, paths, stems
from rlaif_spec.engines.native.engine import NativeEngine
from rlaif_spec.engines.native.models import load_language_model, load_tokens
from rlaif_spec.engines.native.sampling import drawn_tokens
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.scale import Compute
from rlaif_spec.spec.settings import ResponseSettings

SCORES = [str(score) for score in range(1, 11)]
PROMPTS = ["ask =", "ask yes no well then maybe =", "well ="]


def probabilities(folder: Path, batch: int) -> list[list[float]]:
    engine = NativeEngine(Compute(threads=1, inference_batch_size=batch, device="cpu"))
    return engine.language_model(folder, chat=False).choice_probabilities(PROMPTS, SCORES)


def by_hand(folder: Path, prompt: str, answer: str) -> float:
    """Chain rule, one forward pass a token, no padding."""
    tokens, model = load_tokens(folder), load_language_model(folder, torch.device("cpu"))
    row, total = tokens.prompt(prompt), 0.0
    for token in tokens.continuation(answer):
        with torch.inference_mode():
            total += float(model(torch.tensor([row])).logits[0, -1].log_softmax(-1)[token])
        row = [*row, token]
    return math.exp(total)


def test_ten_is_two_tokens_and_is_taken_out_of_one(tiny_model: Path) -> None:
    assert len(load_tokens(tiny_model).continuation("10")) == 2
    for prompt, row in zip(PROMPTS, probabilities(tiny_model, 8), strict=True):
        ten, one = by_hand(tiny_model, prompt, "10"), by_hand(tiny_model, prompt, "1")
        assert row[9] == pytest.approx(ten, rel=1e-4)
        assert row[0] == pytest.approx(one - ten, rel=1e-4)
        assert sum(row) <= 1.0 + 1e-6


def test_the_batch_changes_nothing(tiny_model: Path) -> None:
    one, eight = probabilities(tiny_model, 1), probabilities(tiny_model, 8)
    for a, b in zip(one, eight, strict=True):
        assert a == pytest.approx(b, abs=1e-6)


def test_one_path_reads_all_scores() -> None:
    answers = [(score,) for score in range(1, 10)] + [(1, 0)]
    assert paths(answers) == [(1,)]
    assert paths([(1,), (2,)]) == [()]


def test_stems_name_the_tokens_that_matter_after_each_beginning() -> None:
    answers = [(1,), (2,), (1, 0), (1, 0, 7)]
    assert stems(answers) == {(): [1, 2], (1,): [0], (1, 0): [7]}


def test_the_exclusive_rule_takes_out_the_nearest_only() -> None:
    answers = [(1,), (1, 0), (1, 0, 0)]
    found = {(1,): 0.5, (1, 0): 0.3, (1, 0, 0): 0.1}
    assert [exclusive(answer, answers, found) for answer in answers] == pytest.approx([0.2, 0.2, 0.1])


def test_greedy_continuations_do_not_depend_on_the_batch(tiny_model: Path) -> None:
    said = []
    for batch in (1, 8):
        engine = NativeEngine(Compute(threads=1, inference_batch_size=batch, device="cpu"))
        said.append(engine.language_model(tiny_model, chat=False).generate(PROMPTS, max_new_tokens=6, stop="then"))
    assert said[0] == said[1]
    assert all("then" not in text for text in said[0])


def test_a_text_that_is_too_long_is_refused_in_one_line(tiny_model: Path) -> None:
    engine = NativeEngine(Compute(threads=1, device="cpu"))
    with pytest.raises(EngineError, match=r"does not fit the model's 256") as caught:
        engine.language_model(tiny_model, chat=False).choice_probabilities(["ask " * 300], ["1"])
    assert "\n" not in str(caught.value)


def test_what_a_policy_says_does_not_depend_on_the_batch(tiny_model: Path) -> None:
    settings = ResponseSettings(max_new_tokens=6, temperature=0.8)
    said = []
    for batch in (1, 3, 12):
        engine = NativeEngine(Compute(threads=1, inference_batch_size=batch, device="cpu"))
        said.append(engine.respond(tiny_model, PROMPTS * 4, settings, seed=3))
    assert said[0] == said[1] == said[2]
    assert len(set(said[0][::3])) > 1, "the same prompt is answered anew each time"


def test_tokens_are_drawn_by_their_probabilities() -> None:
    logits = torch.log(torch.tensor([[0.0, 0.1, 0.6, 0.3]])).expand(60_000, -1)
    drawn = drawn_tokens(logits, torch.rand(60_000, generator=torch.Generator().manual_seed(1)))
    shares = torch.bincount(drawn, minlength=4) / 60_000
    assert shares.tolist() == pytest.approx([0.0, 0.1, 0.6, 0.3], abs=0.008)
    assert drawn_tokens(logits[:2], torch.tensor([0.0, 1.0])).tolist() == [1, 3]
