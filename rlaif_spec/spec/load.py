"""Specs and scales from files, and whether the two fit; every problem is found before anything is loaded or run."""

import os
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rlaif_spec.errors import SpecError
from rlaif_spec.spec.document import Document, Place, field_name, parse_document, read_document
from rlaif_spec.spec.experiment import AlignmentExperiment, Experiment, PolicyExperiment
from rlaif_spec.spec.explain import explain
from rlaif_spec.spec.scale import Scale

REPLACED_WHOLE = ("sizes", "tasks", "judge", "selector")
"""Where a scale extends another: entries of these are not merged, because half of a model or data source is none."""
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load_experiment(path: Path) -> Experiment:
    """The spec in a file; `SpecError` with every problem otherwise."""
    document = read_document(path)
    kind = document.data.get("kind", "policy")
    if kind not in ("policy", "alignment"):
        place = document.at(("kind",))
        raise SpecError([f"{place}: kind: {kind!r} is unknown; known: policy (the default), alignment"])
    model = AlignmentExperiment if kind == "alignment" else PolicyExperiment
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise SpecError(explain(document, error, model)) from None


def load_scale(name: str | Path) -> Scale:
    """A built-in scale by its name, or a scale in a file; paths in it become absolute, variables are put in."""
    document = _scale_document(name)
    try:
        return Scale.model_validate(document.data)
    except ValidationError as error:
        raise SpecError(explain(document, error, Scale)) from None


def builtin_scales() -> list[str]:
    """Names of the scales that ship with this package."""
    folder = files("rlaif_spec") / "scales"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def default_scale() -> tuple[str, str]:
    """(name, why): `toy` where there is no GPU, else `small`; found out without loading torch."""
    gpu = Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None
    name, why = ("small", "a GPU was found") if gpu else ("toy", "no GPU was found")
    others = ", ".join(other for other in builtin_scales() if other != name)
    return name, f"scale {name}: chosen because {why}; another: --scale {others} or a file"


def _scale_document(name: str | Path) -> Document:
    if str(name) in builtin_scales():
        text = (files("rlaif_spec") / "scales" / f"{name}.yaml").read_text(encoding="utf-8")
        return parse_document(f"{name}.yaml", text)
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") and not path.exists():
        raise SpecError([f"--scale: {name!r} is no built-in scale ({', '.join(builtin_scales())}) and no file"])
    document = read_document(path)
    data, problems = _filled_in(document, path.parent.absolute())
    if "extends" in data:
        base = data.pop("extends")
        if not isinstance(base, str) or base not in builtin_scales():
            known = ", ".join(builtin_scales())
            problems.append(f"{document.at(('extends',))}: extends: {base!r} is no built-in scale; known: {known}")
        else:
            inherited = {key: value for key, value in _scale_document(base).data.items() if key != "name"}
            data = _merged(inherited, data)
            if data.get("name") in builtin_scales():
                problem = f"name: {data['name']!r} is a built-in scale; results of yours need another name"
                problems.append(f"{document.at(('name',))}: {problem}")
    if problems:
        raise SpecError(problems)
    return Document(path, data, document.lines)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes: settings key by key; models, data, judges, and what is of another kind, whole."""
    if "kind" in base and changes.get("kind", base["kind"]) != base["kind"]:
        return dict(changes)
    merged = dict(base)
    for key, value in changes.items():
        old = base.get(key)
        if key in ("sizes", "tasks") and isinstance(old, dict) and isinstance(value, dict):
            merged[key] = {**old, **value}
        elif key not in REPLACED_WHOLE and isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged


def _filled_in(document: Document, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The data with environment variables put in and every `path` made absolute."""
    problems: list[str] = []

    def fill(value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            return {key: fill(inner, (*place, str(key))) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner, (*place, at)) for at, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        text = _VARIABLE.sub(lambda match: _variable(match, document, place, problems), value)
        return str(folder / os.path.expanduser(text)) if place and place[-1] == "path" else text

    return fill(document.data, ()), problems


def _variable(match: re.Match[str], document: Document, place: Place, problems: list[str]) -> str:
    value = os.environ.get(match[1]) or match[2]
    if value is None:
        problems.append(f"{document.at(place)}: {field_name(place)}: ${{{match[1]}}} is not set; export {match[1]}=...")
        return ""
    return value
