"""What the checks before a start read: a command's settings, and facts about the machine and the data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rlaif_spec.engines.openrlhf import flags
from rlaif_spec.engines.openrlhf.command import Command, Program
from rlaif_spec.errors import UserError

ROLES: Final[Mapping[str, str]] = {"actor": "actor", "reference": "ref", "critic": "critic", "reward": "reward"}
"""The models of RL, and what their flags begin with."""


@dataclass(frozen=True)
class Facts:
    """What the machine and the data are like, as far as it is known."""

    rows: int | None
    """Training rows (prompts, for RL); None: unknown."""
    evaluation_rows: int
    """Rows of the data set that `--eval.dataset` names; 0 without one."""
    gpus_per_node: int | None
    """GPUs that can be seen on each node; None: unknown."""
    flash_attention: bool
    """Whether the package flash_attn can be imported where the job runs."""
    nodes: int = 1
    labeler_gpus: int = 0
    """GPUs that the labeler's server takes while this job runs, all on one node."""
    templates: Mapping[Program, str | None] = field(default_factory=dict)
    """The prompt format of the other stages' commands, each as `template_of` gives it."""
    checkpoint: Path | None = None
    """Where `--ckpt.load_enable` would resume from, as this process sees it; without it, `checkpoint_of`."""


class UnreadableError(UserError):
    """A setting cannot be read, so what depends on it cannot be checked; `problems` names the setting."""

    def __init__(self, program: Program, flag: str) -> None:
        super().__init__(f"{program} {flag}: cannot be read; one value that OpenRLHF takes")


class Settings:
    """A command's settings, with OpenRLHF's own defaults where a flag is not given; UnreadableError for a bad value."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.program = command.program
        self._known = flags.table()[command.program]

    def knows(self, flag: str) -> bool:
        """Whether the program has such a flag."""
        return flag in self._known

    def on(self, flag: str) -> bool:
        """Whether a switch is given."""
        return self.command.has(flag)

    def text(self, flag: str) -> str | None:
        """The one value."""
        default = self._known[flag].default
        values = self.command.flags.get(flag, default if isinstance(default, tuple) else ())
        if self.command.has(flag) and len(values) != 1:
            raise UnreadableError(self.program, flag)
        return values[0] if values else None

    def real(self, flag: str) -> float:
        """The value as a number."""
        try:
            return float(self.text(flag) or "")
        except ValueError:
            raise UnreadableError(self.program, flag) from None

    def whole(self, flag: str) -> int:
        """The value as a whole number; 0 where there is none."""
        try:
            return int(self.text(flag) or "0")
        except ValueError:
            raise UnreadableError(self.program, flag) from None

    def size(self, flag: str) -> int:
        """The value as a whole number that may stand under a division."""
        value = self.whole(flag)
        if value < 1:
            raise UnreadableError(self.program, flag)
        return value

    @property
    def shards(self) -> int:
        """GPUs that work on the same rows: ring attention times tensor parallel."""
        return self.size("--ds.ring_attn_size") * self.size("--ds.tensor_parallel_size")

    @property
    def roles(self) -> list[str]:
        """The models that train_ppo_ray makes."""
        estimated = self.text("--algo.advantage.estimator") == "gae"
        rewarded_elsewhere = self.text("--reward.remote_url") or self.text("--train.agent_func_path")
        used = (True, self.real("--algo.kl.init_coef") > 0, estimated, not rewarded_elsewhere)
        return [role for role, is_used in zip(ROLES, used, strict=True) if is_used]

    def gpus(self, role: str) -> int:
        """GPUs of one model of RL."""
        return self.size(f"--{ROLES[role]}.num_nodes") * self.size(f"--{ROLES[role]}.num_gpus_per_node")

    def says(self, flag: str, wrong: str, right: str) -> str:
        """One line about a flag."""
        values = [value if value.isprintable() else repr(value) for value in self.command.flags.get(flag, [])]
        return f"{' '.join([self.program, flag, *values])}: {wrong}; {right}"


Check = Callable[[Settings, Facts], Iterator[str]]
"""Yields a line for each problem; UnreadableError ends it, which others report."""
