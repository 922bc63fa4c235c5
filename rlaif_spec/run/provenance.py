"""With what a result was made: versions, machine, commit; nothing secret and nothing that names the user."""

import importlib.util
import os
import platform
import subprocess
from typing import Final

from rlaif_spec.store import versions_of

PACKAGES: Final = ("rlaif-spec", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "pydantic")
PACKAGES_OF_JOBS: Final = ("openrlhf", "ray", "deepspeed", "vllm")
"""Named where they are installed whole; `openrlhf` alone, whose parsers are read, takes no part in a native run."""


def versions() -> dict[str, str]:
    """Version of Python and of each package that results depend on."""
    jobs = PACKAGES_OF_JOBS if importlib.util.find_spec("ray") else ()
    return {"python": platform.python_version(), **versions_of((*PACKAGES, *jobs))}


def machine() -> dict[str, str]:
    """What kind of machine this is."""
    return {"system": platform.system(), "architecture": platform.machine(), "cores": str(os.cpu_count())}


def commit() -> str | None:
    """Commit of the checkout that the command was started in, with `+changes` where it differs; None outside one."""
    try:
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}+changes" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
