"""vLLM's OpenAI-compatible server for d-RLAIF's labeler: planned as data, started as our child, watched, ended.

It listens on loopback unless a job on several nodes needs it elsewhere. A key is never in its arguments: the server
gets the value of the variable that `spec.openrlhf.ServedLabeler.key_variable` names, if it is set, through its
environment (VLLM_API_KEY), and then wants it from whoever asks for answers.
"""

import http.client
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rlaif_spec.engines.openrlhf.launch.ports import why_taken
from rlaif_spec.engines.openrlhf.launch.process import Child
from rlaif_spec.engines.openrlhf.launch.reason import how_it_ended, last_words_of
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.openrlhf import ServedLabeler

MODULE = "vllm.entrypoints.openai.api_server"
LOOPBACK = "127.0.0.1"
START_SECONDS = 1800.0
"""Loading and compiling a model of many billion parameters takes minutes."""
POLL_SECONDS = 1.0
HEALTH_SECONDS = 10.0
LEAST_LOGPROBS = 20
"""vLLM's own limit, which we only ever raise."""


@dataclass(frozen=True)
class ServerPlan:
    """How a labeler's server is started, and where it will be."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    """Beside the caller's own; no secrets."""
    host: str
    port: int
    key_variable: str
    """The environment variable whose value, if there is one, the server wants from those who ask."""

    @property
    def url(self) -> str:
        """The base address for clients."""
        return f"http://{self.host}:{self.port}/v1"


def server_plan(
    model: Path, labeler: ServedLabeler, *, name: str, gpus: Sequence[str], host: str = LOOPBACK
) -> ServerPlan:
    """One replica of a model folder over these GPUs of this node (none: the CPU), served under `name`."""
    flags = {
        "model": str(model),
        "served-model-name": name,
        "host": host,
        "port": str(labeler.port),
        "tensor-parallel-size": str(max(1, len(gpus))),
        "max-model-len": "-1",  # the model's own limit, or what the memory allows
        "max-logprobs": str(max(LEAST_LOGPROBS, labeler.top_logprobs)),
        "generation-config": "vllm",  # greedy means greedy, whatever defaults came with the model
    }
    words = [f"--{flag}={value}" for flag, value in flags.items()]
    argv = (sys.executable, "-m", MODULE, *words, "--enable-prefix-caching", "--disable-uvicorn-access-log")
    environment = {"CUDA_VISIBLE_DEVICES": ",".join(gpus), "VLLM_NO_USAGE_STATS": "1"}
    return ServerPlan(argv, environment, host, labeler.port, labeler.key_variable)


class LabelerServer:
    """Within the block the server runs and answers. EngineError if its port is taken or it does not start."""

    def __init__(self, plan: ServerPlan, log: Path, *, start_seconds: float = START_SECONDS) -> None:
        self.plan = plan
        self._log = log
        self._start_seconds = start_seconds
        self._stack = ExitStack()

    @property
    def pid(self) -> int:
        """Of the process that keeps the server; SIGTERM to it ends the server."""
        return self._child.pid

    def check(self) -> None:
        """EngineError if it died: one of `launch.watch.Checks.health`."""
        code = self._child.poll()
        if code is not None:
            why = last_words_of(self._log, start=self._child.log_start)
            raise EngineError(
                f"the labeler's server {how_it_ended(code)}{f': {why}' if why else ''}; its log is {self._log}"
            )

    def answers(self) -> bool:
        """Whether the server says that it is well: `launch.watch.Checks.labeler`."""
        connection = http.client.HTTPConnection(self.plan.host, self.plan.port, timeout=HEALTH_SECONDS)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def __enter__(self) -> Self:
        if why := why_taken(self.plan.host, self.plan.port):
            raise EngineError(
                f"the labeler's server cannot listen on {self.plan.host}:{self.plan.port}: {why};"
                " set openrlhf.labeler.port to a free one"
            )
        environment = {**self.plan.environment, "VLLM_API_KEY": os.environ.get(self.plan.key_variable, "").strip()}
        with ExitStack() as stack:
            self._child = stack.enter_context(Child(self.plan.argv, environment, self._log))
            self._wait()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _wait(self) -> None:
        end = time.monotonic() + self._start_seconds
        while time.monotonic() < end:
            self.check()
            if self.answers():
                self.check()  # that it was ours that answered
                return
            time.sleep(POLL_SECONDS)
        raise EngineError(
            f"the labeler's server does not answer after {self._start_seconds:.0f} seconds; its log is {self._log}"
        )
