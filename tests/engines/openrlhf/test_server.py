"""The labeler's server: planned without secrets, waited for, watched, and ended with all that it started."""

import json
import os
import socket
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rlaif_spec.engines.openrlhf import server
from rlaif_spec.engines.openrlhf.launch.ray_head import free_ports
from rlaif_spec.engines.openrlhf.server import LabelerServer, ServerPlan, server_plan
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.openrlhf import ServedLabeler

KEY = "sk-not-for-anyone-0123456789"
VARIABLE = "TEST_LABELER_KEY"
SERVER = """
import json, os, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
port, told = int(sys.argv[1]), sys.argv[2]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
json.dump({"child": child.pid, "own": os.getpid(), "key": os.environ["VLLM_API_KEY"],
           "gpus": os.environ["CUDA_VISIBLE_DEVICES"]}, open(told, "w"))
time.sleep(0.2)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "POLL_SECONDS", 0.02)


def scripted(code: str, *arguments: str) -> ServerPlan:
    (port,) = free_ports(1)
    argv = (sys.executable, "-c", textwrap.dedent(code), str(port), *arguments)
    return ServerPlan(argv, {"CUDA_VISIBLE_DEVICES": "6,7"}, "127.0.0.1", port, VARIABLE)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_runs_within_the_block_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{KEY}\n")
    plan, log = scripted(SERVER, str(tmp_path / "told")), tmp_path / "log"
    with LabelerServer(plan, log) as running:
        running.check()
        assert running.answers()
        told = json.loads((tmp_path / "told").read_text())
        assert (told["key"], told["gpus"]) == (KEY, "6,7")
        assert alive(told["own"])
        assert alive(told["child"])
        with (
            pytest.raises(EngineError, match=rf"{plan.port}.*openrlhf.labeler.port") as caught,
            LabelerServer(plan, log),
        ):
            pass
        assert "\n" not in str(caught.value)
    assert not running.answers()
    assert not alive(told["own"])
    assert not alive(told["child"]), "in a session of its own, as vLLM's engine may be"
    assert KEY not in log.read_text()
    with LabelerServer(plan, log):
        pass  # the port is free again


def test_a_server_that_dies_at_its_start_says_why_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    plan = scripted("print('loading'); raise ValueError('no such model')")
    with pytest.raises(EngineError, match=r"exit code 1: ValueError: no such model; its log is") as caught:
        LabelerServer(plan, tmp_path / "log").__enter__()
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 20


def test_a_server_that_dies_later_is_noticed(tmp_path: Path) -> None:
    plan = scripted(SERVER, str(tmp_path / "told"))
    with LabelerServer(plan, tmp_path / "log") as running:
        running.check()
        os.kill(json.loads((tmp_path / "told").read_text())["own"], 9)
        assert running._child.wait(20.0) is not None
        with pytest.raises(EngineError, match="SIGKILL"):
            running.check()
        assert not running.answers()


def test_a_server_that_never_answers_is_given_up_and_ended(tmp_path: Path) -> None:
    plan = scripted(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    with pytest.raises(EngineError, match="does not answer after 1 seconds"):
        LabelerServer(plan, tmp_path / "log", start_seconds=1.0).__enter__()
    assert not alive(int((tmp_path / "pid").read_text()))


def test_an_address_of_another_machine_is_refused_before_anything_starts(tmp_path: Path) -> None:
    plan = ServerPlan((sys.executable, "-c", ""), {}, "203.0.113.7", 8101, VARIABLE)
    with pytest.raises(EngineError, match=r"cannot listen on 203\.0\.113\.7:8101"):
        LabelerServer(plan, tmp_path / "log").__enter__()
    assert not (tmp_path / "log").exists()


def test_a_port_that_somebody_listens_on_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        plan = ServerPlan((sys.executable, "-c", ""), {}, "127.0.0.1", other.getsockname()[1], VARIABLE)
        with pytest.raises(EngineError, match="cannot listen"):
            LabelerServer(plan, tmp_path / "log").__enter__()


def test_the_plan_is_on_loopback_and_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    labeler = ServedLabeler(port=8137, top_logprobs=64, key_variable=VARIABLE)
    plan = server_plan(Path("model"), labeler, name="labeler", gpus=["6", "7"])
    assert plan.url == "http://127.0.0.1:8137/v1"
    assert plan.environment["CUDA_VISIBLE_DEVICES"] == "6,7"
    assert KEY not in repr(plan)
    wanted = {"--host=127.0.0.1", "--tensor-parallel-size=2", "--max-logprobs=64", "--model=model", "--port=8137"}
    assert wanted <= set(plan.argv)
    assert server_plan(Path("model"), labeler, name="x", gpus=[], host="node-0").url == "http://node-0:8137/v1"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_vllm_knows_every_flag() -> None:
    pytest.importorskip("vllm.v1")  # the real one, not the stand-in of tests/openrlhf_cpu
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    plan = server_plan(Path("model"), ServedLabeler(top_logprobs=64), name="labeler", gpus=["0", "1"])
    args = make_arg_parser(FlexibleArgumentParser()).parse_args(list(plan.argv[3:]))
    assert (args.max_logprobs, args.tensor_parallel_size, args.max_model_len) == (64, 2, -1)
    assert (args.served_model_name, args.generation_config) == (["labeler"], "vllm")
    assert args.enable_prefix_caching is True
    assert args.disable_uvicorn_access_log is True
