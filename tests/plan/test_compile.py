"""The compiler: equal work has an equal key, different work has not."""

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest

from rlaif_spec.plan import compile_plan
from rlaif_spec.plan.steps import METHOD_VERSION
from rlaif_spec.spec import load_experiment, load_scale

SPECS = Path(__file__).parents[2] / "specs"
TOY = load_scale("toy")


def ids(spec: str, scale=TOY) -> list[str]:  # type: ignore[no-untyped-def]
    return [step.id for step in compile_plan(load_experiment(SPECS / f"{spec}.yaml"), scale).steps]


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_step_comes_once_and_after_what_it_needs(path: Path) -> None:
    plan = compile_plan(load_experiment(path), TOY)
    seen: set[str] = set()
    for step in plan.steps:
        assert step.id not in seen
        assert {needed.id for needed in step.needs()} <= seen
        seen.add(step.id)


def test_reward_modes_share_data_sft_and_nothing_of_rl() -> None:
    shared = set(ids("summarize_RLAIF")) & set(ids("summarize_dRLAIF"))
    assert {name.split("-")[0] for name in shared} == {"data", "sft", "responses", "ratings"}
    assert not set(ids("summarize_RLAIF")) & set(ids("helpful_RLAIF"))


def test_the_opponent_rlhf_is_the_rlhf_spec() -> None:
    rlaif = load_experiment(SPECS / "summarize_RLAIF.yaml").model_copy(update={"compare_to": ("sft", "rlhf")})
    assert set(ids("summarize_RLHF")) <= {step.id for step in compile_plan(rlaif, TOY).steps}


def test_a_setting_redoes_what_depends_on_it_and_nothing_else() -> None:
    changed = TOY.model_copy(update={"rl": TOY.rl.model_copy(update={"beta": 0.1})})
    before, after = ids("summarize_dRLAIF"), ids("summarize_dRLAIF", changed)
    kinds = {name.rsplit("-", 1)[0] for name in set(before) - set(after)}
    assert kinds == {"rl", "responses", "ratings"}
    assert {name for name in before if name.startswith(("data", "sft"))} <= set(after)


def test_what_only_changes_speed_changes_no_key() -> None:
    faster = TOY.model_copy(update={"compute": TOY.compute.model_copy(update={"inference_batch_size": 7})})
    assert ids("summarize_dRLAIF") == ids("summarize_dRLAIF", faster)


def test_new_toy_models_come_with_a_new_version_of_the_method() -> None:
    """Keys name a built-in model, not its weights: without a new version, old artifacts would pass for new ones."""
    folder = files("rlaif_spec") / "toy_models"
    names = ("toy-xs", "toy-s", "toy-l")
    weights = [(folder / name / "model.safetensors").read_bytes() for name in names]
    assert (METHOD_VERSION, hashlib.sha256(b"".join(weights)).hexdigest()[:12]) == (3, "bc60dfde26ef")
