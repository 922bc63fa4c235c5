"""The commands of every shipped spec at scale `paper`: as they stand in golden files, and past OpenRLHF's own checks.

`RLAIF_SPEC_REGENERATE=1` writes the golden files anew; the difference is then to be read like code.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from rlaif_spec.engines.openrlhf import flags
from rlaif_spec.engines.openrlhf.command import with_extra
from rlaif_spec.engines.openrlhf.compile import CompiledJob, compile_jobs
from rlaif_spec.engines.openrlhf.compile_report import refusals, report
from rlaif_spec.engines.openrlhf.parsers import checked, installed
from rlaif_spec.engines.openrlhf.training import Nodes
from rlaif_spec.plan import compile_plan
from rlaif_spec.plan.steps import Data
from rlaif_spec.spec import load_experiment, load_scale
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.experiment import LabelerSpec, PolicyExperiment
from rlaif_spec.spec.openrlhf import Colocated, OpenRlhfSettings
from rlaif_spec.spec.scale import FileData, ModelSource, Scale

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "openrlhf"
POLICY_SPECS = sorted(
    path.stem for path in (ROOT / "specs").glob("*.yaml") if isinstance(load_experiment(path), PolicyExperiment)
)
NODES = (1, 4)


def paper(nodes: int) -> Scale:
    scale = load_scale("paper")
    assert scale.openrlhf is not None
    return scale.model_copy(update={"openrlhf": scale.openrlhf.model_copy(update={"nodes": nodes})})


def rows(data: Data, part: str) -> int:
    assert isinstance(data.source, FileData)
    return int(getattr(data.source, f"max_{part}"))


def jobs(spec: str, scale: Scale, **changes: Any) -> list[CompiledJob]:
    experiment = load_experiment(ROOT / "specs" / f"{spec}.yaml").model_copy(update={"seeds": (0,), **changes})
    assert scale.openrlhf is not None
    nodes = Nodes(scale.openrlhf.nodes, scale.openrlhf.gpus_per_node, "HEAD")
    return compile_jobs(compile_plan(experiment, scale), scale.openrlhf, Path("/runs"), rows, nodes)


@pytest.mark.parametrize("nodes", NODES)
@pytest.mark.parametrize("spec", POLICY_SPECS)
def test_golden_commands(spec: str, nodes: int) -> None:
    text = "\n".join(
        f"# {job.step.id.rsplit('-', 1)[0]}\n{job.command.shell()}" for job in jobs(spec, paper(nodes)) if job.command
    )
    path = GOLDEN / f"{spec}-{nodes}-node{'s' if nodes > 1 else ''}.sh"
    if os.environ.get("RLAIF_SPEC_REGENERATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("nodes", NODES)
@pytest.mark.parametrize("spec", POLICY_SPECS)
def test_every_command_passes_the_preflight_and_openrlhfs_own_parser_and_checks(spec: str, nodes: int) -> None:
    if installed() is None:
        pytest.skip("openrlhf is not installed (make setup installs it without its dependencies)")
    scale = paper(nodes)
    assert scale.openrlhf is not None
    found = jobs(spec, scale)
    assert refusals(found, scale.openrlhf) == []
    for job in found:
        if job.command is not None:
            assert checked(job.command.program, job.command.arguments).problems == []


SAID_ONLY_WHERE_WANTED = {
    "--local_rank",  # the launcher's
    "--ds.experts_implementation",  # mixtures of experts
    "--ds.grad_accum_dtype",  # None: of the weights
    "--data.dataset_probs",  # one data set
    "--data.prompt_probs",
    "--data.tokenizer_chat_template",  # no chat template is applied
    "--eval.dataset",  # SFT and RL are not evaluated by OpenRLHF
    "--eval.split",
    "--eval.temperature",
    "--eval.n_samples_per_prompt",
    "--rollout.max_tokens_per_gpu",  # dynamic batches
    "--train.max_tokens_per_gpu",
    "--train.async_queue_size",  # asynchronous training
    "--train.ema_beta",  # moving average of weights
    "--actor.eps_clip_low_high",  # None: --actor.eps_clip
    "--actor.dual_clip",
    "--actor.entropy_coef",
    "--algo.kl.target",  # adaptive KL
    "--algo.kl.horizon",
    "--reward.overlong_buffer_len",  # length penalties
    "--reward.overlong_penalty_factor",
    "--reward.stop_properly_penalty_coef",
    "--reward.remote_url",  # another kind of reward
    "--reward.model_name_or_path",
    "--reward.num_nodes",
    "--reward.num_gpus_per_node",
    "--train.agent_func_path",
    "--data.image_key",  # pictures
    "--data.max_images_per_prompt",
}
WITH_A_SWITCH = ("muon.", "wandb.", "lora.", "ring_attn_head_stride", "is_correction_", "dynamic_filtering_range")
"""Values that only act with an optimizer, a logger or a switch that is not given."""


@pytest.mark.parametrize("spec", ["summarize_RLAIF", "summarize_dRLAIF"])
def test_no_flag_with_a_meaning_is_left_to_a_default(spec: str) -> None:
    for job in jobs(spec, paper(1)):
        assert job.command is not None
        table = flags.table()[job.command.program]
        values = {name for name, flag in table.items() if flag.kind != "switch"}
        unsaid = {name for name in values - set(job.command.flags) if not any(part in name for part in WITH_A_SWITCH)}
        assert unsaid <= SAID_ONLY_WHERE_WANTED


def test_the_report_names_every_setting_of_the_method() -> None:
    named = {
        row.setting
        for spec in ("summarize_RLAIF", "summarize_dRLAIF")
        for job in jobs(spec, paper(1))
        for row in job.translation
    }
    scale = paper(1)
    for name in ("sft", "reward_model", "rl"):
        for field, value in getattr(scale, name):
            inner = [f"{field}.{part}" for part, _ in value] if "optimizer" in field else [field]
            assert {f"{name}.{part}" for part in inner} <= named


def test_what_openrlhf_cannot_say_is_refused_unless_accepted_by_name() -> None:
    scale = paper(1)
    assert scale.openrlhf is not None
    strict = scale.openrlhf.model_copy(update={"accept": ("half-precision",)})
    found = refusals(jobs("summarize_dRLAIF", scale), strict)
    assert [line.split(" ")[1] for line in found] == ["centred-advantages", "resume-redraws"]
    assert all("openrlhf.accept" in line for line in found)


def test_the_conversion_of_beta_is_shown() -> None:
    (job,) = [job for job in jobs("summarize_dRLAIF", paper(1)) if job.step.kind == "rl"]
    assert job.command is not None
    coefficient = float(job.command.value("--algo.kl.init_coef") or 0)
    assert coefficient == pytest.approx(0.05 / 0.95, abs=1e-15)
    lines = "\n".join(report(job, paper(1).openrlhf))  # type: ignore[arg-type]
    assert "--algo.kl.init_coef 0.0526" in lines
    assert "ray.get" in lines, "where it would wait for ever"


def test_flags_set_by_hand_replace_the_compilers_and_are_refused_where_they_are_unknown() -> None:
    assert with_extra({"--a": ["1"], "--b": []}, ["--a", "2", "3", "--c=4", "--d"]) == {
        "--a": ["2", "3"], "--b": [], "--c": ["4"], "--d": []
    }  # fmt: skip
    scale = paper(1)
    assert scale.openrlhf is not None
    by_hand = scale.openrlhf.flags.model_copy(update={"rl": ("--algo.kl.init", "0.2")})
    own = scale.openrlhf.model_copy(update={"flags": by_hand})
    found = refusals(jobs("summarize_dRLAIF", scale.model_copy(update={"openrlhf": own})), own)
    assert any("--algo.kl.init" in line for line in found)


def test_a_labeler_behind_a_server_leaves_all_gpus_to_rl() -> None:
    server = ModelSource(endpoint=Endpoint(url="http://far:8000/v1", model="judge"))
    all_of_them = own(paper(1)).model_copy(update={"placement": Colocated(gpus=8)})
    scale = paper(1).model_copy(update={"sizes": {**paper(1).sizes, "L": server}, "openrlhf": all_of_them})
    far = jobs("summarize_dRLAIF", scale, labeler=LabelerSpec(size="L", prompt="score-1-to-10"))
    assert refusals(far, all_of_them) == []
    lines = [line for job in far for line in report(job, all_of_them)]
    assert "  labeler: judge at http://far:8000/v1, asked by every vLLM engine: it must be reached from there" in lines
    assert not any("labeler's server" in line for line in lines)
    (line,) = refusals(jobs("summarize_dRLAIF", scale), all_of_them)
    assert "4 are the labeler's: lower labeler.gpus, or bind its size to an endpoint" in line


def test_memory_is_that_of_zero_and_of_what_sleep_leaves_on_the_gpu() -> None:
    """1.54 billion parameters: 2 bytes a weight, 2 a gradient, 12 the optimizer's; split over GPUs by the stage."""
    lines = [line for job in jobs("summarize_RLAIF", paper(1)) for line in report(job, own(paper(1)))]
    supervised, _, rl = (line for line in lines if line.startswith("  memory"))
    billions = 1.54
    assert f"{2 * billions + (2 + 12) * billions / 8:.1f} GB a GPU" in supervised
    assert f"{4 * 2 * billions:.1f} GB always (policy, value model, reference, reward model)" in rl
    assert f"{(2 + 12) * billions / 4:.1f} GB and activations in an update" in rl


def test_the_report_says_where_the_first_update_of_a_warm_up_differs() -> None:
    rows = {row.setting: row for job in jobs("summarize_RLAIF", paper(1)) for row in job.translation}
    assert rows["rl.optimizer.warmup_steps"].verdict == "reinterpreted"
    assert "begins at 0" in rows["rl.optimizer.warmup_steps"].how


def test_a_flag_set_by_hand_is_said_before_what_it_replaces() -> None:
    scale = paper(1)
    by_hand = own(scale).flags.model_copy(update={"rl": ("--rollout.temperature", "0.5")})
    changed = scale.model_copy(update={"openrlhf": own(scale).model_copy(update={"flags": by_hand})})
    (job,) = [job for job in jobs("summarize_dRLAIF", changed) if job.step.kind == "rl"]
    assert (job.translation[0].setting, job.translation[0].verdict) == ("--rollout.temperature", "set by hand")
    assert job.command is not None
    assert job.command.value("--rollout.temperature") == "0.5"


def own(scale: Scale) -> OpenRlhfSettings:
    assert scale.openrlhf is not None
    return scale.openrlhf
