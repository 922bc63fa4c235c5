"""From what is asked to what is done: frozen steps, and the compiler that makes them."""

from rlaif_spec.plan.compile import AlignmentCell, Plan, PolicyRun, compile_plan
from rlaif_spec.plan.steps import AnyStep, Step

__all__ = ["AlignmentCell", "AnyStep", "Plan", "PolicyRun", "Step", "compile_plan"]
