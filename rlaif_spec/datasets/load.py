"""The one way to a task's texts, whatever they come from."""

from typing import assert_never

from rlaif_spec.datasets.dataset import Dataset
from rlaif_spec.datasets.from_files import from_files
from rlaif_spec.datasets.from_world import from_world
from rlaif_spec.spec.scale import TaskData
from rlaif_spec.tasks import TaskName


def load_data(task: TaskName, source: TaskData, *, seed: int) -> Dataset:
    """Read or write the texts of `task`; equal arguments (and files) give equal texts."""
    match source.kind:
        case "world":
            return from_world(task, source, seed=seed)
        case "files":
            return from_files(source, seed=seed)
        case _ as never:
            assert_never(never)
