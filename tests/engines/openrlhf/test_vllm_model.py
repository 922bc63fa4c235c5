"""The vLLM language model against the native one: the same token ids, the same probabilities, the same words.

vLLM is stood in for by torch behind vLLM's interface; where it is installed, the real one is asked too.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rlaif_spec.engines.native.engine import NativeEngine
from rlaif_spec.engines.native.language_model import LocalLanguageModel
from rlaif_spec.engines.native.models import load_language_model, load_tokens
from rlaif_spec.engines.openrlhf import vllm_model
from rlaif_spec.engines.openrlhf.vllm_model import VllmLanguageModel
from rlaif_spec.errors import EngineError
from rlaif_spec.spec.scale import Compute
from rlaif_spec.spec.settings import ResponseSettings

PROMPTS = ["ask =", "ask yes no well then maybe =", "well =", "ask ="]
CHOICES = ["1", "2", "10", "100", "yes", "12 yes"]
TEMPLATE = (
    "{% for message in messages %}well {{ message.content }}{% endfor %}{% if add_generation_prompt %} = {% endif %}"
)


class TorchLLM:
    """`vllm.LLM` on torch, a prompt and a token at a time."""

    calls: list[int] = []  # noqa: RUF012
    closed = 0

    def __init__(self, model: str, max_model_len: int, **options: Any) -> None:
        self._model = load_language_model(Path(model), torch.device("cpu"))
        self._tokens = load_tokens(Path(model))
        self.options = options
        self.model_config = SimpleNamespace(max_model_len=256 if max_model_len == -1 else max_model_len)
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=self._shutdown))

    def _shutdown(self) -> None:
        TorchLLM.closed += 1

    def generate(self, prompts: Sequence[Any], sampling: Sequence[Any], use_tqdm: bool) -> list[Any]:
        TorchLLM.calls.append(len(prompts))
        return [self._one(list(one["prompt_token_ids"]), how) for one, how in zip(prompts, sampling, strict=True)]

    @torch.inference_mode()
    def _one(self, ids: list[int], how: Any) -> Any:
        draw = torch.Generator().manual_seed(how.seed) if how.temperature else None
        written: list[int] = []
        logs = []
        while len(written) < how.max_tokens:
            log = self._model(torch.tensor([[*ids, *written]])).logits[0, -1].log_softmax(-1)
            logs.append({at: SimpleNamespace(logprob=float(log[at])) for at in how.logprob_token_ids or ()})
            shares = (log / how.temperature).softmax(-1) if draw else log
            written.append(int(torch.multinomial(shares, 1, generator=draw)) if draw else int(log.argmax()))
            if written[-1] == self._tokens.end or (how.stop and how.stop[0] in self._tokens.text(written)):
                break
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tuple(written), logprobs=logs)])


def sampling(**given: Any) -> Any:
    return SimpleNamespace(**{"logprob_token_ids": None, "stop": None, "seed": None, **given})


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[TorchLLM]:
    monkeypatch.setattr(vllm_model, "_library", lambda: SimpleNamespace(LLM=TorchLLM, SamplingParams=sampling))
    monkeypatch.setattr(TorchLLM, "calls", [])
    return TorchLLM


def native(folder: Path, *, chat: bool) -> LocalLanguageModel:
    tokens = load_tokens(folder)
    if chat:
        tokens.tokenizer.chat_template = TEMPLATE
    return LocalLanguageModel(load_language_model(folder, torch.device("cpu")), tokens, chat=chat, batch_size=2)


def through_vllm(folder: Path, *, chat: bool, **options: Any) -> VllmLanguageModel:
    model = VllmLanguageModel(folder, chat=chat, **options)
    if chat:
        model._tokens.tokenizer.chat_template = TEMPLATE
    return model


def agree(model: VllmLanguageModel, twin: LocalLanguageModel) -> None:
    expected = twin.choice_probabilities(PROMPTS, CHOICES)
    assert min(map(min, expected)) > 0.0
    for row, own in zip(model.choice_probabilities(PROMPTS, CHOICES), expected, strict=True):
        assert row == pytest.approx(own, rel=1e-4)
    for stop in ("yes", "then", "not a word of it"):
        said = twin.generate(PROMPTS, max_new_tokens=6, stop=stop)
        assert model.generate(PROMPTS, max_new_tokens=6, stop=stop) == said


@pytest.mark.parametrize("chat", [False, True])
def test_it_is_the_native_model(tiny_model: Path, stand_in: type[TorchLLM], chat: bool) -> None:
    agree(through_vllm(tiny_model, chat=chat), native(tiny_model, chat=chat))


def test_all_is_asked_in_one_call(tiny_model: Path, stand_in: type[TorchLLM]) -> None:
    model = through_vllm(tiny_model, chat=False)
    model.choice_probabilities(PROMPTS, ["1", "2", "10"])
    assert stand_in.calls == [2 * len(PROMPTS)], "once for the first token and once after the first of 10"
    assert model._llm.options["enable_prefix_caching"] is True
    assert model.choice_probabilities([], ["1"]) == []
    assert model.generate([], max_new_tokens=3, stop="x") == []
    assert len(stand_in.calls) == 1


def test_responses_depend_on_the_seed_and_the_place_only(tiny_model: Path, stand_in: type[TorchLLM]) -> None:
    model = through_vllm(tiny_model, chat=False)
    drawn = ResponseSettings(max_new_tokens=8, temperature=0.9)
    first = model.respond(PROMPTS * 3, drawn, 3)
    assert first == model.respond(PROMPTS * 3, drawn, 3)
    assert first[:5] == model.respond((PROMPTS * 3)[:5], drawn, 3)
    assert first != model.respond(PROMPTS * 3, drawn, 4)
    assert len(set(first[::4])) > 1, "the same prompt is answered anew each time"


def test_greedy_responses_are_the_native_engines(tiny_model: Path, stand_in: type[TorchLLM]) -> None:
    greedy = ResponseSettings(max_new_tokens=8, temperature=0.0)
    engine = NativeEngine(Compute(threads=1, device="cpu"))
    expected = engine.respond(tiny_model, PROMPTS, greedy, seed=1)
    assert through_vllm(tiny_model, chat=False).respond(PROMPTS, greedy, 1) == expected


def test_a_text_that_does_not_fit_is_refused_in_one_line(tiny_model: Path, stand_in: type[TorchLLM]) -> None:
    model = through_vllm(tiny_model, chat=False, max_model_len=32)
    with pytest.raises(EngineError, match=r"of 34 tokens do not fit the 32") as caught:
        model.choice_probabilities(["ask " * 32], ["1"])
    assert "\n" not in str(caught.value)
    assert len(model.choice_probabilities(["ask " * 30], ["1"])) == 1


def test_it_is_closed_once(tiny_model: Path, stand_in: type[TorchLLM]) -> None:
    before = stand_in.closed
    through_vllm(tiny_model, chat=False).close()
    assert stand_in.closed == before + 1


def test_what_vllm_says_of_a_model_it_cannot_load_is_one_line(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> None:
        raise ValueError("no memory\nfor the cache")

    monkeypatch.setattr(vllm_model, "_library", lambda: SimpleNamespace(LLM=refuse))
    with pytest.raises(EngineError, match="could not load the model: no memory for the cache"):
        through_vllm(tiny_model, chat=False)


def test_seeds_are_in_vllms_range_and_differ() -> None:
    seeds = {vllm_model._own_seed(seed, at) for seed in range(50) for at in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.fixture
def real(tiny_model: Path) -> Iterator[VllmLanguageModel]:
    pytest.importorskip("vllm.v1")  # the real one, not the stand-in of tests/openrlhf_cpu
    model = through_vllm(tiny_model, chat=False, dtype="float32", enforce_eager=True, kv_cache_memory_bytes=1 << 26)
    yield model
    model.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_real_vllm_is_the_native_model(tiny_model: Path, real: VllmLanguageModel) -> None:
    agree(real, native(tiny_model, chat=False))
    drawn = ResponseSettings(max_new_tokens=8, temperature=0.9)
    first = real.respond(PROMPTS * 3, drawn, 3)
    assert first == real.respond(PROMPTS * 3, drawn, 3)
    assert first[:5] == real.respond((PROMPTS * 3)[:5], drawn, 3)
