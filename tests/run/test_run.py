"""The road as a user walks it: validate, plan, run, run again, compare, and what can go wrong on the way."""

import fcntl
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rlaif_spec import Request, prepare
from rlaif_spec.cli import main

RUN = ["--scale", "tiny.yaml"]


def run(spec: str, *more: str) -> int:
    return main(["run", spec, *RUN, *more])


def hashes(runs: Path) -> dict[str, str]:
    found = {}
    for receipt in sorted(runs.glob("*/step.json")):
        files = json.loads(receipt.read_text())["files"]
        found |= {f"{receipt.parent.name}/{name}": entry["sha256"] for name, entry in files.items()}
    return found


@pytest.mark.parametrize("mode", ["sft", "rlhf", "rlaif", "d-rlaif"])
def test_every_reward_mode_ends_in_a_table(bench: Path, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"harmless_{mode}.yaml") == 0
    out = capsys.readouterr().out
    assert "harmless rate" in out
    assert ("win rate" in out) == (mode != "sft")
    assert ("labeler alignment" in out) == (mode == "rlaif")
    folder = bench / "results" / f"harmless_{mode}" / "tiny"
    names = {"spec.yaml", "plan.json", "provenance.json", "metrics.json", "ratings.jsonl", "report.md"}
    assert {path.name for path in folder.iterdir()} == names


def test_a_second_run_does_nothing_and_says_so(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("summarize_sft.yaml") == 0
    before = {path: path.stat().st_mtime_ns for path in bench.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert run("summarize_sft.yaml") == 0
    assert "nothing to do: all 4 steps are finished" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in bench.rglob("*") if path.is_file()} == before


def test_specs_of_a_task_share_data_and_sft(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("summarize_sft.yaml") == 0
    capsys.readouterr()
    assert main(["plan", "summarize_d-rlaif.yaml", *RUN, "--json"]) == 0
    states = {row["step"].rsplit("-", 1)[0]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert (states["data"], states["sft"], states["rl"]) == ("reuse", "reuse", "do")


def test_validate_refuses_what_plan_and_run_would(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bench / "gpu.yaml").write_text(
        "extends: paper\nname: gpu\ntasks: {summarize: {kind: world, demonstrations: 640, comparisons: 640,"
        " prompts: 640, validation: 8, evaluation: 24, alignment: 24}}\n"
        "openrlhf:\n  accept: [centred-advantages]\n  flags: {rl: [--ds.overlap_com]}\n"
    )
    assert main(["validate", "summarize_rlhf.yaml", "--scale", "gpu.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("gpu.yaml: ") for line in lines)
    for part in ("openrlhf.accept: half-precision", "openrlhf.accept: resume-redraws", "--ds.overlap_com"):
        assert any(part in line for line in lines), lines


def test_compare_sets_every_policy_beside_every_other(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("sft", "d-rlaif"):
        assert run(f"summarize_{mode}.yaml", "--seeds", "0,1") == 0
    assert run("alignment.yaml") == 0
    capsys.readouterr()
    assert main(["compare", "results"]) == 0
    table = capsys.readouterr().out
    assert "summarize_d-rlaif" in table
    assert "longer wins" in table
    assert main(["compare", "results", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    wins = [row for row in rows if row["measure"] == "win rate"]
    assert [(row["subject"], row["seeds"], row["interval"]["clusters"]) for row in wins] == [
        ("summarize_d-rlaif", 2, 48)
    ]
    assert all(row["interval"]["n"] > 0 and row["interval"]["low"] <= row["interval"]["value"] for row in rows)


def test_compare_keeps_a_win_rate_whose_opponent_has_no_results(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("summarize_d-rlaif.yaml") == 0
    capsys.readouterr()
    assert main(["compare", "results", "--json"]) == 0
    (win,) = [row for row in json.loads(capsys.readouterr().out) if row["measure"] == "win rate"]
    assert (win["subject"], win["against"]) == ("summarize_d-rlaif", "sft")


def test_compare_pairs_only_policies_that_answered_the_same_prompts(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench / "other.yaml").write_text((bench / "tiny.yaml").read_text().replace("evaluation: 24", "evaluation: 30"))
    assert main(["run", "summarize_sft.yaml", "--scale", "other.yaml"]) == 0
    assert run("summarize_d-rlaif.yaml") == 0
    capsys.readouterr()
    assert main(["compare", "results", "--json"]) == 0
    wins = [row for row in json.loads(capsys.readouterr().out) if row["measure"] == "win rate"]
    assert [(row["against"], row["interval"]["clusters"]) for row in wins] == [("sft", 24)], "its own SFT, no other's"


def test_a_killed_run_ends_in_the_same_bits(bench: Path) -> None:
    command = [sys.executable, "-m", "rlaif_spec", "run", "summarize_d-rlaif.yaml", *RUN]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(bench.glob("runs/sft-*/step.json")):
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not list(bench.glob("results/*/*/metrics.json"))
    assert run("summarize_d-rlaif.yaml") == 0
    assert main(["run", "summarize_d-rlaif.yaml", *RUN, "--runs", "other", "--results", "others"]) == 0
    assert hashes(bench / "runs") == hashes(bench / "other")


def test_a_corrupted_artifact_is_named_and_nothing_else_is_lost(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("summarize_sft.yaml") == 0
    (weights,) = bench.glob("runs/sft-*/model/model.safetensors")
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    capsys.readouterr()
    assert run("summarize_d-rlaif.yaml") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "model.safetensors" in error
    assert "run again to redo this step" in error
    weights.write_bytes(good)
    assert run("summarize_d-rlaif.yaml") == 0


def test_bad_input_ends_in_one_line_and_exit_code_2(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bench / "bad.yaml").write_text("task: summarize\nreward_mode: d-rlaif\npolicy: {size: XS}\n")
    assert run("bad.yaml") == 2
    assert capsys.readouterr().err == (
        "bad.yaml:1: labeler: d-rlaif needs one; add labeler: {size: XS, prompt: score-1-to-10}\n"
    )
    assert main(["compare", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("nowhere: no results here;")
    assert main(["run", "summarize_sft.yaml", "--scale", "huge"]) == 2
    assert "is no built-in scale (paper, small, toy) and no file" in capsys.readouterr().err


def test_a_second_process_waits_for_a_step_that_another_is_doing(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare(Request(spec=Path("summarize_sft.yaml"), scale="tiny.yaml"))
    data = prepared.plan.steps[0]
    Path("runs").mkdir()
    with (Path("runs") / f".{data.id}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        release = threading.Timer(0.5, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        release.start()
        assert run("summarize_sft.yaml") == 0
        release.join()
    assert f"waiting: another process is doing {data.id}" in capsys.readouterr().err


def test_work_that_was_finished_before_a_kill_is_not_done_again(bench: Path) -> None:
    assert run("summarize_sft.yaml") == 0
    (done,) = Path("runs").glob("sft-*")
    done.rename(done.with_name(f".{done.name}"))  # killed between receipt and rename
    (Path("runs") / f".{done.name}" / "scratch").mkdir()
    written = (Path("runs") / f".{done.name}" / "step.json").stat().st_mtime_ns
    assert run("summarize_sft.yaml") == 0
    assert (done / "step.json").stat().st_mtime_ns == written


def test_a_folder_without_a_receipt_is_told_before_any_work(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("summarize_sft.yaml") == 0
    (done,) = Path("runs").glob("sft-*")
    (done / "step.json").unlink()
    capsys.readouterr()
    assert run("summarize_sft.yaml") == 1
    assert f"{done}: has no receipt; delete {done} and run again" in capsys.readouterr().err


def test_results_are_written_anew_where_the_data_went_back(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs of one spec into one folder, then the first again: its own table, not the other's."""
    for scale in ("tiny.yaml", "other.yaml"):
        (bench / "other.yaml").write_text((bench / "tiny.yaml").read_text().replace("evaluation: 24", "evaluation: 30"))
        assert main(["run", "summarize_sft.yaml", "--scale", scale]) == 0
    folder = bench / "results" / "summarize_sft" / "tiny"
    assert len((folder / "ratings.jsonl").read_text().splitlines()) == 30
    assert run("summarize_sft.yaml") == 0
    assert len((folder / "ratings.jsonl").read_text().splitlines()) == 24
    (folder / "metrics.json").unlink()
    assert run("summarize_sft.yaml") == 0
    assert (folder / "metrics.json").is_file()


def test_peoples_pairs_from_a_file_end_in_a_table_that_says_nothing_of_the_machine(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"prompt": "my bike is stuck .", "response_a": "you can oil it .", "response_b": "you can dry it ."}
    rows = [
        {**row, "id": str(at), "prompt": f"{row['prompt']} {'hi ' * at}", "human": "ab"[at % 2]} for at in range(40)
    ]
    (bench / "pairs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    (bench / "files.yaml").write_text(
        "extends: toy\nname: files\njudge: {kind: labeler, size: XS}\nselector: {kind: labeler, size: XS}\ntasks:\n"
        + "".join(
            f"  {task}: {{kind: files, held_out: 0.5, comparisons: {{format: pairs, path: pairs.jsonl}}}}\n"
            for task in ("summarize", "helpful", "harmless")
        )
    )
    (bench / "ask.yaml").write_text("kind: alignment\ntasks: [helpful]\nsizes: [XS]\nprompts: [base-0-shot]\n")
    assert main(["run", "ask.yaml", "--scale", "files.yaml"]) == 0
    table = capsys.readouterr().out
    assert "labeler XS" in table
    assert "longer wins" in table
    for path in (bench / "results").rglob("*.*"):
        assert str(bench) not in path.read_text()
        assert "my bike" not in path.read_text()
    with (bench / "pairs.jsonl").open("a") as file:
        file.write(json.dumps({**rows[0], "id": "40", "prompt": "hi hi my bike is stuck ."}) + "\n")
    assert main(["plan", "ask.yaml", "--scale", "files.yaml"]) == 0
    assert "2 of 2 steps to do" in capsys.readouterr().out, "a changed file is other work"


def test_a_batch_script_is_refused_where_it_could_not_run(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slurm", "summarize_sft.yaml", *RUN]) == 2
    assert "engine native runs on one machine" in capsys.readouterr().err
    (bench / "my.yaml").write_text("extends: paper\nname: my\n")
    assert main(["slurm", "summarize_sft.yaml", "--scale", "my.yaml"]) == 2
    assert "must say http://127.0.0.1:8265" in capsys.readouterr().err
    (bench / "my.yaml").write_text(
        "extends: paper\nname: my\nopenrlhf: {nodes: 2, ray: {address: 'http://127.0.0.1:8265'}}\n"
    )
    assert main(["slurm", "summarize_sft.yaml", "--scale", "my.yaml", "--option=--partition=gpu"]) == 0
    text = capsys.readouterr().out
    assert "#SBATCH --nodes=2\n" in text
    assert "#SBATCH --partition=gpu\n" in text
    assert "run rlaif-spec run summarize_sft.yaml --scale my.yaml" in text


def test_a_batch_script_leaves_gpus_for_a_labelers_server_only_where_one_is_started(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "openrlhf: {ray: {address: 'http://127.0.0.1:8265'}}\n"
    far = "sizes: {XS: {hub: some/model, parameters: 1.0e+9}, L: {endpoint: {url: 'http://far/v1', model: judge}}}\n"
    (bench / "ours.yaml").write_text(f"extends: paper\nname: ours\n{own}")
    (bench / "far.yaml").write_text(f"extends: paper\nname: far\n{own}{far}")
    (bench / "direct.yaml").write_text(
        "task: summarize\nreward_mode: d-rlaif\nlabeler: {size: L, prompt: score-1-to-10}\npolicy: {size: XS}\n"
    )
    for scale, gpus in (("ours.yaml", 4), ("far.yaml", 8)):
        assert main(["slurm", "direct.yaml", "--scale", scale]) == 0
        assert f"ray start --head --block --num-gpus={gpus} " in capsys.readouterr().out
