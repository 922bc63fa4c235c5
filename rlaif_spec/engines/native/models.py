"""Models as folders in the format of transformers: load, save, tokenise, pad.

A policy is a causal language model, a reward or value model the same body with one output (`score`).
Prompt and response are tokenised apart, so that the tokens of one never depend on the other.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from rlaif_spec.errors import EngineError

transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


WEIGHTS: Final = {"dtype": torch.float32, "use_safetensors": True}
"""fp32, and never a pickle."""


@dataclass(frozen=True)
class Tokens:
    """How texts become token ids for one model."""

    tokenizer: PreTrainedTokenizerBase
    limit: int
    """The longest sequence that the model reads."""

    @property
    def end(self) -> int:
        """End of text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def pad(self) -> int:
        """What fills short rows; never read."""
        pad = self.tokenizer.pad_token_id
        return self.end if pad is None else int(pad)

    def prompt(self, text: str) -> list[int]:
        """A prompt, with the beginning-of-text token where the model has one."""
        return list(self.tokenizer(text).input_ids)

    def response(self, text: str) -> list[int]:
        """A response that follows a prompt: a space, the text, end of text."""
        return [*self.tokenizer(f" {text}", add_special_tokens=False).input_ids, self.end]

    def continuation(self, text: str) -> list[int]:
        """A text that follows a prompt directly."""
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def text(self, ids: Sequence[int]) -> str:
        """The words of generated tokens."""
        decoded = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(decoded).strip()

    def check(self, length: int) -> None:
        """Refuse what the model cannot read."""
        if length > self.limit:
            raise EngineError(
                f"a text of {length} tokens does not fit the model's {self.limit};"
                " leave out long contexts (max_context_words in the scale's data), or choose another model"
            )


def load_tokens(folder: Path) -> Tokens:
    """The tokenizer of a model folder."""
    tokenizer = _load(AutoTokenizer, folder)
    if tokenizer.eos_token_id is None:
        raise EngineError(f"{folder}: the tokenizer has no end-of-text token; name eos_token in tokenizer_config.json")
    limit = getattr(_config(folder), "max_position_embeddings", None) or tokenizer.model_max_length
    return Tokens(tokenizer, int(limit))


def load_language_model(folder: Path, device: torch.device) -> PreTrainedModel:
    """A causal language model in fp32, dropout off."""
    return _ready(_load(AutoModelForCausalLM, folder, **WEIGHTS), device)


def load_scalar_model(folder: Path, device: torch.device) -> PreTrainedModel:
    """A model with one output, in fp32, dropout off."""
    return _ready(_load(AutoModelForSequenceClassification, folder, num_labels=1, **WEIGHTS), device)


def start_scalar_model(folder: Path, device: torch.device, *, seed: int | None) -> PreTrainedModel:
    """The body of a language model under a new output: zero, or small and random where a seed is given.

    The deviation 1 / sqrt(width + 1) is that of Stiennon et al. (2020) for reward models.
    """
    model = load_scalar_model(folder, device)
    head: Tensor = model.score.weight  # type: ignore[union-attr,assignment]
    with torch.no_grad():
        if seed is None:
            head.zero_()
        else:
            draw = torch.randn(head.shape, generator=torch.Generator().manual_seed(seed))
            head.copy_(draw / math.sqrt(head.shape[1] + 1))
    return model


def save_model(model: PreTrainedModel, tokens: Tokens, folder: Path) -> None:
    """Write a model folder: safetensors, config, tokenizer; an unfinished older attempt is replaced."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        model.save_pretrained(part)
    except SafetensorError as error:
        raise unwritten(part, error) from error
    tokens.tokenizer.save_pretrained(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def unwritten(path: Path, error: SafetensorError) -> EngineError:
    """The error to raise where weights could not be written."""
    return EngineError(f"{path}: could not be written ({error}); make room and run again")


def right_padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> Tensor:
    """Rows of token ids as a (rows, longest) tensor; causal attention never looks at what is added."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows], device=device)


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows that end together, and a mask that is 0 on what was added in front; both (rows, longest)."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*[pad] * (longest - len(row)), *row] for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def positions(mask: Tensor) -> Tensor:
    """Position of each token in its own row, for a mask with leading zeros."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def hidden_outputs(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """The one output of a scalar model at every position: (rows, positions)."""
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    outputs: Tensor = model.score(hidden).squeeze(-1)  # type: ignore[operator]
    return outputs


def _ready(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    model.eval()  # type: ignore[no-untyped-call]
    model.to(device)  # type: ignore[arg-type]
    return model


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    return _load(AutoConfig, folder)


def _load(kind: Any, folder: Path, **options: Any) -> Any:
    try:
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EngineError(f"{folder}: no model could be loaded: {reason}") from error
