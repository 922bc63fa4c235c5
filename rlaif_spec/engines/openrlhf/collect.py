"""From what an OpenRLHF job leaves to the artifacts that every engine writes: `train.jsonl`, the model, a note.

Figures have the native engine's names and units: `reward` is the mean of what was read, `kl` the mean over responses of
the summed log-ratio in nats, `tokens` the mean length of a response with its end-of-text token. `cut` is the share of
responses that reached their limit without one, which OpenRLHF scores at their last token.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlaif_spec.errors import EngineError
from rlaif_spec.store import ENGINE_NOTE, versions_of, write_json, write_whole

Row = Mapping[str, float]
PACKAGES = ("openrlhf", "ray", "deepspeed", "vllm", "flash-attn", "transformers", "torch")
LOG = "train.jsonl"


def supervised_figures(row: Row) -> dict[str, float]:
    """SFT and reward model: the loss of the update, and the accuracy where there is one."""
    check_finite(row, "loss_mean")
    figures = {"loss": row["loss_mean"], "accuracy": row.get("acc_mean")}
    return {name: value for name, value in figures.items() if value is not None}


def rl_figures(row: Row, *, kl_coefficient: float, reward_scale: float) -> dict[str, float]:
    """RL: what the native engine logs, from OpenRLHF's means over all responses, masked ones among them.

    A masked response has reward and return 0 there, so sums are over the others. A job's own `kl` is a mean over
    tokens; the sum over a response is what the return lacks of the reward, divided by the coefficient. `critic_loss`
    is half the mean over the batch's tokens; ours is the sum over a response, as a mean over those read.
    """
    check_finite(row, "policy_loss")
    count = row["rollout/num_samples"]
    unread = round((row.get("unread", 0.0) + row.get("unanswered", 0.0)) * count)
    read = count - unread
    share = count / read if read else 0.0
    reward = row["rollout/reward_mean"]
    figures = {
        "reward": reward * share * reward_scale,
        "tokens": row["rollout/response_length_mean"] * share,
        "read": float(read),
        "unread": float(unread),
    }
    if "rollout/truncated_rate" in row:
        figures["cut"] = row["rollout/truncated_rate"]
    if kl_coefficient > 0 and "return" in row:
        figures["kl"] = (reward - row["return"]) * share / kl_coefficient
    if "critic_loss" in row:
        figures["value_loss"] = 2 * row["critic_loss"] * figures["tokens"]
    return figures


def is_whole(row: Row) -> bool:
    """Whether all that `rl_figures` reads was logged: a running job may have written a part of a step."""
    return {"policy_loss", "rollout/num_samples", "rollout/reward_mean", "rollout/response_length_mean"} <= set(row)


def check_finite(row: Row, loss: str) -> None:
    """Refuse a training whose loss was NaN or infinite at a step: it is in no row, and the weights are lost with it."""
    if loss not in row:
        raise EngineError(
            f"step {row['step']:.0f}: the loss was not finite, so the weights are of no use (learning rate too high, or"
            " an update without a single response that was read); correct it, delete the step's folder and run again"
        )


def write_log(folder: Path, rows: Sequence[Row], figures: Callable[[Row], dict[str, float]]) -> None:
    """`train.jsonl`: one row a step."""
    lines = [json.dumps({"step": int(row["step"]), **figures(row)}, allow_nan=False) for row in rows]
    write_whole(folder / LOG, "".join(f"{line}\n" for line in lines))


def check_model(folder: Path) -> None:
    """Refuse a job that ended well and left no model, or weights as a pickle."""
    adapter = (folder / "adapter_config.json").is_file()
    if adapter or not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        found = ", ".join(sorted(path.name for path in folder.glob("*"))) or "nothing"
        raise EngineError(f"{folder}: the job ended without config.json and safetensors there; there is {found}")


def write_note(folder: Path, note: Mapping[str, Any]) -> None:
    """With what the step was done; the store puts it into the step's receipt."""
    write_json(folder / ENGINE_NOTE, {"engine": "openrlhf", "versions": versions_of(PACKAGES), **note})
