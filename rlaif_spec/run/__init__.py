"""Run specs: what the command line and `from rlaif_spec import ...` offer."""

from rlaif_spec.engines import BatchOptions
from rlaif_spec.run.experiment import (
    Outcome,
    Prepared,
    Request,
    plan_jobs,
    plan_lines,
    plan_rows,
    prepare,
    problems_of,
    run_experiment,
    slurm_script,
)
from rlaif_spec.run.screen import Screen

__all__ = [
    "BatchOptions",
    "Outcome",
    "Prepared",
    "Request",
    "Screen",
    "plan_jobs",
    "plan_lines",
    "plan_rows",
    "prepare",
    "problems_of",
    "run_experiment",
    "slurm_script",
]
