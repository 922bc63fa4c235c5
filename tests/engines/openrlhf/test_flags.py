"""The table of flags is that of the installed release, and what it refuses is what argparse refuses."""

from importlib.metadata import version

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlaif_spec.engines.openrlhf import flags
from rlaif_spec.engines.openrlhf.parsers import PROGRAMS, checked, installed, parser_of, table_of, table_text
from rlaif_spec.errors import UserError

needs_openrlhf = pytest.mark.skipif(installed() is None, reason="openrlhf is not installed")

PARSERS = {program: parser_of(program) for program in PROGRAMS} if installed() else {}

VALUES = st.one_of(
    st.sampled_from(["", "-", "--", "-1", "-.5", "-1e9", "-1.", "1e9", "1_0", " 7 ", "nan", "- x", "--train.seed=a b"]),
    st.sampled_from(["adam", "bf16", "fp32", "gae", "ppo", "0.5", "3", "--train.see", "word"]),
    st.text(max_size=4),
)


@needs_openrlhf
def test_the_table_is_that_of_the_installed_release() -> None:
    assert version("openrlhf") == flags.VERSION
    assert table_of() == flags.table()


@needs_openrlhf
def test_a_table_that_is_written_is_read_back() -> None:
    assert flags.load(table_text(table_of(), "x")) == table_of()


def test_a_release_without_a_table_is_refused() -> None:
    with pytest.raises(UserError, match=flags.VERSION):
        flags.table("0.0")


@needs_openrlhf
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_argparse_refuses_exactly_what_has_a_problem(data: st.DataObject) -> None:
    """Of each program once, for names that are a flag's, the beginning of one, or none."""
    program = data.draw(st.sampled_from(PROGRAMS))
    known = sorted(flags.table()[program])
    name = data.draw(st.one_of(st.sampled_from(known), st.sampled_from(known).map(lambda flag: flag[:-2])))
    values = data.draw(st.lists(VALUES, max_size=3))
    try:
        PARSERS[program].parse_args([name, *values])
    except UserError:
        assert flags.problems(program, {name: values})
    else:
        assert flags.problems(program, {name: values}) == []


@needs_openrlhf
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_table_holds_as_default_is_taken(program: str) -> None:
    for name, flag in flags.table()[program].items():  # type: ignore[index]
        values = flag.default if isinstance(flag.default, tuple) else ()
        if values or flag.kind == "switch":
            assert flags.problems(program, {name: values}) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("--algo.kl.init", ["0.2"], "--algo.kl.init_coef; write that"),
        ("--algo.kl.", ["0.2"], "it could be "),
        ("--algo.kl.initcoef", ["0.2"], "did you mean --algo.kl.init_coef?"),
        ("--algo.advantage.is_correction_enable", [], "has no such flag"),
        ("--data.tokenizer_chat_template", ["x"], "for train_sft and train_rm only"),
        ("--reward.clip_range", ["1"], "1 values; it takes 2"),
        ("--use_ms", ["1"], "1 values; it takes none"),
        ("--algo.advantage.is_correction_threshold", [], "0 values; it takes at least one"),
        ("--train.seed", ["1.5"], "'1.5' is no whole number"),
        ("--algo.kl.init_coef", ["much"], "'much' is no number"),
        ("--data.input_key", ["--train.seed"], "'--train.seed' as a flag"),
        ("--ds.param_dtype", ["fp32"], "none of bf16, fp16"),
        ("--reward.clip_range", ["-1e9", "1e9"], "'-1e9' as a flag"),
    ],
)
def test_a_problem_says_what_would_be_right(name: str, values: list[str], says: str) -> None:
    (line,) = flags.problems("train_ppo_ray", {name: values})
    assert line.startswith(f"train_ppo_ray {name}: ")
    assert says in line


def test_every_problem_is_found_at_once() -> None:
    assert len(flags.problems("train_sft", {"--a": [], "--train.seed": ["x"], "--optim": ["adam"]})) == 2


def test_a_key_behind_an_unknown_flag_is_not_repeated() -> None:
    for name in ("--logger.wandb.ke", "--wandb_key", "--logger.wandb.kye"):
        (line,) = flags.problems("train_sft", {name: ["secret"]})
        assert "secret" not in line


@needs_openrlhf
def test_a_flag_cut_short_is_really_taken_by_argparse() -> None:
    """Why it has to be refused here: OpenRLHF's own parser, as it is, takes it."""
    parser = parser_of("train_ppo_ray")
    parser.allow_abbrev = True
    assert vars(parser.parse_args(["--algo.kl.init", "0.2"]))["algo.kl.init_coef"] == 0.2
    assert checked("train_ppo_ray", ["--algo.kl.init", "0.2"]).arguments is None
