"""What is asked: the science of an experiment, without a word on the machine that answers it.

Two kinds of spec. A `policy` spec trains one policy in one reward mode and measures it. An `alignment` spec
trains nothing: it crosses labeler sizes with prompt variants and measures each labeler against people.
Validators judge; they never fill in.
"""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from rlaif_spec.frozen import Frozen
from rlaif_spec.prompts import SCORE, advice, parse_pair_variant
from rlaif_spec.tasks import TaskName

Size = Literal["XS", "S", "L"]
RewardMode = Literal["sft", "rlhf", "rlaif", "d-rlaif"]
Opponent = Literal["sft", "rlhf"]


class LabelerSpec(Frozen):
    """Who gives the feedback: an off-the-shelf model of a size, and how it is asked."""

    size: Size
    """Size of the labeler; the paper's default labeler is L, and XS for d-RLAIF."""
    prompt: str
    """A pair variant such as `detailed-cot-0-shot` for `rlaif`, `score-1-to-10` for `d-rlaif`."""

    @field_validator("prompt")
    @classmethod
    def _known_prompt(cls, value: str) -> str:
        if value != SCORE and parse_pair_variant(value) is None:
            raise ValueError(f"unknown prompt variant {value!r}; {advice(value)}, or {SCORE}")
        return value


class PolicySpec(Frozen):
    """What is trained."""

    size: Size
    """Size of the policy, the reward model and the value model; XS in the paper."""


class PolicyExperiment(Frozen):
    """One condition of the paper's Table 1: a policy trained in one reward mode."""

    kind: Literal["policy"] = "policy"
    task: TaskName
    """summarize, helpful or harmless."""
    reward_mode: RewardMode
    """sft (no RL), rlhf (people's labels), rlaif (a labeler's labels), d-rlaif (a labeler's score is the reward)."""
    labeler: LabelerSpec | None = None
    """Needed by rlaif and d-rlaif; refused by sft and rlhf, which have none."""
    policy: PolicySpec
    compare_to: tuple[Opponent, ...] = ()
    """Opponents of the win rates in the report; `compare` puts any policies of a task side by side."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    """The whole experiment is run once for each seed."""

    @model_validator(mode="after")
    def _labeler_fits(self) -> Self:
        mode, labeler = self.reward_mode, self.labeler
        if mode in ("sft", "rlhf"):
            if labeler is not None:
                raise ValueError(f"labeler: {mode} asks no labeler; remove it, or set reward_mode to rlaif or d-rlaif")
            return self
        if labeler is None:
            example = SCORE if mode == "d-rlaif" else "detailed-cot-0-shot"
            raise ValueError(f"labeler: {mode} needs one; add labeler: {{size: XS, prompt: {example}}}")
        if mode == "d-rlaif" and labeler.prompt != SCORE:
            raise ValueError(f"labeler.prompt: d-rlaif scores single responses; use {SCORE}, not {labeler.prompt}")
        if mode == "rlaif" and labeler.prompt == SCORE:
            raise ValueError(f"labeler.prompt: rlaif labels pairs; use e.g. detailed-cot-0-shot, not {SCORE}")
        return self

    @model_validator(mode="after")
    def _not_against_itself(self) -> Self:
        if self.reward_mode in self.compare_to:
            raise ValueError(f"compare_to: a policy is not compared to itself; remove {self.reward_mode}")
        for name in ("compare_to", "seeds"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: has a value twice; name each once")
        return self


class AlignmentExperiment(Frozen):
    """Tables 2, 3 and 4 of the paper: how well labelers agree with people."""

    kind: Literal["alignment"]
    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)]
    sizes: Annotated[tuple[Size, ...], Field(min_length=1)]
    """Labeler sizes, crossed with the prompts."""
    prompts: Annotated[tuple[str, ...], Field(min_length=1)]
    """Pair variants such as `base-0-shot`, crossed with the sizes."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    """Which draw of comparisons is labelled."""

    @field_validator("prompts")
    @classmethod
    def _pair_prompts(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if parse_pair_variant(value) is None:
                raise ValueError(f"{value!r} is no pair variant; {advice(value)}")
        return values


def _kind(value: object) -> str:
    kind = value.get("kind", "policy") if isinstance(value, dict) else getattr(value, "kind", "policy")
    return str(kind)


Experiment = Annotated[
    Annotated[PolicyExperiment, Tag("policy")] | Annotated[AlignmentExperiment, Tag("alignment")],
    Discriminator(_kind),
]
