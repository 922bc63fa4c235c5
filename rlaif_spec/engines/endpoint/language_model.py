"""A server's model as `rlaif_spec.lm.LanguageModel`, and the question whether it can be asked at all."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from rlaif_spec.engines.endpoint.answers import AnswerCache
from rlaif_spec.engines.endpoint.client import AsyncEndpoint, EndpointSettings, Refused, Unanswered
from rlaif_spec.errors import EngineError, RunError

T = TypeVar("T")


class EndpointLanguageModel:
    """All prompts of a call are asked at the same time.

    A prompt that the server refuses (too long, or against its rules) has no answer: probability 0 of every choice, None
    for a text. Labelers count it as unread; `say` hears the server's words, once. A server that does not answer
    ends the call: Unanswered, after what was on its way has come and was kept.

    Not within a running event loop; there, `AsyncEndpoint` is the thing.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        cache: AnswerCache | None = None,
        transport: Any = None,
        *,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._open = partial(AsyncEndpoint, settings, cache, transport)
        self._say = say
        self._said = False

    def choice_probabilities(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """P(the continuation is exactly this choice), for each prompt (rows) and choice (columns)."""
        rows = self._each(prompts, lambda endpoint, prompt: endpoint.choice_probabilities(prompt, choices))
        return [[0.0] * len(choices) if row is None else row for row in rows]

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, stop: str) -> list[str | None]:
        """The greedy continuation of each prompt, up to the end of text or the words `stop`; None where refused."""
        return self._each(
            prompts, lambda endpoint, prompt: endpoint.generate(prompt, max_new_tokens=max_new_tokens, stop=stop)
        )

    def _each(
        self, prompts: Sequence[str], ask: Callable[[AsyncEndpoint, str], Coroutine[Any, Any, T]]
    ) -> list[T | None]:
        failures: list[RunError] = []

        async def one(endpoint: AsyncEndpoint, prompt: str) -> T | None:
            try:
                return await ask(endpoint, prompt)
            except Refused as error:
                self._tell(error)
            except RunError as error:
                failures.append(error)
                endpoint.stop()
            return None

        async def all_of_them() -> list[T | None]:
            async with self._open() as endpoint:
                return await asyncio.gather(*(one(endpoint, prompt) for prompt in prompts))

        rows = asyncio.run(all_of_them())
        if failures:
            raise failures[0]
        return rows

    def _tell(self, error: Refused) -> None:
        if not self._said:
            self._said = True
            self._say(f"a prompt was refused, so it is unread: {error}")


def check_endpoint(settings: EndpointSettings, transport: Any = None) -> None:
    """Ask one small question, so that a wrong address, name or key ends a run before it begins: EngineError."""

    async def ask() -> int:
        async with AsyncEndpoint(replace(settings, retries=min(1, settings.retries)), None, transport) as endpoint:
            return len(await endpoint.next_tokens("Say 1 or 2. Answer:", ""))

    try:
        tokens = asyncio.run(ask())
    except Unanswered as error:
        raise EngineError(f"{error}; start the server, or correct the endpoint in the scale") from error
    if tokens < min(2, settings.top_logprobs):
        raise EngineError(
            f"{settings.url}: {settings.model} gives the probabilities of {tokens} tokens, not of the likeliest"
            f" {settings.top_logprobs}; use a server or model that gives them"
        )
