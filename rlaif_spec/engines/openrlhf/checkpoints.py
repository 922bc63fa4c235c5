"""Folders of DeepSpeed checkpoints: which is the last whole one, and that the models of RL agree on it.

Policy and value model write theirs side by side. A job that is killed in between leaves them at different steps, and
OpenRLHF would resume the one here and the other there; so both are set to the last step that both have.
"""

import shutil
from pathlib import Path
from typing import Final

from rlaif_spec.store import write_whole

LATEST: Final = "latest"
"""File that names the last whole checkpoint; written after it."""
STEP: Final = "global_step"
POLICIES: Final = "_hf"
"""Ends the name of a policy in the format of transformers, which RL writes with each checkpoint."""


def last_checkpoint(folder: Path) -> str:
    """Name of the last whole checkpoint in a folder; empty where there is none."""
    name = named(folder / LATEST)
    return name if name and (folder / name).is_dir() else ""


def named(pointer: Path) -> str:
    """The checkpoint that such a file names; empty where there is no file."""
    return pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else ""


def settled(folder: Path, every: int) -> str:
    """The last checkpoint that both models of RL have, and both told to resume from it; empty where there is none.

    At a candidate (each `every` steps) the policy is written after the checkpoint. One that a kill left without it is
    passed over, or the candidate would be lost.
    """
    models = [folder / "_actor", folder / "_critic"]
    last = [last_checkpoint(model) for model in models]
    if not all(last):
        return ""
    common = set.intersection(*({path.name for path in model.glob(f"{STEP}*")} for model in models))
    kept = policies(folder)
    usable = [name for name in common if step_of(name) % every or step_of(name) in kept]
    whole = [name for name in usable if step_of(name) <= min(map(step_of, last))]
    if not whole:
        return ""
    chosen = max(whole, key=step_of)
    for model, name in zip(models, last, strict=True):
        if name != chosen:
            write_whole(model / LATEST, chosen)
    return chosen


def drop_policies(folder: Path, every: int) -> None:
    """Delete policies between candidates (each `every` steps) that a later whole checkpoint has made useless."""
    last = last_checkpoint(folder / "_actor")
    for step, path in policies(folder).items():
        if last and step % every and step < step_of(last):
            shutil.rmtree(path, ignore_errors=True)


def policies(folder: Path) -> dict[int, Path]:
    """The policies that were written to the end, by step: the tokenizer's files come last."""
    found = {step_of(path.name.removesuffix(POLICIES)): path for path in folder.glob(f"{STEP}*{POLICIES}")}
    return {step: path for step, path in found.items() if (path / "tokenizer_config.json").is_file()}


def step_of(name: str) -> int:
    """The step in a name such as global_step100."""
    return int(name.removeprefix(STEP))
