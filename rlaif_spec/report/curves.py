"""The candidates of each RL run: reward, KL and the held-out judge side by side, so that over-optimisation shows."""

import json
from pathlib import Path
from typing import Any

from rlaif_spec.errors import ArtifactError
from rlaif_spec.plan import Plan
from rlaif_spec.plan.steps import Rl
from rlaif_spec.records import Example
from rlaif_spec.report.tables import markdown
from rlaif_spec.store import Store, read_rows

CANDIDATES = "candidates.json"


def curves(plan: Plan, store: Store) -> str:
    """One table an RL run; empty where the plan has none."""
    runs = [(run.seed, run.policy) for run in plan.policies if isinstance(run.policy, Rl)]
    return "\n\n".join(_table(seed, step, store) for seed, step in runs)


def _table(seed: int, step: Rl, store: Store) -> str:
    content = _read(store.open(step) / CANDIDATES)
    candidates: list[dict[str, float]] = content["candidates"]
    columns = [name for name in candidates[0] if not name.endswith(("_low", "_high"))]
    rows = [
        [*(_cell(row, name) for name in columns), "chosen" if at == content["chosen"] else ""]
        for at, row in enumerate(candidates)
    ]
    rule = "the last" if step.selector.kind == "last" else "the one that the selector prefers most to SFT"
    n = len(read_rows(store.open(step.start.data) / "validation.jsonl", Example))
    head = f"**candidates of RL, seed {seed}** (reward and kl: of that step's responses; the others: means over n={n}"
    tail = f"validation prompts with 95% intervals; {_unread(step, store)}; chosen: {rule})"
    return f"{head} {tail}\n\n{markdown([*columns, ''], rows)}"


def _cell(row: dict[str, float], name: str) -> str:
    if name == "step":
        return f"{row[name]:g}"
    interval = f" [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]" if f"{name}_low" in row else ""
    return f"{row[name]:.3f}{interval}"


def _unread(step: Rl, store: Store) -> str:
    """How many rewards could not be read."""
    rows = [json.loads(line) for line in (store.open(step) / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    unread, read = (sum(int(row[name]) for row in rows) for name in ("unread", "read"))
    return f"{unread} of {unread + read} rewards unread"


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        return {"candidates": content["candidates"], "chosen": content["chosen"]}
    except (ValueError, KeyError):
        raise ArtifactError(f"{path}: cannot be read; delete its folder and run again") from None
