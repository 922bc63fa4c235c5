"""Validation errors in the house's words: `file:line: field: what is wrong; what would be right`."""

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rlaif_spec.spec.document import Document, Place, field_name


def explain(document: Document, error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each thing that is wrong, in the order of the file."""
    details = error.errors()
    deeper = {detail["loc"][: len(detail["loc"]) - 1] for detail in details}
    lines = [
        _line(document, detail, model)
        for detail in details
        if not (detail["type"] == "too_short" and detail["loc"] in deeper)  # its items were refused one by one
    ]
    ordered = sorted(lines, key=lambda line: line[0])
    return [f"{document.at(place)}: {text}" for _, place, text in ordered]


def _line(document: Document, detail: ErrorDetails, model: type[BaseModel]) -> tuple[int, Place, str]:
    place = _place(document.data, detail["loc"])
    text = _text(detail, place, model)
    if detail["type"] == "value_error" and not (place and _is_leaf(document.data, place)):
        field = tuple(text.split(":")[0].split("."))
        inner = (*place, *field)
        if inner in document.lines:
            place = inner
        elif place and ":" not in text.split(";")[0]:
            text = f"{field_name(place)}: {text}"
        elif place:
            text = f"{field_name(place)}.{text}"
    else:
        text = f"{field_name(place)}: {text}"
    number = int(document.at(place).rsplit(":", 1)[1])
    return number, place, text


def _text(detail: ErrorDetails, place: Place, model: type[BaseModel]) -> str:
    """What is wrong; what would be right."""
    kind, given = detail["type"], detail["input"]
    context: dict[str, Any] = dict(detail.get("ctx", {}))
    match kind:
        case "extra_forbidden":
            known = fields_at(model, place[:-1])
            return f"is no key here; {_suggest(str(place[-1]), known)}"
        case "missing":
            return "is missing; add it"
        case "literal_error":
            known = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(",")]
            return f"{given!r} is unknown; {_suggest(str(given), known)}"
        case "union_tag_invalid":
            known = [part.strip(" '") for part in str(context["expected_tags"]).split(",")]
            return f"kind {context['tag']!r} is unknown; {_suggest(str(context['tag']), known)}"
        case "union_tag_not_found":
            return "has no kind; add kind: ..."
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case _:
            shown = repr(given) if not isinstance(given, dict | list) else type(given).__name__
            wanted = detail["msg"][0].lower() + detail["msg"][1:]
            return f"{shown} does not fit; {wanted.replace('input should be', 'should be').replace('tuple', 'list')}"


def _suggest(given: str, known: list[str]) -> str:
    close = get_close_matches(given, known, n=1, cutoff=0.6) or get_close_matches(
        given.lower(), [name.lower() for name in known], n=1, cutoff=0.6
    )
    match = next((name for name in known if close and name.lower() == close[0].lower()), None)
    hint = f"did you mean {match}? " if match else ""
    return f"{hint}known: {', '.join(known)}"


def fields_at(model: type[BaseModel], place: Place) -> list[str]:
    """Names of the keys that may stand at a place: of every model that the annotation there allows."""
    models = {model}
    for part in place:
        models = {
            inner
            for outer in models
            for inner in _models(outer.model_fields[str(part)].annotation if part in outer.model_fields else None)
        } or models
    return list(
        dict.fromkeys(name for found in sorted(models, key=lambda m: m.__name__) for name in found.model_fields)
    )


def _models(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for part in get_args(annotation) for found in _models(part)}


def _place(data: Any, location: tuple[int | str, ...]) -> Place:
    """The location without the union tags that pydantic puts between keys."""
    place: list[str | int] = []
    for at, part in enumerate(location):
        if (isinstance(data, dict) and part in data) or _is_item(data, part):
            data = data[part]
        elif at < len(location) - 1:
            continue
        elif not (isinstance(data, dict) and data.get("kind") == part):
            data = None
        else:
            continue
        place.append(part)
    return tuple(place)


def _is_item(data: Any, part: int | str) -> bool:
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _is_leaf(data: Any, place: Place) -> bool:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return True
    return not isinstance(data, dict)
