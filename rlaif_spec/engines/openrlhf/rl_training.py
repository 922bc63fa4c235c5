"""RL as a Ray job: prompts, reward, job, candidates.

The policies that the job kept on the way are the candidates. When it has ended, each answers the validation prompts and
is judged as in the native engine; the task chooses, and the same artifacts are left.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Final

from rlaif_spec.engines.candidates import Candidates
from rlaif_spec.engines.openrlhf.asking import Asking
from rlaif_spec.engines.openrlhf.attempts import Attempts
from rlaif_spec.engines.openrlhf.checkpoints import policies, settled
from rlaif_spec.engines.openrlhf.collect import Row, check_model, rl_figures, write_log
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.data import drawn_prompts, read_marks, write_prompts
from rlaif_spec.engines.openrlhf.facts import here
from rlaif_spec.engines.openrlhf.heads import scaled_copy
from rlaif_spec.engines.openrlhf.launch.metrics import rows
from rlaif_spec.engines.openrlhf.preflight import refuse
from rlaif_spec.engines.openrlhf.refusals import check_cluster, check_heads
from rlaif_spec.engines.openrlhf.reinforcement import (
    AgentFile,
    Method,
    RewardModelFolder,
    gpus_of,
    kl_coefficient,
    rl_command,
)
from rlaif_spec.engines.openrlhf.rl_launch import Launch, labeler_gpus
from rlaif_spec.engines.openrlhf.training import (
    AGENT,
    CHECKPOINTS,
    METRICS,
    PROMPTS,
    REWARD_MODEL,
    Place,
)
from rlaif_spec.engines.protocol import Job, LabelerScores, RewardModelScore, RlTask, Turn
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.openrlhf import OpenRlhfSettings
from rlaif_spec.spec.settings import ResponseSettings, RlSettings
from rlaif_spec.store import copy_folder, write_json

FIRST_LOOK: Final = 256
"""Responses of the SFT policy from which the scale of a reward model is measured, as in the native engine."""
SCALE: Final = "reward-scale.json"


@dataclass(frozen=True)
class RlTraining:
    """One RL training in the folder of a step."""

    model: Path
    task: RlTask
    settings: RlSettings
    job: Job
    own: OpenRlhfSettings
    asking: Asking

    def run(self) -> None:
        """From prompts to the chosen policy."""
        place = Place.within(self.job.folder, str(self.model.absolute()), PROMPTS, self.job.seed).for_candidates()
        labeler = self.task.reward if isinstance(self.task.reward, LabelerScores) else None
        check_cluster(self.own, starts_labeler=labeler_gpus(self.own, labeler) > 0)
        check_heads(self.model, self.own.placement.tensor_parallel)
        self._write_prompts(place)
        scale = self._reward_scale(place)
        launch = Launch(place, self.own, self.job, labeler, self.settings, lambda row: self._figures(row, scale))
        reward = self._reward(place, launch, scale)
        attempts = Attempts(
            self.job,
            gpus=gpus_of(self.own, has_reward_model=labeler is None) + labeler_gpus(self.own, labeler),
            restarts=self.own.restarts,
            checkpoint=lambda: settled(place.scratch / CHECKPOINTS, self.settings.checkpoint_every),
        )
        self.asking.release()

        def make(resume: bool) -> Command:
            return rl_command(place.resumed(resume), reward, Method(self.settings, self.task.respond), self.own)

        def allowed(resume: bool) -> Command:
            made = make(resume)
            count = self.settings.steps * self.settings.batch_size
            refuse(made, here(self.own, count, labeler_gpus=labeler_gpus(self.own, labeler)))
            return made

        attempts.run(allowed, launch.start)
        check_model(place.output)
        tokens = self._collect(place, scale)
        attempts.note(make(False), tokens=tokens, reward_scale=scale)

    def _write_prompts(self, place: Place) -> None:
        reward = self.task.reward
        contexts = reward.contexts if isinstance(reward, LabelerScores) else {}
        wanted = self.settings.steps * self.settings.batch_size
        prompts = drawn_prompts(self.task.prompts, wanted, self.job.seed)
        marks = read_marks(self.model, self.own.max_tokens)
        write_prompts(place.data, prompts, contexts, marks, self.task.respond.max_new_tokens)

    def _reward(self, place: Place, launch: Launch, scale: float) -> RewardModelFolder | AgentFile:
        """Where the job finds the reward."""
        reward = self.task.reward
        if isinstance(reward, LabelerScores):
            launch.write_agent(place.scratch / AGENT)
            return AgentFile(place.scratch / AGENT)
        if not isinstance(reward, RewardModelScore):
            raise EngineError(f"{self.job.folder.name}: a reward must be a reward model or a labeler for OpenRLHF")
        if not self.settings.standardize_reward:
            return RewardModelFolder(str(reward.folder.absolute()))
        scaled_copy(reward.folder, place.scratch / REWARD_MODEL, 1 / scale)
        return RewardModelFolder(str(place.scratch / REWARD_MODEL))

    def _reward_scale(self, place: Place) -> float:
        """Deviation of the reward over the SFT policy's own responses; measured once, kept for resumed runs."""
        path = place.scratch / SCALE
        if not self.settings.standardize_reward:
            return 1.0
        if path.is_file():
            return float(json.loads(path.read_bytes())["deviation"])
        prompts = self.task.prompts[:FIRST_LOOK]
        settings = self.task.respond.model_copy(update={"temperature": self.settings.temperature})
        turns = self._turns(self.model, prompts, settings)
        scores = [score for score in self.task.reward(turns) if score is not None]
        deviation = pstdev(scores) or 1.0
        write_json(path, {"mean": fmean(scores), "deviation": deviation, "n": len(scores)})
        return deviation

    def _turns(self, folder: Path, prompts: Sequence[str], settings: ResponseSettings) -> list[Turn]:
        answers = self.asking.respond(folder, prompts, settings, seed=self.job.seed)
        return [Turn(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]

    def _collect(self, place: Place, scale: float) -> int:
        """Log and policy; the number of tokens that were written."""
        found = rows(place.scratch / METRICS)
        write_log(self.job.folder, found, lambda row: self._figures(row, scale))
        by_step = {int(row["step"]): self._figures(row, scale) for row in found}
        candidates = Candidates(self.job.folder)
        for step, folder in self._kept(place):
            turns = self._turns(folder, self.task.validation, self.task.respond)
            beside = {name: value for name, value in by_step.get(step, {}).items() if name in ("reward", "kl")}
            candidates.keep(step, _copier(folder), {**beside, **self.task.probe(turns)})
        candidates.choose(self.task.choose)
        return round(sum(row["tokens"] * row["read"] for row in by_step.values()))

    def _figures(self, row: Row, scale: float) -> dict[str, float]:
        return rl_figures(row, kl_coefficient=kl_coefficient(self.settings.beta), reward_scale=scale)

    def _kept(self, place: Place) -> list[tuple[int, Path]]:
        """The policies that the job wrote, by step; the last one is the final model."""
        every = self.settings.checkpoint_every
        found = {step: path for step, path in policies(place.scratch / CHECKPOINTS).items() if step % every == 0}
        wanted = range(every, self.settings.steps, every)
        lost = [str(step) for step in wanted if step not in found]
        if lost:
            where = self.job.folder
            raise EngineError(f"{where}: no policy of step {', '.join(lost)} is whole; delete the folder and run again")
        return sorted({**found, self.settings.steps: place.output}.items())


def _copier(source: Path) -> Callable[[Path], Any]:
    return lambda target: copy_folder(source, target)
