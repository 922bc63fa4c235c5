"""Where a training was: one safetensors file, replaced whole, with weights, optimizer and generator state.

A resumed training ends in the same bits as one that was never stopped, so it does not matter when a checkpoint
is written; the rule is that writing them takes a small share of the time.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rlaif_spec.engines.native.models import unwritten
from rlaif_spec.errors import ArtifactError
from rlaif_spec.store import SCRATCH

NAME = "checkpoint.safetensors"
SECONDS_BETWEEN = 15.0
TIMES_THE_COST = 10.0
"""A checkpoint is due after 15 s, or after ten times what the last one took, whichever is longer."""


class Trainable:
    """A model with its optimizer: AdamW without weight decay."""

    def __init__(self, name: str, model: nn.Module) -> None:
        self.name = name
        self.model = model
        self.parameters = dict(model.named_parameters())
        self.optimizer = torch.optim.AdamW(self.parameters.values(), lr=0.0, betas=(0.9, 0.95), weight_decay=0.0)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a later step depends on."""
        found = {f"{self.name}/weight/{name}": value.detach() for name, value in self.parameters.items()}
        for name, value in self.parameters.items():
            for part, state in self.optimizer.state.get(value, {}).items():
                found[f"{self.name}/{part}/{name}"] = state
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` returned."""
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(tensors[f"{self.name}/weight/{name}"])
                state = {
                    part: tensors[f"{self.name}/{part}/{name}"].to("cpu" if part == "step" else value.device, copy=True)
                    for part in ("step", "exp_avg", "exp_avg_sq")
                    if f"{self.name}/{part}/{name}" in tensors
                }
                if state:
                    self.optimizer.state[value] = state


class Checkpoint:
    """The checkpoint file of one training."""

    def __init__(self, folder: Path, trainables: list[Trainable], generator: torch.Generator | None = None) -> None:
        self._path = folder / SCRATCH / NAME
        self._trainables = trainables
        self._generator = generator
        self._saved_at = time.monotonic()
        self._cost = 0.0

    def restore(self) -> int:
        """Take back the last state; the number of steps done, 0 where there is no checkpoint."""
        if not self._path.is_file():
            return 0
        try:
            with safe_open(self._path, framework="pt") as file:
                step = int(file.metadata()["step"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError):
            raise ArtifactError(f"{self._path}: cannot be read; delete it and run again to redo this step") from None
        for trainable in self._trainables:
            trainable.restore(tensors)
        if self._generator is not None:
            self._generator.set_state(tensors["generator"])
        return step

    def save_if_due(self, step: int) -> None:
        """Write the state after `step` steps if enough time has passed."""
        if time.monotonic() - self._saved_at >= max(SECONDS_BETWEEN, TIMES_THE_COST * self._cost):
            self.save(step)

    def save(self, step: int) -> None:
        """Write the state after `step` steps; a kill leaves the older one or this one."""
        began = time.monotonic()
        tensors = {name: value for trainable in self._trainables for name, value in trainable.tensors().items()}
        if self._generator is not None:
            tensors["generator"] = self._generator.get_state()
        self._path.parent.mkdir(exist_ok=True)
        part = self._path.with_suffix(".part")
        try:
            save_file({name: value.contiguous() for name, value in tensors.items()}, part, metadata={"step": str(step)})
        except SafetensorError as error:
            raise unwritten(part, error) from error
        os.replace(part, self._path)
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began
