"""The log of a container, which goes with it: the end of it in a file, and in a message what it says last."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..containers.container import Container, Logs
from ..errors import printable
from .claim import Claim

#: Bytes of each stream: what a server prints of each request must not displace a traceback on the other one.
KEPT = 128 * 1024
#: Lines of last words or of a traceback, and characters of each of them.
LINES, WIDTH = 12, 200


def file_of(root: Path, name: str) -> Path:
    """build/proof/<name>.log below the output root, beside the report."""
    return root / "build" / "proof" / f"{name}.log"


def kept(container: Container) -> str:
    """The end of both streams in the order of time, which the engine writes before each line."""
    logs = container.logs(timestamps=True)
    lines = [line for text in (logs.stdout, logs.stderr) for line in _end(text).split("\n") if line]
    # Its nanoseconds always have nine digits, so that times sort as texts; lines of the same time stay in their order.
    lines.sort(key=lambda line: line.partition(" ")[0])
    return printable("\n".join(lines), "\n\t")


def _end(text: str) -> str:
    data = text.encode()
    return text if len(data) <= KEPT else data[-KEPT:].partition(b"\n")[2].decode(errors="replace")


def write_log(log: str, file: Path) -> None:
    """Readable for its owner alone, since an app may print a secret; what an earlier run has left goes in any case."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    if log:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
            opened.write(f"{log}\n")


def last_words(logs: Logs) -> str:
    """The last lines of what was printed as an error, or at all."""
    return _bounded((logs.stderr.strip() or logs.stdout.strip()).splitlines()) or "(it printed nothing)"


def last_traceback(logs: Logs) -> str:
    """The innermost calls of the last traceback, and its exception."""
    lines = [*logs.stdout.splitlines(), *logs.stderr.splitlines()]
    starts = [number for number, line in enumerate(lines) if "Traceback (most recent call last):" in line]
    if not starts:
        return ""
    calls = lines[starts[-1] + 1 :]
    ends = (number for number, line in enumerate(calls) if line and not line[0].isspace())
    return _bounded(calls[: next(ends, len(calls)) + 1])


def _bounded(lines: list[str]) -> str:
    return "\n".join(printable(line[:WIDTH], "\t") for line in lines[-LINES:])


def with_log(claim: Claim, logs: Logs, file: Path, earlier: Sequence[Claim] = ()) -> Claim:
    """A claim that failed, with the file that keeps the log, and the app's last traceback where it answered 5xx.

    A traceback that one of the ``earlier`` claims has is not told again.
    """
    advice = f"{claim.advice}\n    The container's log: {file}"
    found = last_traceback(logs) if _app_failed(claim) else ""
    if found and not any(found in one.advice for one in earlier):
        advice += f"\n    The app's last traceback:\n{found}"
    return replace(claim, advice=advice)


def _app_failed(claim: Claim) -> bool:
    loads = [found for found in claim.data.values() if isinstance(found, Mapping)]
    return any(status.startswith("5") for load in loads for status in load.get("statuses", ()))
