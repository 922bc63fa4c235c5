"""Who computes: the `Engine` protocol, and the native engine (torch and transformers)."""

from typing import assert_never

from rlaif_spec.engines.protocol import Engine
from rlaif_spec.spec.scale import Scale

__all__ = ["Engine", "open_engine"]


def open_engine(scale: Scale) -> Engine:
    """The engine of a scale; this is the one place that loads torch, and only when it is called."""
    match scale.engine:
        case "native":
            from rlaif_spec.engines.native import NativeEngine

            return NativeEngine(scale.compute)
        case other:
            assert_never(other)
