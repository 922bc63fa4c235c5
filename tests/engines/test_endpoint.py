"""The endpoint against scripted servers: whole answers, retries, cache, limit of requests, a key that stays secret."""

import asyncio
import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlaif_spec.engines.endpoint import (
    AnswerCache,
    AsyncEndpoint,
    EndpointLanguageModel,
    EndpointSettings,
    Refused,
    Unanswered,
    check_endpoint,
    client,
    endpoint_settings,
)
from rlaif_spec.engines.native.language_model import LocalLanguageModel
from rlaif_spec.engines.native.models import load_language_model, load_tokens
from rlaif_spec.errors import EngineError, RunError, UserError
from rlaif_spec.lm import LanguageModel
from rlaif_spec.spec.endpoint import Endpoint

HTTP = client._library()
SECRET = "sk-not-for-anyone-0123456789"  # noqa: S105
ASKED = endpoint_settings(
    Endpoint(
        url="http://127.0.0.1:9/v1",
        model="labeler",
        key_variable="TEST_LABELER_KEY",
        in_flight=4,
        retries=2,
        timeout_seconds=5.0,
    ),
    chat=False,
)
SCORES = [str(score) for score in range(1, 11)]
Distribution = Mapping[str, float]  # next tokens and their probabilities


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.0)


def serving(next_token: Callable[[str], Distribution], seen: list[dict[str, Any]] | None = None) -> Any:
    """An OpenAI-compatible server over a function from text to the next token."""

    def reply(request: Any) -> Any:
        body = json.loads(request.content)
        if seen is not None:
            seen.append(body)
        chat = request.url.path.endswith("/chat/completions")
        text = "".join(turn["content"] for turn in body["messages"]) if chat else body["prompt"]
        count = body["top_logprobs"] if chat else body["logprobs"]
        likely = sorted(next_token(text).items(), key=lambda one: -one[1])[:count]
        logs = [(token, math.log(share) if share else -9999.0) for token, share in likely]
        if chat:
            content = [{"token": "?", "top_logprobs": [{"token": t, "logprob": log} for t, log in logs]}]
            return HTTP.Response(200, json={"choices": [{"logprobs": {"content": content}}]})
        return HTTP.Response(200, json={"choices": [{"logprobs": {"top_logprobs": [dict(logs)]}}]})

    return HTTP.MockTransport(reply)


def answering(*replies: tuple[int, Mapping[str, str]] | Exception, seen: list[Any] | None = None) -> Any:
    """A server that gives these statuses (or fails so), and then the token "1" for sure."""
    left = list(replies)

    def reply(request: Any) -> Any:
        if seen is not None:
            seen.append(request)
        if not left:
            return HTTP.Response(200, json={"choices": [{"logprobs": {"top_logprobs": [{"1": 0.0}]}}]})
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        status, headers = one
        return HTTP.Response(status, headers=headers, json={"error": {"message": f"said {status} to {SECRET}"}})

    return HTTP.MockTransport(reply)


def ask(transport: Any, choices: list[str] = ["1", "2"], asked: EndpointSettings = ASKED) -> list[float]:  # noqa: B006
    (row,) = EndpointLanguageModel(asked, transport=transport).choice_probabilities(["q"], choices)
    return row


def by_enumeration(next_token: Callable[[str], Distribution], prompt: str, choices: list[str]) -> list[float]:
    """Every sequence of tokens written out; each gives its probability to the longest choice that it writes."""
    longest = 1 + max(map(len, choices))
    found = dict.fromkeys(choices, 0.0)

    def walk(said: str, share: float, best: str | None) -> None:
        plain = said.removeprefix(" ")
        best = plain if plain in choices else best
        if len(said) >= longest or not any(choice.startswith(plain) for choice in choices):
            if best is not None:
                found[best] += share
            return
        for text, own in next_token(prompt + said).items():
            if not text:
                walk("#" * longest, share * own, best)  # end of text
            elif said + text != " " or own >= client.SPACE_TAKES:
                walk(said + text, share * own, best)

    walk("", 1.0, None)
    return [found[choice] for choice in choices]


PIECES = ["1", "0", "2", "10", "00", "100", " 1", " ", " 10", "x", "1x", ""]


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES), min_size=2, unique=True),
    choices=st.lists(st.sampled_from(["1", "2", "10", "100", "11", "20"]), min_size=1, max_size=4, unique=True),
    seed=st.integers(0, 10**6),
    chat=st.booleans(),
)
def test_any_tokenizer_gives_the_probabilities_of_the_written_texts(
    pieces: list[str], choices: list[str], seed: int, chat: bool
) -> None:
    @cache
    def next_token(text: str) -> Distribution:
        draw = random.Random(f"{seed} {text}")
        weights = [draw.random() ** 3 for _ in pieces]
        return {piece: weight / sum(weights) for piece, weight in zip(pieces, weights, strict=True)}

    row = ask(serving(next_token), choices, replace(ASKED, chat=chat))
    assert row == pytest.approx(by_enumeration(next_token, "q", choices), abs=1e-9)


def test_a_real_model_behind_a_server_is_the_local_model(tiny_model: Path) -> None:
    tokens, model = load_tokens(tiny_model), load_language_model(tiny_model, torch.device("cpu"))

    def next_token(text: str) -> Distribution:
        with torch.inference_mode():
            shares = model(torch.tensor([tokens.prompt(text)])).logits[0, -1].double().softmax(-1)
        return {tokens.tokenizer.decode([at]): float(share) for at, share in enumerate(shares)}

    prompts = ["ask =", "ask yes no well then maybe =", "well ="]
    local: LanguageModel = LocalLanguageModel(model, tokens, chat=False, batch_size=2)
    served: LanguageModel = EndpointLanguageModel(ASKED, transport=serving(next_token))
    expected = local.choice_probabilities(prompts, choices := ["1", "2", "10", "21", "100", "yes"])
    assert min(map(min, expected)) > 0.0
    for row, own in zip(served.choice_probabilities(prompts, choices), expected, strict=True):
        assert row == pytest.approx(own, abs=1e-6)


def test_what_is_beyond_the_top_tokens_has_no_probability() -> None:
    few = replace(ASKED, top_logprobs=2)
    assert ask(serving(lambda text: {"1": 0.5, "2": 0.3, "3": 0.2}), ["1", "2", "3"], few) == pytest.approx(
        [0.5, 0.3, 0.0]
    )


def test_a_bare_space_is_followed_only_where_it_takes_most() -> None:
    seen: list[dict[str, Any]] = []
    shares = {"q": {" ": 0.9, "2": 0.1}, "q ": {"1": 1.0}}
    assert ask(serving(shares.__getitem__, seen)) == pytest.approx([0.9, 0.1])
    assert len(seen) == 2
    assert ask(serving(lambda text: {" ": 0.4, "2": 0.6}, seen)) == pytest.approx([0.0, 0.6])
    assert len(seen) == 3


def test_a_chat_goes_on_with_the_assistants_turn() -> None:
    seen: list[dict[str, Any]] = []
    ask(serving(lambda text: {"1": 0.5, "0": 0.5}, seen), ["1", "10"], replace(ASKED, chat=True))
    first, second = seen
    assert first["messages"] == [{"role": "user", "content": "q"}]
    assert "continue_final_message" not in first
    assert second["messages"] == [*first["messages"], {"role": "assistant", "content": "1"}]
    assert second["continue_final_message"] is True
    assert second["add_generation_prompt"] is False


def test_greedy_continuations_are_cut_at_the_stop_words() -> None:
    def reply(request: Any) -> Any:
        body = json.loads(request.content)
        assert (body["temperature"], body["max_tokens"], body["stop"]) == (0, 7, ["Preferred"])
        text = f" because of {body.get('prompt') or body['messages'][0]['content']} Preferred x"
        return HTTP.Response(200, json={"choices": [{"text": text, "message": {"content": text}}]})

    for chat in (False, True):
        model = EndpointLanguageModel(replace(ASKED, chat=chat), transport=HTTP.MockTransport(reply))
        said = model.generate(["a", "b"], max_new_tokens=7, stop="Preferred")
        assert said == ["because of a", "because of b"]


@pytest.mark.parametrize(
    "failure", [(503, {}), (429, {}), (408, {}), HTTP.ReadTimeout("slow"), HTTP.ConnectError("no")]
)
def test_what_may_pass_is_tried_again(failure: Any) -> None:
    seen: list[Any] = []
    assert ask(answering(failure, failure, seen=seen)) == pytest.approx([1.0, 0.0])
    assert len(seen) == 3
    with pytest.raises(Unanswered, match="no answer after 3 tries") as caught:
        ask(answering(failure, failure, failure))
    assert isinstance(caught.value, RunError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, EngineError), (404, EngineError), (307, EngineError), (400, Refused)]
)
def test_what_will_not_pass_is_not_tried_again(status: int, kind: type[Exception]) -> None:
    seen: list[Any] = []

    async def once() -> None:
        async with AsyncEndpoint(ASKED, None, answering((status, {}), seen=seen)) as endpoint:
            await endpoint.choice_probabilities("q", ["1"])

    with pytest.raises(kind, match=f"status {status}: said {status}") as caught:
        asyncio.run(once())
    assert len(seen) == 1
    assert "\n" not in str(caught.value)


def test_a_prompt_that_is_refused_has_no_answer_and_the_others_have_theirs() -> None:
    def reply(request: Any) -> Any:
        if json.loads(request.content)["prompt"] == "long":
            return HTTP.Response(400, json={"error": {"message": "too long"}})
        choice = {"text": "because", "logprobs": {"top_logprobs": [{"1": 0.0}]}}
        return HTTP.Response(200, json={"choices": [choice]})

    model = EndpointLanguageModel(ASKED, transport=HTTP.MockTransport(reply))
    assert model.choice_probabilities(["a", "long"], ["1", "2"]) == [[1.0, 0.0], [0.0, 0.0]]
    assert model.generate(["long", "a"], max_new_tokens=4, stop="Preferred") == [None, "because"]


@pytest.mark.parametrize("failure", [(400, {}), (404, {}), HTTP.ConnectError("no")])
def test_a_server_that_cannot_be_asked_is_found_out_by_one_small_question(failure: Any) -> None:
    check_endpoint(replace(ASKED, top_logprobs=1), answering())
    seen: list[Any] = []
    with pytest.raises(EngineError, match=r"start the server, or|check url, model") as caught:
        check_endpoint(ASKED, answering(*[failure] * 9, seen=seen))
    assert len(seen) <= 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reply", [{}, {"choices": []}, [], "<html>"])
def test_a_strange_reply_is_tried_again_and_told_in_one_line(reply: Any) -> None:
    seen: list[Any] = []

    def replying(request: Any) -> Any:
        seen.append(request)
        return HTTP.Response(200, **({"text": reply} if isinstance(reply, str) else {"json": reply}))

    with pytest.raises(Unanswered, match="no answer after 3 tries: the reply is no JSON with a choice") as caught:
        ask(HTTP.MockTransport(replying))
    assert len(seen) == 3
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reply", [{"text": "1"}, {"logprobs": None}, {"logprobs": {"content": None}}])
def test_a_reply_without_probabilities_has_none_of_any_choice(reply: Any) -> None:
    """A host that filtered one answer; that it never gives any is found out by `check_endpoint`."""
    transport = HTTP.MockTransport(lambda request: HTTP.Response(200, json={"choices": [reply]}))
    assert ask(transport) == [0.0, 0.0]
    with pytest.raises(EngineError, match="gives the probabilities of 0 tokens"):
        check_endpoint(ASKED, transport)


@pytest.mark.parametrize("reply", ["1", {"logprobs": {"top_logprobs": [["1", 0.0]]}}, {"logprobs": [1]}])
def test_a_strange_server_is_refused_in_one_line(reply: Any) -> None:
    with pytest.raises(EngineError, match="OpenAI-compatible"):
        ask(HTTP.MockTransport(lambda request: HTTP.Response(200, json={"choices": [reply]})))


def test_completions_in_the_form_of_chats_are_read_too() -> None:
    tops = [{"token": "1", "logprob": math.log(0.75)}, {"token": "2", "logprob": math.log(0.25)}]
    reply = {"choices": [{"text": "1", "logprobs": {"content": [{"token": "1", "top_logprobs": tops}]}}]}
    transport = HTTP.MockTransport(lambda request: HTTP.Response(200, json=reply))
    assert ask(transport) == pytest.approx([0.75, 0.25])
    check_endpoint(ASKED, transport)


def strict(next_token: Distribution, seen: list[Any]) -> Any:
    """A host that knows nothing of going on with the assistant's turn."""

    def reply(request: Any) -> Any:
        body = json.loads(request.content)
        seen.append(body)
        if "continue_final_message" in body:
            return HTTP.Response(400, json={"error": {"message": "Unrecognized request argument"}})
        tops = [{"token": token, "logprob": math.log(share)} for token, share in next_token.items()]
        return HTTP.Response(200, json={"choices": [{"logprobs": {"content": [{"top_logprobs": tops}]}}]})

    return HTTP.MockTransport(reply)


def test_a_host_that_continues_no_turn_gives_scores_where_ten_is_a_token() -> None:
    seen: list[Any] = []
    chat = replace(ASKED, chat=True)
    row = ask(strict({"1": 0.1, "7": 0.6, "10": 0.3}, seen), SCORES, chat)
    assert row == pytest.approx([0.1, 0, 0, 0, 0, 0, 0.6, 0, 0, 0.3])
    heard: list[str] = []
    model = EndpointLanguageModel(chat, transport=strict({"1": 0.4, "7": 0.6}, seen), say=heard.append)
    assert model.choice_probabilities(["q", "r"], SCORES) == [[0.0] * 10] * 2, "nobody can tell 1 from 10"
    (line,) = heard
    assert "Unrecognized request argument" in line
    space = EndpointLanguageModel(chat, transport=strict({" ": 0.6, "1": 0.2, "10": 0.1, "7": 0.1}, []))
    assert space.choice_probabilities(["q"], SCORES) == [[0.0] * 10], "most of the answer is behind the space"


def test_the_server_says_how_long_to_wait() -> None:
    began = time.monotonic()
    assert ask(answering((429, {"Retry-After": "0.3"}))) == pytest.approx([1.0, 0.0])
    assert time.monotonic() - began >= 0.3
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert client._retry_after(soon) == pytest.approx(60, abs=5)
    for nonsense in (None, "soon", "", "-5", format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)):
        assert client._retry_after(nonsense) == 0.0


def test_pauses_double_and_end_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 1.0)
    for tried in range(1, 6):
        pauses = [client._pause(tried, 0.0) for _ in range(200)]
        assert 2 ** (tried - 2) <= min(pauses) < max(pauses) <= 2 ** (tried - 1)
    assert client._pause(1, 1e9) == client._pause(40, 0.0) == client.LONGEST_PAUSE_SECONDS


def test_as_many_requests_as_allowed_and_no_more() -> None:
    now = most = 0

    async def reply(request: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005)
        now -= 1
        return HTTP.Response(200, json={"choices": [{"logprobs": {"top_logprobs": [{"1": 0.0}]}}]})

    model = EndpointLanguageModel(replace(ASKED, in_flight=3), transport=HTTP.MockTransport(reply))
    assert len(model.choice_probabilities([str(at) for at in range(20)], ["1", "10"])) == 20
    assert most == 3


def test_a_job_that_is_started_again_asks_nothing_twice(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    server = serving(lambda text: {"1": 1 / 3, "0": 2 / 3}, seen)

    def row(asked: EndpointSettings = ASKED, choices: list[str] = SCORES) -> list[float]:
        model = EndpointLanguageModel(asked, AnswerCache(tmp_path), server)
        return model.choice_probabilities(["q"], choices)[0]

    first = row()
    count = len(seen)
    assert count == 2
    assert row() == first, "to the last bit"
    assert len(seen) == count
    for other in (replace(ASKED, model="x"), replace(ASKED, top_logprobs=3), replace(ASKED, chat=True)):
        row(other)
        assert len(seen) == count + 2, "another question"
        count = len(seen)
    row(ASKED, ["1", "2"])
    assert len(seen) == count + 1


@pytest.mark.parametrize("tops", [[], [{}], [{"1": -0.6}]])
def test_a_model_without_probabilities_is_found_out(tops: list[Any]) -> None:
    """One token is no distribution: its probability would become a label of 1."""
    reply = {"choices": [{"text": "1", "logprobs": {"top_logprobs": tops}}]}
    with pytest.raises(EngineError, match=r"labeler gives the probabilities of [01] tokens, not of the likeliest 20"):
        check_endpoint(ASKED, HTTP.MockTransport(lambda request: HTTP.Response(200, json=reply)))


def test_a_rationale_is_not_paid_for_twice(tmp_path: Path) -> None:
    seen: list[Any] = []

    def reply(request: Any) -> Any:
        seen.append(request)
        return HTTP.Response(200, json={"choices": [{"text": f"because {len(seen)}"}]})

    def said(limit: int) -> list[str | None]:
        model = EndpointLanguageModel(ASKED, AnswerCache(tmp_path), HTTP.MockTransport(reply))
        return model.generate(["q"], max_new_tokens=limit, stop="Preferred")

    assert said(4) == said(4) == ["because 1"]
    assert said(5) == ["because 2"], "another question"


def test_a_line_that_was_left_unfinished_costs_itself_only(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    cache.put("a", [0.25])
    cache.put("b", [0.5])
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    for cut in range(len(whole) + 1):
        file.write_text(whole[:cut])
        again = AnswerCache(tmp_path)
        assert again.probabilities("b") in (None, [0.5])
        again.put("c", [1.0])
        last = AnswerCache(tmp_path)
        assert last.probabilities("c") == [1.0]
        assert (last.probabilities("a"), last.probabilities("b")) == (
            again.probabilities("a"),
            again.probabilities("b"),
        )
    (tmp_path / "elsewhere-1.jsonl").write_text('{"key": "d", "answer": [0.75]}\n[]\n{"key": 3}\nnull\n')
    assert AnswerCache(tmp_path).probabilities("d") == [0.75]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(EngineError, match="answers could not be kept"):
        cache.put("a", [1.0])


@contextmanager
def real_server(status: int) -> Iterator[tuple[str, list[str | None]]]:
    """A server on loopback that answers with a status, and the keys that it was shown."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Authorization"])
            text = json.dumps({"choices": [{"logprobs": {"top_logprobs": [{"1": 0.0}]}}], "message": f"no {SECRET}"})
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1", keys
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [200, 401, 400, 500])
def test_the_key_goes_to_the_server_and_nowhere_else(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ASKED.key_variable, f"{SECRET}\n")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # nothing for this machine goes through it
    caplog.set_level(logging.DEBUG)
    told = ""
    with real_server(status) as (url, keys):
        asked = replace(ASKED, url=url, retries=1)
        model = EndpointLanguageModel(asked, AnswerCache(tmp_path))
        try:
            told = str(model.choice_probabilities(["q"], ["1"]))
        except RunError as error:
            told = f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
    assert set(keys) == {f"Bearer {SECRET}"}
    assert (status == 200) == (told == "[[1.0]]")
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    for text in (told, repr(asked), repr(vars(model)), caplog.text, kept):
        assert SECRET not in text


def test_no_key_no_header() -> None:
    seen: list[Any] = []
    ask(answering(seen=seen))
    assert "Authorization" not in seen[0].headers


@pytest.mark.parametrize("key", [f"{SECRET}\nX-Evil: 1", f"{SECRET}é", f"{SECRET}\x01"])
def test_a_key_that_no_header_may_hold_is_refused_unseen(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASKED.key_variable, key)
    with pytest.raises(UserError, match=ASKED.key_variable) as caught:
        AsyncEndpoint(ASKED)
    assert SECRET not in str(caught.value)


def test_a_failure_ends_the_call_when_what_was_on_its_way_has_come(tmp_path: Path) -> None:
    """Four are sent at a time: one fails, three come and are kept, and nothing more is sent."""
    sent: list[str] = []

    async def reply(request: Any) -> Any:
        prompt = json.loads(request.content)["prompt"]
        sent.append(prompt)
        if prompt == "bad":
            return HTTP.Response(404, json={"message": "no such model"})
        await asyncio.sleep(0.2)
        return HTTP.Response(200, json={"choices": [{"logprobs": {"top_logprobs": [{"1": 0.0}]}}]})

    prompts = ["a", "b", "c", "bad", *(f"later {at}" for at in range(20))]
    model = EndpointLanguageModel(ASKED, AnswerCache(tmp_path), HTTP.MockTransport(reply))
    with pytest.raises(EngineError, match="no such model"):
        model.choice_probabilities(prompts, ["1"])
    assert sorted(sent) == ["a", "b", "bad", "c"]
    again = EndpointLanguageModel(ASKED, AnswerCache(tmp_path), HTTP.MockTransport(reply))
    assert again.choice_probabilities(["a", "b", "c"], ["1"]) == [[1.0]] * 3
    assert len(sent) == 4


def test_a_failure_does_not_wait_for_the_pauses_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 60.0)

    async def reply(request: Any) -> Any:
        if json.loads(request.content)["prompt"] == "bad":
            await asyncio.sleep(0.1)
            return HTTP.Response(401, json={"message": "no"})
        return HTTP.Response(503, json={"message": "busy"})

    began = time.monotonic()
    with pytest.raises(RunError):
        EndpointLanguageModel(ASKED, transport=HTTP.MockTransport(reply)).choice_probabilities(["a", "bad"], ["1"])
    assert time.monotonic() - began < 10
