"""Real OpenRLHF on the CPU: these tests run in an environment of their own (README.md) and skip in any other."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SHIMS = HERE / "shims"

# They would replace parts of torch in the process that collects them.
collect_ignore = ["shims"]

if find_spec("ray") and find_spec("deepspeed") and str(SHIMS) not in sys.path:
    sys.path.insert(0, str(SHIMS))
    os.environ.setdefault("DS_ACCELERATOR", "cpu")


@pytest.fixture(scope="session")
def shimmed() -> dict[str, str]:
    """The environment of a process that is to run OpenRLHF without a GPU."""
    path = [str(SHIMS), str(HERE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    programs = [str(SHIMS / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path),
        "PATH": os.pathsep.join(programs),
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
