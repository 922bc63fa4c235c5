"""The paper's RL: REINFORCE with a learned value baseline (section 3.3, appendices A.3 and F).

    objective   J = E[(1 - beta) r(y|x) - beta KL(policy || SFT)]
    reward      of token t: -beta (log pi(a_t) - log pi_SFT(a_t)), and (1 - beta) r on top at the last token
    return      Z_t = sum of the rewards from t on (no discount)
    policy      loss -sum_t log pi(a_t) stopgrad(Z_t - V(X_t))
    value       loss  sum_t (Z_t - V(X_t))^2, a model of its own, started from SFT with an output of zero

Not stated in the paper and our choice: the KL enters the reward token by token (its gradient is that of the
objective); two optimizers; losses are sums over tokens and means over responses; log-probabilities are those of the
tempered distribution that is sampled from; every update samples afresh, so no importance ratio is needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rlaif_spec.engines.candidates import Candidates
from rlaif_spec.engines.native.checkpoint import Checkpoint, Trainable
from rlaif_spec.engines.native.models import (
    hidden_outputs,
    load_language_model,
    load_tokens,
    right_padded,
    save_model,
    start_scalar_model,
)
from rlaif_spec.engines.native.sampling import sample_all
from rlaif_spec.engines.native.sft import response_log_probabilities, response_places
from rlaif_spec.engines.native.training import batch_of, learning_rate, train, update
from rlaif_spec.engines.protocol import Job, RlTask, Turn
from rlaif_spec.errors import JudgementError
from rlaif_spec.spec.settings import Optimizer, RlSettings

FIRST_LOOK = 256
"""Responses of the SFT policy from which the scale of a reward model is measured."""


@dataclass(frozen=True)
class Rollout:
    """One sampled response with what an update needs to know of it."""

    prompt: list[int]
    response: list[int]
    reference: Tensor
    """Log-probability of each response token under SFT: (tokens,)."""
    reward: float

    @property
    def tokens(self) -> tuple[list[int], list[int]]:
        """Prompt and response."""
        return self.prompt, self.response


@dataclass(frozen=True)
class Graded:
    """A rollout and what an update aims at: (tokens,) or longer, zero behind the response."""

    rollout: Rollout
    returns: Tensor
    advantages: Tensor

    @property
    def tokens(self) -> tuple[list[int], list[int]]:
        """Prompt and response."""
        return self.rollout.tokens


def returns(log_ratio: Tensor, mask: Tensor, reward: Tensor, beta: float) -> Tensor:
    """Z_t for each response token: (rows, tokens). `log_ratio` is log pi - log pi_SFT, `reward` is (rows,)."""
    penalties = -beta * log_ratio * mask
    from_here = penalties.flip(1).cumsum(1).flip(1)
    return (from_here + (1 - beta) * reward[:, None]) * mask


class PolicyTraining:
    """One RL training: the models, and the step that improves them."""

    def __init__(self, source: Path, task: RlTask, settings: RlSettings, job: Job, device: torch.device) -> None:
        self.tokens = load_tokens(source)
        self.policy = Trainable("policy", load_language_model(source, device))
        self.value = Trainable("value model", start_scalar_model(source, device, seed=None))
        self.reference = load_language_model(source, device)
        self.generator = torch.Generator(device).manual_seed(job.seed)
        self.task = task
        self.settings = settings
        self.job = job
        self._scale = (0.0, 1.0)

    @property
    def model(self) -> PreTrainedModel:
        """The policy as it is now."""
        return self.policy.model  # type: ignore[return-value]

    def run(self) -> None:
        """Train, keep candidates, and let the task choose the one that becomes the policy."""
        candidates = Candidates(self.job.folder)
        checkpoint = Checkpoint(self.job.folder, [self.policy, self.value], self.generator)
        if self.settings.standardize_reward:
            self._scale = self._measure_scale()

        def step(at: int) -> dict[str, float]:
            figures = self.step(at)
            if (at + 1) % self.settings.checkpoint_every == 0 or at + 1 == self.settings.steps:
                candidates.keep(at + 1, self._save, self._figures_of_candidate(figures))
            return figures

        train(self.job, checkpoint, self.settings.steps, step)
        candidates.choose(self.task.choose)

    def _save(self, folder: Path) -> None:
        save_model(self.model, self.tokens, folder)

    def step(self, at: int) -> dict[str, float]:
        """Sample, reward, update value and policy; the figures of the log."""
        prompts = batch_of(self.task.prompts, at, self.settings.batch_size, self.job.seed)
        rollouts, raw, unread = self.sample(prompts, self.model, self.generator)
        mean_reward = fmean(raw)
        shift, scale = self._scale
        rollouts = [Rollout(row.prompt, row.response, row.reference, (row.reward - shift) / scale) for row in rollouts]
        graded, kls = self.grade(rollouts)
        value_loss = self.update_value(at, graded)
        self.update_policy(at, graded)
        return {
            "reward": mean_reward,
            "kl": fmean(kls),
            "tokens": fmean(len(row.response) for row in rollouts),
            "value_loss": value_loss,
            "read": float(len(rollouts)),
            "unread": float(unread),
        }

    def sample(
        self, prompts: Sequence[str], model: PreTrainedModel, generator: torch.Generator
    ) -> tuple[list[Rollout], list[float], int]:
        """Responses whose reward could be read, those rewards, and how many could not."""
        asked = [self.tokens.prompt(text) for text in prompts]
        said = self._answers(model, asked, self.settings.temperature, generator)
        turns = [Turn(text, self.tokens.text(answer)) for text, answer in zip(prompts, said, strict=True)]
        rewards = self.task.reward(turns)
        rows = [(asked[i], said[i], reward) for i, reward in enumerate(rewards) if reward is not None]
        if not rows:
            raise JudgementError(f"{self.job.folder.name}: none of {len(turns)} rewards could be read")
        references = self._reference([(prompt, response) for prompt, response, _ in rows])
        rollouts = [Rollout(p, r, ref, reward) for (p, r, reward), ref in zip(rows, references, strict=True)]
        return rollouts, [row.reward for row in rollouts], len(turns) - len(rows)

    def _answers(
        self, model: PreTrainedModel, asked: list[list[int]], temperature: float, generator: torch.Generator
    ) -> list[list[int]]:
        return sample_all(
            model,
            self.tokens,
            asked,
            batch_size=self.settings.micro_batch_size,
            max_new_tokens=self.task.respond.max_new_tokens,
            temperature=temperature,
            generator=generator,
        )

    def _measure_scale(self) -> tuple[float, float]:
        """Mean and deviation of the reward over the SFT policy's own responses."""
        generator = torch.Generator(self.model.device).manual_seed(self.job.seed + 1)
        prompts = self.task.prompts[:FIRST_LOOK]
        _, rewards, _ = self.sample(prompts, self.reference, generator)
        return fmean(rewards), pstdev(rewards) or 1.0

    @torch.inference_mode()
    def _reference(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[Tensor]:
        size = self.settings.micro_batch_size
        found = []
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            logs, _ = response_log_probabilities(
                self.reference, self.tokens, part, temperature=self.settings.temperature
            )
            found += [log[: len(response)].clone() for log, (_, response) in zip(logs, part, strict=True)]
        return found

    @torch.no_grad()
    def grade(self, rollouts: Sequence[Rollout]) -> tuple[list[Graded], list[float]]:
        """Returns, advantages under the value model as it is before this update, and each rollout's KL in nats."""
        graded: list[Graded] = []
        kls: list[float] = []
        for start in range(0, len(rollouts), self.settings.micro_batch_size):
            part = rollouts[start : start + self.settings.micro_batch_size]
            rows = [row.tokens for row in part]
            logs, mask = response_log_probabilities(
                self.model, self.tokens, rows, temperature=self.settings.temperature
            )
            ratio = (logs - _stack([row.reference for row in part], mask)) * mask
            kls += ratio.sum(1).tolist()
            reward = torch.tensor([row.reward for row in part], device=mask.device)
            expected = returns(ratio, mask, reward, self.settings.beta)
            advantages = (expected - self._values(rows)) * mask
            graded += [Graded(*row) for row in zip(part, expected, advantages, strict=True)]
        return graded, kls

    def _values(self, rows: Sequence[tuple[list[int], list[int]]]) -> Tensor:
        """V(X_t) before each response token: (rows, longest response)."""
        model: PreTrainedModel = self.value.model  # type: ignore[assignment]
        ids = right_padded([[*prompt, *response] for prompt, response in rows], self.tokens.pad, model.device)
        places, _, _ = response_places(rows, model.device)
        return hidden_outputs(model, ids).gather(1, places)

    def update_value(self, at: int, graded: Sequence[Graded]) -> float:
        """One step towards the returns; the loss before it."""

        def loss(part: Sequence[Graded]) -> Tensor:
            values = self._values([row.tokens for row in part])
            expected = torch.stack([row.returns[: values.shape[1]] for row in part])
            _, _, mask = response_places([row.tokens for row in part], values.device)
            return ((values - expected) ** 2 * mask).sum()

        return self._update(self.value, self.settings.value_optimizer, at, graded, loss)

    def update_policy(self, at: int, graded: Sequence[Graded]) -> float:
        """One step of the policy gradient; the loss before it."""

        def loss(part: Sequence[Graded]) -> Tensor:
            rows = [row.tokens for row in part]
            logs, _ = response_log_probabilities(self.model, self.tokens, rows, temperature=self.settings.temperature)
            advantages = torch.stack([row.advantages[: logs.shape[1]] for row in part])
            return -(logs * advantages).sum()

        return self._update(self.policy, self.settings.optimizer, at, graded, loss)

    def _update(
        self,
        trainable: Trainable,
        optimizer: Optimizer,
        at: int,
        graded: Sequence[Graded],
        loss: Callable[[Sequence[Graded]], Tensor],
    ) -> float:
        return update(
            trainable,
            graded,
            loss,
            divisor=len(graded),
            micro_batch_size=self.settings.micro_batch_size,
            learning_rate=learning_rate(optimizer, at, self.settings.steps),
            max_grad_norm=optimizer.max_grad_norm,
        )

    def _figures_of_candidate(self, figures: dict[str, float]) -> dict[str, float]:
        """Reward and KL of this step beside the figures of judges that are not the reward."""
        generator = torch.Generator(self.model.device).manual_seed(self.job.seed)
        asked = [self.tokens.prompt(text) for text in self.task.validation]
        said = self._answers(self.model, asked, self.task.respond.temperature, generator)
        turns = [Turn(text, self.tokens.text(answer)) for text, answer in zip(self.task.validation, said, strict=True)]
        return {"reward": figures["reward"], "kl": figures["kl"], **self.task.probe(turns)}


def _stack(rows: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Rows of different length as a tensor of the mask's shape, zeros behind."""
    stacked = torch.zeros_like(mask)
    for at, row in enumerate(rows):
        stacked[at, : len(row)] = row
    return stacked
