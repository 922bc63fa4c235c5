"""The three tasks of the paper, and what each asks of a labeler and of a table."""

from typing import Final, Literal

from rlaif_spec.frozen import Frozen

TaskName = Literal["summarize", "helpful", "harmless"]


class Task(Frozen):
    """One task."""

    name: TaskName
    asks_for_worse: bool
    """The labeling prompt asks for the most harmful response, so the preference is inverted (paper, Table 22)."""
    measured_by: Literal["win rate", "harmless rate"]
    """The paper's main measure of a policy; win rates are reported for every task."""


TASKS: Final[dict[str, Task]] = {
    "summarize": Task(name="summarize", asks_for_worse=False, measured_by="win rate"),
    "helpful": Task(name="helpful", asks_for_worse=False, measured_by="win rate"),
    "harmless": Task(name="harmless", asks_for_worse=True, measured_by="harmless rate"),
}
