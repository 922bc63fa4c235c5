"""What the reward model's entry refuses, and its loss; OpenRLHF itself is met in tests/openrlhf_cpu."""

import math
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rlaif_spec.engines.openrlhf.entry import soft_reward_model as entry
from rlaif_spec.errors import DataError, EngineError, UserError
from rlaif_spec.spec.openrlhf import OPENRLHF

NEEDED = ["--model.margin_loss_enable"]


@pytest.mark.parametrize(
    "flags", [NEEDED, [*NEEDED, "--model.loss_type", "sigmoid"], ["--model.loss_type=sigmoid", *NEEDED]]
)
def test_flags_under_which_the_probabilities_arrive(flags: list[str]) -> None:
    entry.check_flags(flags)


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ([], "margin_loss_enable"),
        (["--model.margin"], "margin_loss_enable"),
        ([*NEEDED, "--model.loss_type", "logexp"], "logexp"),
        ([*NEEDED, "--model.loss_type=logexp"], "logexp"),
    ],
)
def test_other_flags_are_refused(flags: list[str], word: str) -> None:
    with pytest.raises(UserError, match=word):
        entry.check_flags(flags)


@pytest.mark.parametrize("found", [None, -0.01, 1.01, math.nan, math.inf, "0.5", True, [0.5]])
def test_a_row_without_a_probability_is_refused_in_one_short_line(found: Any) -> None:
    read = entry.checked(lambda data: pytest.fail("the row was read"))
    with pytest.raises(DataError, match="margin") as caught:
        read({"prompt": "a long\nprompt " * 100, "margin": found})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_row_without_the_column_is_refused() -> None:
    with pytest.raises(DataError, match="'hello': margin is None"):
        entry.check_row({"prompt": "hello"})


@pytest.mark.parametrize("found", [0, 1, 0.0, 1.0, 0.6])
def test_a_row_with_a_probability_is_read_as_it_is(found: float) -> None:
    read = entry.checked(lambda *given, **named: (given, named))
    row = {"prompt": "hello", "margin": found}
    assert read(row, 1, is_dpo=False) == ((row, 1), {"is_dpo": False})


@pytest.mark.parametrize("found", ["0.11.1", None])
def test_another_version_is_refused(found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(entry, "version", version)
    with pytest.raises(UserError, match=f"{OPENRLHF} is needed, found {found or 'none'}"):
        entry.check_version()


def test_a_missing_name_is_refused() -> None:
    modules = {entry.LOSS: SimpleNamespace(PairWiseLoss=dict), entry.ROW: SimpleNamespace()}
    with pytest.raises(EngineError, match=r"reward_dataset\.preprocess_data does not exist"):
        entry.check_names(modules)


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.6, 1.0])
def test_the_loss_is_least_where_the_scores_say_the_probability(probability: float) -> None:
    """Its slope in the difference of scores is sigmoid(difference) - probability."""
    chosen = torch.linspace(-6, 6, 25, dtype=torch.float64).requires_grad_()
    rejected, target = torch.zeros(25), torch.full((25,), probability)
    loss = entry.SoftPairWiseLoss()(chosen, rejected, target)
    (slope,) = torch.autograd.grad(loss, chosen)
    torch.testing.assert_close(25 * slope, torch.sigmoid(chosen.detach()) - probability, rtol=0, atol=1e-6)
    assert loss.dtype == torch.float32


def test_the_loss_wants_probabilities() -> None:
    with pytest.raises(EngineError, match="margin_loss_enable"):
        entry.SoftPairWiseLoss()(torch.zeros(1), torch.zeros(1), None)


def test_the_program_ends_with_one_line() -> None:
    done = subprocess.run([sys.executable, "-m", entry.__name__], capture_output=True, text=True, check=False)
    assert done.returncode == UserError.exit_code
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("soft labels: ")


def test_importing_the_entry_loads_no_torch() -> None:
    program = "import sys; import rlaif_spec.engines.openrlhf.entry.soft_reward_model; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
