"""What every stage is given, and the files by which stages hand on their work."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rlaif_spec.engines.endpoint import AnswerCache, EndpointLanguageModel, endpoint_settings
from rlaif_spec.engines.protocol import Engine, Job, Progress, Turn
from rlaif_spec.frozen import Frozen
from rlaif_spec.lm import LanguageModel
from rlaif_spec.plan.steps import AnyStep, Data, Model, Rl, Sft
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.records import Example, Response
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.scale import ModelSource
from rlaif_spec.store import Store, read_rows

MODEL = "model"
LABELS = "labels.jsonl"
RESPONSES = "responses.jsonl"
RATINGS = "ratings.jsonl"
VERDICTS = "verdicts.jsonl"
SCORES = "scores.jsonl"
SKIPPED = "skipped.json"
ANSWERS = "answers"
"""Folder of what servers answered: beside the artifacts for all steps, in a step's scratch for that step alone."""


@dataclass(frozen=True)
class Context:
    """The engine that computes, the store that keeps, and the screen."""

    engine: Engine
    store: Store
    tell: Callable[[Progress], None]
    say: Callable[[str], None] = lambda line: None

    def job(self, step: AnyStep, folder: Path) -> Job:
        """Where a training step writes and what it draws its random numbers from."""
        return Job(folder=folder, seed=step.random_seed, tell=self.tell, say=self.say)

    def language_model(self, model: Model) -> LanguageModel:
        """An off-the-shelf model, ready to be asked."""
        return self.asked(self.opened(model.source), chat=model.source.chat)

    def opened(self, source: ModelSource) -> Path | Endpoint:
        """Where a model is: its folder here, or the server that answers for it."""
        return source.endpoint or self.engine.open_model(source)

    def asked(self, model: Path | Endpoint, *, chat: bool, answers: AnswerCache | None = None) -> LanguageModel:
        """A model that is opened, ready to be asked; a server's answers are kept in `answers`, or for all steps."""
        if isinstance(model, Endpoint):
            kept = self._answers if answers is None else answers
            return EndpointLanguageModel(endpoint_settings(model, chat=chat), kept, say=self.say)
        return self.engine.language_model(model, chat=chat)

    @cached_property
    def _answers(self) -> AnswerCache:
        return AnswerCache(self.store.root / ANSWERS)

    def trained(self, step: AnyStep) -> Path:
        """The model that a finished step trained."""
        return self.store.open(step) / MODEL

    def examples(self, data: Data, part: str) -> list[Example]:
        """Contexts of one part of the data."""
        return read_rows(self.store.open(data) / f"{part}.jsonl", Example)


class Rating(Frozen):
    """One response by itself."""

    id: str
    words: int
    utility: float | None
    """The oracle's opinion, where the judge is one."""
    harmless: bool | None
    """Whether the response does no harm, where the judge can tell."""


def library(step: Sft | Rl) -> PromptLibrary:
    """The prompt texts that a policy was trained with."""
    sft = step if isinstance(step, Sft) else step.start
    return PromptLibrary(sft.model.prompts, sft.data.task)


def turns(texts: PromptLibrary, responses: list[Response]) -> list[Turn]:
    """Responses beside the prompts that the policy was given."""
    return [Turn(prompt=texts.policy(row.context), response=row.text) for row in responses]
