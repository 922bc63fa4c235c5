"""The stand-ins do what they stand in for: else a test that runs OpenRLHF on them would prove nothing."""

import asyncio
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import rlaif_spec

pytest.importorskip("ray")
pytest.importorskip("deepspeed")

pytestmark = pytest.mark.filterwarnings("ignore")

TOY = str(Path(rlaif_spec.__file__).parent / "toy_models" / "toy-xs")
PROMPTS = ["Text : i broke my bike . TLDR :", "my friend", "Text : the dog is asleep . Summary :"]


@pytest.fixture(scope="module")
def decoder() -> Any:
    """The stand-in's decoder of a toy model, in fp32."""
    return import_module("vllm.decoding").Decoder(TOY, "float32", seed=1)


def sampling(**settings: Any) -> Any:
    return import_module("vllm").SamplingParams(**settings)


def tokens(decoder: Any, prompt: str) -> list[int]:
    ids: list[int] = decoder.tokenizer(prompt).input_ids
    return ids


def exact(decoder: Any, ids: list[int]) -> torch.Tensor:
    """Log-probabilities of the next token from a plain forward pass: one row, nothing padded, no cache."""
    with torch.inference_mode():
        found: torch.Tensor = decoder.model(torch.tensor([ids]), use_cache=False).logits[0, -1].log_softmax(-1)
    return found


def test_log_probabilities_in_a_batch_are_those_of_each_prompt_alone(decoder: Any) -> None:
    asked = [(tokens(decoder, prompt), sampling(max_tokens=4, logprobs=5)) for prompt in PROMPTS]
    for (prompt, _), output in zip(asked, decoder.run(asked), strict=True):
        for at, (token, row) in enumerate(zip(output.token_ids, output.logprobs, strict=True)):
            alone = exact(decoder, [*prompt, *output.token_ids[:at]])
            best = set(alone.topk(5).indices.tolist())
            assert set(row) == best | {token}
            for word, found in row.items():
                assert found.logprob == pytest.approx(float(alone[word]), abs=1e-4)


@pytest.mark.parametrize(("temperature", "top_p", "top_k"), [(1.0, 1.0, -1), (0.7, 1.0, -1), (1.3, 0.8, -1), (1, 1, 3)])
def test_draws_come_from_the_tempered_and_truncated_distribution(
    decoder: Any, temperature: float, top_p: float, top_k: int
) -> None:
    prompt = tokens(decoder, PROMPTS[0])
    law = (exact(decoder, prompt) / temperature).softmax(-1)
    order = law.argsort(descending=True).tolist()
    kept = order if top_k < 0 else order[:top_k]
    kept = [token for at, token in enumerate(kept) if top_p == 1.0 or law[order[:at]].sum() < top_p]
    law = torch.zeros_like(law).scatter(0, torch.tensor(kept), law[kept]) / law[kept].sum()

    count = 4000
    params = sampling(max_tokens=1, temperature=temperature, top_p=top_p, top_k=top_k)
    drawn = torch.zeros_like(law)
    for output in decoder.run([(prompt, params)] * count):
        drawn[output.token_ids[0]] += 1
    assert not drawn[law == 0].any()
    spread = (count * law * (1 - law)).sqrt()
    assert ((drawn - count * law).abs() <= 5 * spread + 1).all()


def test_end_of_text_ends_a_response_but_not_before_its_least_length(decoder: Any) -> None:
    ids = tokens(decoder, "hi")
    end = decoder.tokenizer.eos_token_id
    lengths = []
    for output in decoder.run([(ids, sampling(max_tokens=30, min_tokens=3))] * 64):
        assert end not in output.token_ids[:-1]
        ended = output.token_ids[-1] == end
        assert output.finish_reason == ("stop" if ended else "length")
        assert "<eos>" not in output.text
        lengths.append(len(output.token_ids))
        assert ended or lengths[-1] == 30
    assert min(lengths) > 3


def test_a_stop_word_is_cut_off_with_what_follows(decoder: Any) -> None:
    params = {"max_tokens": 12, "temperature": 0.0}
    (free,) = decoder.run([(tokens(decoder, PROMPTS[0]), sampling(**params))])
    word = free.text.split()[2]
    (cut,) = decoder.run([(tokens(decoder, PROMPTS[0]), sampling(**params, stop=[word]))])
    assert cut.text == free.text[: free.text.index(word)]
    assert cut.finish_reason == "stop"


def test_the_engine_answers_as_the_decoder_and_takes_new_weights(decoder: Any, tmp_path: Path) -> None:
    save_file = import_module("safetensors.torch").save_file
    vllm = import_module("vllm")
    prompt, params = tokens(decoder, PROMPTS[0]), sampling(max_tokens=6, temperature=0.0)
    changed = {name: weight.detach().clone() for name, weight in decoder.model.named_parameters()}
    changed["model.norm.weight"] *= -1
    save_file(changed, tmp_path / "new.safetensors")

    async def ask() -> tuple[list[list[int]], list[int]]:
        engine = vllm.AsyncLLMEngine.from_engine_args(vllm.AsyncEngineArgs(model=TOY, dtype="float32"))

        async def one() -> list[int]:
            outputs = [found async for found in engine.generate({"prompt_token_ids": prompt}, params, "name")]
            ids: list[int] = outputs[-1].outputs[0].token_ids
            return ids

        before = list(await asyncio.gather(one(), one()))
        await engine.collective_rpc("update_weight", (str(tmp_path / "new.safetensors"), None, None, False))
        return before, await one()

    before, after = asyncio.run(ask())
    (expected,) = decoder.run([(prompt, params)])
    assert before == [expected.token_ids] * 2
    assert after != expected.token_ids


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    fresh = import_module("vllm.decoding").Decoder(TOY, "float32")
    import_module("safetensors.torch").save_file({"model.norm.weight": torch.ones(72)}, tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match="do not fit"):
        fresh.load(str(tmp_path / "part.safetensors"))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_nvidia_smi_lists_the_gpus_it_is_told(count: int, shimmed: dict[str, str]) -> None:
    environment = shimmed | {"RLAIF_SPEC_FAKE_GPUS": str(count)}
    listed = subprocess.run(["nvidia-smi", "-L"], env=environment, capture_output=True, text=True, check=True).stdout
    assert [line.split(":")[0] for line in listed.splitlines() if line.startswith("GPU")] == [
        f"GPU {at}" for at in range(count)
    ]


def test_a_process_without_these_modules_is_left_as_it_is(shimmed: dict[str, str], tmp_path: Path) -> None:
    """And another sitecustomize further on the path still runs."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['OTHER_RAN'] = 'yes'\n", encoding="utf-8")
    path = os.pathsep.join([shimmed["PYTHONPATH"], str(tmp_path)])
    program = "import os, sys; print(os.environ['OTHER_RAN'], 'torch' in sys.modules, 'deepspeed' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=shimmed | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("yes False False\n", "")


@pytest.fixture(scope="module")
def server() -> Any:
    """The labeler's server without its socket."""
    program = import_module("vllm.entrypoints.openai.api_server")
    flags = ["--model", TOY, "--served-model-name", "labeler", "--gpu-memory-utilization", "0.5", "--enforce-eager"]
    return program.Server(program.options_of(flags))


def test_a_labelers_server_reports_what_the_model_says(server: Any, decoder: Any) -> None:
    body = {"model": "labeler", "prompt": PROMPTS, "max_tokens": 1, "temperature": 0, "logprobs": 20}
    answer = asyncio.run(server.complete(body))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    for prompt, choice in zip(PROMPTS, answer["choices"], strict=True):
        law = exact(decoder, tokens(decoder, prompt))
        best = law.topk(20)
        expected = {
            decoder.tokenizer.decode([at]): float(log) for at, log in zip(best.indices, best.values, strict=True)
        }
        assert choice["logprobs"]["top_logprobs"][0] == pytest.approx(expected, abs=1e-4)
        assert choice["logprobs"]["tokens"] == [choice["text"]]
        assert choice["finish_reason"] == "length"


def test_digits_are_reported_as_bare_words(server: Any) -> None:
    body = {"model": "labeler", "prompt": "SCORE :", "max_tokens": 1, "logprobs": 20}
    (choice,) = asyncio.run(server.complete(body))["choices"]
    vocabulary = server.batcher.decoder.tokenizer.get_vocab()
    assert set(choice["logprobs"]["top_logprobs"][0]) <= set(vocabulary)
    assert {"7", "10"} <= set(vocabulary)


@pytest.mark.parametrize(
    ("change", "status"),
    [({"model": "other"}, 404), ({"logprobs": 21}, 400), ({"max_tokens": 256}, 400), ({"prompt": []}, 400)],
)
def test_the_server_refuses_what_vllm_refuses(server: Any, change: dict[str, Any], status: int) -> None:
    body = {"model": "labeler", "prompt": "hi", "max_tokens": 1} | change
    refused = import_module("vllm.entrypoints.openai.api_server").Refused
    with pytest.raises(refused) as caught:
        asyncio.run(server.complete(body))
    assert caught.value.status == status
