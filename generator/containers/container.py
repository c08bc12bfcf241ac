"""One container: what it is, what it printed, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any

from .client import Client
from .command import CommandFailed, CommandTimedOut, Completed, EngineError

LOG_LINES_IN_ERRORS = 40


class NotInTime(EngineError):
    """A container did not end before the deadline."""


@dataclass(frozen=True)
class Logs:
    """What a container has printed, stream by stream."""

    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Both, with their names, for messages."""
        parts = [
            f"--- {name}\n" + "\n".join(text.splitlines()[-LOG_LINES_IN_ERRORS:])
            for name, text in (("stdout", self.stdout), ("stderr", self.stderr))
            if text.strip()
        ]
        return "\n".join(parts) or "(it printed nothing)"


@dataclass(frozen=True)
class Container:
    """A started container; as a context manager it is removed at the end, whatever happened."""

    client: Client
    id: str

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def logs(self, timeout: float = 60, timestamps: bool = False) -> Logs:
        words = ["--timestamps"] if timestamps else []
        logs = self.client.call("logs", *words, self.id, timeout=timeout)
        return Logs(logs.stdout, logs.stderr)

    def inspect(self, timeout: float = 30) -> dict[str, Any]:
        """`docker inspect`, the one object of it."""
        result = self.client.call("inspect", "--type", "container", self.id, timeout=timeout)
        found: list[dict[str, Any]] = json.loads(result.stdout)
        return found[0]

    def state(self) -> dict[str, Any]:
        """Status, Running, ExitCode, OOMKilled and the rest of .State."""
        state: dict[str, Any] = self.inspect()["State"]
        return state

    def started_at(self) -> float:
        """When its process began, in seconds since the epoch, by the engine's clock."""
        text = str(self.state()["StartedAt"])[:26].rstrip("Z")  # the engine tells nanoseconds
        return datetime.fromisoformat(f"{text}+00:00").timestamp()

    def running(self) -> bool:
        return bool(self.state()["Running"])

    def exec(
        self,
        *argv: str,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float = 60,
        check: bool = True,
    ) -> Completed:
        """A command inside the container, exec form (no shell)."""
        words = [f"--user={user}"] if user else []
        words += [f"--env={key}={value}" for key, value in (env or {}).items()]
        words += ["--interactive"] if stdin is not None else []
        return self.client.call("exec", *words, self.id, *argv, timeout=timeout, stdin=stdin, check=check)

    def stop(self, grace: int = 10) -> int:
        """SIGTERM, then SIGKILL after `grace` seconds; returns the exit code (137: it had to be killed)."""
        self.client.call("stop", "--time", str(grace), self.id, timeout=grace + 30)
        return int(self.state()["ExitCode"])

    def kill(self, signal: str = "KILL", timeout: float = 30) -> None:
        self.client.call("kill", "--signal", signal, self.id, timeout=timeout)

    def wait(self, timeout: float = 30) -> int:
        """The exit code, once the container has ended by itself."""
        try:
            return int(self.client.call("wait", self.id, timeout=timeout).stdout)
        except CommandTimedOut as error:
            raise NotInTime(f"container {self.id[:12]} still runs after {timeout:g} s\n{self.logs().text}") from error

    def remove(self, timeout: float = 60) -> None:
        """Remove it, running or not; one that has gone already is fine."""
        result = self.client.call("rm", "--force", "--volumes", self.id, timeout=timeout, check=False)
        gone = "no such container" in result.stderr.lower() or "already in progress" in result.stderr.lower()
        if result.returncode != 0 and not gone:
            raise CommandFailed(result)

    def describe(self) -> str:
        """Status, exit code and log lines, for error messages."""
        state = self.state()
        killed = ", out of memory" if state.get("OOMKilled") else ""
        error = f", {state['Error']}" if state.get("Error") else ""
        summary = f"container {self.id[:12]}: {state['Status']}, exit code {state['ExitCode']}{killed}{error}"
        return f"{summary}\n{self.logs().text}"
