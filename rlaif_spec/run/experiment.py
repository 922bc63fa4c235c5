"""Run a spec from its file to its result folder, and say what a run would do."""

import json
import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from rlaif_spec.engines import BatchOptions, JobReport, batch_script, job_report, open_engine
from rlaif_spec.errors import SpecError, UserError
from rlaif_spec.plan import AnyStep, Plan, compile_plan
from rlaif_spec.run.provenance import commit, machine, versions
from rlaif_spec.run.screen import Screen
from rlaif_spec.run.walk import Walk, describe, walk
from rlaif_spec.spec import check, default_scale, load_experiment, load_scale
from rlaif_spec.spec.experiment import AlignmentExperiment, Experiment
from rlaif_spec.spec.scale import Scale
from rlaif_spec.store import Store, sha256_of, write_json, write_whole

PROVENANCE = "provenance.json"
RESULT_FILES = ("metrics.json", "plan.json", "ratings.jsonl", "report.md")


@dataclass(frozen=True)
class Request:
    """A spec file and how to run it; `scale` None lets the machine choose, `seeds` None keeps the spec's."""

    spec: Path
    scale: str | None = None
    runs: Path = Path("runs")
    results: Path = Path("results")
    seeds: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Prepared:
    """A spec and a scale that fit each other, and what is to be done."""

    name: str
    experiment: Experiment
    scale: Scale
    scale_note: str
    plan: Plan
    store: Store


@dataclass(frozen=True)
class Outcome:
    """What a run did and where its result lies."""

    folder: Path
    walk: Walk
    report: str


def prepare(request: Request) -> Prepared:
    """Load, check and compile; nothing is computed and torch is not loaded."""
    experiment = load_experiment(request.spec)
    if request.seeds is not None:
        if not request.seeds or len(set(request.seeds)) != len(request.seeds) or min(request.seeds) < 0:
            raise UserError(f"--seeds: {request.seeds}: needs different whole numbers from 0 up, as in 0,1,2")
        experiment = experiment.model_copy(update={"seeds": request.seeds})
    name, note = (request.scale, f"scale {request.scale}: as asked") if request.scale else default_scale()
    scale = load_scale(name)
    check(experiment, scale, spec=request.spec)
    return Prepared(
        name=request.spec.stem,
        experiment=experiment,
        scale=scale,
        scale_note=note,
        plan=compile_plan(experiment, scale, _contents(experiment, scale)),
        store=Store(request.runs),
    )


def problems_of(spec: Path, scale: str) -> list[str]:
    """Every reason why this spec at this scale would be refused before anything is loaded, a line each."""
    try:
        return [f"{scale}: {line}" for line in plan_jobs(prepare(Request(spec, scale))).refusals]
    except SpecError as error:
        return error.problems


def _contents(experiment: Experiment, scale: Scale) -> dict[str, str]:
    """A hash of each local data file that the experiment reads."""
    tasks = experiment.tasks if isinstance(experiment, AlignmentExperiment) else (experiment.task,)
    paths = {path for task in tasks for path in scale.tasks[task].files().values()}
    return {path: _hash(path, os.stat(path).st_mtime_ns) for path in paths}


@lru_cache
def _hash(path: str, modified: int) -> str:
    """Once for all specs of a command; `modified` tells a file that has changed since."""
    return sha256_of(Path(path))


def plan_rows(prepared: Prepared) -> list[dict[str, str]]:
    """What would be done and what would be reused, a row a step."""
    return [
        {"state": _state(prepared.store, step), "step": step.id, "what": describe(step)} for step in prepared.plan.steps
    ]


def plan_lines(prepared: Prepared) -> list[str]:
    """What would be done and what would be reused, a line a step."""
    rows = plan_rows(prepared)
    lines = [f"  {row['state']:<9} {row['step']:<26} {row['what']}" for row in rows]
    open_steps = sum(row["state"] != "reuse" for row in rows)
    return [prepared.scale_note, *lines, f"{open_steps} of {len(rows)} steps to do"]


def plan_jobs(prepared: Prepared) -> JobReport:
    """For an engine that works in jobs: the report on each, and why they must not start; empty otherwise."""
    return job_report(prepared.plan, prepared.scale, prepared.store)


def slurm_script(request: Request, options: BatchOptions) -> str:
    """A script for sbatch that runs the spec; refused where a run would be."""
    prepared = prepare(request)
    plan_jobs(prepared).refuse()
    arguments = [str(request.spec), "--scale", str(request.scale)]
    if request.seeds is not None:
        arguments += ["--seeds", ",".join(map(str, request.seeds))]
    return batch_script(prepared.plan, prepared.scale, arguments, options)


def run_experiment(request: Request, screen: Screen | None = None) -> Outcome:
    """Do what is not done yet, measure, and write the result folder."""
    from rlaif_spec.report import measure, render, write_results

    screen = screen or Screen()
    prepared = prepare(request)
    plan_jobs(prepared).refuse()
    screen.say(prepared.scale_note)
    began = time.monotonic()
    folder = request.results / prepared.name / prepared.scale.name
    walked = _walk(prepared, screen)
    if not walked.done and _unchanged(folder, prepared):
        screen.say(f"nothing to do: all {len(walked.reused)} steps are finished; results in {folder}")
        return Outcome(folder, walked, (folder / "report.md").read_text(encoding="utf-8"))
    measured = measure(prepared.name, prepared.experiment, prepared.scale, prepared.plan, prepared.store)
    write_results(folder, prepared.plan, prepared.store, measured)
    write_whole(folder / "spec.yaml", spec_text(prepared.experiment))
    write_json(folder / PROVENANCE, _provenance(prepared, walked, time.monotonic() - began))
    screen.say(f"results in {folder} ({time.monotonic() - began:.0f} s)")
    return Outcome(folder, walked, render(measured[0].figures))


def _unchanged(folder: Path, prepared: Prepared) -> bool:
    """Whether the result folder is whole, and of this very spec, scale and plan."""
    try:
        written = json.loads((folder / PROVENANCE).read_bytes())
        steps = {*written["steps_done"], *written["steps_reused"]}
        spec = (folder / "spec.yaml").read_text(encoding="utf-8")
        whole = all((folder / name).is_file() for name in RESULT_FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    same_plan = steps == {step.id for step in prepared.plan.steps}
    same_scale = written["scale"] == _plain(prepared.scale)
    return whole and same_plan and same_scale and spec == spec_text(prepared.experiment)


def spec_text(experiment: Experiment) -> str:
    """The spec as YAML, defaults written out."""
    return yaml.safe_dump(experiment.model_dump(mode="json", exclude_none=True), sort_keys=False)


def _plain(scale: Scale) -> dict[str, object]:
    from rlaif_spec.report import portable

    plain: dict[str, object] = portable(scale.model_dump(mode="json", exclude_none=True))
    return plain


def _walk(prepared: Prepared, screen: Screen) -> Walk:
    if all(prepared.store.finished(step) for step in prepared.plan.steps):
        return Walk(done=(), reused=tuple(step.id for step in prepared.plan.steps))
    return walk(prepared.plan, open_engine(prepared.scale), prepared.store, screen)


def _provenance(prepared: Prepared, walked: Walk, seconds: float) -> dict[str, object]:
    store = prepared.store
    return {
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
        "scale": _plain(prepared.scale),
        "wall_seconds": round(seconds, 1),
        "steps_done": list(walked.done),
        "steps_reused": list(walked.reused),
        "step_seconds": {step.id: store.receipt(step).wall_seconds for step in prepared.plan.steps},
    }


def _state(store: Store, step: AnyStep) -> str:
    if store.finished(step):
        return "reuse"
    return "continue" if store.started(step) else "do"
