"""The native engine against OpenRLHF's own functions: the same numbers on the same random inputs.

Documented differences that the comparisons undo: OpenRLHF gives the reward weight 1 and KL the weight
beta / (1 - beta), which is the method's objective divided by 1 - beta; its losses are means over response tokens where
ours are sums over tokens and means over responses; its value loss has a factor 1/2; it subtracts the mean of the
advantages. Whole models are compared in double precision, but OpenRLHF casts logits to fp32, hence 1e-6.
"""

import warnings
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

import rlaif_spec
from rlaif_spec.engines.native.reward_model import soft_label_loss
from rlaif_spec.engines.native.rl import Graded, PolicyTraining, Rollout, returns
from rlaif_spec.engines.native.sft import response_log_probabilities
from rlaif_spec.engines.openrlhf.entry.soft_reward_model import SoftPairWiseLoss
from rlaif_spec.engines.protocol import Job, RlTask
from rlaif_spec.spec.settings import Optimizer, ResponseSettings, RlSettings

pytest.importorskip("ray")
pytest.importorskip("deepspeed")

pytestmark = pytest.mark.filterwarnings("ignore")

TOY = Path(rlaif_spec.__file__).parent / "toy_models" / "toy-xs"
CPU = torch.device("cpu")
SHAPES = [(1, 1), (2, 5), (4, 6), (7, 16)]
SEEDS = [0, 1, 2]
BETA = 0.05


def openrlhf(name: str) -> Any:
    """A module of OpenRLHF; what it warns of while it loads is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(f"openrlhf.{name}")


def random_mask(rows: int, tokens: int, generator: torch.Generator) -> Tensor:
    """In each row a run of ones, with zeros (prompt, padding) on either side: float64."""
    mask = torch.zeros(rows, tokens, dtype=torch.float64)
    for row in mask:
        first, last = torch.randint(tokens, (2,), generator=generator).sort().values.tolist()
        row[first : last + 1] = 1
    return mask


@pytest.fixture(params=[(shape, seed) for shape in SHAPES for seed in SEEDS], ids=str)
def drawn(request: pytest.FixtureRequest) -> SimpleNamespace:
    """Random numbers of one batch, all in float64."""
    (rows, tokens), seed = request.param
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return SimpleNamespace(
        mask=random_mask(rows, tokens, generator),
        log_ratio=normal(rows, tokens),
        values=normal(rows, tokens),
        reward=normal(rows),
        logs=normal(rows, tokens) - 3,
    )


def experience_maker(*, whiten: bool = False) -> Any:
    """OpenRLHF's maker of advantages with the compiler's flags; `whiten` divides by the deviation too."""
    maker_class = openrlhf("trainer.ppo_utils.experience_maker").RemoteExperienceMaker
    maker = object.__new__(maker_class)
    advantage = SimpleNamespace(estimator="gae", gamma=1.0, lambd=1.0, no_std_norm=not whiten)
    arguments = SimpleNamespace(
        algo=SimpleNamespace(advantage=advantage),
        rollout=SimpleNamespace(n_samples_per_prompt=1),
        reward=SimpleNamespace(
            clip_range=(-1e9, 1e9),
            overlong_buffer_len=None,
            overlong_penalty_factor=1.0,
            stop_properly_penalty_coef=None,
        ),
    )
    maker.strategy = SimpleNamespace(args=arguments)
    maker.advantage_estimator = "gae"
    maker.kl_ctl = SimpleNamespace(value=BETA / (1 - BETA))
    return maker


def experience(rows: SimpleNamespace, index: list[int]) -> Any:
    """The rows `index` as OpenRLHF holds them, after its models were asked; the critic is trained on its own scale."""
    return openrlhf("trainer.ppo_utils.experience").Experience(
        action_mask=rows.mask[index],
        kl=rows.log_ratio[index] * rows.mask[index],
        values=rows.values[index] / (1 - BETA) * rows.mask[index],
        rewards=rows.reward[index],
        index=list(range(len(index))),
    )


def test_returns_and_advantages_are_those_of_gae_times_one_minus_beta(drawn: SimpleNamespace) -> None:
    given = openrlhf("models.utils").compute_reward(
        drawn.reward, BETA / (1 - BETA), drawn.log_ratio * drawn.mask, drawn.mask, (-1e9, 1e9)
    )
    theirs, expected = experience_maker().get_advantages_and_returns(
        drawn.values / (1 - BETA), given, drawn.mask, 1.0, 1.0
    )
    ours = returns(drawn.log_ratio, drawn.mask, drawn.reward, BETA)
    torch.testing.assert_close(ours, (1 - BETA) * expected * drawn.mask, rtol=0, atol=1e-12)
    torch.testing.assert_close((ours - drawn.values) * drawn.mask, (1 - BETA) * theirs * drawn.mask, rtol=0, atol=1e-12)


def test_what_openrlhf_trains_on_are_our_advantages_less_their_mean(drawn: SimpleNamespace) -> None:
    made = experience(drawn, list(range(len(drawn.reward))))
    experience_maker().compute_advantages_and_returns([made])
    ours = (returns(drawn.log_ratio, drawn.mask, drawn.reward, BETA) - drawn.values) * drawn.mask
    centred = ours - ours.sum() / drawn.mask.sum()
    # The mean is taken in fp32 there.
    torch.testing.assert_close((1 - BETA) * made.advantages * drawn.mask, centred * drawn.mask, rtol=0, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 0.9, 1.0, 1.7])
def test_log_probabilities_are_of_the_tempered_distribution(temperature: float, toy: SimpleNamespace) -> None:
    ours, mask = response_log_probabilities(toy.model, toy.tokens, toy.rows, temperature=temperature)
    theirs = toy.actor(temperature)(toy.ids, toy.action_mask, attention_mask=toy.attention_mask)
    for row, (prompt, response) in enumerate(toy.rows):
        first = len(prompt) - 1
        found = theirs[row, first : first + len(response)]
        torch.testing.assert_close(ours[row, : len(response)].float(), found, rtol=0, atol=2e-6)
        assert mask[row].sum() == len(response)


@pytest.mark.parametrize("temperature", [0.5, 0.9, 1.0, 1.7])
@pytest.mark.parametrize("seed", SEEDS)
def test_log_probabilities_of_logits(temperature: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(3, 5, 11, generator=generator, dtype=torch.float64)
    labels = torch.randint(11, (3, 5), generator=generator)
    ours = (logits / temperature).log_softmax(-1).gather(2, labels[..., None]).squeeze(-1)
    theirs = openrlhf("models.utils").log_probs_from_logits(logits.clone(), labels, temperature)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_policy_gradient_is_that_of_ppo_on_its_own_samples(drawn: SimpleNamespace) -> None:
    logs = drawn.logs.clone().requires_grad_()
    loss, clipped, *_ = openrlhf("models.loss").PolicyLoss()(logs, drawn.logs, drawn.values, drawn.mask)
    (theirs,) = torch.autograd.grad(loss, logs)
    (ours,) = torch.autograd.grad(-(logs * drawn.values * drawn.mask).sum() / len(logs), logs)
    torch.testing.assert_close(ours * len(logs) / drawn.mask.sum(), theirs, rtol=0, atol=1e-12)
    assert clipped == 0


def test_soft_loss_is_cross_entropy(drawn: SimpleNamespace) -> None:
    chosen, rejected = drawn.reward, drawn.values[:, 0]
    probability = torch.sigmoid(drawn.logs[:, 0])
    entry = SoftPairWiseLoss()(chosen, rejected, probability)
    native = soft_label_loss((chosen - rejected).float(), probability.float()).mean()
    oracle = binary_cross_entropy_with_logits(chosen - rejected, probability)
    torch.testing.assert_close(entry, native, rtol=0, atol=1e-6)
    torch.testing.assert_close(entry.double(), oracle, rtol=0, atol=1e-6)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_hard_labels_are_openrlhfs_own_loss(certain: float, drawn: SimpleNamespace) -> None:
    chosen, rejected = drawn.reward.float().requires_grad_(), drawn.values[:, 0].float().requires_grad_()
    ours = SoftPairWiseLoss()(chosen, rejected, torch.full_like(chosen, certain))
    theirs = openrlhf("models.loss").PairWiseLoss()(*((chosen, rejected) if certain else (rejected, chosen)))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    gradients = [torch.autograd.grad(loss, [chosen, rejected]) for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-6)


def test_soft_loss_computes_in_fp32() -> None:
    chosen, rejected = torch.tensor([0.5], dtype=torch.bfloat16), torch.tensor([0.25], dtype=torch.bfloat16)
    loss = SoftPairWiseLoss()(chosen, rejected, torch.tensor([0.6]))
    assert loss.dtype == torch.float32
    exact = soft_label_loss(torch.tensor(0.25, dtype=torch.float64), torch.tensor(0.6, dtype=torch.float64))
    torch.testing.assert_close(loss.double(), exact, rtol=0, atol=1e-6)


@pytest.fixture
def beside(drawn: SimpleNamespace) -> SimpleNamespace:
    """The same batch with one response more, far from the others and masked."""
    more = {name: torch.cat([value, 9 * torch.ones_like(value[:1])]) for name, value in vars(drawn).items()}
    more["mask"][-1] = 0
    return SimpleNamespace(**more)


@pytest.mark.parametrize("whiten", [False, True])
def test_a_masked_response_leaves_the_others_as_they_are(
    whiten: bool, drawn: SimpleNamespace, beside: SimpleNamespace
) -> None:
    alone, together = (experience(rows, list(range(len(rows.reward)))) for rows in (drawn, beside))
    experience_maker(whiten=whiten).compute_advantages_and_returns([alone])
    experience_maker(whiten=whiten).compute_advantages_and_returns([together])
    torch.testing.assert_close(together.advantages[:-1], alone.advantages, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(together.returns[:-1], alone.returns, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["PolicyLoss", "ValueLoss"])
def test_a_masked_response_has_no_gradient(name: str, drawn: SimpleNamespace, beside: SimpleNamespace) -> None:
    def loss_and_gradient(rows: SimpleNamespace) -> tuple[Tensor, Tensor]:
        outputs = rows.logs.clone().requires_grad_()
        found = getattr(openrlhf("models.loss"), name)()(outputs, rows.logs, rows.values, action_mask=rows.mask)
        loss = found[0] if isinstance(found, tuple) else found
        return loss, torch.autograd.grad(loss, outputs)[0]

    alone, gradient = loss_and_gradient(drawn)
    together, with_masked = loss_and_gradient(beside)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    torch.testing.assert_close(with_masked[:-1], gradient, rtol=0, atol=1e-12)
    assert not with_masked[-1].any()


def test_value_gradient_is_half_of_ours(drawn: SimpleNamespace) -> None:
    values = drawn.values.clone().requires_grad_()
    loss = openrlhf("models.loss").ValueLoss(1e9)(values, drawn.values, drawn.log_ratio, drawn.mask)
    (theirs,) = torch.autograd.grad(loss, values)
    (ours,) = torch.autograd.grad(((values - drawn.log_ratio) ** 2 * drawn.mask).sum() / len(values), values)
    torch.testing.assert_close(ours * len(values) / drawn.mask.sum() / 2, theirs, rtol=0, atol=1e-12)


# Whole models: our training step beside OpenRLHF's Actor and critic with the same weights.


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A toy policy and value model in float64, and a few prompts and responses as each side wants them."""
    training = PolicyTraining(TOY, _task(), _settings(), Job(tmp_path_factory.mktemp("job"), 0, print), CPU)
    training.policy.model.double()
    value: Any = training.value.model.double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        value.score.weight.normal_(std=0.1, generator=generator)
    rows = [_row(prompt, response, generator) for prompt, response in [(4, 3), (7, 1), (2, 6), (5, 5)]]
    ids, attention_mask, action_mask = _as_openrlhf(rows)
    return SimpleNamespace(
        training=training,
        model=training.model,
        tokens=training.tokens,
        rows=rows,
        ids=ids,
        attention_mask=attention_mask,
        action_mask=action_mask,
        actor=lambda temperature: _actor(training.model, temperature),
        critic=_critic(value),
    )


def _task() -> RlTask:
    return RlTask(
        ["a"], ["a"], lambda turns: [0.0] * len(turns), lambda turns: {}, lambda figures: 0, ResponseSettings()
    )


def _settings() -> RlSettings:
    optimizer = Optimizer(learning_rate=1e-3)
    return RlSettings(steps=1, beta=BETA, temperature=0.9, optimizer=optimizer, value_optimizer=optimizer)


def _row(prompt: int, response: int, generator: torch.Generator) -> tuple[list[int], list[int]]:
    draw = torch.randint(4, 200, (prompt + response,), generator=generator).tolist()
    return [1, *draw[:prompt]], draw[prompt:]


def _as_openrlhf(rows: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences padded on the right, what of them is there, and which next tokens are actions (one column less)."""
    longest = max(len(prompt) + len(response) for prompt, response in rows)
    ids, there, action = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
    for row, (prompt, response) in enumerate(rows):
        whole = len(prompt) + len(response)
        ids[row, :whole] = torch.tensor([*prompt, *response])
        there[row, :whole] = 1
        action[row, len(prompt) : whole] = 1
    return ids, there, action[:, 1:]


def _actor(policy: Any, temperature: float) -> Any:
    actor = openrlhf("models").Actor(str(TOY), attn_implementation="sdpa", temperature=temperature).double()
    actor.model.load_state_dict(policy.state_dict())
    return actor.eval()


def _critic(value: Any) -> Any:
    build = openrlhf("models").get_llm_for_sequence_regression
    critic = build(str(TOY), "critic", attn_implementation="sdpa", init_value_head=True).double()
    critic.load_state_dict(value.state_dict())
    return critic.eval()


def _graded(toy: SimpleNamespace, logs: Tensor) -> list[Graded]:
    """The toy rows as the native engine grades them, against a reference that is the policy less some noise."""
    generator = torch.Generator().manual_seed(1)
    rollouts = []
    for (prompt, response), log in zip(toy.rows, logs, strict=True):
        noise = torch.randn(len(response), generator=generator, dtype=torch.float64)
        reward = float(torch.randn(1, generator=generator))
        rollouts.append(Rollout(prompt, response, log[: len(response)] - noise, reward))
    graded: list[Graded] = toy.training.grade(rollouts)[0]
    return graded


def _ours(toy: SimpleNamespace, name: str, graded: list[Graded], monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """The loss that `update_policy` or `update_value` would step on: a sum over tokens, a mean over responses."""
    found: list[Tensor] = []
    monkeypatch.setattr(toy.training, "_update", lambda *given: found.append(given[-1](graded) / len(graded)))
    getattr(toy.training, name)(0, graded)
    return found[0]


def _spread(toy: SimpleNamespace, name: str, graded: list[Graded]) -> Tensor:
    """Returns or advantages at OpenRLHF's places, on its scale."""
    spread = torch.zeros(toy.action_mask.shape, dtype=torch.float64)
    for row, one in enumerate(graded):
        first, count = len(one.rollout.prompt) - 1, len(one.rollout.response)
        spread[row, first : first + count] = getattr(one, name)[:count] / (1 - BETA)
    return spread


def _assert_same_gradient(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    mine, other = (torch.cat([one[name].flatten().double() for name in sorted(ours)]) for one in (ours, theirs))
    assert mine.norm() > 1e-3
    assert (mine - other).norm() / mine.norm() < 1e-6


def _gradient(loss: Tensor, model: Any, factor: float = 1.0) -> dict[str, Tensor]:
    names, weights = zip(*model.named_parameters(), strict=True)
    return {name: factor * part for name, part in zip(names, torch.autograd.grad(loss, weights), strict=True)}


def test_a_policy_update_goes_where_openrlhfs_goes(toy: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.no_grad():
        logs, _ = response_log_probabilities(toy.model, toy.tokens, toy.rows, temperature=0.9)
    graded = _graded(toy, logs)
    tokens = float(toy.action_mask.sum())
    ours = _gradient(_ours(toy, "update_policy", graded, monkeypatch), toy.model, len(graded) / tokens / (1 - BETA))
    actor = toy.actor(0.9)
    there = actor(toy.ids, toy.action_mask, attention_mask=toy.attention_mask)
    aims = _spread(toy, "advantages", graded)
    loss, *_ = openrlhf("models").PolicyLoss()(there, there.detach(), aims, action_mask=toy.action_mask)
    _assert_same_gradient(ours, _gradient(loss, actor.model))


def test_a_value_update_goes_where_openrlhfs_goes(toy: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.no_grad():
        logs, _ = response_log_probabilities(toy.model, toy.tokens, toy.rows, temperature=0.9)
    graded = _graded(toy, logs)
    tokens = float(toy.action_mask.sum())
    ours = _gradient(
        _ours(toy, "update_value", graded, monkeypatch), toy.training.value.model, len(graded) / tokens / 2
    )
    there = toy.critic(toy.ids, toy.action_mask, toy.attention_mask)
    aims = _spread(toy, "returns", graded) * (1 - BETA)
    loss = openrlhf("models").ValueLoss(1e9)(there, there.detach(), aims, action_mask=toy.action_mask)
    _assert_same_gradient(ours, _gradient(loss, toy.critic))
