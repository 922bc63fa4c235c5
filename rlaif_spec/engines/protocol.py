"""What an engine can do, in terms of texts, folders and numbers; stages see nothing else of it.

A model is a folder in the format of transformers (config.json, tokenizer files, safetensors). A reward model
is such a folder with one output. Every training method writes its model to `job.folder / "model"` and one row
a step to `job.folder / "train.jsonl"`; called again on the folder of a killed run it continues from its last
checkpoint and ends in the same bits as if it had never been stopped.

Texts are joined as `prompt + " " + response + end-of-text`; the two parts are tokenised apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rlaif_spec.lm import LanguageModel
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.scale import ModelSource
from rlaif_spec.spec.settings import LabelSettings, ResponseSettings, RewardModelSettings, RlSettings, SftSettings


@dataclass(frozen=True)
class Turn:
    """A prompt and the response to it."""

    prompt: str
    response: str


@dataclass(frozen=True)
class PreferencePair:
    """Two responses to a prompt and the probability that the first is preferred; 0 or 1 where a person chose."""

    prompt: str
    first: str
    second: str
    prefers_first: float


@dataclass(frozen=True)
class Progress:
    """Where a training step is: for the screen."""

    step: int
    steps: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Job:
    """Where a training step writes, which random numbers it draws, and whom it tells about its progress."""

    folder: Path
    seed: int
    tell: Callable[[Progress], None]
    say: Callable[[str], None] = lambda line: None
    """A line for the screen: a job in another process died and is continued, or is silent."""


RewardFunction = Callable[[Sequence[Turn]], Sequence[float | None]]
"""One number for each turn, or None where a labeler's reply could not be read."""


@dataclass(frozen=True)
class RewardModelScore:
    """The score of a trained reward model: a reward that also says where it comes from.

    An engine that trains in other processes loads `folder` there; one that trains in this process calls it.
    """

    folder: Path
    score: RewardFunction

    def __call__(self, turns: Sequence[Turn]) -> Sequence[float | None]:
        """See `RewardFunction`."""
        return self.score(turns)


@dataclass(frozen=True)
class LabelerScores:
    """A labeler's expected score (direct RLAIF), in [-1, 1]: a reward that also says how the labeler is asked."""

    labeler: Path | Endpoint
    """Its folder, or the server that answers for it."""
    chat: bool
    texts: PromptLibrary
    contexts: Mapping[str, str]
    """The context behind each prompt that the policy is given."""
    settings: LabelSettings
    score: RewardFunction

    def __call__(self, turns: Sequence[Turn]) -> Sequence[float | None]:
        """See `RewardFunction`."""
        return self.score(turns)


@dataclass(frozen=True)
class RlTask:
    """What the policy is trained on.

    `reward` gives one number for each turn, or None where a labeler's reply could not be read: such a response
    takes no part in the update and is counted. `probe` is asked for figures of each candidate, given its responses
    to `validation` prompts; they go into train.jsonl beside the reward, and `choose` names the candidate (by its
    place in the list of figures) that becomes the policy. Figures of the last candidate come last.
    """

    prompts: Sequence[str]
    validation: Sequence[str]
    reward: RewardFunction
    probe: Callable[[Sequence[Turn]], dict[str, float]]
    choose: Callable[[Sequence[dict[str, float]]], int]
    respond: ResponseSettings


class Engine(Protocol):
    """Trains models and asks them."""

    def open_model(self, source: ModelSource) -> Path:
        """The local folder of a model; a built-in, downloaded or converted one is cached."""

    def language_model(self, folder: Path, *, chat: bool) -> LanguageModel:
        """The model as a labeler or judge."""

    def respond(self, folder: Path, prompts: Sequence[str], settings: ResponseSettings, *, seed: int) -> list[str]:
        """The policy's response to each prompt."""

    def reward_scores(self, folder: Path, turns: Sequence[Turn]) -> list[float]:
        """The reward model's score of each turn, in nats."""

    def train_sft(self, model: Path, turns: Sequence[Turn], settings: SftSettings, job: Job) -> None:
        """Supervised fine-tuning: negative log-likelihood of the responses' tokens."""

    def train_reward_model(
        self, model: Path, pairs: Sequence[PreferencePair], settings: RewardModelSettings, job: Job
    ) -> None:
        """Cross-entropy between the soft label and sigmoid(score(first) - score(second)) (paper section 2.2.1)."""

    def train_policy(self, model: Path, task: RlTask, settings: RlSettings, job: Job) -> None:
        """REINFORCE with a learned value baseline, policy and value started from `model`, KL to `model`."""
