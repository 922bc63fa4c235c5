"""The OpenAI-compatible server of vLLM, as far as a labeler is asked: health, models, completions; in fp32.

    python -m vllm.entrypoints.openai.api_server --model FOLDER --served-model-name NAME --host HOST --port PORT

Flags it does not know are ignored. With --api-key or VLLM_API_KEY, requests under /v1 must carry that key.
"""

import argparse
import asyncio
import os
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vllm.batching import Batcher
from vllm.decoding import CompletionOutput, Decoder, SamplingParams

if TYPE_CHECKING:
    from aiohttp import web


def own_limit(given: int | None) -> int | None:
    """None, the model's own, where vLLM is told -1: what fits."""
    return None if given == -1 else given


class Refused(Exception):  # noqa: N818
    """A request that cannot be answered: HTTP status and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Server:
    """One model behind three addresses."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.batcher = Batcher(Decoder(options.model, "float32", options.seed, own_limit(options.max_model_len)))
        self.name: str = options.served_model_name or options.model
        self.key: str | None = options.api_key or os.environ.get("VLLM_API_KEY")
        self.max_logprobs: int = options.max_logprobs

    def application(self) -> "web.Application":
        """The addresses and what answers them."""
        from aiohttp import web

        @web.middleware  # type: ignore[untyped-decorator]  # aiohttp is not installed where types are checked
        async def refusals(request: web.Request, handler: Any) -> web.StreamResponse:
            try:
                given = request.headers.get("Authorization")
                if self.key and request.path.startswith("/v1") and given != f"Bearer {self.key}":
                    raise Refused(401, "Unauthorized")
                answer: web.StreamResponse = await handler(request)
            except (Refused, ValueError) as error:
                status = error.status if isinstance(error, Refused) else 400
                body = {"error": {"message": str(error), "type": "BadRequestError", "param": None, "code": status}}
                return web.json_response(body, status=status)
            return answer

        async def health(_: web.Request) -> web.Response:
            return web.Response()

        async def models(_: web.Request) -> web.Response:
            card = {"id": self.name, "object": "model", "owned_by": "vllm", "max_model_len": self.batcher.decoder.limit}
            return web.json_response({"object": "list", "data": [card]})

        async def completions(request: web.Request) -> web.Response:
            return web.json_response(await self.complete(await request.json()))

        application = web.Application(middlewares=[refusals], client_max_size=64 * 2**20)
        application.router.add_get("/health", health)
        application.router.add_get("/v1/models", models)
        application.router.add_post("/v1/completions", completions)
        return application

    async def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a completions request."""
        if body.get("model", self.name) != self.name:
            raise Refused(404, f"The model `{body['model']}` does not exist.")
        params = self.parameters(body)
        prompts = [self.tokens(prompt) for prompt in prompts_of(body)]
        for prompt in prompts:
            if len(prompt) + (params.max_tokens or 1) > self.batcher.decoder.limit:
                limit = self.batcher.decoder.limit
                asked = f"{len(prompt)} prompt and {params.max_tokens} new ones"
                raise Refused(400, f"This model's maximum context length is {limit} tokens; asked: {asked}.")
        written = await asyncio.gather(*(self.batcher.ask(prompt, params) for prompt in prompts))
        counts = sum(map(len, prompts)), sum(len(output.token_ids) for output in written)
        return {
            "id": f"cmpl-{uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": self.name,
            "choices": [self.choice(at, output) for at, output in enumerate(written)],
            "usage": {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)},
        }

    def parameters(self, body: dict[str, Any]) -> SamplingParams:
        """Sampling parameters of a request; OpenAI's defaults where it names none."""
        stop = body.get("stop") or []
        logprobs = body.get("logprobs")
        if logprobs is not None and logprobs > self.max_logprobs:
            raise Refused(400, f"Requested sample logprobs of {logprobs}, which is greater than {self.max_logprobs}.")
        return SamplingParams(
            temperature=body.get("temperature", 1.0),
            top_p=body.get("top_p", 1.0),
            top_k=body.get("top_k", -1),
            max_tokens=body.get("max_tokens", 16),
            min_tokens=body.get("min_tokens", 0),
            stop=[stop] if isinstance(stop, str) else stop,
            logprobs=logprobs,
        )

    def tokens(self, prompt: str | list[int]) -> list[int]:
        """A prompt as tokens, with the special ones that the tokenizer adds."""
        return list(self.batcher.decoder.tokenizer(prompt).input_ids) if isinstance(prompt, str) else prompt

    def choice(self, at: int, output: CompletionOutput) -> dict[str, Any]:
        """One completion in OpenAI's format."""
        words = [self.batcher.decoder.word(token) for token in output.token_ids]
        logprobs = None
        if output.logprobs is not None:
            starts = [sum(map(len, words[:place])) for place in range(len(words))]
            logprobs = {
                "text_offset": starts,
                "tokens": words,
                "token_logprobs": [
                    row[token].logprob for token, row in zip(output.token_ids, output.logprobs, strict=True)
                ],
                "top_logprobs": [
                    {found.decoded_token: max(found.logprob, -9999.0) for found in row.values()}
                    for row in output.logprobs
                ],
            }
        return {"index": at, "text": output.text, "logprobs": logprobs, "finish_reason": output.finish_reason}


def prompts_of(body: dict[str, Any]) -> list[str | list[int]]:
    """A text, a list of texts, tokens, or a list of tokens: all are allowed."""
    prompt = body.get("prompt")
    if isinstance(prompt, str) or (isinstance(prompt, list) and prompt and isinstance(prompt[0], int)):
        return [prompt]
    if isinstance(prompt, list) and prompt:
        return prompt
    raise Refused(400, "prompt: a text or a list of texts is needed")


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """The flags that mean something here."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--served-model-name")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--max-model-len", type=int)  # -1: as much as the model can
    parser.add_argument("--max-logprobs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--api-key")
    return parser.parse_known_args(arguments)[0]


if __name__ == "__main__":
    from aiohttp import web

    chosen = options_of()
    web.run_app(Server(chosen).application(), host=chosen.host, port=chosen.port, print=None)
