"""Requests that arrive together are continued together."""

import asyncio

from vllm.decoding import CompletionOutput, Decoder, SamplingParams

LARGEST = 64
"""Requests of one batch."""

QUIET_SECONDS = 0.01
"""A batch starts when nothing arrived for so long."""


class Batcher:
    """Collects requests for one decoder; used from one event loop."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.unfinished = 0
        self._waiting: list[tuple[list[int], SamplingParams, asyncio.Future[CompletionOutput]]] = []
        self._model_in_use = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, prompt: list[int], params: SamplingParams) -> CompletionOutput:
        """The continuation of a prompt."""
        if not 0 < len(prompt) < self.decoder.limit:
            msg = f"a prompt of {len(prompt)} tokens; 1 to {self.decoder.limit - 1} can be continued"
            raise ValueError(msg)
        answer: asyncio.Future[CompletionOutput] = asyncio.get_running_loop().create_future()
        self._waiting.append((prompt, params, answer))
        self.unfinished += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        try:
            return await answer
        finally:
            self.unfinished -= 1

    async def load(self, path: str) -> None:
        """Other weights, between two batches."""
        async with self._model_in_use:
            await asyncio.to_thread(self.decoder.load, path)

    async def _work(self) -> None:
        while self._waiting:
            seen = 0
            while seen < len(self._waiting) < LARGEST:
                seen = len(self._waiting)
                await asyncio.sleep(QUIET_SECONDS)
            batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            async with self._model_in_use:
                await self._answer(batch)

    async def _answer(self, batch: list[tuple[list[int], SamplingParams, asyncio.Future[CompletionOutput]]]) -> None:
        try:
            written = await asyncio.to_thread(self.decoder.run, [(prompt, params) for prompt, params, _ in batch])
        except Exception as error:  # each of those who wait is told
            for *_, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (*_, answer), output in zip(batch, written, strict=True):
            if not answer.done():
                answer.set_result(output)
