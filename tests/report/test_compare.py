"""Comparing result folders."""

from pathlib import Path

import pytest

from harness import proportion
from rlaif_spec.errors import ArtifactError, UserError
from rlaif_spec.report import Figure, Metrics, compare_results, render
from rlaif_spec.report.figures import Interval
from rlaif_spec.store import write_json


def aligned(n: int) -> Figure:
    interval = Interval.of(proportion(n // 2, n))
    return Figure(
        measure="labeler alignment", task="helpful", subject="labeler L", prompt="p", interval=interval, seeds=1
    )


def write(root: Path, name: str, *figures: Figure) -> None:
    folder = root / name / "toy"
    folder.mkdir(parents=True)
    metrics = Metrics(experiment=name, scale="toy", judge="oracle", figures=figures)
    write_json(folder / "metrics.json", metrics.model_dump(mode="json"))


@pytest.mark.parametrize("sizes", [(100, 20), (20, 100)])
def test_a_figure_measured_twice_is_the_one_with_more_counts(tmp_path: Path, sizes: tuple[int, int]) -> None:
    for name, n in zip(("a", "b"), sizes, strict=True):
        write(tmp_path, name, aligned(n))
    (figure,) = compare_results(tmp_path)
    assert figure.interval.n == 100


def test_every_figure_stands_in_the_table_with_n_and_interval(tmp_path: Path) -> None:
    write(tmp_path, "a", aligned(40))
    table = render(compare_results(tmp_path))
    assert "| labeler L | p      | 0.500 [0.352, 0.648] | -             | 40 | 1 " in table


def test_figures_of_different_scales_never_share_a_table(tmp_path: Path) -> None:
    write(tmp_path, "a", aligned(40))
    (tmp_path / "a" / "real").mkdir()
    other = Metrics(experiment="a", scale="real", judge="labeler", figures=(aligned(400),))
    write_json(tmp_path / "a" / "real" / "metrics.json", other.model_dump(mode="json"))
    titles = [line for line in render(compare_results(tmp_path)).splitlines() if line.startswith("## ")]
    assert titles == ["## helpful at scale real, judged by labeler", "## helpful at scale toy, judged by oracle"]


def test_a_folder_without_results_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results here"):
        compare_results(tmp_path)


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", aligned(40))
    path = tmp_path / "a" / "toy" / "metrics.json"
    path.write_text(path.read_text().replace('"seeds": 1', '"seeds": "many"'))
    with pytest.raises(ArtifactError, match=r"metrics.json: figures.0.seeds: "):
        compare_results(tmp_path)
