"""The CPU oracle: toy specs run from end to end through the real OpenRLHF, as a user would run them.

Both specs end in tables; the policy beats SFT with its interval clear of one half; artifacts and figures are those of
the native engine, whose shipped win rates lie within reach of these.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("deepspeed")
pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SPECS = ("summarize_RLAIF", "summarize_dRLAIF")
NATIVE_FILES = {
    "rl": {"candidates.json", "model", "step.json", "train.jsonl"},
    "sft": {"model", "step.json", "train.jsonl"},
}
NATIVE_FIGURES = {"step", "reward", "kl", "tokens", "value_loss", "read", "unread"}


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, shimmed: dict[str, str]) -> Path:
    """Both specs, run one after the other into one folder, sharing data, SFT and labels."""
    folder = tmp_path_factory.mktemp("oracle")
    for spec in SPECS:
        command = [sys.executable, "-m", "rlaif_spec", "run", str(ROOT / "specs" / f"{spec}.yaml")]
        options = ["--scale", str(HERE / "toy-openrlhf.yaml"), "--seeds", "0"]
        done = subprocess.run(
            [*command, *options],
            cwd=folder,
            env=shimmed | {"RLAIF_SPEC_FAKE_GPUS": "5"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder


def win_rate(folder: Path) -> dict[str, float]:
    """Value, interval and n of a result folder's win rate over SFT."""
    figures = json.loads((folder / "metrics.json").read_bytes())["figures"]
    (found,) = [one for one in figures if one["measure"] == "win rate" and one["against"] == "sft"]
    return dict(found["interval"])


def steps(bench: Path, kind: str) -> list[Path]:
    return sorted(path for path in (bench / "runs").glob(f"{kind}-*") if path.is_dir())


@pytest.mark.parametrize("spec", SPECS)
def test_the_policy_beats_sft_and_the_interval_is_clear_of_one_half(bench: Path, spec: str) -> None:
    found = win_rate(bench / "results" / spec / "toy-openrlhf")
    assert found["low"] > 0.5
    assert found["n"] == 1500


@pytest.mark.parametrize("spec", SPECS)
def test_both_engines_come_to_the_same_win_rate_within_their_intervals(bench: Path, spec: str) -> None:
    """Against the native engine's shipped result, of three seeds."""
    ours, native = win_rate(bench / "results" / spec / "toy-openrlhf"), win_rate(ROOT / "results" / spec / "toy")
    assert max(ours["low"], native["low"]) <= min(ours["high"], native["high"])


def test_artifacts_are_those_of_the_native_engine_and_a_note(bench: Path) -> None:
    for kind, names in NATIVE_FILES.items():
        for folder in steps(bench, kind):
            assert {path.name for path in folder.iterdir()} == names | {"command.sh", "engine.json"}
    assert len(steps(bench, "rl")) == 2
    assert len(steps(bench, "sft")) == len(steps(bench, "reward-model")) == 1
    assert not [path for path in (bench / "runs").iterdir() if path.name.startswith(".")], "no scratch is left"


def test_figures_are_those_of_the_native_engine(bench: Path) -> None:
    for folder in steps(bench, "rl"):
        rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows] == list(range(1, 61))
        assert all(set(row) == NATIVE_FIGURES | {"cut"} for row in rows)
        assert rows[0]["kl"] == pytest.approx(0, abs=0.05), "on-policy, and the policy is SFT"
        assert rows[-1]["kl"] > 0.2
        assert sum(row["reward"] for row in rows[-10:]) > sum(row["reward"] for row in rows[:10])
        candidates = json.loads((folder / "candidates.json").read_bytes())
        assert [row["step"] for row in candidates["candidates"]] == [15, 30, 45, 60]
        assert all("held_out_win_rate" in row and "selector_win_rate" in row for row in candidates["candidates"])


def test_the_receipt_says_with_what_and_how_long(bench: Path) -> None:
    for kind in ("sft", "reward-model", "rl"):
        for folder in steps(bench, kind):
            receipt = json.loads((folder / "step.json").read_bytes())
            note = receipt["engine"]
            assert note["versions"]["openrlhf"] == "0.11.2"
            assert note["gpu_hours"] > 0
            assert note["attempts"] == 1
            assert note["tokens"] > 0
            assert receipt["step"]["trainer"]["kind"] == "openrlhf"
