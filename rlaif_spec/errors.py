"""Every error this package raises on purpose, as one tree.

    RlaifSpecError
    ├── UserError            exit code 2: what was asked cannot be done; the message says what can
    │   ├── SpecError        a spec or scale file is wrong (carries every problem found)
    │   └── DataError        a data file is missing or a row in it is wrong
    └── RunError             exit code 1: what was asked is fine, but doing it failed
        ├── ArtifactError    something that was computed earlier is damaged or missing
        ├── EngineError      a model could not be loaded, trained or asked
        └── JudgementError   too many replies of a labeler or judge could not be read

Messages are one line: where, what is wrong, what would be right. To add an error, give it the parent whose
exit code fits, and a line here.
"""

from typing import ClassVar


class RlaifSpecError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: ClassVar[int] = 1


class UserError(RlaifSpecError):
    """What was asked cannot be done."""

    exit_code = 2


class SpecError(UserError):
    """A spec or scale file is wrong; `problems` holds one line for each thing that is."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DataError(UserError):
    """A data file is missing or a row in it is wrong."""


class RunError(RlaifSpecError):
    """Doing what was asked failed."""


class ArtifactError(RunError):
    """Something computed earlier is damaged or missing."""


class EngineError(RunError):
    """A model could not be loaded, trained or asked."""


class JudgementError(RunError):
    """Too many replies of a labeler or judge could not be read."""
