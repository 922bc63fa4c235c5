"""The d-RLAIF agent: rewards are the labeler's expected scores, what has none is masked and counted, and a labeler of
no use ends the job.
"""

import ast
import asyncio
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from rlaif_spec.engines.endpoint import client
from rlaif_spec.engines.openrlhf import agent
from rlaif_spec.engines.openrlhf.agent import ScoringAgent, ScoringSettings, agent_source, response_text
from rlaif_spec.errors import EngineError, JudgementError
from rlaif_spec.labelers.scores import SCORES
from rlaif_spec.prompts import PromptLibrary

HTTP = client._library()
KEY = "sk-not-for-anyone-0123456789"
SETTINGS = ScoringSettings(
    url="http://127.0.0.1:9/v1",
    model="labeler",
    chat=False,
    key_variable="TEST_LABELER_KEY",
    in_flight=4,
    retries=1,
    timeout_seconds=5.0,
    top_logprobs=20,
    register="natural",
    task="summarize",
    min_mass=0.1,
    max_unparsed=0.05,
)
LIBRARY = PromptLibrary("natural", "summarize")
WORDS = {5: "<s>", 6: " A", 7: " good", 8: " summary", 9: "</s>", 10: "post"}
TOKENIZER = SimpleNamespace(
    decode=lambda ids, skip_special_tokens, clean_up_tokenization_spaces: "".join(
        WORDS[at] for at in ids if not (skip_special_tokens and WORDS[at].startswith("<"))
    )
)
NAMES = {"unread", "unanswered", "labeler_score"}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.0)


def written(context: str = "A post.") -> dict[str, Any]:
    """What OpenRLHF's executor returns for one response, as far as it matters here."""
    return {
        "prompt": "p",
        "label": context,
        "observation_tokens": [5, 10, 6, 7, 8, 9],
        "action_ranges": [(2, 6)],
        "rollout_log_probs": None,
        "truncated": False,
        "reward": None,
        "scores": None,
        "extra_logs": {},
    }


def server(reply: Callable[[str], dict[str, float] | int]) -> Any:
    """A server over a function from the prompt to the logarithms of the next tokens, or to a status."""

    def answer(request: Any) -> Any:
        found = reply(json.loads(request.content)["prompt"])
        if isinstance(found, int):
            return HTTP.Response(found, json={"message": f"said {found}"})
        return HTTP.Response(200, json={"choices": [{"logprobs": {"top_logprobs": [found]}}]})

    return HTTP.MockTransport(answer)


def rewarded(
    reply: Callable[[str], dict[str, float] | int], outputs: Sequence[dict[str, Any]], **changes: Any
) -> list[Any]:
    """What becomes of the outputs, one after the other; an exception stands in the place of what it ended."""

    async def each() -> list[Any]:
        scoring = ScoringAgent(replace(SETTINGS, **changes), server(reply))
        found: list[Any] = []
        for output in outputs:
            try:
                found.append(await scoring.rewarded(output, TOKENIZER))
            except (JudgementError, EngineError) as error:
                found.append(error)
        await scoring.close()
        return found

    return asyncio.run(each())


SURE_OF_7 = {"7": 0.0}
NOTHING = {"x": 0.0}


def test_the_reward_is_the_expected_score_of_the_words_that_were_written() -> None:
    asked: list[str] = []

    def reply(prompt: str) -> dict[str, float]:
        asked.append(prompt)
        return {"2": -1.0, "9": -2.0, "x": -3.0}

    output = written("A post about soup {now}.")
    (found,) = rewarded(reply, [output])
    assert asked == [LIBRARY.score("A post about soup {now}.", "A good summary")]
    two, nine = 2.718281828**-1, 2.718281828**-2
    score = (2 * two + 9 * nine) / (two + nine)
    assert found["reward"] == pytest.approx((score - 5.5) / 4.5)
    assert found["scores"] == found["reward"]
    assert found["extra_logs"] == {"unread": 0.0, "unanswered": 0.0, "labeler_score": pytest.approx(score)}
    untouched = {"reward", "scores", "extra_logs"}
    assert {name: found[name] for name in output if name not in untouched} == {
        name: output[name] for name in output if name not in untouched
    }


@pytest.mark.parametrize("sure", range(10))
def test_scores_end_at_plus_and_minus_one(sure: int) -> None:
    def reply(prompt: str) -> dict[str, float]:
        said = prompt.removeprefix(LIBRARY.score("A post.", "A good summary"))
        return {SCORES[sure][len(said) :][0]: 0.0} if SCORES[sure] != said else NOTHING

    (found,) = rewarded(reply, [written()])
    assert found["reward"] == pytest.approx(-1.0 + sure * 2 / 9)
    assert found["extra_logs"]["labeler_score"] == pytest.approx(sure + 1)


@pytest.mark.parametrize(
    ("reply", "missing"),
    [(NOTHING, "unread"), ({"3": -3.0}, "unread"), (503, "unanswered"), (429, "unanswered"), (400, "unread")],
)
def test_what_has_no_score_is_masked_and_counted(reply: Any, missing: str) -> None:
    output = written()
    (found,) = rewarded(lambda prompt: reply, [output])
    assert found["action_ranges"] == []
    assert found["reward"] == found["scores"] == 0.0
    assert found["extra_logs"] == {**dict.fromkeys(NAMES, 0.0), missing: 1.0}
    assert output["action_ranges"] == [(2, 6)], "what was given is not changed"


def test_a_labeler_that_cannot_be_read_ends_the_job() -> None:
    def reply(prompt: str) -> dict[str, float]:
        return NOTHING if "bad" in prompt else SURE_OF_7

    contexts = ["bad" if at % 10 == 0 else "good" for at in range(120)]
    found = rewarded(reply, [written(f"{context} {at}") for at, context in enumerate(contexts)])
    first = next(at for at, one in enumerate(found) if isinstance(one, Exception))
    assert first == 100, "the first that has no score once enough were asked"
    assert isinstance(found[first], JudgementError)
    assert "11 of 101 replies could not be read" in str(found[first])
    assert "\n" not in str(found[first])
    lenient = rewarded(reply, [written(f"{context} {at}") for at, context in enumerate(contexts)], max_unparsed=0.2)
    assert not [one for one in lenient if isinstance(one, Exception)]


def test_a_labeler_that_is_gone_ends_the_job_before_an_update_is_empty() -> None:
    found = rewarded(lambda prompt: 503, [written(str(at)) for at in range(agent.IN_A_ROW)], max_unparsed=1.0)
    assert [isinstance(one, JudgementError) for one in found] == [False] * (agent.IN_A_ROW - 1) + [True]
    assert "said 503" in str(found[-1])
    assert "\n" not in str(found[-1])

    def now_and_then(prompt: str) -> dict[str, float] | int:
        return SURE_OF_7 if "yes" in prompt else 503

    contexts = ["yes" if at % agent.IN_A_ROW == 0 else "no" for at in range(5 * agent.IN_A_ROW)]
    assert not [one for one in rewarded(now_and_then, list(map(written, contexts))) if isinstance(one, Exception)]


def test_a_server_that_wants_another_key_ends_the_job_at_once() -> None:
    (found,) = rewarded(lambda prompt: 401, [written()])
    assert isinstance(found, EngineError)


def test_answers_are_kept_between_jobs(tmp_path: Path) -> None:
    asked: list[str] = []

    def reply(prompt: str) -> dict[str, float]:
        asked.append(prompt)
        return SURE_OF_7

    first = rewarded(reply, [written()], cache=str(tmp_path))
    assert rewarded(reply, [written()], cache=str(tmp_path)) == first
    assert len(asked) == 1


def test_only_what_the_policy_wrote_is_scored() -> None:
    assert response_text(written(), TOKENIZER) == "A good summary"
    assert response_text({**written(), "action_ranges": []}, TOKENIZER) == ""


class SingleTurn:
    """OpenRLHF's `SingleTurnAgentExecutor`, as far as its subclass needs it."""

    def __init__(self, remote_rm_url: str | None = None) -> None:
        self.reward_endpoints = [remote_rm_url] if remote_rm_url else []

    async def execute(self, prompt: str, label: str, hf_tokenizer: Any, llm_engine: Any) -> dict[str, Any]:
        return {**written(label), "prompt": prompt}


def load(source: str, folder: Path) -> Any:
    """As OpenRLHF loads an agent file."""
    path = folder / "agent.py"
    path.write_text(source, encoding="utf-8")
    spec = spec_from_file_location("agent_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.AgentExecutor


def test_the_file_is_settings_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTINGS.key_variable, KEY)
    source = agent_source(replace(SETTINGS, cache="a 'quoted' \\ folder", chat=True))
    assert KEY not in source
    (call,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.keywords]
    values = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert values == {field.name: getattr(replace(SETTINGS, chat=True), field.name) for field in fields(SETTINGS)} | {
        "cache": "a 'quoted' \\ folder"
    }
    parent = ModuleType("openrlhf.utils.agent")
    parent.SingleTurnAgentExecutor = SingleTurn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "openrlhf.utils.agent", parent)
    made = load(agent_source(SETTINGS), tmp_path)
    assert issubclass(made, SingleTurn)
    executor = made()
    assert executor.reward_endpoints == []
    executor._agent = ScoringAgent(SETTINGS, server(lambda prompt: SURE_OF_7))
    given = {"prompt": "p", "label": "A post.", "hf_tokenizer": TOKENIZER, "llm_engine": None}
    found = asyncio.run(executor.execute(**given))
    assert found["extra_logs"]["labeler_score"] == pytest.approx(7.0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_openrlhf_takes_the_file_for_an_agent(tmp_path: Path) -> None:
    upstream = pytest.importorskip("openrlhf.utils.agent")
    made = load(agent_source(SETTINGS), tmp_path)
    assert issubclass(made, upstream.AgentExecutorBase)
    executor = made()
    executor._agent = ScoringAgent(SETTINGS, server(lambda prompt: SURE_OF_7))

    class Tokenizer:
        decode = staticmethod(TOKENIZER.decode)

        def __call__(self, text: str, add_special_tokens: bool, return_tensors: str) -> Any:
            import torch

            return {"input_ids": torch.tensor([[5, 10]])}

    class Engine:
        async def generate(self, ids: list[int], sampling: Any, multi_modal_data: Any) -> Any:
            return SimpleNamespace(
                outputs=[SimpleNamespace(token_ids=[6, 7, 8, 9], finish_reason="stop", logprobs=None)]
            )

    found = asyncio.run(
        executor.execute(
            prompt="p",
            label="A post.",
            sampling_params=SimpleNamespace(max_tokens=4, logprobs=None),
            max_length=16,
            hf_tokenizer=Tokenizer(),
            llm_engine=Engine(),
            images=None,
        )
    )
    assert found["observation_tokens"] == [5, 10, 6, 7, 8, 9]
    assert found["action_ranges"] == [(2, 6)]
    assert found["reward"] == pytest.approx(1.5 / 4.5)
    assert set(found["extra_logs"]) == NAMES


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_masked_response_moves_nothing_in_openrlhf() -> None:
    """Advantages, losses and their gradients, by OpenRLHF's own functions: with the masked row or without it."""
    generator = pytest.importorskip("openrlhf.trainer.ppo_utils.samples_generator")
    import torch
    from openrlhf.models.loss import PolicyLoss, ValueLoss
    from openrlhf.trainer.ppo_utils.experience import Experience
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker

    replies = {"post one": {"3": 0.0}, "post two": {"9": 0.0}, "post three": NOTHING}
    outputs = [written(name) for name in replies]
    good, better, masked = rewarded(lambda prompt: next(replies[name] for name in replies if name in prompt), outputs)
    arguments = {"estimator": "gae", "gamma": 1.0, "lambd": 1.0, "no_std_norm": True}
    args = SimpleNamespace(
        algo=SimpleNamespace(advantage=SimpleNamespace(**arguments)),
        rollout=SimpleNamespace(n_samples_per_prompt=1, max_new_tokens=4),
        reward=SimpleNamespace(
            clip_range=(-1e9, 1e9),
            overlong_buffer_len=None,
            overlong_penalty_factor=1.0,
            stop_properly_penalty_coef=None,
        ),
    )
    maker = RemoteExperienceMaker.__new__(RemoteExperienceMaker)
    maker.args, maker.advantage_estimator, maker.kl_ctl = args, "gae", SimpleNamespace(value=0.05)
    maker.strategy = SimpleNamespace(args=args)

    def gradient(outputs: list[dict[str, Any]]) -> tuple[float, float, float]:
        process = generator.SamplesGenerator._process_response_into_experience
        rows = [process(None, output, max_len=64) for output in outputs]
        for at, row in enumerate(rows):
            row.index = [at]
        batch = Experience.concat_experiences(rows, 0)
        mask = batch.action_mask
        batch.action_log_probs = -0.3 * mask
        batch.values = 0.1 * mask
        batch.kl = 0.2 * mask
        (batch,) = maker.compute_advantages_and_returns([batch])
        weight = torch.zeros(2, requires_grad=True)
        tokens = {"action_mask": mask, "batch_num_tokens": mask.sum()}
        old = batch.action_log_probs
        moved = old + weight[0] * torch.arange(mask.shape[1])
        policy, *_ = PolicyLoss()(moved, old, batch.advantages, **tokens)
        value = ValueLoss()(batch.values + weight[1], batch.values, batch.returns, **tokens)
        (policy + value).backward()
        assert weight.grad is not None
        return float((policy + value).detach()), float(weight.grad[0]), float(weight.grad[1])

    without, beside = gradient([good, better]), gradient([good, masked, better])
    assert min(map(abs, without[1:])) > 1e-3
    assert beside == pytest.approx(without)
    assert all(map(math.isnan, gradient([masked, masked]))), "why a labeler that is gone ends the job: agent.IN_A_ROW"
