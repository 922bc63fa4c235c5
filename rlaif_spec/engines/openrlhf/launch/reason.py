"""Why a job ended, in one line, by the end of its log.

A log ends with wrappers: torchrun's summary, Ray's RayTaskError, the NCCL errors of the ranks that were left alone.
What a person needs is the line that came first of all: the exception in the process that failed.
"""

import re
import signal
from pathlib import Path

TAIL_BYTES = 1 << 18
LONGEST = 300
"""Characters of a reason; CUDA's message about memory is longer and tells no more."""

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PREFIX = re.compile(r"^(?:\([^()]*\bpid=\d+[^()]*\) |\[(?:rank|default)?\d+\]:\s?)+")
_EXCEPTION = re.compile(
    r"^(?:[A-Za-z_]\w*\.)*(?P<name>(?:[A-Z]\w*)?(?:Error|Exception|Interrupt|Exit|Iteration|Failure|Timeout|Expired))"
    r"(?:\([\w.]+\))?(?::\s?(?P<text>.*))?$"
)
_WRAPPERS = re.compile(r"^(?:ChildFailedError|RayTaskError|CalledProcessError|SystemExit)$")
_CONSEQUENCES = re.compile(
    r"DistBackendError|DistNetworkError|DistStoreError|ActorDiedError|ActorUnavailableError|WorkerCrashedError"
    r"|NCCL|[Gg]loo|[Cc]onnection (?:reset|closed|refused)|BrokenPipe|heartbeat"
)
"""What other processes say after one has died."""
_ASIDE = re.compile(r"^(?:Exception in thread |Exception ignored in|(?:Task|Future) exception was never retrieved)")
"""How Python heads an exception that ended no process: threads and finalisers fail when a failed program closes."""
_CHAINED = re.compile(r"^(?:During handling of the above|The above exception was the direct cause)")
_SIGNALLED = re.compile(r"[Ss]ignal \d+ \(SIG\w+\) received by PID|exitcode\s*: -\d+|Segmentation fault|Killed\b")
_CLASS = re.compile(r"^\s+class_name: (\S+)")
_NOISE = re.compile(r"^[\s=\-+*_.]*$")


def last_words(text: str) -> str:
    """The line that says most about why a job failed; empty if the text is."""
    lines = [_PREFIX.sub("", _COLOURS.sub("", line)).rstrip() for line in text.replace("\r", "\n").splitlines()]
    exceptions = [(at, found) for at, line in enumerate(lines) if (found := _EXCEPTION.match(line))]
    aside = _asides(lines)
    told = [(at, found) for at, found in exceptions if not _WRAPPERS.match(found["name"])]
    own = [(at, found) for at, found in told if at not in aside]
    roots = [(at, found) for at, found in own if not _CONSEQUENCES.search(found.group())]
    for candidates in (roots, own, told):
        if candidates:
            return _told(lines, candidates[-1][0])
    signalled = [line for line in lines if _SIGNALLED.search(line)]
    rest = [line for line in lines if not _NOISE.match(line)]
    return _short(next(iter([*signalled[-1:], *(lines[at] for at, _ in exceptions[-1:]), *rest[-1:]]), ""))


def last_words_of(log: Path, *, start: int = 0) -> str:
    """`last_words` of the end of a file, of what was written after byte `start`."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(start, end - TAIL_BYTES))
            return last_words(file.read().decode("utf-8", errors="replace"))
    except FileNotFoundError:
        return ""


def how_it_ended(code: int) -> str:
    """An exit code in words; -N and 128 + N mean that signal N ended it."""
    number = -code if code < 0 else code - 128
    if number not in set(signal.Signals):
        return f"ended with exit code {code}"
    hint = ", as the system does when memory runs out" if number == signal.SIGKILL else ""
    return f"was ended by {signal.Signals(number).name}{hint}"


def _asides(lines: list[str]) -> set[int]:
    """Where the exceptions stand, with those chained to them, that ended no process."""
    asides: set[int] = set()
    open_aside = last_was_aside = headed = False
    for at, line in enumerate(lines):
        if _ASIDE.match(line):
            open_aside = headed = True
        elif _CHAINED.match(line):
            open_aside, headed = last_was_aside, True
        elif line.startswith("Traceback (most recent call last)"):
            open_aside, headed = open_aside and headed, False
        elif _EXCEPTION.match(line):
            if open_aside:
                asides.add(at)
            open_aside, last_was_aside = False, open_aside
    return asides


def _told(lines: list[str], at: int) -> str:
    """An exception's line, with the actor's class where Ray names it in the lines that follow."""
    named = next((found[1] for line in lines[at + 1 : at + 4] if (found := _CLASS.match(line))), None)
    return _short(lines[at]) + (f" ({named})" if named else "")


def _short(line: str) -> str:
    line = line.strip()
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
