"""Models that are asked, not trained: labelers, judges, policies at evaluation, reward models.

Through vLLM, or through the native engine where the scale says `inference: native`; reward models always natively, in
fp32: vLLM has no such head. Only one model is held at a time, and none while a job trains on the same GPUs.
"""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlaif_spec.engines.openrlhf.facts import tensor_parallel
from rlaif_spec.engines.protocol import Turn
from rlaif_spec.lm import LanguageModel
from rlaif_spec.spec.openrlhf import OpenRlhfSettings
from rlaif_spec.spec.scale import Compute
from rlaif_spec.spec.settings import ResponseSettings

if TYPE_CHECKING:
    from rlaif_spec.engines.native import NativeEngine
    from rlaif_spec.engines.openrlhf.vllm_model import VllmLanguageModel


class Asking:
    """The models that are held to be asked."""

    def __init__(self, own: OpenRlhfSettings, compute: Compute) -> None:
        self._own = own
        self._compute = compute
        self._native: NativeEngine | None = None
        self._vllm: VllmLanguageModel | None = None
        self._held: tuple[Path, bool] | None = None

    def language_model(self, folder: Path, *, chat: bool) -> LanguageModel:
        """The model as a labeler or judge."""
        if self._own.inference == "native":
            return self.native.language_model(folder, chat=chat)
        return self._through_vllm(folder, chat=chat)

    def respond(self, folder: Path, prompts: Sequence[str], settings: ResponseSettings, *, seed: int) -> list[str]:
        """The policy's response to each prompt."""
        if self._own.inference == "native":
            return self.native.respond(folder, prompts, settings, seed=seed)
        return self._through_vllm(folder, chat=False).respond(prompts, settings, seed)

    def reward_scores(self, folder: Path, turns: Sequence[Turn]) -> list[float]:
        """The reward model's score of each turn, in nats."""
        if self._vllm is not None:
            self.release()
        return self.native.reward_scores(folder, turns)

    @property
    def native(self) -> "NativeEngine":
        """The native engine, made when it is first needed."""
        if self._native is None:
            from rlaif_spec.engines.native import NativeEngine

            self._native = NativeEngine(self._compute)
        return self._native

    def release(self) -> None:
        """Hold nothing: a job needs the GPUs."""
        if self._vllm is not None:
            self._vllm.close()
        self._vllm = self._native = self._held = None
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _through_vllm(self, folder: Path, *, chat: bool) -> "VllmLanguageModel":
        if self._vllm is None or self._held != (folder, chat):
            self.release()
            from rlaif_spec.engines.openrlhf.vllm_model import VllmLanguageModel

            parallel = tensor_parallel(folder, self._own.inference_tensor_parallel)
            self._vllm = VllmLanguageModel(folder, chat=chat, tensor_parallel=parallel)
            self._held = (folder, chat)
        return self._vllm
