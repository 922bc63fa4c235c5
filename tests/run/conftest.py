"""A scale so small that a whole experiment takes seconds."""

from pathlib import Path

import pytest

SCALE = """
extends: toy
name: tiny
tasks:
  summarize: &world
    {kind: world, demonstrations: 64, comparisons: 32, prompts: 64, validation: 8, evaluation: 24, alignment: 24}
  helpful: *world
  harmless: *world
rl: {steps: 4, batch_size: 8, micro_batch_size: 8, checkpoint_every: 2}
evaluation: {resamples: 200}
compute: {threads: 1}
"""
LABELERS = {
    "sft": "",
    "rlhf": "",
    "rlaif": "labeler: {size: S, prompt: base-cot-0-shot}\n",
    "d-rlaif": "labeler: {size: XS, prompt: score-1-to-10}\n",
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scale, and a spec for each reward mode and task; the current folder."""
    (tmp_path / "tiny.yaml").write_text(SCALE)
    for task in ("summarize", "helpful", "harmless"):
        for mode, labeler in LABELERS.items():
            compare = "" if mode == "sft" else "compare_to: [sft]\n"
            text = f"task: {task}\nreward_mode: {mode}\n{labeler}policy: {{size: XS}}\n{compare}"
            (tmp_path / f"{task}_{mode}.yaml").write_text(text)
    (tmp_path / "alignment.yaml").write_text(
        "kind: alignment\ntasks: [summarize, harmless]\nsizes: [XS, L]\nprompts: [base-0-shot, detailed-cot-0-shot]\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path
