"""What a server answered, kept on disk: a run that is started again asks, and pays for, nothing twice."""

import json
import os
import socket
from pathlib import Path

from rlaif_spec.errors import EngineError

Answer = list[float] | str
"""Probabilities in the order of the choices, or a text."""


class AnswerCache:
    """Answers kept in a folder, by a digest of all that was asked.

    Each process appends to a JSONL file of its own and reads all files of the folder at its start. A line that a
    killed process left unfinished is ignored.
    """

    def __init__(self, folder: Path) -> None:
        self._own = folder / f"{socket.gethostname()}-{os.getpid()}.jsonl"
        self._known: dict[str, Answer] = {}
        self._whole = False
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._read(line)

    def probabilities(self, key: str) -> list[float] | None:
        """The probabilities kept under a key."""
        answer = self._known.get(key)
        return answer if isinstance(answer, list) else None

    def text(self, key: str) -> str | None:
        """The text kept under a key."""
        answer = self._known.get(key)
        return answer if isinstance(answer, str) else None

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, at once on disk."""
        self._known[key] = answer
        line = json.dumps({"key": key, "answer": answer}) + "\n"
        try:
            with self._own.open("a", encoding="utf-8") as file:
                # The first time, an empty line ends what an earlier process of this name may have left unfinished.
                file.write(line if self._whole else f"\n{line}")
        except OSError as error:
            raise EngineError(
                f"{self._own}: answers could not be kept ({error.strerror}); make room and run again"
            ) from error
        self._whole = True

    def _read(self, line: str) -> None:
        try:
            row = json.loads(line)
            key, answer = str(row["key"]), row["answer"]
            self._known[key] = answer if isinstance(answer, str) else [float(value) for value in answer]
        except (ValueError, KeyError, TypeError):
            return
