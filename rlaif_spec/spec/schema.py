"""JSON Schema of specs, for editors: completion, descriptions and red lines while typing."""

import json

from pydantic import TypeAdapter

from rlaif_spec.spec.experiment import AlignmentExperiment, PolicyExperiment


def schema_text() -> str:
    """The schema as it stands in `specs/schema.json`."""
    adapter: TypeAdapter[PolicyExperiment | AlignmentExperiment] = TypeAdapter(PolicyExperiment | AlignmentExperiment)
    schema = adapter.json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rlaif-spec experiment"}
    return json.dumps({**head, **schema}, indent=2) + "\n"
