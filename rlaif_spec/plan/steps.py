"""The steps of a plan: frozen values, each with everything that its result depends on.

A step holds the steps it needs as fields, so its key, a hash of all its fields, covers the whole chain behind
it: equal key, equal work. Nothing in a step is optional, and nothing that only changes speed is in it.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from rlaif_spec.frozen import Frozen
from rlaif_spec.prompts import Register
from rlaif_spec.spec.scale import Judge, LabelerJudge, ModelSource, TaskData
from rlaif_spec.spec.settings import LabelSettings, ResponseSettings, RewardModelSettings, RlSettings, SftSettings
from rlaif_spec.tasks import TaskName

METHOD_VERSION = 3
"""Raised when a step's meaning changes, so that older artifacts are not taken for new ones."""


DECIDES_NOTHING = ("max_unparsed", "parameters", "url", "key_variable", "in_flight", "retries", "timeout_seconds")
"""Fields that decide when a step fails, what it needs, and where and how a server is asked, but no result."""


class Native(Frozen):
    """Done by the native engine: fp32 on this machine."""

    kind: Literal["native"] = "native"


class OpenRlhf(Frozen):
    """Trained by OpenRLHF: what changes a result there, beside the settings that all engines share."""

    kind: Literal["openrlhf"] = "openrlhf"
    version: str
    param_dtype: str
    flags: tuple[str, ...] = ()
    """Set by hand, beside what the compiler writes."""
    read_logprobs: int = 0
    """How many of the likeliest tokens d-RLAIF's labeler is read through, where its server is started here."""


class Vllm(Frozen):
    """Asked through vLLM: bf16."""

    kind: Literal["vllm"] = "vllm"


NATIVE = Native()
Trainer = Annotated[Native | OpenRlhf, Field(discriminator="kind")]
Asker = Annotated[Native | Vllm, Field(discriminator="kind")]


class Step(Frozen):
    """A unit of work that is done once."""

    kind: str

    def needs(self) -> Iterator["Step"]:
        """The steps whose artifacts this one reads."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Step):
                yield value
            elif isinstance(value, Frozen):
                yield from (getattr(value, n) for n in type(value).model_fields if isinstance(getattr(value, n), Step))

    def summary(self) -> dict[str, Any]:
        """The step as plain data, with each needed step replaced by its id.

        The native engine, which was there before there was another, is not named; nor is an endpoint that is none.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: _shorten(value) for name, value in values.items() if value != NATIVE}

    def identity(self) -> dict[str, Any]:
        """What two equal steps have in common: the summary without what decides no result."""
        found: dict[str, Any] = _without(self.summary(), *DECIDES_NOTHING)
        return found

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits that stand for this step and all behind it."""
        text = json.dumps([METHOD_VERSION, self.identity()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def id(self) -> str:
        """Name of the step's folder in `runs/`."""
        return f"{self.kind}-{self.key}"

    @property
    def random_seed(self) -> int:
        """Seed of every random number that the step draws."""
        return int(self.key, 16) % 2**31


class Data(Step):
    """The texts of a task, split once for everybody."""

    kind: Literal["data"] = "data"
    task: TaskName
    source: TaskData
    contents: tuple[str, ...] = ()
    """Hashes of the data files: they, and not where the files lie, tell one data set from another."""
    seed: int

    def identity(self) -> dict[str, Any]:
        """Without paths, too."""
        found: dict[str, Any] = _without(super().identity(), "path")
        return found


class Model(Frozen):
    """An off-the-shelf model and the register of texts it is addressed in."""

    source: ModelSource
    prompts: Register


class Sft(Step):
    """The policy before RL."""

    kind: Literal["sft"] = "sft"
    data: Data
    model: Model
    settings: SftSettings
    trainer: Trainer = NATIVE


class Labels(Step):
    """A labeler's soft labels of comparisons."""

    kind: Literal["labels"] = "labels"
    data: Data
    part: Literal["comparisons", "alignment"]
    labeler: Model
    prompt: str
    settings: LabelSettings
    asked_by: Asker = NATIVE


class HumanLabels(Frozen):
    """People's own preferences, as they stand in the data."""

    kind: Literal["human"] = "human"


class RewardModel(Step):
    """Learns from labels which response is preferred."""

    kind: Literal["reward-model"] = "reward-model"
    start: Sft
    labels: Annotated[Labels | HumanLabels, Field(discriminator="kind")]
    settings: RewardModelSettings
    trainer: Trainer = NATIVE


class LabelerScore(Frozen):
    """Direct RLAIF: the labeler's expected score is the reward."""

    kind: Literal["labeler-score"] = "labeler-score"
    labeler: Model
    prompt: str
    settings: LabelSettings


class Rl(Step):
    """The policy after RL."""

    kind: Literal["rl"] = "rl"
    start: Sft
    reward: Annotated[RewardModel | LabelerScore, Field(discriminator="kind")]
    settings: RlSettings
    respond: ResponseSettings
    judge: Judge
    """Figures of the held-out judge stand beside the reward in the log; they choose nothing."""
    selector: "Selector"
    trainer: Trainer = NATIVE
    asked_by: Asker = NATIVE


class LastCandidate(Frozen):
    """The last candidate becomes the policy."""

    kind: Literal["last"] = "last"


class LabelerChoice(Frozen):
    """The candidate that a labeler prefers most often to SFT becomes the policy."""

    kind: Literal["labeler"] = "labeler"
    judge: LabelerJudge
    labeler: Model
    settings: LabelSettings


Selector = Annotated[LastCandidate | LabelerChoice, Field(discriminator="kind")]


class Responses(Step):
    """What a policy answers to the evaluation prompts."""

    kind: Literal["responses"] = "responses"
    policy: Annotated[Sft | Rl, Field(discriminator="kind")]
    settings: ResponseSettings
    asked_by: Asker = NATIVE


class Ratings(Step):
    """Each response by itself: length, and where the judge can tell quality and harm."""

    kind: Literal["ratings"] = "ratings"
    responses: Responses
    judge: Judge


class Verdicts(Step):
    """Two policies on the same prompts, by a labeler in the place of raters."""

    kind: Literal["verdicts"] = "verdicts"
    policy: Responses
    opponent: Responses
    judge: LabelerJudge
    labeler: Model
    settings: LabelSettings
    asked_by: Asker = NATIVE


AnyStep = Data | Sft | Labels | RewardModel | Rl | Responses | Ratings | Verdicts

Rl.model_rebuild()


def wants_server(reward: RewardModel | LabelerScore) -> bool:
    """Whether RL in other processes needs a server started for this reward: a labeler whose weights are at hand."""
    return isinstance(reward, LabelerScore) and reward.labeler.source.endpoint is None


def models_asked(step: AnyStep) -> list[Model]:
    """The off-the-shelf models that a step asks."""
    match step.kind:
        case "labels" | "verdicts":
            return [step.labeler]
        case "rl":
            scored = [step.reward.labeler] if isinstance(step.reward, LabelerScore) else []
            return scored + ([step.selector.labeler] if isinstance(step.selector, LabelerChoice) else [])
        case _:
            return []


def data_of(step: Sft | RewardModel | Rl) -> Data:
    """The data that a policy or reward model was trained on."""
    return step.data if isinstance(step, Sft) else step.start.data


def _without(value: Any, *names: str) -> Any:
    """Plain data without any key of these names."""
    if isinstance(value, dict):
        return {key: _without(inner, *names) for key, inner in value.items() if key not in names}
    return [_without(item, *names) for item in value] if isinstance(value, list) else value


def _shorten(value: Any) -> Any:
    if isinstance(value, Step):
        return value.id
    if isinstance(value, Frozen):
        values = {name: getattr(value, name) for name in type(value).model_fields}
        return {name: _shorten(inner) for name, inner in values.items() if (name, inner) != ("endpoint", None)}
    if isinstance(value, tuple | list):
        return [_shorten(item) for item in value]
    return value
