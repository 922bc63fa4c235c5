"""From the training steps of a plan to OpenRLHF commands: pure, and known before anything is fetched or computed.

The engine, when it runs a step, makes its command by the same functions from the same folders; what differs is only
what a plan cannot know: where a Hub model was downloaded to, and how many rows could be used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.reinforcement import AgentFile, Method, RewardModelFolder, rl_command
from rlaif_spec.engines.openrlhf.supervised import reward_model_command, sft_command
from rlaif_spec.engines.openrlhf.training import (
    AGENT,
    DEMONSTRATIONS,
    PREFERENCES,
    PROMPTS,
    REWARD_MODEL,
    Nodes,
    Place,
)
from rlaif_spec.engines.openrlhf.translation import Translated, translation
from rlaif_spec.plan import Plan
from rlaif_spec.plan.steps import Data, LabelerScore, OpenRlhf, RewardModel, Rl, Sft, Step, wants_server
from rlaif_spec.spec.openrlhf import Deviation, OpenRlhfSettings
from rlaif_spec.spec.scale import ModelSource

Rows = Callable[[Data, str], int]
"""How many rows a part of the data has."""


@dataclass(frozen=True)
class CompiledJob:
    """A training step and the job that it becomes."""

    step: Sft | RewardModel | Rl
    command: Command | None
    """None where nothing is trained: SFT of 0 epochs."""
    rows: int
    """Training rows."""
    translation: list[Translated]

    @property
    def deviations(self) -> set[Deviation]:
        """What must be accepted."""
        return {row.deviation for row in self.translation if row.deviation is not None}


def serves_labeler(step: Step) -> bool:
    """Whether a labeler's server must be started for the step."""
    return isinstance(step, Rl) and wants_server(step.reward)


def compile_jobs(plan: Plan, own: OpenRlhfSettings, runs: Path, rows: Rows, nodes: Nodes) -> list[CompiledJob]:
    """Every training step of the plan that OpenRLHF does, in the order of the plan; `nodes` of SFT and reward model."""
    steps = [step for step in plan.steps if isinstance(step, Sft | RewardModel | Rl) and _is_ours(step)]
    return [_compiled(step, own, nodes, runs, rows) for step in steps]


def _is_ours(step: Sft | RewardModel | Rl) -> bool:
    return isinstance(step.trainer, OpenRlhf)


def _compiled(step: Sft | RewardModel | Rl, own: OpenRlhfSettings, nodes: Nodes, runs: Path, rows: Rows) -> CompiledJob:
    folder = runs / f".{step.id}"
    command: Command | None
    match step:
        case Sft():
            count = rows(step.data, "demonstrations")
            place = Place.within(folder, shown(step.model.source), DEMONSTRATIONS, step.random_seed)
            command = sft_command(place, count, step.settings, own, nodes) if step.settings.epochs else None
        case RewardModel():
            count = rows(step.start.data, "comparisons")
            place = Place.within(folder, trained(runs, step.start), PREFERENCES, step.random_seed)
            command = reward_model_command(place, count, step.settings, own, nodes)
        case Rl():
            count = step.settings.steps * step.settings.batch_size
            place = Place.within(folder, trained(runs, step.start), PROMPTS, step.random_seed).for_candidates()
            reward = _reward(step, place, runs)
            command = rl_command(place, reward, Method(step.settings, step.respond), own)
    return CompiledJob(step, command, count, translation(step, count, own, nodes))


def _reward(step: Rl, place: Place, runs: Path) -> RewardModelFolder | AgentFile:
    if isinstance(step.reward, LabelerScore):
        return AgentFile(place.scratch / AGENT)
    scaled = step.settings.standardize_reward
    return RewardModelFolder(str(place.scratch / REWARD_MODEL) if scaled else trained(runs, step.reward))


def trained(runs: Path, step: Sft | RewardModel) -> str:
    """Where the model of a step will lie."""
    return str(runs.absolute() / step.id / "model")


def shown(source: ModelSource) -> str:
    """A model source in a command that is only shown: the folder where it is one, else its name."""
    return source.path or source.hub or source.builtin or source.package or ""
