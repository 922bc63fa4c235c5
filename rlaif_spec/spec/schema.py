"""JSON Schemas of specs and scales, for editors: completion, descriptions and red lines while typing."""

import json
import re
from typing import Any, Literal

from pydantic import TypeAdapter

from rlaif_spec.spec.experiment import AlignmentExperiment, PolicyExperiment
from rlaif_spec.spec.load import REPLACED_WHOLE, builtin_scales
from rlaif_spec.spec.scale import Scale

Kind = Literal["spec", "scale"]
_REFERENCE = re.compile(r'"#/\$defs/(\w+)"')


def schema_text(kind: Kind = "spec") -> str:
    """The schema as it stands in `specs/schema.json` or `specs/scales/schema.json`."""
    title = "experiment" if kind == "spec" else kind
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"rlaif-spec {title}"}
    body = _specs() if kind == "spec" else _scales()
    return json.dumps({**head, **body, **head}, indent=2) + "\n"


def _specs() -> dict[str, Any]:
    return TypeAdapter(PolicyExperiment | AlignmentExperiment).json_schema()


def _scales() -> dict[str, Any]:
    """Of scale files: those that extend another say only what differs, except in what is replaced whole."""
    schema = Scale.model_json_schema()
    whole = _reached(schema, [schema["properties"][name] for name in REPLACED_WHOLE])
    for name, definition in schema["$defs"].items():
        if name not in whole:
            definition.pop("required", None)
    extends = {"enum": builtin_scales(), "description": "The built-in scale of which this one says what differs."}
    schema["properties"] = {"extends": extends, **schema["properties"]}
    schema["anyOf"] = [{"required": ["name", "extends"]}, {"required": schema.pop("required")}]
    return schema


def _reached(schema: dict[str, Any], parts: list[Any]) -> set[str]:
    """Names of the definitions that these parts of the schema refer to, directly or not."""
    found: set[str] = set()
    open_parts = [json.dumps(part) for part in parts]
    while open_parts:
        for name in set(_REFERENCE.findall(open_parts.pop())) - found:
            found.add(name)
            open_parts.append(json.dumps(schema["$defs"][name]))
    return found
