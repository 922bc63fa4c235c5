"""What is refused before anything starts: missing packages and GPUs, models that would run code, skewed templates."""

import json
from pathlib import Path

import pytest

from rlaif_spec.cli import main
from rlaif_spec.engines.openrlhf.facts import devices, first_node, templates, tensor_parallel, visible_gpus
from rlaif_spec.engines.openrlhf.refusals import check_cluster, check_folder, check_gpus, check_heads, check_wandb
from rlaif_spec.errors import SpecError, UserError
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
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-aa")
    assert visible_gpus() == 2
    assert devices() == ["4", "GPU-aa"], "not the first two of the machine"
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
    assert "pip install --no-build-isolation '.[openrlhf]'" in line
    assert "engine: native" in line


@pytest.mark.parametrize(
    ("heads", "limit", "used"), [(12, 8, 4), (28, 8, 4), (64, 8, 8), (64, 6, 4), (12, 1, 1), (5, 4, 1)]
)
def test_a_model_is_split_over_a_power_of_two_that_divides_its_heads(
    tmp_path: Path, heads: int, limit: int, used: int
) -> None:
    assert tensor_parallel(model(tmp_path, config={"num_attention_heads": heads}), limit) == used
    assert tensor_parallel(model(tmp_path, config={"text_config": {"num_attention_heads": heads}}), limit) == used


def test_a_policy_is_not_split_over_gpus_that_do_not_divide_its_heads(tmp_path: Path) -> None:
    check_heads(model(tmp_path, config={"num_attention_heads": 12}), 4)
    with pytest.raises(UserError, match="8 GPUs do not divide the policy's attention heads; 4 would"):
        check_heads(tmp_path, 8)


def test_a_scale_may_not_promise_more_gpus_than_there_are(
    own: OpenRlhfSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    with pytest.raises(UserError, match="gpus_per_node: 8, and 4 are to be seen here"):
        check_gpus(own)
    four = own.model_copy(update={"gpus_per_node": 4})
    check_gpus(four)
    with pytest.raises(UserError, match="deepspeed chooses GPUs itself"):
        check_gpus(four.model_copy(update={"launcher": "deepspeed"}))


def test_no_labeler_is_started_beside_somebody_elses_ray(
    own: OpenRlhfSettings,
) -> None:
    elsewhere = own.model_copy(update={"ray": own.ray.model_copy(update={"address": "http://head:8265"})})
    check_cluster(own, starts_labeler=True)
    check_cluster(elsewhere, starts_labeler=False)
    with pytest.raises(UserError, match=r"openrlhf\.labeler: .* bind its size to it"):
        check_cluster(elsewhere, starts_labeler=True)
    ours = own.model_copy(update={"ray": own.ray.model_copy(update={"address": "http://127.0.0.1:8265"})})
    check_cluster(ours, starts_labeler=True)


def test_wandb_wants_its_key_before_anything_loads(own: OpenRlhfSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    check_wandb(own)
    with pytest.raises(UserError, match="WANDB_API_KEY is not set"):
        check_wandb(own.model_copy(update={"wandb_project": "mine"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nodes: 2", "ray.address: Ray is started here on one node only"),
        ("max_checkpoints: 1", "greater than or equal to 2"),
        ("flags: {rl: [--ckpt.path, /x]}", "--ckpt.path is the engine's own"),
        ("flags: {rl: ['0.5']}", "'0.5' is no flag"),
        ("flags: {rl: [--algo.kl.init_coef, '0.5']}", "--algo.kl.init_coef is what settings of the scale"),
        ("max_tokens: 100", "leaves no room for a prompt beside respond.max_new_tokens (128)"),
        ("labeler: {url: 'http://host/v1'}", "openrlhf.labeler.url: is no key here"),
    ],
)
def test_what_cannot_work_is_refused_when_the_scale_is_read(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(f"extends: paper\nname: my\nopenrlhf: {{{change}}}\n")
    with pytest.raises(SpecError) as caught:
        load_scale(path)
    assert message in caught.value.problems[0]


def test_a_placement_of_another_kind_replaces_the_one_that_is_extended(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    role = "{gpus: 1}"
    path.write_text(
        "extends: paper\nname: my\nopenrlhf:\n  placement:\n    kind: separate\n"
        f"    actor: {role}\n    reference: {role}\n    critic: {role}\n    reward: {role}\n    engines: 1\n"
    )
    found = load_scale(path).openrlhf
    assert found is not None
    assert found.placement.kind == "separate"
    assert found.gpus_per_node == 8, "the rest is as it was"
