"""A Ray head of our own for one run: our child, on ports of its own, ended by its own process id.

Never `ray stop`: it ends every Ray process of the machine, other people's too. Ray's services listen on every
interface even where the dashboard is on loopback, and whoever reaches them can run code. So each head gets a random
token that every request must carry (RAY_AUTH_MODE=token, Ray 2.52 and later); it stands in the environment of the
head and of its jobs and nowhere else.
"""

import random
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from rlaif_spec.engines.openrlhf.launch.dashboard import Cluster, Dashboard, cluster_gpus
from rlaif_spec.engines.openrlhf.launch.ports import why_taken
from rlaif_spec.engines.openrlhf.launch.process import Child
from rlaif_spec.engines.openrlhf.launch.reason import how_it_ended, last_words_of
from rlaif_spec.errors import EngineError

EVERYWHERE = "0.0.0.0"  # noqa: S104
"""Ray's services listen on every interface, so a port must be free on all."""
START_SECONDS = 180.0
GRACE_SECONDS = 15.0
LONGEST_FOLDER = 30
"""Characters. A socket's path may have 107 (AF_UNIX), and Ray puts up to 64 below its folder."""


@dataclass(frozen=True)
class HeadSettings:
    """What the head offers, and where it listens."""

    gpus: int
    cpus: int
    port: int = 6379
    dashboard_port: int = 8265
    environment: Mapping[str, str] = field(default_factory=dict)
    """For the head and every process of its jobs, beside the caller's own."""


class RayHead:
    """Within the block a Ray head runs. EngineError if a port is taken, or if it does not start."""

    def __init__(self, settings: HeadSettings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._stack = ExitStack()
        self.cluster = Cluster(f"http://127.0.0.1:{settings.dashboard_port}", secrets.token_hex(32))

    @property
    def address(self) -> str:
        """Of the dashboard."""
        return self.cluster.address

    @property
    def pid(self) -> int:
        """Of the process that keeps the head; SIGTERM to it ends the head."""
        return self._child.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self._child.poll() is None

    def check(self) -> None:
        """EngineError if it died: one of `watch.Checks.health`."""
        code = self._child.poll()
        if code is not None:
            why = last_words_of(self._log, start=self._child.log_start)
            raise EngineError(f"Ray's head {how_it_ended(code)}{f': {why}' if why else ''}; its log is {self._log}")

    def __enter__(self) -> Self:
        for port in (self._settings.port, self._settings.dashboard_port):
            if why_taken(EVERYWHERE, port):
                raise EngineError(
                    f"port {port} is taken, so Ray cannot start; set openrlhf.ray.port and .dashboard_port to free ones"
                )
        with ExitStack() as stack:
            folder = short_folder()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._child = stack.enter_context(
                Child(self._argv(folder), self._environment(), self._log, grace_seconds=GRACE_SECONDS)
            )
            self._wait()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self.check()
            try:
                Dashboard(self.cluster).get("/api/jobs/")  # jobs and nodes are answered by different processes
                if cluster_gpus(self.cluster):
                    return
            except EngineError:  # silence at first; then the dashboard answers before the parts behind it do
                pass
            time.sleep(0.5)
        raise EngineError(f"Ray's head does not answer after {START_SECONDS:.0f} seconds; its log is {self._log}")

    def _argv(self, folder: Path) -> list[str]:
        agent, client = free_ports(2)
        numbers = {
            "num-gpus": self._settings.gpus,
            "num-cpus": self._settings.cpus,
            "port": self._settings.port,
            "dashboard-port": self._settings.dashboard_port,
            # These two have fixed defaults, so a second head would be refused; the other ports Ray chooses itself.
            "dashboard-agent-listen-port": agent,
            "ray-client-server-port": client,
        }
        flags = [f"--{name}={value}" for name, value in numbers.items()]
        ray = str(Path(sys.executable).parent / "ray")
        where = ["--dashboard-host=127.0.0.1", f"--temp-dir={folder}"]
        return [ray, "start", "--head", "--block", "--disable-usage-stats", *where, *flags]

    def _environment(self) -> dict[str, str]:
        return {
            **self._settings.environment,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.cluster.token,
            "RAY_ADDRESS": "",  # of another cluster, where the caller has one
        }


def short_folder() -> Path:
    """A new temporary folder whose path leaves room for Ray's sockets."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="ray-", dir=usual if len(usual) <= LONGEST_FOLDER - 13 else "/tmp"))  # noqa: S108


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody listens on now.

    Between those that Ray gives its workers (up to 19,999) and those that the system gives to whoever asks (from
    32,768): one of these could be taken by the next connection before Ray listens on it.
    """
    found: list[int] = []
    for port in random.sample(range(20_000, 32_768), 2_000):
        if len(found) == count:
            return found
        with socket.socket() as one:
            try:
                one.bind(("", port))
            except OSError:
                continue
            found.append(port)
    raise EngineError("no port between 20000 and 32767 is free for Ray; end what holds them")
