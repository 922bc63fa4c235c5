"""Asks an OpenAI-compatible server for probabilities of answers and for rationales.

The server gives the likeliest next tokens as texts, so everything here is about texts: a token that is an answer
counts for it; a token that is only the beginning of one is added to the prompt and the server is asked again. What
such an approach cannot see: answers beyond the `top_logprobs` likeliest tokens count as having no probability.
"""

import asyncio
import hashlib
import json
import math
import os
import random
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib import import_module
from time import time
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from rlaif_spec.engines.endpoint.answers import AnswerCache
from rlaif_spec.engines.masking import masked
from rlaif_spec.errors import EngineError, RunError, UserError
from rlaif_spec.spec.endpoint import Endpoint, RequestSettings

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 300.0
AGAIN: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
"""Beside 5xx: what may go better the next time."""
THIS_PROMPT: Final = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""What a server says to a prompt that is too long, or against its rules; the next prompt may be fine."""
SPACE_TAKES: Final = 0.5
"""Some tokenizers write the space before an answer as a token of its own. It is followed where it has so much
probability; following it always would cost a request for each prompt."""
LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}

Token = tuple[str, float]
"""Its text and its probability."""


@dataclass(frozen=True, kw_only=True)
class EndpointSettings:
    """Where the server is and how it is asked; see `spec.endpoint`."""

    url: str
    """Base address such as http://host:8000/v1."""
    model: str
    chat: bool
    """The prompt is the user's turn, and answers are the assistant's."""
    key_variable: str
    """Environment variable that holds the key, if there is one."""
    in_flight: int
    retries: int
    timeout_seconds: float
    top_logprobs: int
    direct: bool = False
    """Whether to pass by a proxy that the environment names: the server is in this cluster."""


def endpoint_settings(endpoint: Endpoint, *, chat: bool) -> EndpointSettings:
    """How the model of a scale is asked at its server."""
    return settings_for(endpoint, url=endpoint.url, model=endpoint.model, chat=chat)


def settings_for(asked: RequestSettings, *, url: str, model: str, chat: bool, direct: bool = False) -> EndpointSettings:
    """How the model of that name is asked at this address."""
    return EndpointSettings(
        url=url,
        model=model,
        chat=chat,
        key_variable=asked.key_variable,
        in_flight=asked.in_flight,
        retries=asked.retries,
        timeout_seconds=asked.timeout_seconds,
        top_logprobs=asked.top_logprobs,
        direct=direct,
    )


class Unanswered(RunError):  # noqa: N818
    """The server did not answer a prompt, after all retries or because it refuses this prompt."""


class Refused(Unanswered):
    """The server answers, but not this prompt: it is too long, or against its rules."""


class AsyncEndpoint:
    """One server, asked from one event loop; close it when done.

    `transport` replaces the network (httpx's `transport`), for tests.
    """

    def __init__(self, settings: EndpointSettings, cache: AnswerCache | None = None, transport: Any = None) -> None:
        self.settings = settings
        self._cache = cache
        self._http = _library()
        self._key = _key(settings.key_variable)
        self._slots = asyncio.Semaphore(settings.in_flight)
        self._stopped = asyncio.Event()
        self._continues = True
        where = urlsplit(settings.url)
        self._client = self._http.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=settings.timeout_seconds,
            limits=self._http.Limits(max_connections=settings.in_flight),
            trust_env=not settings.direct and where.hostname not in LOOPBACK,
            transport=transport,
        )

    async def choice_probabilities(self, prompt: str, choices: Sequence[str]) -> list[float]:
        """P(the continuation is exactly this choice), in the order of the choices; see `rlaif_spec.lm.LanguageModel`.

        A space before the answer belongs to the tokenizer: " 1" counts as "1". Unanswered if the server does not
        answer; EngineError if it cannot be asked at all.
        """
        key = self._digest(prompt, list(choices))
        kept = self._cache.probabilities(key) if self._cache else None
        if kept is not None:
            return kept
        found = await self._after(prompt, "", choices)
        row = [found[choice] for choice in choices]
        if self._cache:
            self._cache.put(key, row)
        return row

    async def generate(self, prompt: str, *, max_new_tokens: int, stop: str) -> str:
        """The greedy continuation of a prompt, up to the end of text or the words `stop`; errors as above."""
        key = self._digest(prompt, {"max_new_tokens": max_new_tokens, "stop": stop})
        kept = self._cache.text(key) if self._cache else None
        if kept is not None:
            return kept
        choice = await self._ask(prompt, "", {"max_tokens": max_new_tokens, "stop": [stop]})
        try:
            text = choice["message"]["content"] if self.settings.chat else choice["text"]
        except (KeyError, TypeError):
            raise self._strange("no text") from None
        if text is None:
            raise Refused(f"{self.settings.url}: wrote nothing ({choice.get('finish_reason')})")
        said = str(text).split(stop)[0].strip()
        if self._cache:
            self._cache.put(key, said)
        return said

    async def next_tokens(self, prompt: str, said: str) -> list[Token]:
        """The likeliest tokens after the prompt and the beginning of an answer; none where nothing was written."""
        top = self.settings.top_logprobs
        wanted = {"logprobs": True, "top_logprobs": top} if self.settings.chat else {"logprobs": top}
        choice = await self._ask(prompt, said, {"max_tokens": 1, **wanted})
        try:
            return [(text, math.exp(min(0.0, log))) for text, log in _first_of(choice.get("logprobs"))]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise self._strange("no probabilities of tokens") from None

    def stop(self) -> None:
        """Send nothing more; what is on its way may still come, and is kept."""
        self._stopped.set()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _after(self, prompt: str, said: str, choices: Sequence[str]) -> dict[str, float]:
        """P(the continuation goes on to this choice and to none that is longer), given that it begins with `said`."""
        written = {choice: (choice, f" {choice}") for choice in choices}
        tokens = [(f"{said}{text}", share) for text, share in await self.next_tokens(prompt, said) if text]
        stems = [
            text
            for text, share in tokens
            if any(way != text and way.startswith(text) for ways in written.values() for way in ways)
            and (text != " " or share >= SPACE_TAKES)
        ]
        whole = {text.removeprefix(" ") for text, _ in tokens}
        onward = await asyncio.gather(*(self._longer(prompt, stem, choices, whole) for stem in stems))
        below = dict(zip(stems, onward, strict=True))
        found = dict.fromkeys(choices, 0.0)
        for text, share in tokens:
            longer = below.get(text, {})
            for choice in choices:
                found[choice] += share * longer.get(choice, 0.0)
                if text in written[choice]:
                    found[choice] += share * max(0.0, 1.0 - sum(longer.values()))
        return found

    async def _longer(
        self, prompt: str, stem: str, choices: Sequence[str], whole: Collection[str]
    ) -> Mapping[str, float]:
        """`_after` a beginning of an answer; nothing where the server continues no turn and needs not.

        Many hosts continue no assistant's turn. Where a longer answer ("10") is a token of its own, it has its
        probability already, and the shorter one ("1") all of its own; else nobody can tell them apart: Refused.
        """
        said = stem.strip()  # nothing but a space tells nothing
        told = any(said and choice != said and choice.startswith(said) and choice in whole for choice in choices)
        if told and not self._continues:
            return {}
        try:
            return await self._after(prompt, stem, choices)
        except Refused:
            if not told:
                raise
            self._continues = False
            return {}

    async def _ask(self, prompt: str, said: str, wanted: Mapping[str, Any]) -> Any:
        """The one choice of the server's reply."""
        body = {"model": self.settings.model, "temperature": 0, **wanted}
        if not self.settings.chat:
            return await self._post("completions", {**body, "prompt": prompt + said})
        messages = [{"role": "user", "content": prompt}]
        if said:  # vLLM's words for: go on with this turn
            messages.append({"role": "assistant", "content": said})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return await self._post("chat/completions", {**body, "messages": messages})

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The one choice of the reply, after as many tries as it takes."""
        url, why, asked_to_wait = f"{self.settings.url.rstrip('/')}/{path}", "", 0.0
        for tried in range(self.settings.retries + 1):
            if tried:
                await self._pause(_pause(tried, asked_to_wait))
            try:
                async with self._slots:
                    if self._stopped.is_set():
                        raise Unanswered(f"{url}: not asked, because another prompt failed")
                    reply = await self._client.post(url, json=body)
            except self._http.RequestError as error:  # timeouts are among them
                why, asked_to_wait = f"{type(error).__name__} {error}".strip(), 0.0
                continue
            if reply.status_code == HTTPStatus.OK:
                try:
                    return reply.json()["choices"][0]
                except (ValueError, KeyError, IndexError, TypeError):
                    why, asked_to_wait = "the reply is no JSON with a choice, as of an OpenAI-compatible server", 0.0
                    continue
            why = self._refusal(reply)
            if reply.status_code in THIS_PROMPT:
                raise Refused(f"{url}: {why}")
            if reply.status_code not in AGAIN and reply.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise EngineError(f"{url}: {why}; check url, model and the key in {self.settings.key_variable}")
            asked_to_wait = _retry_after(reply.headers.get("Retry-After"))
        raise Unanswered(f"{url}: no answer after {self.settings.retries + 1} tries: {self._masked(why)}")

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try, unless there is to be none."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def _refusal(self, reply: Any) -> str:
        """Status and the server's own words, in one line."""
        try:
            said = reply.json()
            said = said.get("error") or said
            text = str(said.get("message") or said) if isinstance(said, dict) else str(said)
        except (ValueError, AttributeError):
            text = str(reply.text)
        return f"status {reply.status_code}: {self._masked(' '.join(text.split()))[:300]}"

    def _strange(self, what: str) -> EngineError:
        return EngineError(f"{self.settings.url}: the reply holds {what}; it must be an OpenAI-compatible server")

    def _masked(self, text: str) -> str:
        return masked(text, (self._key,))

    def _digest(self, prompt: str, wanted: list[str] | dict[str, Any]) -> str:
        asked = [self.settings.model, self.settings.chat, self.settings.top_logprobs, prompt, wanted]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _library() -> Any:
    """httpx, by the name under which the installed huggingface_hub brings it (2.0 and later: httpx2)."""
    for name in ("httpx", "httpx2"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise EngineError("asking a labeler's server needs the package httpx; install it")


def _key(variable: str) -> str:
    """The key, which nobody but the server gets to see; empty where there is none."""
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise UserError(f"{variable}: the key holds characters that no HTTP header may hold; set it anew")
    return key


def _first_of(logprobs: Any) -> list[tuple[str, float]]:
    """Text and log-probability of the likeliest tokens in the first place, in either of the two forms in use."""
    if not logprobs:  # a host that filtered the answer gives none
        return []
    if "content" in logprobs:  # chat, and llama.cpp's completions
        places = [
            [(one["token"], one["logprob"]) for one in place["top_logprobs"]] for place in logprobs["content"] or []
        ]
    else:
        places = [list(place.items()) for place in logprobs["top_logprobs"] or []]
    return [(str(text), float(log)) for text, log in places[0]] if places else []


def _pause(tried: int, asked_to_wait: float) -> float:
    """Seconds before the next try: doubled each time, with a random part so that not all come back at once."""
    own = FIRST_PAUSE_SECONDS * 2.0 ** (tried - 1) * random.uniform(0.5, 1.0)
    return min(LONGEST_PAUSE_SECONDS, max(own, asked_to_wait))


def _retry_after(header: str | None) -> float:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except ValueError:
        return 0.0
