"""`rlaif_spec.engines.Engine` by OpenRLHF jobs: data files, command, launch, artifacts.

Training runs in processes of its own: torchrun or deepspeed for SFT and reward model, a Ray job for RL (`rl_training`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from rlaif_spec.engines.openrlhf.asking import Asking
from rlaif_spec.engines.openrlhf.attempts import Attempts
from rlaif_spec.engines.openrlhf.checkpoints import last_checkpoint
from rlaif_spec.engines.openrlhf.collect import LOG, check_model, supervised_figures, write_log, write_note
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.data import EVALUATION_ROWS, read_marks, write_demonstrations, write_preferences
from rlaif_spec.engines.openrlhf.facts import here, supervised_nodes
from rlaif_spec.engines.openrlhf.launch.metrics import MetricsTail, rows
from rlaif_spec.engines.openrlhf.launch.process import run_process
from rlaif_spec.engines.openrlhf.launch.watch import Watch
from rlaif_spec.engines.openrlhf.preflight import refuse
from rlaif_spec.engines.openrlhf.refusals import check_folder, check_gpus, check_installed, check_wandb
from rlaif_spec.engines.openrlhf.rl_training import RlTraining
from rlaif_spec.engines.openrlhf.supervised import reward_model_command, sft_command, steps_of
from rlaif_spec.engines.openrlhf.training import CHECKPOINTS, DEMONSTRATIONS, METRICS, PREFERENCES, Nodes, Place
from rlaif_spec.engines.protocol import Job, PreferencePair, RlTask, Turn
from rlaif_spec.engines.sources import local_folder
from rlaif_spec.lm import LanguageModel
from rlaif_spec.spec.openrlhf import OpenRlhfSettings
from rlaif_spec.spec.scale import Compute, ModelSource
from rlaif_spec.spec.settings import ResponseSettings, RewardModelSettings, RlSettings, SftSettings
from rlaif_spec.store import copy_folder, write_whole


class OpenRlhfEngine:
    """Trains by OpenRLHF jobs on the GPUs that the scale names."""

    def __init__(self, own: OpenRlhfSettings, compute: Compute) -> None:
        check_installed()
        check_gpus(own)
        check_wandb(own)
        self._own = own
        self._asking = Asking(own, compute)

    def open_model(self, source: ModelSource) -> Path:
        """The local folder of a model, checked: OpenRLHF would run Python code that lies in it."""
        folder = local_folder(source)
        check_folder(folder, self._own)
        return folder

    def language_model(self, folder: Path, *, chat: bool) -> LanguageModel:
        """The model as a labeler or judge."""
        return self._asking.language_model(folder, chat=chat)

    def respond(self, folder: Path, prompts: Sequence[str], settings: ResponseSettings, *, seed: int) -> list[str]:
        """The policy's response to each prompt."""
        return self._asking.respond(folder, prompts, settings, seed=seed)

    def reward_scores(self, folder: Path, turns: Sequence[Turn]) -> list[float]:
        """The reward model's score of each turn, in nats."""
        return self._asking.reward_scores(folder, turns)

    def train_sft(self, model: Path, turns: Sequence[Turn], settings: SftSettings, job: Job) -> None:
        """An SFT job; where there is nothing to train, the model as it is."""
        if settings.epochs == 0:
            copy_folder(model, job.folder / "model")
            write_whole(job.folder / LOG, "")
            write_note(job.folder, {"command": None, "gpu_hours": 0.0})
            return
        place = Place.within(job.folder, str(model.absolute()), DEMONSTRATIONS, job.seed)
        tokens = settings.epochs * write_demonstrations(place.data, turns, read_marks(model, self._own.max_tokens))

        def command(place: Place, nodes: Nodes) -> Command:
            return sft_command(place, len(turns), settings, self._own, nodes)

        self._supervised(place, command, len(turns), job, tokens)

    def train_reward_model(
        self, model: Path, pairs: Sequence[PreferencePair], settings: RewardModelSettings, job: Job
    ) -> None:
        """A reward-model job on soft labels."""
        place = Place.within(job.folder, str(model.absolute()), PREFERENCES, job.seed)
        tokens = settings.epochs * write_preferences(place.data, pairs, read_marks(model, self._own.max_tokens))

        def command(place: Place, nodes: Nodes) -> Command:
            return reward_model_command(place, len(pairs), settings, self._own, nodes)

        self._supervised(place, command, len(pairs), job, tokens)

    def train_policy(self, model: Path, task: RlTask, settings: RlSettings, job: Job) -> None:
        """An RL job."""
        RlTraining(model, task, settings, job, self._own, self._asking).run()

    def _supervised(
        self, place: Place, command: Callable[[Place, Nodes], Command], count: int, job: Job, tokens: int
    ) -> None:
        """Run SFT or reward model on `count` rows to its end and collect."""
        nodes = supervised_nodes(self._own)
        attempts = Attempts(
            job,
            gpus=nodes.world,
            restarts=self._own.restarts,
            checkpoint=lambda: last_checkpoint(place.scratch / CHECKPOINTS),
        )
        self._asking.release()

        def make(resume: bool) -> Command:
            return command(place.resumed(resume), nodes)

        def allowed(resume: bool) -> Command:
            made = make(resume)
            refuse(made, here(self._own, count, evaluation_rows=min(count, EVALUATION_ROWS)))
            return made

        def start(made: Command) -> None:
            tail = MetricsTail(place.scratch / METRICS)
            watch = Watch(_steps(made, count), tail.new, job.tell, job.say, self._own.silent_minutes)
            run_process(made.argv, made.environment, place.scratch / "job.log", watch)

        attempts.run(allowed, start)
        check_model(place.output)
        write_log(job.folder, rows(place.scratch / METRICS), supervised_figures)
        attempts.note(make(False), tokens=tokens)


def _steps(command: Command, count: int) -> int:
    return steps_of(count, command.number("--train.max_epochs", 1), command.number("--train.batch_size", 128))
