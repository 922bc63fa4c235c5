"""A reward model with its scores divided by a constant: the copy has a scaled head and the same body."""

from pathlib import Path

from rlaif_spec.errors import EngineError
from rlaif_spec.store import copy_folder

HEAD = "score.weight"


def scaled_copy(source: Path, target: Path, factor: float) -> None:
    """Copy a reward model; its scores come out times `factor` (the head has no bias)."""
    import torch
    from safetensors.torch import load_file, save_file

    copy_folder(source, target)
    for path in sorted(target.glob("*.safetensors")):
        weights = load_file(path)
        if HEAD in weights:
            weights[HEAD] = (weights[HEAD].to(torch.float32) * factor).to(weights[HEAD].dtype)
            save_file(weights, path, metadata={"format": "pt"})
            path.chmod(0o644)  # on a cluster, Ray may run as somebody else
            return
    raise EngineError(f"{source}: no {HEAD} in its safetensors; a reward model of this engine has one")
