"""A scaled copy of a reward model gives the scaled scores, and the model it was made from stays as it is."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch

from rlaif_spec.engines.native.models import load_tokens, save_model, start_scalar_model
from rlaif_spec.engines.native.reward_model import score_in_batches
from rlaif_spec.engines.openrlhf.heads import scaled_copy
from rlaif_spec.engines.protocol import Turn
from rlaif_spec.errors import EngineError

TOY = Path(str(files("rlaif_spec") / "toy_models" / "toy-xs"))
TURNS = [Turn("my bike is stuck .", "oil it"), Turn("say", "no")]


def scores(folder: Path) -> list[float]:
    from rlaif_spec.engines.native.models import load_scalar_model

    return score_in_batches(load_scalar_model(folder, torch.device("cpu")), load_tokens(folder), TURNS, 8)


def test_scores_are_scaled(tmp_path: Path) -> None:
    model = start_scalar_model(TOY, torch.device("cpu"), seed=1)
    save_model(model, load_tokens(TOY), tmp_path / "model")
    before = scores(tmp_path / "model")
    scaled_copy(tmp_path / "model", tmp_path / "scaled", 0.25)
    assert scores(tmp_path / "scaled") == pytest.approx([score / 4 for score in before], rel=1e-5)
    assert scores(tmp_path / "model") == before


def test_a_model_without_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no score\.weight"):
        scaled_copy(TOY, tmp_path / "scaled", 0.5)
