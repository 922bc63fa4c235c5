"""One model is held at a time, and none while a job trains: a closed one is opened again when it is asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rlaif_spec.engines.openrlhf import vllm_model
from rlaif_spec.engines.openrlhf.asking import Asking
from rlaif_spec.engines.protocol import Turn
from rlaif_spec.spec import load_scale
from rlaif_spec.spec.settings import ResponseSettings


class FakeVllm:
    """Counts who is open."""

    open: "list[FakeVllm]" = []  # noqa: RUF012

    def __init__(self, folder: Path, *, chat: bool, tensor_parallel: int) -> None:
        self.folder, self.tensor_parallel = folder, tensor_parallel
        FakeVllm.open.append(self)

    def choice_probabilities(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        assert self in FakeVllm.open, "asked after it was closed"
        return [[0.5 for _ in choices] for _ in prompts]

    def respond(self, prompts: Sequence[str], settings: ResponseSettings, seed: int) -> list[str]:
        assert self in FakeVllm.open
        return [f"{self.folder.name} {seed}" for _ in prompts]

    def close(self) -> None:
        FakeVllm.open.remove(self)


class FakeNative:
    """Scores only while no vLLM holds the GPU."""

    def __init__(self, compute: Any) -> None:
        pass

    def reward_scores(self, folder: Path, turns: Sequence[Turn]) -> list[float]:
        assert not FakeVllm.open
        return [1.0 for _ in turns]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    import rlaif_spec.engines.native

    monkeypatch.setattr(vllm_model, "VllmLanguageModel", FakeVllm)
    monkeypatch.setattr(rlaif_spec.engines.native, "NativeEngine", FakeNative)
    monkeypatch.setattr(FakeVllm, "open", [])
    scale = load_scale("paper")
    assert scale.openrlhf is not None
    return Asking(scale.openrlhf, scale.compute)


def model(folder: Path, heads: int) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(f'{{"num_attention_heads": {heads}}}')
    return folder


def test_another_model_takes_the_place_of_the_one_before(asking: Asking, tmp_path: Path) -> None:
    labeler, policy = model(tmp_path / "labeler", 64), model(tmp_path / "policy", 12)
    first = asking.language_model(labeler, chat=True)
    assert asking.language_model(labeler, chat=True) is first
    assert asking.respond(policy, ["say"], ResponseSettings(), seed=3) == ["policy 3"]
    assert [(one.folder.name, one.tensor_parallel) for one in FakeVllm.open] == [("policy", 4)]
    assert asking.language_model(labeler, chat=True).choice_probabilities(["x"], ["1"]) == [[0.5]]


def test_nothing_is_held_while_a_job_trains_or_a_reward_model_is_asked(asking: Asking, tmp_path: Path) -> None:
    labeler = model(tmp_path / "labeler", 64)
    asking.language_model(labeler, chat=False)
    asking.release()
    assert FakeVllm.open == []
    asking.language_model(labeler, chat=False)
    assert asking.reward_scores(labeler, [Turn("ask", "say")]) == [1.0]
