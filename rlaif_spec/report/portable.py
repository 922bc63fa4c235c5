"""Results are for others to read: they say nothing of where files lie on the machine that made them."""

from pathlib import PurePath
from typing import Any


def portable(value: Any) -> Any:
    """Plain data with the value of every key `path` cut to its last part.

    >>> portable({"comparisons": {"format": "hh", "path": "/home/me/data/test.jsonl.gz"}})
    {'comparisons': {'format': 'hh', 'path': 'test.jsonl.gz'}}
    """
    if isinstance(value, dict):
        return {
            key: PurePath(inner).name if key == "path" and isinstance(inner, str) else portable(inner)
            for key, inner in value.items()
        }
    return [portable(inner) for inner in value] if isinstance(value, list) else value
