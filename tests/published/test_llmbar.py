"""LLMBar (Zeng et al., 2024): 499 runs of judges in both orders: accuracy, agreement, both right, kappa."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.kappa import cohen_kappa_value
from harness.two_orders import two_order_agreement


def test_every_run(case: Callable[..., Any]) -> None:
    items, expected = case("llmbar", dtype=str)
    runs = dict(iter(items.groupby(["set", "judge", "strategy"])))
    assert len(expected["published"]) == len(runs)
    for printed in expected["published"]:
        rows = runs[printed["set"], printed["judge"], printed["strategy"]]
        one, other, gold = (rows[name].tolist() for name in ("winner_order1", "winner_order2", "gold"))
        ours = two_order_agreement(one, other, gold, rng=np.random.default_rng(0), resamples=100)
        assert 100 * ours.accuracy.value == pytest.approx(printed["accuracy"], abs=1e-9)
        assert ours.right == (printed["correct_order1"][0], printed["correct_order2"][0])
        assert (ours.agreed, ours.both) == (printed["agree"][0], printed["correct_both"][0])
        assert (ours.agree.n, ours.both_right.n) == (printed["n"], printed["n"])


def test_kappa_between_orders(case: Callable[..., Any]) -> None:
    items, expected = case("llmbar", dtype=str)
    runs = dict(iter(items.groupby(["set", "judge", "strategy"])))
    for printed in expected["published"]:
        rows = runs[printed["set"], printed["judge"], printed["strategy"]]
        one, other = (rows[name] == "1" for name in ("winner_order1", "winner_order2"))
        assert cohen_kappa_value(one, other) == pytest.approx(printed["kappa_between_orders"], abs=1e-9)
