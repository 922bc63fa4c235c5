"""A size behind a server: the toy labeler over HTTP says what the local one says, and nothing is asked twice."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch

from rlaif_spec.cli import main
from rlaif_spec.engines.endpoint import EndpointLanguageModel, endpoint_settings
from rlaif_spec.engines.native.language_model import LocalLanguageModel
from rlaif_spec.engines.native.models import load_language_model, load_tokens
from rlaif_spec.labelers import expected_scores
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.records import SoftLabel
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.store import read_rows

NAME = "toy-labeler"


class Served:
    """A built-in model behind an OpenAI-compatible server on loopback."""

    def __init__(self, builtin: str) -> None:
        folder = Path(str(files("rlaif_spec") / "toy_models" / builtin))
        self._tokens = load_tokens(folder)
        self._model = load_language_model(folder, torch.device("cpu"))
        self.local = LocalLanguageModel(self._model, self._tokens, chat=False, batch_size=8)
        self._lock = threading.Lock()
        self.asked: list[str] = []
        self.healthy_for = 1_000_000
        """Requests until it breaks down."""
        self.refuses: Callable[[dict[str, Any]], bool] = lambda body: False
        self.url = ""

    def reply(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            if body["model"] != NAME:
                return 404, {"error": {"message": f"no model {body['model']} here"}}
            if len(self.asked) >= self.healthy_for:
                return 503, {"error": {"message": "broken"}}
            if self.refuses(body):
                return 400, {"error": {"message": "longer than I take"}}
            self.asked.append(body["prompt"])
            if "logprobs" in body:
                top = self._next_tokens(body["prompt"], body["logprobs"])
                return 200, {"choices": [{"text": "", "logprobs": {"top_logprobs": [top]}}]}
            (text,) = self.local.generate([body["prompt"]], max_new_tokens=body["max_tokens"], stop=body["stop"][0])
            return 200, {"choices": [{"text": text}]}

    @torch.inference_mode()
    def _next_tokens(self, prompt: str, count: int) -> dict[str, float]:
        logs = self._model(torch.tensor([self._tokens.prompt(prompt)])).logits[0, -1].log_softmax(-1)
        found = logs.topk(min(count, len(logs)))
        tokens = [self._tokens.tokenizer.decode([at]) for at in found.indices.tolist()]
        return dict(zip(tokens, found.values.tolist(), strict=True))


@pytest.fixture
def served(bench: Path) -> Iterator[Served]:
    """The toy labeler L behind a server, and a scale that names it for L and keeps XS at hand."""
    one = Served("toy-l")

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

        def handle_error(self, *args: object) -> None:
            """A client that has what it wanted, or does not want it any more, closes its connections."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, found = one.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            text = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        one.url = f"http://127.0.0.1:{server.server_port}/v1"
        write_scale(bench, one.url)
        (bench / "alignment.yaml").write_text(
            "kind: alignment\ntasks: [summarize]\nsizes: [L]\nprompts: [base-0-shot, base-cot-0-shot]\n"
        )
        yield one
        server.shutdown()
        thread.join()


def write_scale(bench: Path, url: str, model: str = NAME) -> None:
    size = f"{{endpoint: {{url: '{url}', model: {model}, retries: 0, in_flight: 4}}}}"
    tiny = (bench / "tiny.yaml").read_text().replace("name: tiny", "name: served")
    (bench / "served.yaml").write_text(f"{tiny}sizes: {{L: {size}}}\n")


def run(spec: str, scale: str = "served.yaml") -> int:
    return main(["run", spec, "--scale", scale])


def steps(bench: Path, spec: str, scale: str, kind: str) -> dict[str, dict[str, Any]]:
    plan = json.loads((bench / "results" / spec / scale / "plan.json").read_text())
    return {name: step for name, step in plan.items() if step["kind"] == kind}


def labels(bench: Path, scale: str) -> dict[str, list[SoftLabel]]:
    found = steps(bench, "alignment", scale, "labels")
    return {
        step["prompt"]: read_rows(bench / "runs" / name / "labels.jsonl", SoftLabel) for name, step in found.items()
    }


def test_labels_through_a_server_are_those_of_the_local_model(bench: Path, served: Served) -> None:
    assert run("alignment.yaml") == run("alignment.yaml", "tiny.yaml") == 0
    there, here = labels(bench, "served"), labels(bench, "tiny")
    assert there.keys() == here.keys() == {"base-0-shot", "base-cot-0-shot"}
    for prompt, rows in there.items():
        assert len(rows) == 24
        for row, own in zip(rows, here[prompt], strict=True):
            assert row.rationales == own.rationales
            assert row.shown_first == pytest.approx(own.shown_first, abs=1e-4)
            assert row.shown_second == pytest.approx(own.shown_second, abs=1e-4)
    written = "".join(path.read_text() for path in (bench / "results" / "alignment" / "served").iterdir())
    assert NAME in written
    assert served.url not in written, "results say nothing of the machine"


def test_a_server_that_breaks_down_loses_nothing_that_it_said(
    bench: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.healthy_for = 31
    assert run("alignment.yaml") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "503" in line]
    assert served.url in line
    served.healthy_for = 1_000_000
    assert run("alignment.yaml") == 0
    probe = [prompt for prompt in served.asked if prompt.startswith("Say 1 or 2")]
    others = [prompt for prompt in served.asked if prompt not in probe]
    assert len(probe) == 2
    assert len(set(others)) == 3 * 48, "48 prompts, and 48 rationales and answers after them"
    assert len(others) - len(set(others)) < 4, "asked twice at most what was on its way"


def test_a_wrong_name_ends_the_run_before_anything_is_done(
    bench: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scale(bench, served.url, model="another")
    assert run("alignment.yaml") == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert "404: no model another here; check url, model" in line
    assert not list((bench / "runs").glob("data-*"))


def test_labels_whose_rationale_is_refused_are_unread_and_a_repaired_server_is_asked_again(
    bench: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.refuses = lambda body: "stop" in body
    assert run("alignment.yaml") == 1
    said = capsys.readouterr().err
    assert "24 of 24 replies could not be read" in said
    assert said.count("a prompt was refused, so it is unread") == 1
    assert "status 400: longer than I take" in said
    served.refuses = lambda body: False
    assert run("alignment.yaml") == run("alignment.yaml", "tiny.yaml") == 0
    there, here = labels(bench, "served"), labels(bench, "tiny")
    for prompt, rows in there.items():
        assert [row.rationales for row in rows] == [row.rationales for row in here[prompt]]


def test_a_few_refused_prompts_are_counted_in_the_table(
    bench: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    first: list[str] = []

    def refuses(body: dict[str, Any]) -> bool:
        if "stop" in body and not first:
            first.append(body["prompt"])
        return "stop" in body and body["prompt"] == first[0]

    served.refuses = refuses
    tolerant = (bench / "served.yaml").read_text() + "label: {max_unparsed: 0.5}\n"
    (bench / "served.yaml").write_text(tolerant)
    assert run("alignment.yaml") == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "base-cot-0-shot" in line]
    assert row.split("|")[-2].strip() == "1"
    unread = [label for label in labels(bench, "served")["base-cot-0-shot"] if label.prefers_first is None]
    assert len(unread) == 1


DIRECT = "task: summarize\nreward_mode: d-rlaif\nlabeler: {size: L, prompt: score-1-to-10}\npolicy: {size: XS}\n"


def test_scores_through_a_server_are_those_of_the_local_model(bench: Path, served: Served) -> None:
    texts = PromptLibrary("toy", "summarize")
    prompts = [texts.score("my boss hid my violin .", said) for said in ("my boss hid my violin .", "my bike", "oil")]
    endpoint = Endpoint(url=served.url, model=NAME, top_logprobs=10_000)
    there = expected_scores(EndpointLanguageModel(endpoint_settings(endpoint, chat=False)), prompts, min_mass=0.0)
    here = expected_scores(served.local, prompts, min_mass=0.0)
    assert len(set(here)) == 3
    assert there == pytest.approx(here, abs=1e-4)


def test_direct_rlaif_judged_and_chosen_by_a_server_goes_on_after_a_breakdown(bench: Path, served: Served) -> None:
    """In every part that asks: reward, selector, judge. Broken in RL, it ends in the figures of an unbroken run."""
    (bench / "direct.yaml").write_text(f"{DIRECT}compare_to: [sft]\n")
    labeler = "{kind: labeler, size: L, prompt: base-0-shot}"
    text = (bench / "served.yaml").read_text().replace("checkpoint_every: 2", "checkpoint_every: 2, select: labeler")
    (bench / "served.yaml").write_text(f"{text}judge: {labeler}\nselector: {labeler}\n")
    served.healthy_for = 1 + 8 + 5
    assert run("direct.yaml") == 1
    served.healthy_for = 1_000_000
    assert run("direct.yaml") == 0
    (win,) = json.loads((bench / "results" / "direct" / "served" / "metrics.json").read_text())["figures"]
    assert (win["interval"]["n"], win["unparsed"]) == (24, 0)
    (broken,) = (bench / "runs").glob("rl-*")
    assert not (broken / "scratch").exists()
    assert main(["run", "direct.yaml", "--scale", "served.yaml", "--runs", "again", "--results", "again"]) == 0
    (unbroken,) = (bench / "again").glob("rl-*")
    for name in ("train.jsonl", "candidates.json"):
        assert (broken / name).read_text() == (unbroken / name).read_text()
