"""Results are for others to read: they say nothing of where files and servers are around the machine that made them."""

from pathlib import PurePath
from typing import Any

PLACES = ("url", "address")
"""Of servers and clusters: left out."""


def portable(value: Any) -> Any:
    """Plain data without addresses, and with the value of every key `path` cut to its last part.

    >>> portable({"comparisons": {"format": "hh", "path": "/home/me/data/test.jsonl.gz"}})
    {'comparisons': {'format': 'hh', 'path': 'test.jsonl.gz'}}
    >>> portable({"endpoint": {"url": "http://10.0.0.7:8000/v1", "model": "judge"}})
    {'endpoint': {'model': 'judge'}}
    """
    if isinstance(value, dict):
        return {
            key: PurePath(inner).name if key == "path" and isinstance(inner, str) else portable(inner)
            for key, inner in value.items()
            if key not in PLACES
        }
    return [portable(inner) for inner in value] if isinstance(value, list) else value
