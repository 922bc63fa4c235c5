"""The JSON Schemas accept what the loader accepts, and what an editor should mark is marked."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from rlaif_spec.spec.schema import schema_text

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
SCALES = [
    *sorted((ROOT / "rlaif_spec" / "scales").glob("*.yaml")),
    *sorted((ROOT / "specs" / "scales").glob("*.yaml")),
    *sorted((ROOT / "tests" / "openrlhf_cpu").glob("*.yaml")),
    *sorted((ROOT / "benchmarks" / "gpu").glob("*.yaml")),
]


def problems(kind: Any, data: Any) -> list[str]:
    schema = json.loads(schema_text(kind))
    jsonschema.Draft202012Validator.check_schema(schema)
    return messages(jsonschema.Draft202012Validator(schema).iter_errors(data))


def messages(errors: Iterable[Any]) -> list[str]:
    """Of the errors and of those behind them, where one of several schemas had to fit."""
    return [text for error in errors for text in (error.message, *messages(error.context))]


def test_the_schemas_beside_specs_and_scales_are_fresh() -> None:
    assert (ROOT / "specs" / "schema.json").read_text() == schema_text(), "run `make schema`"
    assert (ROOT / "specs" / "scales" / "schema.json").read_text() == schema_text("scale"), "run `make schema`"


@pytest.mark.parametrize("path", [*SPECS, *SCALES], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_file_fits(path: Path) -> None:
    assert problems("spec" if path in SPECS else "scale", yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: toy\nname: my\nrl: {steps: many}", "'many' is not of type 'integer'"),
        ("extends: toy\nname: my\nrl: {stepz: 3}", "'stepz' was unexpected"),
        ("extends: toys\nname: my", "'toys' is not one of ['paper', 'small', 'toy']"),
        ("extends: toy", "is not valid under any of the given schemas"),
        ("name: my\nengine: native", "is not valid under any of the given schemas"),
        ("extends: paper\nname: my\njudge: {kind: labeler}", "'size' is a required property"),
        ("extends: paper\nname: my\nopenrlhf: {labeler: {gpus: 0}}", "0 is less than the minimum of 1"),
        ("extends: paper\nname: my\nsizes: {L: {endpoint: {url: 'http://h/v1'}}}", "is not valid under any"),
    ],
)
def test_what_an_editor_marks(text: str, message: str) -> None:
    assert any(message in line for line in problems("scale", yaml.safe_load(text)))
