"""Figures of labelers and reward models: every comparison is counted, and once."""

import numpy as np
import pytest

from harness import HarnessError, cluster_bootstrap, proportion
from rlaif_spec.records import Comparison, Preference, SoftLabel
from rlaif_spec.report.labelers import control_figures, labeler_figures, reward_model_figure
from rlaif_spec.spec.settings import EvaluationSettings

SETTINGS = EvaluationSettings(resamples=200, level=0.9)


def compared(name: str, human: Preference | None, first: str = "long", second: str = "no") -> Comparison:
    return Comparison(id=name, context="", first=first, second=second, human=human)


def labelled(name: str, first: float | None, second: float | None) -> SoftLabel:
    return SoftLabel(id=name, shown_first=first, shown_second=second, mass=1.0)


def test_reward_model_accuracy_by_hand() -> None:
    rows = [compared("a", "first"), compared("b", "second"), compared("c", "tie"), compared("d", None)]
    margins = [(0.5, rows[0]), (0.0, rows[1]), (1.0, rows[2]), (1.0, rows[3]), (-2.0, rows[0]), (-1.0, rows[1])]
    figure = reward_model_figure("R", "helpful", margins, prompt="p", seeds=2, unread=3, settings=SETTINGS)
    expected = cluster_bootstrap(
        [1.0, 0.5, 0.0, 1.0], ["a", "b", "a", "b"], rng=np.random.default_rng(0), level=0.9, resamples=200
    )
    assert figure.interval.estimate == expected
    assert (figure.ties, figure.unparsed, figure.seeds) == (2, 3, 2)


def test_a_margin_that_is_no_number_is_refused() -> None:
    margins = [(float("nan"), compared("a", "first")), (1.0, compared("b", "first"))]
    with pytest.raises(HarnessError, match=r"margins\[0\] is nan"):
        reward_model_figure("R", "helpful", margins, prompt=None, seeds=1, unread=0, settings=SETTINGS)


def test_a_comparison_that_seeds_share_counts_once() -> None:
    rows = [
        (compared("a", "first"), labelled("a", 0.9, 0.8)),
        (compared("b", "tie"), labelled("b", 0.9, 0.2)),
        (compared("c", "second"), labelled("c", None, 0.2)),
        (compared("d", None), labelled("d", 0.9, 0.2)),
    ]
    aligned, position = labeler_figures("L", "helpful", "p", {0: rows, 1: rows}, 0.9)
    assert aligned.interval.estimate == proportion(1, 1, level=0.9)
    assert (aligned.ties, aligned.unparsed, aligned.note) == (1, 1, "people's ties left out")
    assert position.interval.estimate == proportion(1, 2, level=0.9)
    assert (position.unparsed, position.note) == (1, "first in 100 % of them (binomial p=1)")
    assert labeler_figures("L", "helpful", "p", {0: rows[3:]}, 0.9) == []


def test_controls_by_hand() -> None:
    rows = [compared("a", "first"), compared("b", "first", "no", "long"), compared("c", "second"), compared("d", None)]
    common, longer = control_figures("helpful", {0: rows, 1: rows}, 0.9)
    assert common.interval.estimate == proportion(2, 3, level=0.9)
    assert longer.interval.estimate == proportion(1, 3, level=0.9)
