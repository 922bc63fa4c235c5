"""One command as a job of a Ray cluster: submitted, followed, its log copied, stopped if the runner stops.

Secrets go into the job's environment and are masked in everything copied or said here. Whoever may open the
cluster's dashboard sees a job's environment there: on a shared cluster use keys made for this purpose. A head
that the runner starts passes its environment on by itself and asks for a token, so it needs none of them named.
"""

import os
import secrets
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rlaif_spec.engines.masking import masked
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.launch.dashboard import Cluster, Dashboard, Unreachable
from rlaif_spec.engines.openrlhf.launch.reason import how_it_ended, last_words, last_words_of
from rlaif_spec.engines.openrlhf.launch.watch import Watch
from rlaif_spec.errors import EngineError

Status = Literal["SUCCEEDED", "FAILED", "STOPPED", "LOST"]
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
POLL_SECONDS = 1.0
STOP_SECONDS = 15.0
LOG_SECONDS = 5.0
LOG_SHARE = 50.0
"""The log is fetched whole (Ray offers no part of it): every 5 s, or 50 times what the last fetch took."""


@dataclass(frozen=True)
class RayJob:
    """How a command is submitted."""

    name: str
    attempt: int
    log: Path
    """The driver's output is appended here."""
    secret_variables: tuple[str, ...] = ()
    """Environment variables that the job gets if they are set, and whose values are masked."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Plain words for the dashboard; no secrets."""
    lost_seconds: float = 60.0
    """A cluster that has not answered for so long is lost."""


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended."""

    submission: str
    status: Status
    exit_code: int | None
    """Of the driver; None where it is not known."""
    seconds: float
    reason: str
    """One line; empty where it succeeded."""


def submit_and_wait(command: Command, cluster: Cluster, job: RayJob, watch: Watch) -> JobOutcome:
    """Run the command to its end. A failed job is an outcome; EngineError if it cannot be submitted, and whatever
    `watch` raises. On any exception the job is stopped.
    """
    hidden = {name: os.environ[name] for name in job.secret_variables if os.environ.get(name)}
    dashboard = Dashboard(cluster, tuple(hidden.values()))
    submission = f"{job.name}-{job.attempt}-{secrets.token_hex(4)}"
    began = time.monotonic()
    log = _Log(dashboard, submission, job.log, (*hidden.values(), cluster.secret))
    try:
        _submit(command, dashboard, submission, job, hidden, watch)
        info = _wait(dashboard, submission, job, watch, log)
    except BaseException:
        _stop(dashboard, submission)
        raise
    watch.report()
    return _outcome(submission, info, log, time.monotonic() - began)


def _submit(
    command: Command, dashboard: Dashboard, submission: str, job: RayJob, hidden: Mapping[str, str], watch: Watch
) -> None:
    """Once, however often a busy head breaks the connection: after a broken one the head is asked whether it knows."""
    body = {
        "submission_id": submission,
        "entrypoint": shlex.join(command.argv),
        "runtime_env": {"env_vars": {**command.environment, **hidden}},
        "metadata": dict(job.metadata),
    }
    end = time.monotonic() + job.lost_seconds
    while True:
        try:
            dashboard.post("/api/jobs/", body)
            return
        except Unreachable:
            if time.monotonic() > end:
                raise
        watch.tick()
        time.sleep(POLL_SECONDS)
        if _known(dashboard, submission):
            return


def _known(dashboard: Dashboard, submission: str) -> bool:
    try:
        dashboard.get(f"/api/jobs/{submission}")
    except EngineError:
        return False
    return True


def _wait(dashboard: Dashboard, submission: str, job: RayJob, watch: Watch, log: "_Log") -> Mapping[str, Any]:
    """What Ray says of the ended job; status LOST where it says nothing any more."""
    silent_since: float | None = None
    while True:
        try:
            info: Mapping[str, Any] = dashboard.get(f"/api/jobs/{submission}")
            silent_since = None
            log.copy(whole=info["status"] in ENDED)
            if info["status"] in ENDED:
                return info
        except EngineError as error:  # a head that is going down refuses before it falls silent
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since >= job.lost_seconds:
                return {"status": "LOST", "message": f"lost for {job.lost_seconds:.0f} seconds: {error}"}
        watch.tick()
        time.sleep(POLL_SECONDS)


def _stop(dashboard: Dashboard, submission: str) -> None:
    """Ask for the end and wait for it a little; the reason why it is asked for matters more than an error here."""
    end = time.monotonic() + STOP_SECONDS
    try:
        dashboard.post(f"/api/jobs/{submission}/stop", {})
        while time.monotonic() < end and dashboard.get(f"/api/jobs/{submission}")["status"] not in ENDED:
            time.sleep(POLL_SECONDS / 2)
    except EngineError:
        return


def _outcome(submission: str, info: Mapping[str, Any], log: "_Log", waited: float) -> JobOutcome:
    code = info.get("driver_exit_code")
    start, end = info.get("start_time"), info.get("end_time")
    seconds = (end - start) / 1000 if start and end else waited
    reason = "" if info["status"] == "SUCCEEDED" else _reason(info, log)
    return JobOutcome(submission, info["status"], code, seconds, reason)


def _reason(info: Mapping[str, Any], log: "_Log") -> str:
    code, message = info.get("driver_exit_code"), log.masked(info.get("message") or "")
    if info["status"] == "LOST":
        return message
    if info["status"] == "STOPPED":
        return "the job was stopped"
    if code is None:  # the driver never ran, or Ray lost sight of it
        return last_words(message) or "Ray does not say why"
    words = last_words_of(log.path, start=log.start) or last_words(message)
    return (
        words if 0 < code < 128 and words else f"the driver {how_it_ended(code)}{f'; last: {words}' if words else ''}"
    )


class _Log:
    """The driver's log, copied as it grows: complete lines, secrets masked."""

    def __init__(self, dashboard: Dashboard, submission: str, path: Path, hidden: tuple[str, ...]) -> None:
        self._dashboard = dashboard
        self._submission = submission
        self._hidden = hidden
        self._copied = 0
        self._next = 0.0
        self.path = path
        self.start = path.stat().st_size if path.exists() else 0
        path.parent.mkdir(parents=True, exist_ok=True)

    def masked(self, text: str) -> str:
        """The text without the job's secrets."""
        return masked(text, self._hidden)

    def copy(self, *, whole: bool) -> None:
        """What is new, if it is time; `whole` at the end: always, and the last line even if it is not complete."""
        began = time.monotonic()
        if began < self._next and not whole:
            return
        try:
            text: str = self._dashboard.get(f"/api/jobs/{self._submission}/logs")["logs"] or ""
        except EngineError:  # a log that cannot be had now ends no job
            return
        self._next = time.monotonic() + max(LOG_SECONDS, LOG_SHARE * (time.monotonic() - began))
        end = len(text) if whole else text.rfind("\n") + 1
        if end > self._copied:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(self.masked(text[self._copied : end]))
            self._copied = end
