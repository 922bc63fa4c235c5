"""Continues prompts token by token, each under parameters of its own."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class SamplingParams:
    """vLLM's names and defaults, of those that are used; temperature 0 is greedy, top_k -1 is all tokens."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    max_tokens: int | None = 16
    min_tokens: int = 0
    stop: list[str] = field(default_factory=list)
    skip_special_tokens: bool = True
    logprobs: int | None = None


@dataclass(frozen=True)
class Logprob:
    """Of one token at one place: natural log of its probability, 1 for the likeliest token, the token as text."""

    logprob: float
    rank: int
    decoded_token: str


@dataclass
class CompletionOutput:
    """What was written after a prompt; end of text stands in `token_ids`, not in `text`."""

    token_ids: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: str | None = None
    """`stop` at end of text or a stop word, `length` at the last token allowed."""
    logprobs: list[dict[int, Logprob]] | None = None
    """For each token the likeliest ones and the chosen one."""


Request = tuple[list[int], SamplingParams]


class Decoder:
    """A model, and the continuation of a batch under it."""

    def __init__(
        self, model: str, dtype: str, seed: int = 0, limit: int | None = None, processed: bool = False
    ) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(model)
        self.model: Any = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype))
        self.model.eval()  # type: ignore[no-untyped-call]
        self.limit = int(limit or self.model.config.max_position_embeddings)
        """The longest prompt and answer together."""
        self.processed = processed
        """Log-probabilities are of the distribution that was drawn from, not of the model."""
        self._generator = torch.Generator().manual_seed(seed)
        ends = getattr(self.model.generation_config, "eos_token_id", None)
        self._ends = {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}

    def load(self, path: str) -> None:
        """Other weights, from a safetensors file; they must be all there are (but for tied ones)."""
        from safetensors.torch import load_file

        missing, unknown = self.model.load_state_dict(load_file(path), strict=False)
        tied = self.model.all_tied_weights_keys
        if unknown or set(missing) - set(tied):
            msg = f"weights that do not fit: missing {missing}, unknown {unknown}"
            raise ValueError(msg)

    def run(self, batch: list[Request]) -> list[CompletionOutput]:
        """The continuation of each prompt."""
        import torch
        from transformers import DynamicCache

        longest = max(len(prompt) for prompt, _ in batch)
        ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt, _ in batch])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt, _ in batch])
        places = (mask.cumsum(1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.model.config)
        written = [CompletionOutput(logprobs=None if params.logprobs is None else []) for _, params in batch]
        with torch.inference_mode():
            while not all(output.finish_reason for output in written):
                logits = self.model(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=places,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                ).logits[:, -1]
                chosen = self._write(batch, written, logits.float())
                ids = torch.tensor(chosen)[:, None]
                mask = torch.cat([mask, mask.new_ones(len(batch), 1)], dim=1)
                places = places[:, -1:] + 1
        return written

    def _write(self, batch: list[Request], written: list[CompletionOutput], logits: "Tensor") -> list[int]:
        """Choose a token for each row, and put it down where the row is not finished."""
        chosen = []
        for (prompt, params), output, scores in zip(batch, written, logits, strict=True):
            if output.finish_reason:
                chosen.append(0)
                continue
            drawn_from = self._allowed(scores, params, len(output.token_ids))
            token = self._draw(drawn_from, params)
            if output.logprobs is not None:
                reported = drawn_from if self.processed else scores
                output.logprobs.append(self._likeliest(reported, token, params.logprobs or 0))
            output.token_ids.append(token)
            self._finish(output, params, self.limit - len(prompt))
            chosen.append(token)
        return chosen

    def _allowed(self, scores: "Tensor", params: SamplingParams, at: int) -> "Tensor":
        """Tempered scores, with minus infinity for tokens that may not come here."""
        import torch

        scores = scores / (params.temperature or 1.0)
        if at < params.min_tokens:
            scores[list(self._ends)] = -torch.inf
        if params.top_k > 0:
            scores[scores < scores.topk(min(params.top_k, len(scores))).values[-1]] = -torch.inf
        if params.top_p < 1.0:
            probabilities, order = scores.softmax(-1).sort(descending=True)
            outside = probabilities.cumsum(-1) - probabilities >= params.top_p
            scores[order[outside]] = -torch.inf
        return scores

    def _draw(self, scores: "Tensor", params: SamplingParams) -> int:
        if params.temperature == 0.0:
            return int(scores.argmax())
        return int(scores.softmax(-1).multinomial(1, generator=self._generator))

    def _likeliest(self, scores: "Tensor", token: int, count: int) -> dict[int, Logprob]:
        """The chosen token first, as vLLM has it, then the `count` likeliest."""
        logs = scores.log_softmax(-1)
        tokens = dict.fromkeys([token, *logs.topk(count).indices.tolist()])
        return {
            int(at): Logprob(float(logs[at]), int((logs > logs[at]).sum()) + 1, self.word(int(at))) for at in tokens
        }

    def word(self, token: int) -> str:
        """A token as text."""
        return str(self.tokenizer.decode([token]))

    def _finish(self, output: CompletionOutput, params: SamplingParams, room: int) -> None:
        """Set the text, and the reason to stop if there is one now."""
        ended = output.token_ids[-1] in self._ends
        kept = output.token_ids[:-1] if ended and params.skip_special_tokens else output.token_ids
        text: str = self.tokenizer.decode(kept, skip_special_tokens=params.skip_special_tokens)
        stops = [text.index(word) for word in params.stop if word in text]
        output.text = text[: min(stops)] if stops else text
        if ended or stops:
            output.finish_reason = "stop"
        elif len(output.token_ids) >= min(room, params.max_tokens or room):
            output.finish_reason = "length"


def outputs_of(written: CompletionOutput) -> Any:
    """In the shape of vLLM's RequestOutput, of which OpenRLHF reads `outputs`."""
    from types import SimpleNamespace

    return SimpleNamespace(outputs=[written], finished=True)
