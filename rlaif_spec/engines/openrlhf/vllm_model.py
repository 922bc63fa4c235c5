"""A local model through vLLM, offline: labelers, judges, and policies at evaluation.

The twin of the native engine's `LocalLanguageModel`: prompts and answers become the same token ids, and the same
rules make probabilities of them, so both give the same numbers up to the precision of the weights. vLLM 0.29 reads
the probabilities of named tokens (`SamplingParams.logprob_token_ids`, at most 128 a request) before any temperature
and whatever their rank.
"""

import gc
import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rlaif_spec.engines.choices import Ids, exclusive, stems
from rlaif_spec.engines.native.language_model import prompt_ids
from rlaif_spec.engines.native.models import load_tokens
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.settings import ResponseSettings

AS_LONG_AS_FITS = -1
"""vLLM's word for: the model's own limit, or less where the memory for keys and values is short of it."""


class VllmLanguageModel:
    """`rlaif_spec.lm.LanguageModel` on vLLM; holds its GPUs until `close`. EngineError if it cannot be loaded.

    `options` go to `vllm.LLM` as they stand, in the place of what is chosen here.
    """

    def __init__(self, folder: Path, *, chat: bool, tensor_parallel: int = 1, **options: Any) -> None:
        self._tokens = load_tokens(folder)
        self._chat = chat
        self._vllm = _library()
        given: dict[str, Any] = {
            "tensor_parallel_size": tensor_parallel,
            "max_model_len": AS_LONG_AS_FITS,
            "enable_prefix_caching": True,
            "generation_config": "vllm",  # greedy means greedy, whatever defaults came with the model
            "seed": 0,
        }
        try:
            self._llm = self._vllm.LLM(model=str(folder), **given | options)
        except Exception as error:  # vLLM's errors have no common base
            raise EngineError(f"{folder}: vLLM could not load the model: {_line(error)}") from error

    def choice_probabilities(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """P(the continuation is exactly this choice); see `rlaif_spec.lm.LanguageModel`.

        One request for each prompt and each proper beginning of an answer, all submitted together.
        """
        answers = [tuple(self._tokens.continuation(choice)) for choice in choices]
        sampling = {stem: self._reading(tokens) for stem, tokens in stems(answers).items()}
        asked = [([*row, *stem], one) for row in self._rows(prompts) for stem, one in sampling.items()]
        replies = iter(self._ask(asked))
        found = []
        for _ in prompts:
            logs = {stem: next(replies).logprobs[0] for stem in sampling}
            found.append({answer: _probability(answer, logs) for answer in answers})
        return [[exclusive(answer, answers, row) for answer in answers] for row in found]

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, stop: str) -> list[str]:
        """The greedy continuation of each prompt, up to the end of text or the words `stop`."""
        greedy = self._vllm.SamplingParams(temperature=0.0, max_tokens=max_new_tokens, stop=[stop])
        replies = self._ask([(row, greedy) for row in self._rows(prompts)])
        return [self._tokens.text(reply.token_ids).split(stop)[0].strip() for reply in replies]

    def respond(self, prompts: Sequence[str], settings: ResponseSettings, seed: int) -> list[str]:
        """The model's response to each prompt, which is taken as it stands, as the native engine takes a policy's.

        Each prompt draws from a seed of its own, so that what it gets does not depend on the batch it is in.
        """
        asked = [
            (
                self._tokens.prompt(text),
                self._vllm.SamplingParams(
                    temperature=settings.temperature, max_tokens=settings.max_new_tokens, seed=_own_seed(seed, at)
                ),
            )
            for at, text in enumerate(prompts)
        ]
        return [self._tokens.text(_until(reply.token_ids, self._tokens.end)) for reply in self._ask(asked)]

    def close(self) -> None:
        """Free the GPUs: end vLLM's processes and forget the model."""
        self._llm.llm_engine.engine_core.shutdown()
        del self._llm
        gc.collect()

    def _rows(self, prompts: Sequence[str]) -> list[list[int]]:
        return [prompt_ids(self._tokens, text, chat=self._chat) for text in prompts]

    def _reading(self, tokens: Sequence[int]) -> Any:
        """Read the probabilities of these tokens; the one token that is written is of no use."""
        return self._vllm.SamplingParams(
            temperature=0.0, max_tokens=1, logprob_token_ids=list(tokens), detokenize=False
        )

    def _ask(self, asked: Sequence[tuple[list[int], Any]]) -> list[Any]:
        """What vLLM wrote for each row of tokens with its sampling, in one call."""
        if not asked:
            return []
        limit = int(self._llm.model_config.max_model_len)
        longest = max(len(row) + int(sampling.max_tokens) for row, sampling in asked)
        if longest > limit:
            raise EngineError(
                f"a prompt and its answer of {longest} tokens do not fit the {limit} that vLLM serves;"
                " leave out long contexts (max_context_words in the scale's data), or choose another model"
            )
        try:
            outputs = self._llm.generate(
                [{"prompt_token_ids": row} for row, _ in asked], [sampling for _, sampling in asked], use_tqdm=False
            )
        except Exception as error:  # vLLM's errors have no common base
            raise EngineError(f"vLLM could not answer: {_line(error)}") from error
        return [output.outputs[0] for output in outputs]


def _library() -> Any:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    try:
        return import_module("vllm")
    except ModuleNotFoundError as error:
        raise EngineError(
            f"inference through vLLM needs the package {error.name}; install vllm, or set inference: native"
        ) from None


def _probability(answer: Ids, logs: Mapping[Ids, Mapping[int, Any]]) -> float:
    """Chain rule: of each token after those before it."""
    return math.exp(sum(logs[answer[:at]][token].logprob for at, token in enumerate(answer)))


def _own_seed(seed: int, at: int) -> int:
    """63 bits for the prompt at this place."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{at}".encode()).digest()[:8], "big") >> 1


def _until(tokens: Sequence[int], end: int) -> list[int]:
    ids = list(tokens)
    return ids[: ids.index(end)] if end in ids else ids


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:300] if text else type(error).__name__
