"""The compiler: equal work has an equal key, different work has not."""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rlaif_spec.plan import compile_plan
from rlaif_spec.plan.steps import METHOD_VERSION, models_asked
from rlaif_spec.spec import load_experiment, load_scale
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.experiment import LabelerSpec
from rlaif_spec.spec.scale import LabelerJudge, ModelSource, Scale

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


def served(scale: Scale = TOY, **fields: Any) -> Scale:
    """The scale with its labeler L behind a server."""
    endpoint = Endpoint(**{"url": "http://host:8000/v1", "model": "judge", **fields})
    return scale.model_copy(update={"sizes": {**scale.sizes, "L": ModelSource(endpoint=endpoint)}})


def test_a_labelers_name_is_other_work_and_where_and_how_it_is_asked_is_not() -> None:
    before = ids("summarize_RLAIF", served())
    changed = set(before) - set(ids("summarize_RLAIF"))
    assert {name.rsplit("-", 1)[0] for name in changed} == {"labels", "reward-model", "rl", "responses", "ratings"}
    same = {"url": "https://elsewhere/v1", "key_variable": "KEY", "in_flight": 1, "retries": 0, "timeout_seconds": 1.0}
    assert ids("summarize_RLAIF", served(**same)) == before
    for other in ({"model": "another"}, {"top_logprobs": 5}):
        assert set(before) - set(ids("summarize_RLAIF", served(**other))) == changed


def test_what_a_server_says_does_not_depend_on_the_engine() -> None:
    """Only what is asked through vLLM, or trained by OpenRLHF, is other work there."""
    paper = load_scale("paper")
    native = paper.model_copy(update={"engine": "native"})
    alike = [ids("alignment_by_size", served(scale)) for scale in (paper, native)]
    labels = [[name for name in found if name.startswith("labels")] for found in alike]
    assert 0 < len(set(labels[0]) & set(labels[1])) < len(labels[0])


def test_the_models_that_steps_ask_are_known_before_a_run() -> None:
    direct = load_experiment(SPECS / "summarize_dRLAIF.yaml")
    judged = TOY.model_copy(update={"judge": LabelerJudge(kind="labeler", size="S")})
    asked = {step.kind: models_asked(step) for step in compile_plan(direct, judged).steps}
    builtin = {kind: [model.source.builtin for model in models] for kind, models in asked.items() if models}
    assert builtin == {"rl": ["toy-xs", "toy-l"], "verdicts": ["toy-s"]}
    labelled = compile_plan(load_experiment(SPECS / "summarize_RLAIF.yaml"), TOY).steps
    assert {m.source.builtin for step in labelled if step.kind == "labels" for m in models_asked(step)} == {"toy-l"}


def test_verdicts_and_scores_of_a_server_name_neither_vllm_nor_the_tokens_of_our_own_server() -> None:
    direct = load_experiment(SPECS / "summarize_dRLAIF.yaml")
    direct = direct.model_copy(update={"labeler": LabelerSpec(size="L", prompt="score-1-to-10")})
    steps = {step.kind: step for step in compile_plan(direct, served(load_scale("paper"))).steps}
    assert steps["verdicts"].asked_by.kind == "native"  # type: ignore[union-attr]
    assert steps["responses"].asked_by.kind == "vllm"  # type: ignore[union-attr]
    assert steps["rl"].trainer.read_logprobs == 0  # type: ignore[union-attr]
    ours = {step.kind: step for step in compile_plan(direct, load_scale("paper")).steps}
    assert ours["verdicts"].asked_by.kind == "vllm"  # type: ignore[union-attr]
    assert ours["rl"].trainer.read_logprobs == 200  # type: ignore[union-attr]


def test_new_toy_models_come_with_a_new_version_of_the_method() -> None:
    """Keys name a built-in model, not its weights: without a new version, old artifacts would pass for new ones."""
    folder = files("rlaif_spec") / "toy_models"
    names = ("toy-xs", "toy-s", "toy-l")
    weights = [(folder / name / "model.safetensors").read_bytes() for name in names]
    assert (METHOD_VERSION, hashlib.sha256(b"".join(weights)).hexdigest()[:12]) == (3, "bc60dfde26ef")
