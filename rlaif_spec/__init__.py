"""Declare an RLAIF or RLHF experiment, run it, and get a table to trust.

    from rlaif_spec import Request, load_experiment, run_experiment
    outcome = run_experiment(Request(spec=Path("specs/summarize_dRLAIF.yaml")))
    print(outcome.report)

What the command line does is here under the same names. Names are loaded when they are first used, so that
`import rlaif_spec` costs nothing; torch is loaded only by a run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlaif_spec.errors import DataError, RlaifSpecError, RunError, SpecError, UserError
    from rlaif_spec.plan import Plan, compile_plan
    from rlaif_spec.report import Figure, compare_results, render
    from rlaif_spec.run import Outcome, Request, Screen, plan_lines, prepare, run_experiment
    from rlaif_spec.spec import (
        AlignmentExperiment,
        Experiment,
        PolicyExperiment,
        Scale,
        check,
        default_scale,
        load_experiment,
        load_scale,
    )
    from rlaif_spec.spec.schema import schema_text

_ROOMS = {
    "errors": ("DataError", "RlaifSpecError", "RunError", "SpecError", "UserError"),
    "plan": ("Plan", "compile_plan"),
    "report": ("Figure", "compare_results", "render"),
    "run": ("Outcome", "Request", "Screen", "plan_lines", "prepare", "run_experiment"),
    "spec": (
        "AlignmentExperiment",
        "Experiment",
        "PolicyExperiment",
        "Scale",
        "check",
        "default_scale",
        "load_experiment",
        "load_scale",
    ),
    "spec.schema": ("schema_text",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "AlignmentExperiment",
    "DataError",
    "Experiment",
    "Figure",
    "Outcome",
    "Plan",
    "PolicyExperiment",
    "Request",
    "RlaifSpecError",
    "RunError",
    "Scale",
    "Screen",
    "SpecError",
    "UserError",
    "check",
    "compare_results",
    "compile_plan",
    "default_scale",
    "load_experiment",
    "load_scale",
    "plan_lines",
    "prepare",
    "render",
    "run_experiment",
    "schema_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        msg = f"module 'rlaif_spec' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"rlaif_spec.{_HOME[name]}"), name)
