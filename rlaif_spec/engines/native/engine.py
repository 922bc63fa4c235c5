"""`rlaif_spec.engines.Engine` on this machine's CPU or GPU."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from rlaif_spec.engines.native.language_model import LocalLanguageModel
from rlaif_spec.engines.native.models import Tokens, load_language_model, load_scalar_model, load_tokens
from rlaif_spec.engines.native.reward_model import score_in_batches, train_reward_model
from rlaif_spec.engines.native.rl import PolicyTraining
from rlaif_spec.engines.native.sampling import sample_all
from rlaif_spec.engines.native.sft import train_sft
from rlaif_spec.engines.protocol import Job, PreferencePair, RlTask, Turn
from rlaif_spec.engines.sources import local_folder
from rlaif_spec.lm import LanguageModel
from rlaif_spec.spec.scale import Compute, ModelSource
from rlaif_spec.spec.settings import ResponseSettings, RewardModelSettings, RlSettings, SftSettings

KEPT = 3
"""Models in memory that are asked again and again: a labeler, a selector, a reward model."""


class NativeEngine:
    """Trains models and asks them, in this process; sets torch's number of threads."""

    def __init__(self, compute: Compute) -> None:
        torch.set_num_threads(compute.threads)
        self._batch_size = compute.inference_batch_size
        self._device = _device(compute.device)
        self._loaded: dict[tuple[str, Path], tuple[PreTrainedModel, Tokens]] = {}

    def open_model(self, source: ModelSource) -> Path:
        """The local folder of a model."""
        return local_folder(source)

    def language_model(self, folder: Path, *, chat: bool) -> LanguageModel:
        """The model as a labeler or judge."""
        model, tokens = self._load("language model", folder, load_language_model)
        return LocalLanguageModel(model, tokens, chat=chat, batch_size=self._batch_size)

    def respond(self, folder: Path, prompts: Sequence[str], settings: ResponseSettings, *, seed: int) -> list[str]:
        """The policy's response to each prompt; the same for the same seed."""
        tokens = load_tokens(folder)
        model = load_language_model(folder, self._device)
        generator = torch.Generator(self._device).manual_seed(seed)
        answers = sample_all(
            model,
            tokens,
            [tokens.prompt(text) for text in prompts],
            batch_size=self._batch_size,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            generator=generator,
        )
        return [tokens.text(answer) for answer in answers]

    def reward_scores(self, folder: Path, turns: Sequence[Turn]) -> list[float]:
        """The reward model's score of each turn, in nats."""
        model, tokens = self._load("reward model", folder, load_scalar_model)
        return score_in_batches(model, tokens, turns, self._batch_size)

    def train_sft(self, model: Path, turns: Sequence[Turn], settings: SftSettings, job: Job) -> None:
        """See `sft`."""
        train_sft(model, turns, settings, job, self._device)

    def train_reward_model(
        self, model: Path, pairs: Sequence[PreferencePair], settings: RewardModelSettings, job: Job
    ) -> None:
        """See `reward_model`."""
        train_reward_model(model, pairs, settings, job, self._device)

    def train_policy(self, model: Path, task: RlTask, settings: RlSettings, job: Job) -> None:
        """See `rl`."""
        PolicyTraining(model, task, settings, job, self._device).run()

    def _load(
        self, kind: str, folder: Path, load: Callable[[Path, torch.device], PreTrainedModel]
    ) -> tuple[PreTrainedModel, Tokens]:
        """A model that is kept in memory, the least recently asked dropped."""
        key = (kind, folder)
        found = self._loaded.pop(key, None) or (load(folder, self._device), load_tokens(folder))
        self._loaded[key] = found
        while len(self._loaded) > KEPT:
            del self._loaded[next(iter(self._loaded))]
        return found


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
