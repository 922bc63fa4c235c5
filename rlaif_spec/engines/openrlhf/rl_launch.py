"""What stands around an RL job while it runs: the labeler's server, the Ray head, the submission, the watch.

Here both processes are our children, on GPUs of their own: Ray sees the first ones, the labeler the last. On somebody
else's Ray cluster (`openrlhf.ray.address`) the head is not ours, and no GPU of the labeler's may be Ray's.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rlaif_spec.engines.endpoint import EndpointSettings, endpoint_settings, settings_for
from rlaif_spec.engines.openrlhf.agent import ScoringSettings, agent_source
from rlaif_spec.engines.openrlhf.checkpoints import drop_policies
from rlaif_spec.engines.openrlhf.collect import is_whole
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.facts import devices, first_node, tensor_parallel
from rlaif_spec.engines.openrlhf.launch.dashboard import Cluster, unmet_gpus, wait_for_gpus
from rlaif_spec.engines.openrlhf.launch.metrics import MetricsTail, Row
from rlaif_spec.engines.openrlhf.launch.ray_head import HeadSettings, RayHead
from rlaif_spec.engines.openrlhf.launch.ray_job import RayJob, submit_and_wait
from rlaif_spec.engines.openrlhf.launch.watch import Checks, Watch
from rlaif_spec.engines.openrlhf.reinforcement import gpus_of
from rlaif_spec.engines.openrlhf.server import LabelerServer, server_plan
from rlaif_spec.engines.openrlhf.training import CHECKPOINTS, METRICS, Place
from rlaif_spec.engines.protocol import Job, LabelerScores
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.openrlhf import OpenRlhfSettings
from rlaif_spec.spec.settings import RlSettings
from rlaif_spec.store import write_whole

SERVED = "labeler"
SHOWN = ("reward", "kl", "tokens", "unread")
SECRETS = ("WANDB_API_KEY", "HF_TOKEN")


def labeler_gpus(own: OpenRlhfSettings, labeler: LabelerScores | None) -> int:
    """GPUs of the labeler's server, where one is started."""
    return own.labeler.gpus if labeler is not None and isinstance(labeler.labeler, Path) else 0


@dataclass
class Launch:
    """The jobs of one RL training."""

    place: Place
    own: OpenRlhfSettings
    job: Job
    labeler: LabelerScores | None
    settings: RlSettings
    figures: Callable[[Row], dict[str, float]]
    """Figures of a whole row of the job's metrics, in the units of `train.jsonl`."""
    _started: int = field(default=0, init=False)

    def write_agent(self, path: Path) -> None:
        """The file by which the job's processes ask the labeler."""
        labeler = self.labeler
        if labeler is None:
            raise EngineError(f"{path}: only direct RLAIF has an agent")
        settings = ScoringSettings(
            **vars(self._server_asked(labeler)),
            register=labeler.texts.register,
            task=labeler.texts.task,
            min_mass=labeler.settings.min_mass,
            max_unparsed=labeler.settings.max_unparsed,
            cache=str(self.place.scratch / "answers"),
        )
        write_whole(path, agent_source(settings))

    def _server_asked(self, labeler: LabelerScores) -> EndpointSettings:
        """Somebody's server, or the one that is started here."""
        if isinstance(labeler.labeler, Endpoint):
            return endpoint_settings(labeler.labeler, chat=labeler.chat)
        own = self.own.labeler
        url = f"http://{first_node(self.own)}:{own.port}/v1"
        return settings_for(own, url=url, model=SERVED, chat=labeler.chat, direct=True)

    def start(self, command: Command) -> None:
        """One job, to its end; EngineError where it failed."""
        self._started += 1
        with ExitStack() as stack:
            checks: list[Callable[[], None]] = []
            server = None
            if self.labeler is not None and isinstance(self.labeler.labeler, Path):
                server = stack.enter_context(self._labeler_server(self.labeler.labeler))
                checks.append(server.check)
            cluster = Cluster(self.own.ray.address or "")
            if self.own.ray.address is None:
                head = stack.enter_context(self._head())
                checks.append(head.check)
                cluster = head.cluster
            wait_for_gpus(cluster, gpus_of(self.own, has_reward_model=self.labeler is None))
            answers = server.answers if server is not None else lambda: True
            self._follow(command, cluster, Checks(checks, lambda: unmet_gpus(cluster), answers))

    def _follow(self, command: Command, cluster: Cluster, checks: Checks) -> None:
        watch = Watch(
            self.settings.steps,
            self._new_rows(),
            self.job.tell,
            self.job.say,
            self.own.silent_minutes,
            figures=SHOWN,
            checks=checks,
        )
        job = RayJob(
            name=self.job.folder.name.lstrip("."),
            attempt=self._started,
            log=self.place.scratch / "job.log",
            secret_variables=(*SECRETS, *self._key_variables()),
        )
        outcome = submit_and_wait(command, cluster, job, watch)
        if outcome.status != "SUCCEEDED":
            raise EngineError(f"{job.name}: {outcome.reason}; its log is {job.log}")

    def _key_variables(self) -> tuple[str, ...]:
        return () if self.labeler is None else (self._server_asked(self.labeler).key_variable,)

    def _new_rows(self) -> Callable[[], Sequence[Row]]:
        """The job's figures as they come; policies that are no candidates are dropped on the way, to save room."""
        tail = MetricsTail(self.place.scratch / METRICS)

        def new() -> Sequence[Row]:
            drop_policies(self.place.scratch / CHECKPOINTS, self.settings.checkpoint_every)
            return [{"step": row["step"], **(self.figures(row) if is_whole(row) else {})} for row in tail.new()]

        return new

    def _head(self) -> RayHead:
        taken = labeler_gpus(self.own, self.labeler)
        gpus = self.own.gpus_per_node - taken
        settings = HeadSettings(
            gpus=gpus,
            cpus=max(os.cpu_count() or 1, 2 * gpus),
            port=self.own.ray.port,
            dashboard_port=self.own.ray.dashboard_port,
            environment={"CUDA_VISIBLE_DEVICES": ",".join(devices()[:gpus]), "TOKENIZERS_PARALLELISM": "false"},
        )
        return RayHead(settings, self.place.scratch / "ray.log")

    def _labeler_server(self, labeler: Path) -> LabelerServer:
        first = self.own.gpus_per_node - self.own.labeler.gpus
        used = tensor_parallel(labeler, self.own.labeler.gpus)
        plan = server_plan(
            labeler,
            self.own.labeler,
            name=SERVED,
            gpus=devices()[first : first + used],
            host=first_node(self.own),
        )
        return LabelerServer(plan, self.place.scratch / "labeler.log")
