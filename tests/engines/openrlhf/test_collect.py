"""What is collected from a job has the native engine's meaning, whatever was masked."""

import json
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlaif_spec.engines.openrlhf.collect import check_model, rl_figures, supervised_figures, write_log
from rlaif_spec.errors import EngineError

NUMBER = st.floats(-3, 3)
RESPONSES = st.lists(st.tuples(NUMBER, NUMBER, st.integers(1, 40), st.booleans(), NUMBER), min_size=1, max_size=20)


@given(RESPONSES, st.floats(0.01, 0.5), st.floats(0.1, 5))
def test_means_are_over_what_was_read_in_nats_and_in_the_rewards_own_units(
    responses: list[tuple[float, float, int, bool, float]], coefficient: float, scale: float
) -> None:
    """(reward, KL, tokens, masked, error of V) of each response; OpenRLHF averages with zeros for the masked ones."""
    kept = [(reward, kl, tokens, error) for reward, kl, tokens, masked, error in responses if not masked]
    squares = [tokens * error**2 for _, _, tokens, error in kept]
    row = {
        "rollout/num_samples": float(len(responses)),
        "rollout/reward_mean": fmean(0.0 if m else reward / scale for reward, _, _, m, _ in responses),
        "rollout/response_length_mean": fmean(0.0 if m else float(n) for _, _, n, m, _ in responses),
        "return": fmean(0.0 if m else reward / scale - coefficient * kl for reward, kl, _, m, _ in responses),
        "unread": fmean(float(masked) for _, _, _, masked, _ in responses),
        "critic_loss": 0.5 * sum(squares) / max(1, sum(tokens for _, _, tokens, _ in kept)),
        "policy_loss": 0.0,
    }
    figures = rl_figures(row, kl_coefficient=coefficient, reward_scale=scale)
    assert (figures["read"], figures["unread"]) == (len(kept), len(responses) - len(kept))
    if kept:
        assert figures["reward"] == pytest.approx(fmean(reward for reward, *_ in kept), abs=1e-9)
        assert figures["kl"] == pytest.approx(fmean(kl for _, kl, _, _ in kept), abs=1e-6)
        assert figures["tokens"] == pytest.approx(fmean(tokens for _, _, tokens, _ in kept))
        assert figures["value_loss"] == pytest.approx(fmean(squares))


def test_without_kl_there_is_no_figure_of_it() -> None:
    row = {"rollout/num_samples": 2.0, "rollout/reward_mean": 1.0, "rollout/response_length_mean": 3.0, "return": 1.0}
    row["policy_loss"] = 0.1
    assert "kl" not in rl_figures(row, kl_coefficient=0.0, reward_scale=1.0)


def test_the_log_has_a_row_a_step_without_what_was_not_logged(tmp_path: Path) -> None:
    write_log(
        tmp_path,
        [{"step": 1.0, "loss_mean": 0.7}, {"step": 2.0, "loss_mean": 0.6, "acc_mean": 0.9}],
        supervised_figures,
    )
    found = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert found == [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6, "accuracy": 0.9}]


def test_a_step_without_a_loss_was_not_finite() -> None:
    """The event files' reader drops NaN, so a loss that is missing was one."""
    with pytest.raises(EngineError, match="step 7: the loss was not finite"):
        rl_figures({"step": 7.0, "rollout/num_samples": 2.0}, kl_coefficient=0.1, reward_scale=1.0)
    with pytest.raises(EngineError, match="step 3: the loss was not finite"):
        supervised_figures({"step": 3.0, "acc_mean": 0.5})


def test_a_job_that_left_no_model_or_a_pickle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="there is nothing"):
        check_model(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_text("")
    with pytest.raises(EngineError, match=r"there is config\.json, pytorch_model\.bin"):
        check_model(tmp_path)
