"""The candidates of each RL run: reward, KL and the held-out judge side by side, so that over-optimisation shows."""

import json
from pathlib import Path
from typing import Any

from rlaif_spec.errors import ArtifactError
from rlaif_spec.plan import Plan
from rlaif_spec.plan.steps import Rl
from rlaif_spec.report.tables import markdown
from rlaif_spec.store import Store

CANDIDATES = "candidates.json"


def curves(plan: Plan, store: Store) -> str:
    """One table an RL run; empty where the plan has none."""
    runs = [(run.seed, run.policy) for run in plan.policies if isinstance(run.policy, Rl)]
    return "\n\n".join(_table(seed, step, store) for seed, step in runs)


def _table(seed: int, step: Rl, store: Store) -> str:
    content = _read(store.open(step) / CANDIDATES)
    candidates: list[dict[str, float]] = content["candidates"]
    columns = list(dict.fromkeys(name for row in candidates for name in row))
    rows = [
        [*(f"{row[name]:g}" if name == "step" else f"{row[name]:.3f}" for name in columns), mark]
        for at, row in enumerate(candidates)
        for mark in ["chosen" if at == content["chosen"] else ""]
    ]
    rule = "the last" if step.selector.kind == "last" else "the one the selector prefers most often to SFT"
    return f"**candidates of RL, seed {seed}** (validation prompts; chosen: {rule})\n\n" + markdown(
        [*columns, ""], rows
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        return {"candidates": content["candidates"], "chosen": content["chosen"]}
    except (ValueError, KeyError):
        raise ArtifactError(f"{path}: cannot be read; delete its folder and run again") from None
