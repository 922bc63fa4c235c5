"""OpenRLHF's own parsers and checks, run out of its source, and small sources whose checks are known."""

import subprocess
import sys
import zipfile
from argparse import Namespace
from pathlib import Path

import pytest

from rlaif_spec.engines.openrlhf.parsers import PROGRAMS, checked, hierarchize, installed, parser_of, source_text
from rlaif_spec.errors import UserError

needs_openrlhf = pytest.mark.skipif(installed() is None, reason="openrlhf is not installed")

PROGRAM = """
import argparse
import os, nowhere_to_be_found
from nowhere_to_be_found import train

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a program")
    parser.add_argument("--data.rows", type=int, default=3)
    parser.add_argument("--data.kind", type=str, default=None)
    parser.add_argument("--data.parts", type=int, nargs="+", default=[1])
    parser.add_argument("--use_ms", action="store_true")
    args = parser.parse_args()
    from nowhere_to_be_found.config import hierarchize
    args = hierarchize(args)
    if args.data.kind is None:
        args.data.kind = "filled in"
    if args.data.rows > 5:
        print("not to be seen")
        args.data.rows = 5
    if len(args.data.parts) == 2:
        args.data.parts.append(0)
    assert args.data.rows > 1, "too\\n  few"
    if args.use_ms:
        from nowhere_to_be_found import patch
    train(args)
"""

REINFORCE = [
    *("--actor.model_name_or_path", "sft", "--critic.model_name_or_path", "sft", "--reward.remote_url", "reward.py"),
    *("--data.prompt_dataset", "p.jsonl", "--vllm.num_engines", "1", "--actor.num_gpus_per_node", "1"),
    *("--ds.attn_implementation", "sdpa"),
]
"""A command that OpenRLHF takes and rewrites nothing of."""


@pytest.fixture(name="source")
def source_of_a_program(tmp_path: Path) -> Path:
    folder = tmp_path / "openrlhf" / "cli"
    folder.mkdir(parents=True)
    (folder / "train_rm.py").write_text(PROGRAM)
    return tmp_path


def test_a_parser_is_reached_without_the_imports_around_it(source: Path) -> None:
    assert parser_of("train_rm", source).parse_args(["--data.rows", "4"]) == Namespace(
        **{"data.rows": 4, "data.kind": None, "data.parts": [1], "use_ms": False}
    )


def test_a_folder_its_parent_and_a_wheel_hold_the_same(source: Path) -> None:
    wheel = source / "openrlhf-0.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("openrlhf-0.data/purelib/openrlhf/cli/train_rm.py", PROGRAM)
    path = "cli/train_rm.py"
    assert source_text(path, source) == source_text(path, source / "openrlhf") == source_text(path, wheel) == PROGRAM


@pytest.mark.parametrize("missing", ["folder", "wheel"])
def test_a_source_without_the_program_is_refused(source: Path, missing: str) -> None:
    if missing == "wheel":
        with zipfile.ZipFile(source / "wheel", "w") as archive:
            archive.writestr("other.py", "")
    with pytest.raises(UserError, match="train_sft"):
        parser_of("train_sft", source / "wheel" if missing == "wheel" else source)


def test_a_program_laid_out_otherwise_is_refused(source: Path) -> None:
    (source / "openrlhf" / "cli" / "train_sft.py").write_text("if __name__ == '__main__':\n    main()\n")
    with pytest.raises(UserError, match="not laid out"):
        checked("train_sft", [], source)


def test_none_may_be_filled_in_and_nothing_else_changed(source: Path) -> None:
    kept, rewritten = checked("train_rm", [], source), checked("train_rm", ["--data.rows", "6"], source)
    assert kept.problems == []
    assert kept.arguments is not None
    assert kept.arguments.data.kind == "filled in"
    assert [line.partition(";")[0] for line in rewritten.problems] == [
        "train_rm --data.rows 6: OpenRLHF silently makes it 5"
    ]


def test_a_list_that_is_changed_in_place_is_changed(source: Path) -> None:
    (line,) = checked("train_rm", ["--data.parts", "7", "8"], source).problems
    assert "--data.parts [7, 8]: OpenRLHF silently makes it [7, 8, 0]" in line


def test_a_refusal_is_one_line(source: Path) -> None:
    found = checked("train_rm", ["--data.rows", "1"], source)
    assert found.arguments is None
    assert found.problems == ["train_rm: AssertionError: too few"]


def test_nothing_outside_is_touched(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = dict(sys.modules), list(sys.argv), sys.stdout
    checked("train_rm", ["--data.rows", "6", "--use_ms"], source)
    checked("train_rm", ["--data.rows", "many"], source)
    assert (dict(sys.modules), list(sys.argv), sys.stdout) == before
    assert capfd.readouterr() == ("", "")


def test_a_flag_cut_short_is_refused_and_its_value_not_repeated(source: Path) -> None:
    assert checked("train_rm", ["--data.row", "secret"], source).problems == [
        "train_rm: unrecognized arguments: --data.row"
    ]


def test_dots_become_levels() -> None:
    found = hierarchize(Namespace(**{"a.b.c": 1, "a.b.d": 2, "e": 3}))
    assert (found.a.b.c, found.a.b.d, found.e) == (1, 2, 3)


@needs_openrlhf
def test_the_installed_release_is_read_without_importing_it() -> None:
    code = (
        "import sys; from rlaif_spec.engines.openrlhf.parsers import checked, PROGRAMS\n"
        "for program in PROGRAMS: checked(program, [])\n"
        "sys.exit(' '.join({'openrlhf', 'torch', 'ray'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_openrlhf
def test_a_sound_command_has_no_problem_and_gives_what_train_gets() -> None:
    found = checked("train_ppo_ray", REINFORCE)
    assert found.problems == []
    assert found.arguments is not None
    assert found.arguments.reward.remote_url == ["reward.py"]
    assert found.arguments.actor.eps_clip_low_high == (0.2, 0.2)


@needs_openrlhf
@pytest.mark.parametrize(
    ("more", "settings"),
    [
        (["--ds.packing_samples"], ["--ds.attn_implementation sdpa"]),
        (["--train.dynamic_batch_enable"], ["--ds.attn_implementation sdpa", "--ds.packing_samples False"]),
        (["--algo.advantage.estimator", "reinforce"], ["--critic.model_name_or_path sft"]),
        (["--data.input_template", "no place"], ["--data.input_template no place"]),
        (["--vllm.enable_sleep"], ["--vllm.enable_sleep True"]),
        (["--train.agent_func_path", "agent.py"], ["--reward.remote_url reward.py"]),
        (["--algo.advantage.is_correction_threshold", "2"], []),
        (["--reward.remote_url", "http://a,http://b"], []),
        (["--use_ms"], []),
    ],
)
def test_what_openrlhf_rewrites_is_named_and_what_it_documents_is_not(more: list[str], settings: list[str]) -> None:
    found = checked("train_ppo_ray", [*REINFORCE, *more])
    named = {line.removeprefix("train_ppo_ray ").partition(":")[0] for line in found.problems}
    assert found.arguments is not None
    assert named == set(settings)


@needs_openrlhf
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--algo.advantage.estimator", "rloo"], "n_samples_per_prompt > 1"),
        (["--algo.advantage.estimator", "grpo"], "invalid choice"),
        (["--ds.param_dtype", "fp32"], "invalid choice"),
        (["--reward.clip_range", "-1e9", "1e9"], "expected 2 arguments"),
        (["--algo.kl.init", "0.2"], "unrecognized arguments: --algo.kl.init"),
        (["--actor.num_gpus_per_node", "2048"], "effective number of actor processes"),
    ],
)
def test_what_openrlhf_refuses_is_said_in_its_words(more: list[str], words: str) -> None:
    found = checked("train_ppo_ray", [*REINFORCE, *more])
    assert found.arguments is None
    assert words in found.problems[0]


@needs_openrlhf
def test_an_unset_number_of_engines_is_a_problem_and_no_traceback() -> None:
    at = REINFORCE.index("--vllm.num_engines")
    found = checked("train_ppo_ray", [*REINFORCE[:at], *REINFORCE[at + 2 :], "--ds.packing_samples"])
    assert any("TypeError" in line for line in found.problems)


@needs_openrlhf
@pytest.mark.parametrize("program", PROGRAMS)
def test_flags_are_said_once(program: str) -> None:
    names = [name for action in parser_of(program)._actions for name in action.option_strings]  # type: ignore[arg-type]
    assert len(names) == len(set(names)) > 70
