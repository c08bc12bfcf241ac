"""A docker client that works: which of those installed reaches the daemon and builds with both builders."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .command import CommandFailed, Completed, EngineError, Runner, run

USUAL_FOLDERS = ("/usr/bin", "/usr/local/bin")


@dataclass(frozen=True)
class Client:
    """One docker executable with what the environment must add for it."""

    path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    run: Runner = run

    def call(
        self,
        *args: str,
        timeout: float = 60,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = True,
    ) -> Completed:
        """Run `docker ARGS`."""
        full = {**os.environ, "BUILDKIT_PROGRESS": "plain", **self.environment, **(env or {})}
        return self.run([self.path, *args], timeout=timeout, stdin=stdin, env=full, cwd=cwd, check=check)


@dataclass(frozen=True)
class Verdict:
    """What a client turned out to be able to do, and its words where it could not."""

    client: Client
    server_version: str = ""
    can_build: bool = False
    can_buildkit: bool = False
    problem: str = ""

    @property
    def works(self) -> bool:
        return bool(self.server_version) and self.can_build and self.can_buildkit


def installed_clients(run: Runner = run) -> list[Client]:
    """Every docker executable of PATH and the usual folders, each file once, in that order."""
    found: dict[str, str] = {}
    for folder in (*os.environ.get("PATH", os.defpath).split(os.pathsep), *USUAL_FOLDERS):
        path = Path(folder, "docker")
        if folder and path.is_file() and os.access(path, os.X_OK):
            found.setdefault(str(path.resolve()), str(path))
    return [Client(path, run=run) for path in found.values()]


def query_server(client: Client) -> tuple[str, str]:
    """The daemon's version and an empty string, or an empty string and the client's words."""
    try:
        return client.call("version", "--format", "{{.Server.Version}}", timeout=15).stdout.strip(), ""
    except EngineError as error:
        return "", _last_line(error)


def examine(client: Client) -> Verdict:
    """Ask the client for its daemon, then let it build the smallest image with either builder."""
    server, problem = query_server(client)
    if not server:
        return Verdict(client, problem=problem)
    problems: list[str] = []
    legacy = _builds(client, "0", problems)
    buildkit = _builds(client, "1", problems)
    return Verdict(client, server, legacy, buildkit, "; ".join(problems))


def _builds(client: Client, buildkit: str, problems: list[str]) -> bool:
    """Whether a build from stdin leaves an image behind; the image is removed again."""
    # The label is random, so that two sessions at once never remove each other's image.
    text = f"FROM scratch\nLABEL dev.container-kit.capability={secrets.token_hex(8)}\n"
    try:
        built = client.call("build", "-q", "-", stdin=text, env={"DOCKER_BUILDKIT": buildkit}, timeout=60)
    except EngineError as error:
        problems.append(f"DOCKER_BUILDKIT={buildkit} build: {_last_line(error)}")
        return False
    identity = built.stdout.strip()
    if not identity:  # 28.x without buildx prints its complaint and still ends with code 0
        problems.append(f"DOCKER_BUILDKIT={buildkit} build: no image; {built.stderr.strip()[:120]}")
        return False
    client.call("image", "rm", "--force", identity, check=False)
    return True


def _last_line(error: EngineError) -> str:
    """The part of an error that explains it: the first line that docker marked, else the last."""
    text = error.completed.output if isinstance(error, CommandFailed) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [str(error).splitlines()[0]]
    return next((line for line in lines if "ERROR" in line or "rror during" in line), lines[-1])


def refused(verdicts: Iterable[Verdict]) -> bool:
    """Whether a daemon is there but does not let this user in."""
    return any("permission denied" in verdict.problem.lower() for verdict in verdicts)


def describe(verdicts: Iterable[Verdict]) -> str:
    """One line a client, for error messages."""
    lines = [
        f"  {verdict.client.path}: {'works' if verdict.works else verdict.problem or 'no daemon responds'}"
        for verdict in verdicts
    ]
    return "\n".join(lines) or "  (no docker client on PATH)"
