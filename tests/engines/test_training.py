"""The methods against closed forms."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rlaif_spec.engines.native import checkpoint, reward_model, rl, sft
from rlaif_spec.engines.native.engine import NativeEngine
from rlaif_spec.engines.native.training import batch_of, learning_rate
from rlaif_spec.engines.protocol import Job, PreferencePair, Progress, RlTask, Turn
from rlaif_spec.spec.scale import Compute
from rlaif_spec.spec.settings import Optimizer, ResponseSettings, RewardModelSettings, RlSettings, SftSettings

CPU = torch.device("cpu")
TURNS = [Turn("ask", "yes then"), Turn("ask well", "no"), Turn("well", "maybe yes no"), Turn("ask", "then")] * 2


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def new_job(folder: Path, name: str, seed: int = 7) -> Job:
    (folder / name).mkdir()
    return Job(folder=folder / name, seed=seed, tell=lambda progress: None)


@pytest.mark.parametrize(
    ("margin", "label", "loss"),
    [
        (0.0, 0.3, math.log(2)),
        (2.0, 1.0, math.log(1 + math.exp(-2))),
        (2.0, 0.0, math.log(1 + math.exp(2))),
        (math.log(3), 0.75, 0.75 * math.log(4 / 3) + 0.25 * math.log(4)),
    ],
)
def test_soft_label_loss_at_known_margins(margin: float, label: float, loss: float) -> None:
    assert float(reward_model.soft_label_loss(torch.tensor(margin), torch.tensor(label))) == pytest.approx(loss)


def test_soft_label_loss_is_least_where_the_probability_is_the_label() -> None:
    margin = torch.tensor(math.log(0.6 / 0.4), requires_grad=True)
    reward_model.soft_label_loss(margin, torch.tensor(0.6)).backward()
    assert float(margin.grad) == pytest.approx(0.0, abs=1e-6)


def test_a_reward_model_on_one_soft_label_ends_at_that_probability(tiny_model: Path, job: Job) -> None:
    pairs = [PreferencePair("ask", "yes", "no", 0.6)] * 8
    settings = RewardModelSettings(
        epochs=150, batch_size=8, micro_batch_size=8, optimizer=Optimizer(learning_rate=3e-3, warmup_steps=5)
    )
    reward_model.train_reward_model(tiny_model, pairs, settings, job, CPU)
    engine = NativeEngine(Compute(threads=1, device="cpu"))
    yes, no = engine.reward_scores(job.folder / "model", [Turn("ask", "yes"), Turn("ask", "no")])
    assert 1 / (1 + math.exp(no - yes)) == pytest.approx(0.60, abs=0.005)


def test_a_learning_rate_of_zero_changes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    still = Optimizer(learning_rate=0.0)
    job = new_job(tmp_path, "sft")
    sft.train_sft(tiny_model, TURNS, SftSettings(batch_size=4, micro_batch_size=4, optimizer=still), job, CPU)
    before, after = weights(tiny_model), weights(job.folder / "model")
    assert all(torch.equal(before[name], after[name]) for name in before)
    job = new_job(tmp_path, "rl")
    rl.PolicyTraining(tiny_model, says("yes"), rl_settings(steps=2, rate=0.0), job, CPU).run()
    after = weights(job.folder / "model")
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("method", ["sft", "reward model", "rl"])
def test_one_micro_batch_of_eight_is_eight_of_one(tiny_model: Path, tmp_path: Path, method: str) -> None:
    found = []
    for micro in (8, 1):
        job = new_job(tmp_path, str(micro))
        optimizer = Optimizer(learning_rate=1e-3, warmup_steps=0)
        if method == "sft":
            settings = SftSettings(batch_size=8, micro_batch_size=micro, optimizer=optimizer)
            sft.train_sft(tiny_model, TURNS, settings, job, CPU)
        elif method == "reward model":
            pairs = [PreferencePair(turn.prompt, turn.response, "well", 0.8) for turn in TURNS]
            rm = RewardModelSettings(epochs=1, batch_size=8, micro_batch_size=micro, optimizer=optimizer)
            reward_model.train_reward_model(tiny_model, pairs, rm, job, CPU)
        else:
            training = rl.PolicyTraining(tiny_model, says("yes"), rl_settings(steps=1, micro=micro), job, CPU)
            rows = [rollout(turn, training) for turn in TURNS]
            graded, _ = training.grade(rows)
            training.update_value(0, graded)
            training.update_policy(0, graded)
            found.append({name: value.detach().clone() for name, value in training.policy.parameters.items()})
            continue
        found.append(weights(job.folder / "model"))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], atol=2e-5, rtol=1e-3)


def test_returns_are_the_rewards_from_here_on() -> None:
    ratio = torch.tensor([[1.0, 2.0, 4.0], [1.0, 1.0, 0.0]])
    mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    found = rl.returns(ratio, mask, torch.tensor([10.0, -1.0]), beta=0.1)
    expected = [[9 - 0.7, 9 - 0.6, 9 - 0.4], [-0.9 - 0.2, -0.9 - 0.1, 0.0]]
    assert found.tolist() == [pytest.approx(row) for row in expected]


def test_the_advantage_is_return_minus_value(tiny_model: Path, job: Job) -> None:
    training = rl.PolicyTraining(tiny_model, says("yes"), rl_settings(steps=1), job, CPU)
    with torch.no_grad():
        training.value.model.score.weight.fill_(0.3)
    rows = [rollout(turn, training, reward=2.0) for turn in TURNS]
    graded, kls = training.grade(rows)
    assert kls == pytest.approx([0.0] * len(rows), abs=1e-5)
    for row, of_row in zip(rows, graded, strict=True):
        values = training._values([row.tokens])[0]
        expected, advantage = (part[: len(row.response)] for part in (of_row.returns, of_row.advantages))
        assert expected.tolist() == pytest.approx([0.95 * 2.0] * len(row.response), abs=1e-5)
        torch.testing.assert_close(advantage, expected - values, atol=1e-5, rtol=0.0)


def test_rl_makes_a_policy_that_says_what_is_rewarded(tiny_model: Path, job: Job) -> None:
    settings = rl_settings(steps=60, rate=5e-3)
    rl.PolicyTraining(tiny_model, says("yes"), settings, job, CPU).run()
    engine = NativeEngine(Compute(threads=1, device="cpu"))
    said = engine.respond(
        job.folder / "model", ["ask"] * 50, ResponseSettings(max_new_tokens=4, temperature=1.0), seed=1
    )
    assert sum("yes" in text.split() for text in said) >= 45


def test_unread_rewards_take_no_part_and_are_counted(tiny_model: Path, job: Job) -> None:
    task = RlTask(["ask"], ["ask"], lambda turns: [None, *[1.0] * (len(turns) - 1)], lambda _: {}, last, RESPOND)
    training = rl.PolicyTraining(tiny_model, task, rl_settings(steps=1), job, CPU)
    rollouts, rewards, unread = training.sample(["ask"] * 8, training.model, training.generator)
    assert (len(rollouts), len(rewards), unread) == (7, 7, 1)


@pytest.mark.parametrize("method", ["sft", "rl"])
def test_a_killed_training_ends_in_the_same_bits(
    tiny_model: Path, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(checkpoint, "TIMES_THE_COST", 0.0)

    def train(job: Job) -> None:
        if method == "sft":
            settings = SftSettings(epochs=3, batch_size=2, micro_batch_size=2, optimizer=Optimizer(learning_rate=1e-3))
            sft.train_sft(tiny_model, TURNS, settings, job, CPU)
        else:
            rl.PolicyTraining(tiny_model, says("yes"), rl_settings(steps=10, standardize=True), job, CPU).run()

    whole = new_job(tmp_path, "whole")
    train(whole)

    class KilledError(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.step == 7:
            raise KilledError

    (tmp_path / "halves").mkdir()
    with pytest.raises(KilledError):
        train(Job(folder=tmp_path / "halves", seed=7, tell=kill))
    resumed = Job(folder=tmp_path / "halves", seed=7, tell=lambda progress: None)
    train(resumed)
    one, two = weights(whole.folder / "model"), weights(resumed.folder / "model")
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert (whole.folder / "train.jsonl").read_text() == (resumed.folder / "train.jsonl").read_text()
    assert {path.name for path in resumed.folder.iterdir() if path.is_file()} <= {"train.jsonl", "candidates.json"}
    train(Job(folder=resumed.folder, seed=7, tell=lambda progress: pytest.fail("nothing is left to do")))
    assert all(torch.equal(one[name], value) for name, value in weights(resumed.folder / "model").items())


def test_every_epoch_sees_each_row_once() -> None:
    rows = list(range(10))
    for epoch in range(3):
        seen = [row for step in range(3) for row in batch_of(rows, 3 * epoch + step, 4, seed=1)]
        assert sorted(seen) == rows
    assert batch_of(rows, 0, 4, seed=1) != batch_of(rows, 3, 4, seed=1)


def test_the_learning_rate_warms_up_and_decays_to_a_tenth() -> None:
    rates = [learning_rate(Optimizer(learning_rate=1.0, warmup_steps=4), step, 100) for step in range(100)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[-1] == pytest.approx(0.1, abs=0.02)
    assert rates[4:] == sorted(rates[4:], reverse=True)


RESPOND = ResponseSettings(max_new_tokens=4, temperature=1.0)


def last(figures: object) -> int:
    return len(figures) - 1  # type: ignore[arg-type]


def says(word: str) -> RlTask:
    """A labeler that prefers a word."""
    return RlTask(
        prompts=["ask", "ask well", "well then", "maybe"] * 4,
        validation=["ask"],
        reward=lambda turns: [1.0 if word in turn.response.split() else -1.0 for turn in turns],
        probe=lambda turns: {},
        choose=last,
        respond=RESPOND,
    )


def rl_settings(steps: int, rate: float = 1e-3, micro: int = 16, standardize: bool = False) -> RlSettings:
    return RlSettings(
        steps=steps,
        batch_size=16,
        micro_batch_size=micro,
        optimizer=Optimizer(learning_rate=rate, warmup_steps=0),
        value_optimizer=Optimizer(learning_rate=rate, warmup_steps=0),
        standardize_reward=standardize,
        checkpoint_every=5,
    )


def rollout(turn: Turn, training: rl.PolicyTraining, reward: float = 1.0) -> rl.Rollout:
    """A response that was given, under the SFT policy itself: no KL."""
    prompt, response = training.tokens.prompt(turn.prompt), training.tokens.response(turn.response)
    (reference,) = training._reference([(prompt, response)])
    return rl.Rollout(prompt, response, reference, reward)
