"""Direct RLAIF inside OpenRLHF: the agent that lets the policy answer and asks the labeler for the reward.

OpenRLHF loads an agent file in every process of a vLLM engine and calls its `AgentExecutor` for each response
(`--train.agent_func_path`). The file is written by `agent_source` and holds nothing but settings; this module does
the work, with nothing loaded but what the settings need. Context of a prompt: the `label` column of its row.

A response without a reward, because the labeler's reply could not be read or did not come, is masked: no token of it
is an action, so it takes no part in the update. Its reward of 0 is a filler. OpenRLHF swallows what a reward function
raises; what an agent raises ends the job, so this one raises only when the labeler is of no use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

from rlaif_spec.engines.endpoint import AnswerCache, AsyncEndpoint, EndpointSettings, Refused, Unanswered
from rlaif_spec.errors import JudgementError
from rlaif_spec.labelers.scores import SCORES, expected_score
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.prompts.library import Register

ENOUGH: Final = 100
"""Responses after which the share without a reward means something."""
IN_A_ROW: Final = 8
"""So many prompts without an answer, one after the other and each with all its retries, and the server is gone. An
update in which every response is masked divides by zero and makes NaN of all weights, so this must not go on."""

Missing = Literal["unread", "unanswered"]
"""Why a response has no score."""


@dataclass(frozen=True, kw_only=True)
class ScoringSettings(EndpointSettings):
    """Everything that the agent needs to know; the key is not among it."""

    register: Register
    task: str
    min_mass: float
    max_unparsed: float
    """Share of responses that may stay without a reward."""
    cache: str | None = None
    """Folder of answers that earlier processes got."""


@dataclass
class Tally:
    """What became of the labeler's replies in this process."""

    settings: ScoringSettings
    asked: int = 0
    unread: int = 0
    unanswered: int = 0
    in_a_row: int = 0
    last: str = ""
    """Why the last one did not come."""

    def read(self) -> None:
        """A reply came and could be read."""
        self.asked += 1
        self.in_a_row = 0

    def could_not_read(self) -> None:
        """A reply came and could not be read. JudgementError where there are too many."""
        self.read()
        self.unread += 1
        self._check()

    def did_not_come(self, why: Unanswered) -> None:
        """No reply came. JudgementError where there are too many."""
        self.asked += 1
        self.unanswered += 1
        self.in_a_row += 1
        self.last = str(why)
        if self.in_a_row >= IN_A_ROW:
            raise JudgementError(f"the labeler did not answer {self.in_a_row} times in a row; last: {self.last}")
        self._check()

    def _check(self) -> None:
        bad = self.unread + self.unanswered
        if self.asked < ENOUGH or bad <= self.settings.max_unparsed * self.asked:
            return
        raise JudgementError(
            f"{self.settings.model}: {self.unread} of {self.asked} replies could not be read and {self.unanswered} did"
            f" not come, more than label.max_unparsed ({self.settings.max_unparsed:g}) allows; choose another labeler,"
            f" or raise the limit{f'; last: {self.last}' if self.last else ''}"
        )


class ScoringAgent:
    """Rewards of responses, for one process."""

    def __init__(self, settings: ScoringSettings, transport: Any = None) -> None:
        cache = AnswerCache(Path(settings.cache)) if settings.cache else None
        self._endpoint = AsyncEndpoint(settings, cache, transport)
        self._library = PromptLibrary(settings.register, settings.task)
        self._settings = settings
        self.tally = Tally(settings)

    async def rewarded(self, output: Mapping[str, Any], tokenizer: Any) -> dict[str, Any]:
        """What OpenRLHF's single-turn executor returned, with reward and figures put in, or masked.

        JudgementError where too many responses stay without a reward; EngineError where the server cannot be asked.
        """
        score = await self._score(str(output["label"]), response_text(output, tokenizer))
        if isinstance(score, str):
            return {**output, "action_ranges": [], "reward": 0.0, "scores": 0.0, "extra_logs": figures(missing=score)}
        return {**output, "reward": score, "scores": score, "extra_logs": figures(labeler_score=5.5 + 4.5 * score)}

    async def _score(self, context: str, response: str) -> float | Missing:
        """In [-1, 1], or why there is none."""
        try:
            reply = await self._endpoint.choice_probabilities(self._library.score(context, response), SCORES)
        except Refused:
            self.tally.could_not_read()
            return "unread"
        except Unanswered as error:
            self.tally.did_not_come(error)
            return "unanswered"
        score = expected_score(reply, self._settings.min_mass)
        if score is None:
            self.tally.could_not_read()
            return "unread"
        self.tally.read()
        return score

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()


def figures(*, labeler_score: float = 0.0, missing: Missing | None = None) -> dict[str, float]:
    """What OpenRLHF logs the mean of; it wants the same names for every response.

    `labeler_score` is in 1 to 10, and 0 where there is none.
    """
    return {
        "unread": float(missing == "unread"),
        "unanswered": float(missing == "unanswered"),
        "labeler_score": labeler_score,
    }


def response_text(output: Mapping[str, Any], tokenizer: Any) -> str:
    """The words of the tokens that the policy wrote, as the native engine reads them."""
    tokens: Sequence[int] = output["observation_tokens"]
    written = [token for start, end in output["action_ranges"] for token in tokens[start:end]]
    return str(tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()


def agent_executor(settings: ScoringSettings) -> type[Any]:
    """The class that an agent file must hold, over OpenRLHF's own executor for single turns."""
    single_turn: Any = import_module("openrlhf.utils.agent").SingleTurnAgentExecutor

    class AgentExecutor(single_turn):  # type: ignore[misc]
        """Generates as OpenRLHF does, then asks the labeler."""

        def __init__(self) -> None:
            super().__init__(None)
            self._agent = ScoringAgent(settings)

        async def execute(self, *args: Any, **given: Any) -> dict[str, Any]:
            output = await super().execute(*args, **given)
            return await self._agent.rewarded(output, given["hf_tokenizer"])

    return AgentExecutor


def agent_source(settings: ScoringSettings) -> str:
    """The text of an agent file: settings as plain literals, and no key."""
    values = "".join(f"    {field.name}={getattr(settings, field.name)!r},\n" for field in fields(settings))
    return (
        '"""Direct RLAIF: the labeler\'s reward for OpenRLHF. Written by rlaif-spec for one run."""\n\n'
        "from rlaif_spec.engines.openrlhf.agent import ScoringSettings, agent_executor\n\n"
        f"SETTINGS = ScoringSettings(\n{values})\n\nAgentExecutor = agent_executor(SETTINGS)\n"
    )
