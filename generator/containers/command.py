"""Runs one command to a deadline and keeps its output; all else here goes through it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import KitError

TAIL_LINES = 25


@dataclass(frozen=True)
class Completed:
    """What a finished command left behind."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both streams, stdout first."""
        return self.stdout + self.stderr


class EngineError(KitError):
    """Something that containers need is missing or went wrong; the message says what to do."""

    code = "K092"


class CommandFailed(EngineError):
    """A command ended with a code other than 0."""

    def __init__(self, completed: Completed, reason: str | None = None) -> None:
        self.completed = completed
        tail = "\n".join(completed.output.strip().splitlines()[-TAIL_LINES:])
        reason = reason or f"exit code {completed.returncode}"
        super().__init__(f"{reason}: {shlex.join(completed.argv)}\n{tail}".rstrip())


class CommandTimedOut(CommandFailed):
    """A command was stopped because it ran past its time limit."""


class Runner(Protocol):
    """The shape of `run`, so that a test can stand in for the machine."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = True,
    ) -> Completed: ...


def run(
    argv: Sequence[str],
    *,
    timeout: float = 60,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> Completed:
    """Run `argv` with an environment of its own (None: this process's) and at most `timeout` seconds."""
    # A session of its own, so that the time limit also ends what the command has started (apt, mmdebstrap).
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise EngineError(f"{argv[0]}: no such command") from error
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        stdout, stderr = _end_group(process)
        late = Completed(tuple(argv), process.returncode, stdout, stderr)
        raise CommandTimedOut(late, f"not finished after {timeout:g} s") from error
    except BaseException:
        _end_group(process)
        raise
    completed = Completed(tuple(argv), process.returncode, stdout, stderr)
    if check and completed.returncode != 0:
        raise CommandFailed(completed)
    return completed


def _end_group(process: subprocess.Popen[str], grace_seconds: float = 5) -> tuple[str, str]:
    """End the command's own process group, gently first, and return what it had printed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
            return process.communicate(timeout=grace_seconds)
    return "", ""


#: By which a person or a service manager ends this process.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """For what removes things: whoever presses Ctrl-C a second time leaves nothing behind either. Main thread only."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(message: str) -> None:
    """Tell the person at the terminal what is being done to the machine."""
    print(f"containers: {message}", file=sys.stderr, flush=True)
