"""One Compose project: up, asked for its containers, taken down whatever happened."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generator.containers.client import Client
from generator.containers.command import CommandFailed, Completed, EngineError
from generator.containers.container import Container

UP_SECONDS = 120


@dataclass(frozen=True)
class Project:
    """A Compose file under a name of its own; ``environment`` holds the file's variables."""

    client: Client
    name: str
    file: str
    folder: Path
    environment: Mapping[str, str]
    #: Other files of the same project, as people add a database to what is generated.
    beside: tuple[str, ...] = ()

    def call(self, *words: str, timeout: float = 60, check: bool = True) -> Completed:
        files = [word for file in (self.file, *self.beside) for word in ("--file", file)]
        command = ("compose", "--project-name", self.name, *files, *words)
        return self.client.call(*command, timeout=timeout, env=self.environment, cwd=self.folder, check=check)

    def container(self, service: str) -> Container:
        found = self.call("ps", "--all", "--quiet", "--no-trunc", service).stdout.split()
        return Container(self.client, found[0])

    def port(self, service: str, port: int) -> int:
        """Where this machine's loopback leads to the service."""
        return int(self.call("port", service, str(port)).stdout.strip().rpartition(":")[2])


@contextmanager
def project(
    client: Client,
    file: str,
    folder: Path,
    environment: Mapping[str, str],
    beside: tuple[str, ...] = (),
    seconds: int = UP_SECONDS,
) -> Iterator[Project]:
    """`docker compose up --wait` of the files, as seen from the folder; all of it is removed at the end."""
    # The classic builder shares its cache with the images that the tests have built before.
    name = f"kit-test-{secrets.token_hex(6)}"
    found = Project(client, name, file, folder, {"DOCKER_BUILDKIT": "0", **environment}, beside)
    try:
        try:
            found.call("up", "--wait", "--wait-timeout", str(seconds), timeout=seconds + 300)
        except CommandFailed as error:
            raise EngineError(f"{error}\n{found.call('logs', '--tail', '50', check=False).output}") from error
        yield found
    finally:
        found.call("down", "--volumes", "--timeout", "1", timeout=120, check=False)
