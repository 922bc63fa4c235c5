"""The asynchronous engine, of which OpenRLHF has one in each rollout actor."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from vllm.batching import Batcher
from vllm.decoding import Decoder, SamplingParams, outputs_of
from vllm.inputs import TokensPrompt


@dataclass
class AsyncEngineArgs:
    """What OpenRLHF sets; only the fields of the first block mean anything here."""

    model: str
    seed: int = 0
    dtype: str = "bfloat16"
    max_model_len: int | None = None
    logprobs_mode: str = "raw_logprobs"

    enforce_eager: bool = False
    worker_extension_cls: str = ""
    tensor_parallel_size: int = 1
    distributed_executor_backend: str | None = None
    enable_prefix_caching: bool = False
    trust_remote_code: bool = False
    gpu_memory_utilization: float | None = None
    enable_sleep_mode: bool = False
    max_logprobs: int = 20
    limit_mm_per_prompt: dict[str, int] = field(default_factory=dict)


class AsyncLLMEngine:
    """The methods that OpenRLHF calls."""

    def __init__(self, settings: AsyncEngineArgs) -> None:
        processed = settings.logprobs_mode == "processed_logprobs"
        decoder = Decoder(settings.model, settings.dtype, settings.seed, settings.max_model_len, processed)
        self._batcher = Batcher(decoder)
        self._asleep = False
        self.output_processor = SimpleNamespace(get_num_unfinished_requests=lambda: self._batcher.unfinished)

    @classmethod
    def from_engine_args(cls, settings: AsyncEngineArgs) -> "AsyncLLMEngine":
        """An engine with its model loaded."""
        return cls(settings)

    async def generate(self, prompt: TokensPrompt, params: SamplingParams, request_id: str) -> AsyncIterator[Any]:
        """The whole continuation at once, as the one item."""
        if self._asleep:
            msg = f"request {request_id} while the engine sleeps; wake_up comes first"
            raise RuntimeError(msg)
        yield outputs_of(await self._batcher.ask(list(prompt["prompt_token_ids"]), params))

    async def collective_rpc(self, method: str, args: Sequence[Any] = ()) -> None:
        """`update_weight` with the path of a file: see weights_by_file in sitecustomize.py."""
        if method != "update_weight":
            raise NotImplementedError(method)
        await self._batcher.load(args[0])

    async def sleep(self, level: int = 1) -> None:
        """Nothing to free here, but a request while it sleeps is an error as in vLLM."""
        self._asleep = True

    async def wake_up(self, tags: list[str] | None = None) -> None:
        """Awake once its cache is back: OpenRLHF wakes the weights alone to send new ones."""
        self._asleep = self._asleep and tags is not None and "kv_cache" not in tags

    async def is_sleeping(self) -> bool:
        """Whether it sleeps."""
        return self._asleep

    async def reset_prefix_cache(self) -> None:
        """Nothing is kept between batches."""

    async def pause_generation(self, mode: str = "keep") -> None:
        """New weights wait for the end of a batch anyway."""

    async def resume_generation(self) -> None:
        """See `pause_generation`."""
