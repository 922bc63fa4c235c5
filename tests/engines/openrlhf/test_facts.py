"""What is refused before anything starts: missing packages and GPUs, models that would run code, skewed templates."""

import json
from pathlib import Path

import pytest

from rlaif_spec.cli import main
from rlaif_spec.engines.openrlhf.facts import check_folder, first_node, templates, tensor_parallel, visible_gpus
from rlaif_spec.errors import UserError
from rlaif_spec.spec import load_scale
from rlaif_spec.spec.openrlhf import OpenRlhfSettings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def own() -> OpenRlhfSettings:
    settings = load_scale("paper").openrlhf
    assert settings is not None
    return settings


def model(folder: Path, *, config: dict[str, object], weights: str = "model.safetensors") -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / weights).write_text("")
    return folder


def test_a_model_that_would_run_code_is_refused_unless_accepted(tmp_path: Path, own: OpenRlhfSettings) -> None:
    folder = model(tmp_path, config={"auto_map": {"AutoModel": "code.Model"}})
    with pytest.raises(UserError, match="auto_map"):
        check_folder(folder, own)
    check_folder(folder, own.model_copy(update={"accept": (*own.accept, "remote-code")}))


def test_a_pickle_is_refused(tmp_path: Path, own: OpenRlhfSettings) -> None:
    with pytest.raises(UserError, match="no safetensors"):
        check_folder(model(tmp_path, config={}, weights="pytorch_model.bin"), own)


def test_gpus_are_those_that_the_caller_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert visible_gpus() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == 0
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", "")
    assert visible_gpus() == 0


def test_templates_set_by_hand_at_one_stage_differ_from_the_others(own: OpenRlhfSettings) -> None:
    assert set(templates(own).values()) == {None}
    by_hand = own.flags.model_copy(update={"sft": ("--data.input_template", "User: {}")})
    found = templates(own.model_copy(update={"flags": by_hand}))
    assert found == {"train_sft": "User: {}", "train_rm": None, "train_ppo_ray": None}


def test_one_node_needs_no_name(own: OpenRlhfSettings) -> None:
    assert first_node(own) == "127.0.0.1"
    assert first_node(own.model_copy(update={"nodes": 2})) != "127.0.0.1"


def test_without_openrlhf_the_message_says_what_is_missing_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    scale = ROOT / "tests" / "openrlhf_cpu" / "toy-openrlhf.yaml"
    assert main(["run", str(ROOT / "specs" / "summarize_SFT.yaml"), "--scale", str(scale), "--seeds", "0"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("engine openrlhf")]
    assert "GPU" in line
    assert "pip install --no-build-isolation 'rlaif-spec[openrlhf]'" in line
    assert "engine: native" in line


@pytest.mark.parametrize(
    ("heads", "limit", "used"), [(12, 8, 4), (28, 8, 4), (64, 8, 8), (64, 6, 4), (12, 1, 1), (5, 4, 1)]
)
def test_a_model_is_split_over_a_power_of_two_that_divides_its_heads(
    tmp_path: Path, heads: int, limit: int, used: int
) -> None:
    assert tensor_parallel(model(tmp_path, config={"num_attention_heads": heads}), limit) == used
    assert tensor_parallel(model(tmp_path, config={"text_config": {"num_attention_heads": heads}}), limit) == used
