"""A command as data: which OpenRLHF program, started by what, with which flags, in which environment."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Program = Literal["train_sft", "train_rm", "train_ppo_ray"]

MODULES: Final[Mapping[Program, str]] = {
    "train_sft": "openrlhf.cli.train_sft",
    "train_rm": "rlaif_spec.engines.openrlhf.entry.soft_reward_model",
    "train_ppo_ray": "openrlhf.cli.train_ppo_ray",
}
"""What is started for each program: the reward model goes through our entry, which puts the soft loss in."""

Flags = Mapping[str, Sequence[str]]
"""Each flag (`--train.batch_size`) with its values; a switch has none."""


@dataclass(frozen=True)
class Command:
    """One OpenRLHF job."""

    program: Program
    launcher: tuple[str, ...]
    """What stands before the module: `torchrun --nproc_per_node 8 -m`, or `python -m`."""
    flags: Flags
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set beside the caller's own environment; never a secret."""

    @property
    def arguments(self) -> list[str]:
        """The flags as a list of words."""
        return [word for flag, values in self.flags.items() for word in (flag, *values)]

    @property
    def argv(self) -> list[str]:
        """The whole command as a list of words."""
        return [*self.launcher, MODULES[self.program], *self.arguments]

    def value(self, flag: str) -> str | None:
        """The one value of a flag, or None where it is not given."""
        values = self.flags.get(flag)
        return values[0] if values else None

    def number(self, flag: str, default: int) -> int:
        """The value of a flag as a whole number."""
        value = self.value(flag)
        return default if value is None else int(value)

    def has(self, flag: str) -> bool:
        """Whether a flag is given."""
        return flag in self.flags

    def shell(self) -> str:
        """The command for a shell, a flag a line."""
        words = [f"{name}={shlex.quote(value)}" for name, value in sorted(self.environment.items())]
        head = shlex.join([*self.launcher, MODULES[self.program]])
        lines = [" ".join([*words, head]), *(f"  {shlex.join([flag, *v])}" for flag, v in self.flags.items())]
        return " \\\n".join(lines) + "\n"


def with_extra(flags: Mapping[str, Sequence[str]], extra: Sequence[str]) -> dict[str, list[str]]:
    """The flags with those of the user put in or in the place of the compiler's."""
    merged = {flag: list(values) for flag, values in flags.items()}
    name: str | None = None
    for word in extra:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            merged[name] = [value] if value else []
        elif name is not None:
            merged[name].append(word)
    return merged
