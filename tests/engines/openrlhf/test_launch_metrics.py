"""Event files as OpenRLHF writes them, read back."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorboard")
from torch.utils.tensorboard import SummaryWriter

from rlaif_spec.engines.openrlhf.launch.metrics import MetricsTail, rows

pytestmark = pytest.mark.filterwarnings("default")


def writer(folder: Path) -> Any:
    return SummaryWriter(log_dir=str(folder / "run"))  # type: ignore[no-untyped-call]


def write(folder: Path, second: int, steps: dict[int, dict[str, float]]) -> Path:
    """One event file, begun in `second`."""
    known = set(folder.rglob("events*"))
    with writer(folder) as one:
        for step, figures in steps.items():
            for name, value in figures.items():
                one.add_scalar(name, value, step)
    (path,) = set(folder.rglob("events*")) - known
    parts = path.name.split(".")
    return path.rename(path.with_name(".".join([*parts[:3], str(second), *parts[4:]])))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wrote = {step: {f"train/{name}": float(rng.normal()) for name in ("reward", "kl")} for step in range(1, 2001)}
    wrote[7]["eval/acc"] = 0.25
    write(tmp_path, 5, wrote)
    expected = [
        {"step": step, **{name.removeprefix("train/"): float(np.float32(value)) for name, value in figures.items()}}
        for step, figures in wrote.items()
    ]
    assert rows(tmp_path) == expected


def test_the_later_file_wins_whatever_order_they_lie_in(tmp_path: Path) -> None:
    write(tmp_path, 200, {3: {"train/reward": 30.0}, 4: {"train/reward": 40.0}})
    write(
        tmp_path, 100, {1: {"train/reward": 1.0}, 3: {"train/reward": 3.0, "train/kl": 9.0}, 5: {"train/reward": 5.0}}
    )
    assert rows(tmp_path) == [
        {"step": 1, "reward": 1.0},
        {"step": 3, "reward": 30.0},
        {"step": 4, "reward": 40.0},
        {"step": 5, "reward": 5.0},
    ]


def test_the_number_of_digits_does_not_decide_the_order(tmp_path: Path) -> None:
    write(tmp_path, 1000, {1: {"train/loss": 2.0}})
    write(tmp_path, 999, {1: {"train/loss": 1.0}})
    assert rows(tmp_path) == [{"step": 1, "loss": 2.0}]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_reaches_json(tmp_path: Path, bad: float) -> None:
    write(tmp_path, 1, {1: {"train/loss": bad, "train/lr": 0.5}, 2: {"train/loss": bad}})
    found = rows(tmp_path)
    assert found == [{"step": 1, "lr": 0.5}]
    json.dumps(found, allow_nan=False)


def test_texts_are_no_figures(tmp_path: Path) -> None:
    with writer(tmp_path) as one:
        one.add_text("train/generated_samples", "hello", 1)
        one.add_scalar("train/reward", 1.0, 1)
    assert rows(tmp_path) == [{"step": 1, "reward": 1.0}]


def test_a_running_job_is_followed_row_by_row(tmp_path: Path) -> None:
    tail = MetricsTail(tmp_path)
    assert tail.new() == []
    with writer(tmp_path) as one:
        one.add_scalar("train/reward", 1.0, 1)
        one.flush()
        assert tail.new() == [{"step": 1, "reward": 1.0}]
        assert tail.new() == []
        one.add_scalar("train/kl", 2.0, 1)
        one.add_scalar("train/reward", 3.0, 2)
        one.flush()
        assert tail.new() == [{"step": 1, "reward": 1.0, "kl": 2.0}, {"step": 2, "reward": 3.0}]
    write(tmp_path, 1 << 40, {2: {"train/reward": 4.0}})
    assert tail.new() == [{"step": 2, "reward": 4.0}]
    assert tail.rows() == rows(tmp_path) == [{"step": 1, "reward": 1.0, "kl": 2.0}, {"step": 2, "reward": 4.0}]


def test_a_record_that_is_cut_anywhere_is_read_once_it_is_whole(tmp_path: Path) -> None:
    """A job's buffer is flushed without regard to where a record ends."""
    path = write(tmp_path, 1, {step: {"train/reward": float(step)} for step in range(1, 6)})
    whole = path.read_bytes()
    following = tmp_path / "other" / path.name
    following.parent.mkdir()
    following.touch()
    os.remove(path)
    tail = MetricsTail(following.parent)
    seen = []
    for at in range(len(whole)):
        with following.open("ab") as file:
            file.write(whole[at : at + 1])
        seen += tail.new()
    assert seen == [{"step": step, "reward": float(step)} for step in range(1, 6)]


def test_no_folder_no_rows(tmp_path: Path) -> None:
    assert rows(tmp_path / "none") == []
