"""One Compose project: up, asked for its containers, taken down whatever happened."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generator.containers.client import Client
from generator.containers.command import Completed
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

    def call(self, *words: str, timeout: float = 60, check: bool = True) -> Completed:
        command = ("compose", "--project-name", self.name, "--file", self.file, *words)
        return self.client.call(*command, timeout=timeout, env=self.environment, cwd=self.folder, check=check)

    def container(self, service: str) -> Container:
        found = self.call("ps", "--all", "--quiet", "--no-trunc", service).stdout.split()
        return Container(self.client, found[0])

    def port(self, service: str, port: int) -> int:
        """Where this machine's loopback leads to the service."""
        return int(self.call("port", service, str(port)).stdout.strip().rpartition(":")[2])


@contextmanager
def project(client: Client, file: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Project]:
    """`docker compose up --wait` of the file, as seen from the folder; all of it is removed at the end."""
    # The classic builder shares its cache with the images that the tests have built before.
    found = Project(client, f"kit-test-{secrets.token_hex(6)}", file, folder, {"DOCKER_BUILDKIT": "0", **environment})
    try:
        found.call("up", "--wait", "--wait-timeout", str(UP_SECONDS), timeout=UP_SECONDS + 300)
        yield found
    finally:
        found.call("down", "--volumes", "--timeout", "1", timeout=120, check=False)
