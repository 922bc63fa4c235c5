"""`python -m benchmarks.gpu [toy] [smollm2]`: summarize_RLAIF through OpenRLHF on one GPU, with tokens per second.

What ran and what did not is said for each: a step that failed is a line with its reason, not an end. Tokens are those
of the responses that were written (RL) or of the rows trained on; seconds are the jobs' own, with loading of models.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rlaif_spec import Request, Screen, run_experiment
from rlaif_spec.errors import RlaifSpecError

HERE = Path(__file__).parent
SPEC = HERE.parents[1] / "specs" / "summarize_RLAIF.yaml"
SCALES = {"toy": HERE / "toy.yaml", "smollm2": HERE / "smollm2.yaml"}
OUT = Path("runs") / "gpu"


def main(arguments: Sequence[str]) -> int:
    """Run the scales named, or all; 1 where one of them failed."""
    unknown = set(arguments) - set(SCALES)
    if unknown:
        sys.stderr.write(f"{', '.join(sorted(unknown))}: no such scale; known: {', '.join(SCALES)}\n")
        return 2
    sys.stdout.write(f"device: {device()}\n")
    failed = 0
    for name in arguments or SCALES:
        request = Request(spec=SPEC, scale=str(SCALES[name]), runs=OUT / name, results=OUT / "results", seeds=(0,))
        try:
            outcome = run_experiment(request, Screen())
            sys.stdout.write(f"\n{name}: ran to its table\n\n{outcome.report}\n")
        except RlaifSpecError as error:
            failed = 1
            sys.stdout.write(f"\n{name}: ended with: {error}\n")
        sys.stdout.write("\n".join(["", *speeds(OUT / name), ""]))
    return failed


def device() -> str:
    """The GPU's name and memory, or that there is none."""
    asked = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "no NVIDIA GPU"


def speeds(runs: Path) -> list[str]:
    """A line for each OpenRLHF job that finished."""
    lines = ["| job | GPU | seconds | tokens | tokens a second |", "|---|---|---|---|---|"]
    for path in sorted(runs.glob("*/step.json")):
        receipt = json.loads(path.read_bytes())
        note = receipt.get("engine")
        if note and note.get("gpu_hours"):
            seconds = note["gpu_hours"] * 3600 / note["gpus"]
            tokens = note["tokens"]
            lines.append(
                f"| {receipt['id']} | {note['gpus']} | {seconds:.0f} | {tokens:,.0f} | {tokens / seconds:,.0f} |"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
