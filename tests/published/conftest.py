"""Published cases: other people's judgements with the figures that they printed. They are read where they lie.

The folder is `RLAIF_SPEC_PUBLISHED`, or `shared/published` beside the project or above it. Where there is none, these
tests are skipped and say so.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


class Case(NamedTuple):
    """The items of a case and what its authors printed of them."""

    items: pd.DataFrame
    expected: dict[str, Any]


def published_folder() -> Path | None:
    """Where the cases lie, if they do."""
    if named := os.environ.get("RLAIF_SPEC_PUBLISHED"):
        return Path(named)
    found = (parent / "shared" / "published" for parent in ROOT.parents)
    return next((folder for folder in found if folder.is_dir()), None)


@pytest.fixture(scope="session")
def case() -> Callable[..., Case]:
    """Read a case by name; `dtype` as in pandas."""
    folder = published_folder()
    if folder is None:
        pytest.skip("no published cases: name their folder in RLAIF_SPEC_PUBLISHED")

    def read(name: str, dtype: Any = None) -> Case:
        (items,) = (folder / name).glob("*.csv.gz")
        frame = pd.read_csv(items, dtype=dtype, keep_default_na=dtype is None)
        return Case(frame, json.loads((folder / name / "expected.json").read_text()))

    return read
