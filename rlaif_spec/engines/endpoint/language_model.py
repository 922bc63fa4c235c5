"""A server's model as `rlaif_spec.lm.LanguageModel`, and the question whether it can be asked at all."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from rlaif_spec.engines.endpoint.answers import AnswerCache
from rlaif_spec.engines.endpoint.client import AsyncEndpoint, EndpointSettings, Refused, Unanswered
from rlaif_spec.errors import EngineError

T = TypeVar("T")


class EndpointLanguageModel:
    """All prompts of a call are asked at the same time.

    A prompt that the server refuses (too long, or against its rules) has no answer: probability 0 of every choice,
    an empty text. Labelers count it as unread. A server that does not answer ends the call: Unanswered.

    Not within a running event loop; there, `AsyncEndpoint` is the thing.
    """

    def __init__(self, settings: EndpointSettings, cache: AnswerCache | None = None, transport: Any = None) -> None:
        self._open = partial(AsyncEndpoint, settings, cache, transport)

    def choice_probabilities(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """P(the continuation is exactly this choice), for each prompt (rows) and choice (columns)."""

        async def ask(endpoint: AsyncEndpoint, prompt: str) -> list[float]:
            try:
                return await endpoint.choice_probabilities(prompt, choices)
            except Refused:
                return [0.0] * len(choices)

        return self._each(prompts, ask)

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, stop: str) -> list[str]:
        """The greedy continuation of each prompt, up to the end of text or the words `stop`."""

        async def ask(endpoint: AsyncEndpoint, prompt: str) -> str:
            try:
                return await endpoint.generate(prompt, max_new_tokens=max_new_tokens, stop=stop)
            except Refused:
                return ""

        return self._each(prompts, ask)

    def _each(self, prompts: Sequence[str], ask: Callable[[AsyncEndpoint, str], Coroutine[Any, Any, T]]) -> list[T]:
        async def all_of_them() -> list[T]:
            async with self._open() as endpoint:
                tasks = [asyncio.ensure_future(ask(endpoint, prompt)) for prompt in prompts]
                try:
                    return await asyncio.gather(*tasks)
                finally:  # where one failed, the others are not wanted any more
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

        return asyncio.run(all_of_them())


def check_endpoint(settings: EndpointSettings, transport: Any = None) -> None:
    """Ask one small question, so that a wrong address, name or key ends a run before it begins: EngineError."""

    async def ask() -> bool:
        async with AsyncEndpoint(replace(settings, retries=min(1, settings.retries)), None, transport) as endpoint:
            return bool(await endpoint.next_tokens("Say 1 or 2. Answer:", ""))

    try:
        answered = asyncio.run(ask())
    except Unanswered as error:
        raise EngineError(f"{error}; start the server, or correct the endpoint in the scale") from error
    if not answered:
        raise EngineError(
            f"{settings.url}: {settings.model} gives no probabilities of tokens; use a server or model that does"
        )
