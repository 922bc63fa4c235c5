"""A Ray job by a stand-in for the dashboard: every way it can end, the log, secrets, silence."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.launch import dashboard as dashboard_module
from rlaif_spec.engines.openrlhf.launch import ray_job as ray_job_module
from rlaif_spec.engines.openrlhf.launch.dashboard import Cluster, cluster_gpus, unmet_gpus, wait_for_gpus
from rlaif_spec.engines.openrlhf.launch.ray_head import HeadSettings, RayHead, free_ports, short_folder
from rlaif_spec.engines.openrlhf.launch.ray_job import RayJob, submit_and_wait
from rlaif_spec.engines.openrlhf.launch.watch import Checks, Watch
from rlaif_spec.errors import EngineError

COMMAND = Command("train_ppo_ray", ("python", "-m"), {"--data.input_template": ["a {} $HOME; 'b'"]}, {"PLAIN": "1"})
Answer = tuple[int, Any]
Respond = Callable[[str, str, Any], Answer]


class FakeRay:
    """Answers from `respond`; remembers what was asked for."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.asked: list[tuple[str, str, Any, str | None]] = []
        self.cluster = Cluster("")

    def asked_for(self, method: str, end: str) -> list[Any]:
        return [body for one, path, body, _ in self.asked if one == method and path.endswith(end)]


@contextmanager
def serving(respond: Respond, token: str = "") -> Iterator[FakeRay]:
    fake = FakeRay(respond)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
            fake.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
            status, answer = fake.respond(self.command, self.path, body)
            if status == 0:
                return
            data = json.dumps(answer).encode() if status == 200 else str(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that gave up is part of a test."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.cluster = Cluster(f"http://127.0.0.1:{server.server_address[1]}", token)
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ending(status: str, log: str = "", code: int | None = None, message: str = "", running: int = 2) -> Respond:
    """A job that runs for some polls and then ends."""
    polls = iter(["PENDING", *["RUNNING"] * running])

    def respond(method: str, path: str, body: Any) -> Answer:
        if path.endswith("/logs"):
            return 200, {"logs": log}
        if method == "POST":
            return 200, {}
        now = next(polls, status)
        times = {"start_time": 10_000, "end_time": 73_500} if now == status else {}
        return 200, {"status": now, "message": message, "driver_exit_code": code if now == status else None, **times}

    return respond


def watch(tick: Callable[[], None] = lambda: None) -> Watch:
    def check() -> None:
        tick()

    checks = Checks(health=(check,))
    return Watch(steps=1, rows=list, tell=lambda progress: None, say=lambda line: None, checks=checks)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_job_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(ray_job_module, "LOG_SECONDS", 0.0)
    monkeypatch.setattr(ray_job_module, "LOG_SHARE", 0.0)
    monkeypatch.setattr(ray_job_module, "STOP_SECONDS", 0.2)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)


@pytest.fixture
def job(tmp_path: Path) -> RayJob:
    return RayJob("rl", 2, tmp_path / "driver.log", ("A_KEY", "NOT_SET"), {"stage": "rl"}, lost_seconds=0.3)


def test_what_is_submitted(job: RayJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-0123456789")
    with serving(ending("SUCCEEDED", code=0), token="t0ken-of-the-head") as ray:
        outcomes = [submit_and_wait(COMMAND, ray.cluster, job, watch()) for _ in range(2)]
    bodies = ray.asked_for("POST", "/api/jobs/")
    assert bodies[0] == {
        "submission_id": outcomes[0].submission,
        "entrypoint": "python -m openrlhf.cli.train_ppo_ray --data.input_template 'a {} $HOME; '\"'\"'b'\"'\"''",
        "runtime_env": {"env_vars": {"PLAIN": "1", "A_KEY": "sk-0123456789"}},
        "metadata": {"stage": "rl"},
    }
    assert outcomes[0].submission.startswith("rl-2-")
    assert outcomes[0].submission != outcomes[1].submission
    assert {header for *_, header in ray.asked} == {"Bearer t0ken-of-the-head"}
    assert (outcomes[0].status, outcomes[0].exit_code, outcomes[0].seconds) == ("SUCCEEDED", 0, 63.5)
    assert outcomes[0].reason == ""


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (ending("FAILED", "Traceback\nValueError: why\n", 1, "Job entrypoint command failed"), "ValueError: why"),
        (ending("FAILED", "", 1, "Job failed, last logs:\nKeyError: 'x'"), "KeyError: 'x'"),
        (
            ending("FAILED", "step 3\n", 137),
            "the driver was ended by SIGKILL, as the system does when memory runs out; last: step 3",
        ),
        (ending("FAILED", "", None, "the job supervisor died"), "the job supervisor died"),
        (ending("FAILED", "", None, ""), "Ray does not say why"),
        (ending("STOPPED", "step 3\n", None, "Job was intentionally stopped."), "the job was stopped"),
    ],
)
def test_the_reason_of_a_bad_end(job: RayJob, respond: Respond, reason: str) -> None:
    with serving(respond) as ray:
        outcome = submit_and_wait(COMMAND, ray.cluster, job, watch())
    assert outcome.status in ("FAILED", "STOPPED")
    assert outcome.reason == reason


def test_the_log_is_copied_once_as_it_grows_without_secrets(job: RayJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a fetch cuts the log, in a secret too."""
    monkeypatch.setenv("A_KEY", "sk-0123456789")
    whole = "".join(f"line {at} key sk-0123456789 ünd\n" for at in range(6)) + "the last, sk-0123456789"
    job.log.write_text("of an earlier attempt\n", encoding="utf-8")
    seen = 0

    def respond(method: str, path: str, body: Any) -> Answer:
        nonlocal seen
        if path.endswith("/logs"):
            seen += 7
            return 200, {"logs": whole if seen >= len(whole) else whole[:seen]}
        return 200, {"status": "SUCCEEDED" if seen > len(whole) else "RUNNING"}

    with serving(respond) as ray:
        assert submit_and_wait(COMMAND, ray.cluster, job, watch()).status == "SUCCEEDED"
    expected = "of an earlier attempt\n" + whole.replace("sk-0123456789", "***")
    assert job.log.read_text(encoding="utf-8") == expected


def test_a_long_log_is_fetched_rarely(job: RayJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_job_module, "LOG_SECONDS", 600.0)
    with serving(ending("SUCCEEDED", "line\n", 0, running=10)) as ray:
        submit_and_wait(COMMAND, ray.cluster, job, watch())
    assert len(ray.asked_for("GET", "/logs")) == 2
    assert job.log.read_text(encoding="utf-8") == "line\n"


def test_a_log_that_cannot_be_had_ends_nothing(job: RayJob) -> None:
    inner = ending("FAILED", code=1, message="TypeError: of the message")
    with serving(lambda *asked: (500, "no log") if asked[1].endswith("/logs") else inner(*asked)) as ray:
        assert submit_and_wait(COMMAND, ray.cluster, job, watch()).reason == "TypeError: of the message"


def test_a_short_outage_is_waited_out(job: RayJob) -> None:
    inner = ending("SUCCEEDED", code=0)
    count = 0

    def respond(method: str, path: str, body: Any) -> Answer:
        nonlocal count
        count += method == "GET"
        return (503, "busy") if 2 <= count <= 6 else inner(method, path, body)

    with serving(respond) as ray:
        assert submit_and_wait(COMMAND, ray.cluster, job, watch()).status == "SUCCEEDED"
    assert count > 6


def test_a_cluster_that_forgets_or_falls_silent_is_lost(job: RayJob, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda method, *_: (200, {}) if method == "POST" else (404, "no such job")) as ray:
        outcome = submit_and_wait(COMMAND, ray.cluster, job, watch())
    assert (outcome.status, outcome.exit_code) == ("LOST", None)
    assert outcome.reason.startswith("lost for 0 seconds: Ray at http://127.0.0.1:")
    assert outcome.reason.endswith("with status 404: no such job")


def test_a_head_that_hangs_is_lost_too(job: RayJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_module, "TIMEOUT_SECONDS", 0.05)
    release = threading.Event()

    def respond(method: str, path: str, body: Any) -> Answer:
        if method == "GET":
            release.wait(10)
        return 200, {}

    with serving(respond) as ray:
        outcome = submit_and_wait(COMMAND, ray.cluster, job, watch())
        release.set()
    assert outcome.status == "LOST"
    assert "does not answer: timed out" in outcome.reason


@pytest.mark.parametrize("error", [KeyboardInterrupt, EngineError("the labeler's server died")])
def test_the_job_is_stopped_on_any_exception(job: RayJob, error: BaseException) -> None:
    def tick() -> None:
        raise error

    with serving(ending("SUCCEEDED", running=10**6)) as ray, pytest.raises(BaseException, match=r"died|^$"):
        submit_and_wait(COMMAND, ray.cluster, job, watch(tick))
    assert ray.asked_for("POST", "/stop") == [{}]


def test_an_error_of_submission_is_one_line_without_secrets(job: RayJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-0123456789")
    refusal = "Traceback\n  File\nValueError: bad env {'A_KEY': 'sk-0123456789'}"
    with (
        serving(lambda *_: (500, refusal)) as ray,
        pytest.raises(EngineError, match=r"refused /api/jobs/ with status 500: ValueError: bad env .*\*\*\*") as caught,
    ):
        submit_and_wait(COMMAND, ray.cluster, job, watch())
    assert "sk-0123456789" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_submission_whose_answer_was_lost_is_made_once(job: RayJob, arrived: bool) -> None:
    """`status` 0: the connection is broken without an answer."""
    inner = ending("SUCCEEDED", code=0)
    jobs: list[str] = []
    broken = False

    def respond(method: str, path: str, body: Any) -> Answer:
        nonlocal broken
        if method == "POST":
            first, broken = not broken, True
            if arrived or not first:
                jobs.append(body["submission_id"])
            return (0, "") if first else inner(method, path, body)
        return inner(method, path, body) if jobs else (404, "no such job")

    with serving(respond) as ray:
        outcome = submit_and_wait(COMMAND, ray.cluster, job, watch())
    assert outcome.status == "SUCCEEDED"
    assert jobs == [outcome.submission]


def test_nobody_there(job: RayJob) -> None:
    (port,) = free_ports(1)
    with pytest.raises(EngineError, match=f"Ray at http://127.0.0.1:{port} does not answer: .*refused"):
        submit_and_wait(COMMAND, Cluster(f"http://127.0.0.1:{port}"), job, watch())


def state(nodes: list[tuple[str, str, float]], groups: list[tuple[str, list[float]]]) -> Respond:
    def respond(method: str, path: str, body: Any) -> Answer:
        found: list[Any] = [
            {"node_id": name, "state": state, "resources_total": {"CPU": 4.0, **({"GPU": gpus} if gpus else {})}}
            for name, state, gpus in nodes
        ]
        if "placement_groups" in path:
            found = [
                {"state": state, "bundles": [{"node_id": None, "unit_resources": {"GPU": gpus}} for gpus in bundles]}
                for state, bundles in groups
            ]
        return 200, {"data": {"result": {"result": found}}}

    return respond


def test_gpus_of_the_nodes_that_live_and_what_waits_for_more() -> None:
    nodes = [("b", "ALIVE", 4.0), ("a", "ALIVE", 8.0), ("c", "DEAD", 8.0), ("d", "ALIVE", 0.0)]
    with serving(state(nodes, [("CREATED", [8.0]), ("PENDING", [1.0, 1.0, 0.5]), ("REMOVED", [3.0])])) as ray:
        assert cluster_gpus(ray.cluster) == [8, 4, 0]
        words = unmet_gpus(ray.cluster)
        ray.respond = state(nodes, [("CREATED", [8.0])])
        assert unmet_gpus(ray.cluster) is None
    assert words == "GPUs are short: processes of the job wait for 2.5 more than are free; the cluster has 12"


def test_waiting_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_module.time, "sleep", lambda _: setattr(ray, "respond", later))
    later = state([("a", "ALIVE", 8.0), ("b", "ALIVE", 8.0)], [])
    with serving(state([("a", "ALIVE", 8.0)], [])) as ray:
        assert wait_for_gpus(ray.cluster, 16) == [8, 8]
        with pytest.raises(EngineError, match=r"^16 of 17 GPUs joined Ray within 0 seconds$"):
            wait_for_gpus(ray.cluster, 17, seconds=0)


def test_the_token_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of-the-environment")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(state([], [])) as ray:
        assert cluster_gpus(ray.cluster) == []
    assert ray.asked[0][3] == "Bearer of-the-environment"


def test_a_head_on_a_taken_port_is_refused_before_it_starts(tmp_path: Path) -> None:
    with serving(state([], [])) as ray:
        port = int(ray.cluster.address.rpartition(":")[2])
        with (
            pytest.raises(EngineError, match=f"port {port} is taken"),
            RayHead(HeadSettings(1, 1, port=free_ports(1)[0], dashboard_port=port), tmp_path / "log"),
        ):
            pass
    assert not (tmp_path / "log").exists()


def test_a_socket_below_the_folder_has_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    folder = short_folder()
    try:
        socket = folder / "session_2026-11-24_14-25-59_602005_1234567/sockets/plasma_store"
        assert len(str(socket)) <= 107
    finally:
        folder.rmdir()


def test_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
