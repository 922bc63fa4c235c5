"""Bad specs and scales: every problem at once, one line each, with what would be right."""

import subprocess
import sys
from pathlib import Path

import pytest

from rlaif_spec.errors import SpecError
from rlaif_spec.spec import builtin_scales, check, default_scale, load_experiment, load_scale

SPECS = Path(__file__).parents[2] / "specs"


def write(folder: Path, text: str, name: str = "spec.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_experiment(path)
    found = [line.removeprefix(f"{path}:") for line in caught.value.problems]
    assert all("\n" not in line for line in found)
    return found


def test_every_error_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "task: sumarize\nreward_mode: d_rlaif\nlabeller: {size: L}\npolicy:\n  size: xs\nseeds: zero\n"
    assert problems(write(tmp_path, text)) == [
        "1: task: 'sumarize' is unknown; did you mean summarize? known: summarize, helpful, harmless",
        "2: reward_mode: 'd_rlaif' is unknown; did you mean d-rlaif? known: sft, rlhf, rlaif, d-rlaif",
        "3: labeller: is no key here; did you mean labeler?"
        " known: kind, task, reward_mode, labeler, policy, compare_to, seeds",
        "5: policy.size: 'xs' is unknown; did you mean XS? known: XS, S, L",
        "6: seeds: 'zero' does not fit; should be a valid list",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reward_mode: d-rlaif\n", "1: labeler: d-rlaif needs one; add labeler: {size: XS, prompt: score-1-to-10}"),
        ("reward_mode: rlhf\nlabeler: {size: L, prompt: base-0-shot}\n", "2: labeler: rlhf asks no labeler;"),
        ("reward_mode: rlaif\nlabeler: {size: L, prompt: score-1-to-10}\n", "2: labeler.prompt: rlaif labels pairs;"),
        ("reward_mode: rlaif\nlabeler: {size: L, prompt: nice}\n", "2: labeler.prompt: unknown prompt variant 'nice';"),
        (
            "reward_mode: rlaif\nlabeler: {size: L, prompt: detailed-cot-0-shoot}\n",
            "2: labeler.prompt: unknown prompt variant 'detailed-cot-0-shoot'; did you mean detailed-cot-0-shot?",
        ),
        ("reward_mode: sft\ncompare_to: [sft]\n", "2: compare_to: a policy is not compared to itself;"),
        ("reward_mode: sft\nseeds: [1, 1]\n", "2: seeds: has a value twice;"),
        ("reward_mode: sft\nseeds: [-1]\n", "2: seeds[0]: -1 does not fit; should be greater than or equal to 0"),
    ],
)
def test_impossible_combinations(tmp_path: Path, text: str, expected: str) -> None:
    (line,) = problems(write(tmp_path, f"{text}task: summarize\npolicy: {{size: XS}}\n"))
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("task: [\n", "2: file: "),
        ("just words\n", "1: file: holds no keys;"),
        ("task: summarize\ntask: helpful\n", "2: task: is there twice, first in line 1; keep one"),
        ("kind: alignmnt\n", "1: kind: 'alignmnt' is unknown; known: policy (the default), alignment"),
        ("seeds: 2026-13-45\n", "1: file: month must be in 1..12;"),
        ("task: &a [*a]\n", "1: file: an anchor holds itself;"),
        ("task: !!python/object:os.system x\n", "1: file: could not determine a constructor"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(write(tmp_path, text))[0].startswith(expected)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml") == ["1: file: there is none; name an existing YAML file"]


def test_a_scale_of_ones_own_extends_a_builtin_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "data")
    text = "extends: small\nname: mine\nrl: {steps: 3}\ntasks:\n  helpful: {kind: files, comparisons:"
    path = write(tmp_path, text + " {format: hh, path: '${WHERE}/x.jsonl'}}\n", "mine.yaml")
    scale = load_scale(path)
    assert (scale.name, scale.rl.steps, scale.rl.batch_size) == ("mine", 3, 128)
    helpful = scale.tasks["helpful"]
    assert helpful.kind == "files"
    assert helpful.contexts is None, "an entry of tasks is replaced whole"
    assert helpful.comparisons.path == str(tmp_path / "data" / "x.jsonl")


def test_a_scale_whose_name_is_no_folder_name_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "extends: toy\nname: ../elsewhere\n", "mine.yaml")
    with pytest.raises(SpecError, match=r"mine.yaml:2: name: '../elsewhere' does not fit;"):
        load_scale(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rl: {steps: 3}\n", r"mine.yaml:1: name: is missing; add it"),
        ("name: toy\n", r"mine.yaml:2: name: 'toy' is a built-in scale;"),
        ("name: mine\nselector: {kind: labeler, size: L, prompt: score-1-to-10}\n", "is no pair variant"),
        ("name: mine\nsizes: {XS: {package: a.b, gguf: c}}\n", "should match pattern"),
        ("name: mine\nevaluation: {resamples: 50}\n", "should be greater than or equal to 100"),
        ("name: mine\nsizes: {XS: {path: ~nobody/x}}\n", None),
        ("name: mine\nsizes: {L: {endpoint: {url: 'https://host/v1', model: m}, chat: true}}\n", None),
        ("name: mine\nsizes:\n  L:\n    endpoint: {url: host, model: m}\n", r":5: sizes.L.endpoint.url: 'host' is no"),
        (
            "name: mine\nsizes:\n  L:\n    endpoint: {url: 'http://me:sk-secret@host/v1', model: m}\n",
            r"url: holds more than an address; put a key into an environment variable",
        ),
        ("name: mine\nsizes: {L: {endpoint: {url: 'http://host:port/v1', model: m}}}\n", "is no address of a server"),
        (
            "name: mine\nsizes: {L: {endpoint: {url: 'http://h/v1?api_key=sk-secret', model: m}}}\n",
            "more than an address",
        ),
        (
            "name: mine\nsizes: {XS: {endpoint: {url: 'http://a/v1', model: m}},"
            " L: {endpoint: {url: 'http://b/v1', model: m}}}\n",
            "sizes: L and XS are called m at different servers",
        ),
        ("name: mine\nsizes: {L: {endpoint: {url: 'http://host/v1'}}}\n", r"sizes.L.endpoint.model: is missing"),
        ("name: mine\nsizes: {L: {endpoint: {url: 'http://h/v1', model: m}, path: x}}\n", "has path, endpoint"),
        ("name: mine\nsizes: {L: {endpoint: {url: 'http://h/v1', model: m}, gguf: x}}\n", "leave out gguf"),
    ],
)
def test_scales_that_would_fail_later_are_refused_now(tmp_path: Path, text: str, message: str | None) -> None:
    path = write(tmp_path, f"extends: toy\n{text}", "mine.yaml")
    if message is None:
        load_scale(path)
        return
    with pytest.raises(SpecError, match=message) as caught:
        load_scale(path)
    assert "sk-secret" not in str(caught.value)


def test_an_unset_variable_is_a_problem_of_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    path = write(tmp_path, "extends: small\nname: ${NOWHERE}\n", "mine.yaml")
    with pytest.raises(SpecError, match=r"mine.yaml:2: name: \$\{NOWHERE\} is not set; export NOWHERE="):
        load_scale(path)


def test_no_policy_starts_from_a_server(tmp_path: Path) -> None:
    server = "{endpoint: {url: 'http://host/v1', model: m}}"
    scale = load_scale(
        write(tmp_path, f"extends: toy\nname: mine\nsizes: {{XS: {server}, L: {server}}}\n", "mine.yaml")
    )
    spec = write(tmp_path, "task: helpful\nreward_mode: rlhf\npolicy:\n  size: XS\n")
    with pytest.raises(SpecError, match=r"4: policy.size: model of size XS is behind a server"):
        check(load_experiment(spec), scale, spec=spec)
    labels = "task: helpful\nreward_mode: rlaif\nlabeler: {size: L, prompt: base-0-shot}\npolicy: {size: S}\n"
    check(load_experiment(write(tmp_path, labels)), scale, spec=spec)


def test_what_a_scale_does_not_bind_is_refused(tmp_path: Path) -> None:
    scale_text = (
        "extends: small\nname: mine\ntasks:\n  helpful: {kind: files, comparisons: {format: hh, path: no.jsonl}}\n"
    )
    scale = load_scale(write(tmp_path, scale_text, "mine.yaml"))
    narrow = scale.model_copy(update={"sizes": {"L": scale.sizes["L"]}, "tasks": {"helpful": scale.tasks["helpful"]}})
    spec = write(tmp_path, "task: helpful\nreward_mode: rlhf\npolicy: {size: XS}\n")
    with pytest.raises(SpecError) as caught:
        check(load_experiment(spec), narrow, spec=spec)
    lines = [line.removeprefix(f"{spec}:") for line in caught.value.problems]
    assert lines[0].startswith("1: task: scale mine has helpful for alignment only")
    assert lines[1].startswith("1: task: data file ")
    assert lines[2].startswith("3: policy.size: scale mine binds no model to XS; it has L")


def test_more_shots_than_exemplars_are_refused(tmp_path: Path) -> None:
    spec = write(tmp_path, "kind: alignment\ntasks: [helpful]\nsizes: [L]\nprompts: [base-2-shot]\n")
    with pytest.raises(SpecError, match="2 shots need as many exemplars; helpful in toy words has 0"):
        check(load_experiment(spec), load_scale("toy"), spec=spec)


def test_shipped_specs_are_valid() -> None:
    assert builtin_scales() == ["paper", "small", "toy"]
    for path in sorted(SPECS.glob("*.yaml")):
        check(load_experiment(path), load_scale("toy"), spec=path)
        assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def test_the_default_scale_says_why() -> None:
    name, note = default_scale()
    assert name in builtin_scales()
    assert note.startswith(f"scale {name}: chosen because")


SPEC = str(SPECS / "summarize_dRLAIF.yaml")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["validate", SPEC, "--scale", "toy"], ["plan", SPEC, "--scale", "toy"]]
)
def test_reading_commands_load_no_torch(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from rlaif_spec.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print('loaded:', [name for name in ('torch', 'transformers', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert "loaded: []" in done.stdout, done.stderr
