"""OpenRLHF's `train_rm` on soft labels: `torchrun ... -m rlaif_spec.engines.openrlhf.entry.soft_reward_model <flags>`.

OpenRLHF knows hard labels only: -log sigmoid(m), m = score(chosen) - score(rejected). The paper's loss (section 2.2.1)
is the cross-entropy with the labeler's probability p that the chosen text is preferred,

    loss = -[p log sigmoid(m) + (1 - p) log sigmoid(-m)],  mean over the batch, in nats, in fp32

The probability arrives in the column `margin`, which OpenRLHF hands through to the loss under
`--model.margin_loss_enable`. Two names of OpenRLHF are replaced, the loss and the reading of a row; all else is its
own.
"""

import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from rlaif_spec.errors import DataError, EngineError, RlaifSpecError, UserError
from rlaif_spec.spec.openrlhf import OPENRLHF

if TYPE_CHECKING:
    from torch import Tensor

LOSS: Final = ("openrlhf.trainer.rm_trainer", "PairWiseLoss")
"""The loss that the trainer builds for `--model.loss_type sigmoid`."""

ROW: Final = ("openrlhf.datasets.reward_dataset", "preprocess_data")
"""What reads a row; a row without `margin` counts as margin 0 there, which here would mean "surely rejected"."""

SHOWN: Final = 60
"""Characters of a prompt that an error shows."""


class SoftPairWiseLoss:
    """Stands in for `PairWiseLoss`; called with scores and probabilities of one batch, (pairs,) each."""

    def __call__(self, chosen_reward: "Tensor", reject_reward: "Tensor", margin: "Tensor | None" = None) -> "Tensor":
        """Mean cross-entropy in nats; `margin` holds P(chosen preferred)."""
        from torch.nn.functional import logsigmoid

        if margin is None:
            raise EngineError("the reward model got no probabilities; give --model.margin_loss_enable")
        difference = chosen_reward.float() - reject_reward.float()
        preferred = margin.float()
        return -(preferred * logsigmoid(difference) + (1 - preferred) * logsigmoid(-difference)).mean()


def main(arguments: Sequence[str]) -> None:
    """Check, replace, and run `openrlhf.cli.train_rm` with `arguments`."""
    check_flags(arguments)
    check_version()
    rows, loss = import_module(ROW[0]), import_module(LOSS[0])
    check_names({ROW: rows, LOSS: loss})
    import datasets

    # A row that was read before, by OpenRLHF alone, may lie in the cache with its margin of 0.
    datasets.disable_caching()
    setattr(rows, ROW[1], checked(getattr(rows, ROW[1])))
    setattr(loss, LOSS[1], SoftPairWiseLoss)
    sys.argv = ["openrlhf.cli.train_rm", *arguments]
    runpy.run_module("openrlhf.cli.train_rm", run_name="__main__", alter_sys=True)


def check_flags(arguments: Sequence[str]) -> None:
    """Refuse flags under which the probabilities would not reach our loss."""
    if "--model.margin_loss_enable" not in arguments:
        raise UserError("soft labels: --model.margin_loss_enable is missing; without it OpenRLHF drops them")
    for at, word in enumerate(arguments):
        name, _, value = word.partition("=")
        if name == "--model.loss_type":
            kind = value or "".join(arguments[at + 1 : at + 2])
            if kind != "sigmoid":
                raise UserError(f"soft labels: --model.loss_type {kind} is another loss; give sigmoid or leave it out")


def check_version() -> None:
    """Refuse a version of OpenRLHF that these replacements were not written for."""
    try:
        found = version("openrlhf")
    except PackageNotFoundError:
        found = "none"
    if found != OPENRLHF:
        raise UserError(f"soft labels: OpenRLHF {OPENRLHF} is needed, found {found}; pip install openrlhf=={OPENRLHF}")


def check_names(modules: Mapping[tuple[str, str], Any]) -> None:
    """Refuse an OpenRLHF that lacks what is replaced: nothing would be replaced, and no one would know."""
    for (where, name), module in modules.items():
        if not callable(getattr(module, name, None)):
            raise EngineError(f"soft labels: {where}.{name} does not exist; OpenRLHF {OPENRLHF} as released has it")


def checked(read: Callable[..., Any]) -> Callable[..., Any]:
    """`read` for a row, once its probability was looked at."""

    def preprocess_data(data: Mapping[str, Any], *arguments: Any, **options: Any) -> Any:
        check_row(data)
        return read(data, *arguments, **options)

    return preprocess_data


def check_row(data: Mapping[str, Any]) -> None:
    """Refuse a row whose `margin` is no probability."""
    found = data.get("margin")
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 1:
        return
    prompt = " ".join(str(data.get("prompt", next(iter(data.values()), ""))).split())
    shown = prompt if len(prompt) <= SHOWN else f"{prompt[:SHOWN]}..."
    raise DataError(f"row with prompt {shown!r}: margin is {found!r}, not a probability in [0, 1]")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RlaifSpecError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
