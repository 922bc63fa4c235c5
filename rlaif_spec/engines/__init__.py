"""Who computes: the `Engine` protocol, the native engine (torch and transformers), OpenRLHF jobs on GPUs.

`endpoint` asks models that servers answer for; they belong to no engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from rlaif_spec.engines.protocol import Engine
from rlaif_spec.errors import UserError
from rlaif_spec.plan import Plan
from rlaif_spec.plan.steps import Data, data_of
from rlaif_spec.spec.scale import FileData, Scale
from rlaif_spec.store import Store

__all__ = ["BatchOptions", "Engine", "JobReport", "batch_script", "job_report", "open_engine"]


NOT_READ = "rows, and what is reckoned from them, are upper bounds: the data is not read yet\n"
UNKNOWN_ROWS = 100_000
"""Taken for a plan where neither the data nor the scale says how many rows there are."""


@dataclass(frozen=True)
class JobReport:
    """What a plan's jobs will be: lines to read, and why they must not start (empty where they may)."""

    lines: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    def refuse(self) -> None:
        """Raise UserError with every reason, a line each."""
        if self.refusals:
            raise UserError("\n".join(self.refusals))


def open_engine(scale: Scale) -> Engine:
    """The engine of a scale; this is the one place that loads torch, and only when it is called."""
    match scale.engine:
        case "native":
            from rlaif_spec.engines.native import NativeEngine

            return NativeEngine(scale.compute)
        case "openrlhf":
            from rlaif_spec.engines.openrlhf.engine import OpenRlhfEngine

            assert scale.openrlhf is not None, "the scale's validator asks for it"  # noqa: S101
            return OpenRlhfEngine(scale.openrlhf, scale.compute)
        case other:
            assert_never(other)


def job_report(plan: Plan, scale: Scale, store: Store) -> JobReport:
    """The compile report of an engine that works in jobs; empty for the native engine. Loads neither torch nor Ray."""
    if scale.engine == "native" or scale.openrlhf is None:
        return JobReport()
    from rlaif_spec.engines.openrlhf.compile import compile_jobs
    from rlaif_spec.engines.openrlhf.compile_report import refusals, report
    from rlaif_spec.engines.openrlhf.facts import supervised_nodes

    own = scale.openrlhf
    nodes = supervised_nodes(own)
    jobs = compile_jobs(plan, own, store.root, lambda data, part: _rows(data, part, store), nodes)
    read = not jobs or store.finished(data_of(jobs[0].step))
    lines = [] if read else [NOT_READ]
    seeds = list(dict.fromkeys(data_of(job.step).seed for job in jobs))
    for job in jobs:
        if data_of(job.step).seed == seeds[0]:
            lines += report(job, own)
    if len(seeds) > 1:
        others = ", ".join(map(str, seeds[1:]))
        lines.append(f"seeds {others}: the same, with folders and --train.seed of their own")
    return JobReport(tuple(lines), tuple(refusals(jobs, own)))


@dataclass(frozen=True)
class BatchOptions:
    """What a batch script needs to know beside spec and scale."""

    time: str = "24:00:00"
    cpus_per_node: int = 32
    options: tuple[str, ...] = ()
    """More for sbatch, such as --partition=gpu."""
    setup: tuple[str, ...] = ()
    """Shell lines that come first."""


def batch_script(plan: Plan, scale: Scale, arguments: Sequence[str], options: BatchOptions) -> str:
    """A script for sbatch: `rlaif-spec run` with these arguments over the scale's nodes; UserError if it cannot be."""
    own = scale.openrlhf
    if scale.engine != "openrlhf" or own is None:
        raise UserError(
            f"scale {scale.name}: engine {scale.engine} runs on one machine; a batch script is for openrlhf"
        )
    if own.ray.address is None:
        raise UserError(
            f"scale {scale.name}: openrlhf.ray.address: the script starts Ray, so the scale must say"
            f" http://127.0.0.1:{own.ray.dashboard_port}"
        )
    from rlaif_spec.engines.openrlhf.compile import serves_labeler
    from rlaif_spec.engines.openrlhf.launch.slurm import Allocation, run_script

    serves = any(serves_labeler(step) for step in plan.steps)
    allocation = Allocation(
        job_name=scale.name,
        nodes=own.nodes,
        gpus_per_node=own.gpus_per_node,
        cpus_per_node=options.cpus_per_node,
        labeler_gpus=own.labeler.gpus if serves else 0,
        time=options.time,
        options=options.options,
        setup=options.setup,
        port=own.ray.port,
        dashboard_port=own.ray.dashboard_port,
    )
    return run_script(allocation, arguments)


def _rows(data: Data, part: str, store: Store) -> int:
    """Rows of a part of the data: counted where it lies there, else what the scale says at most."""
    path = store.folder(data) / f"{part}.jsonl"
    if path.is_file():
        with path.open("rb") as file:
            return sum(1 for _ in file)
    source = data.source
    limit = getattr(source, f"max_{part}" if isinstance(source, FileData) else part)
    return UNKNOWN_ROWS if limit is None else int(limit)
