"""A thin typed wrapper around the docker client: build, run, look, and remove what a run has left."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .client import Client
from .command import CommandFailed, Completed
from .container import Container

BUILD_SECONDS = 900.0

Option = str | int | float | bool | Path | Sequence[str] | Mapping[str, object] | None


@dataclass(frozen=True)
class Image:
    """A built image, with what the builder printed."""

    tag: str
    id: str
    log: str = ""


class Docker:
    """The docker commands that are needed. Whatever it starts carries the label <label>=<run id>."""

    def __init__(self, client: Client, label: str, run_id: str | None = None) -> None:
        self.client = client
        self.label = label
        self.run_id = run_id or secrets.token_hex(6)

    def call(
        self,
        *args: str,
        timeout: float = 60,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = True,
    ) -> Completed:
        """Any other docker command."""
        return self.client.call(*args, timeout=timeout, stdin=stdin, env=env, cwd=cwd, check=check)

    def build(
        self,
        context: Path,
        dockerfile: Path,
        tag: str,
        *,
        buildkit: bool = False,
        build_args: Mapping[str, str] | None = None,
        timeout: float = BUILD_SECONDS,
        **options: Option,
    ) -> Image:
        """`docker build` of a folder, with the builder that `buildkit` chooses."""
        words = [*flags(options), *flags({"file": dockerfile, "build_arg": build_args or {}, "tag": tag})]
        return self.build_from([*words, str(context)], tag, buildkit, None, timeout)

    def build_from(self, words: Sequence[str], tag: str, buildkit: bool, stdin: str | None, timeout: float) -> Image:
        """`docker build` with these words. Raises CommandFailed, also where the client leaves no image."""
        env = {"DOCKER_BUILDKIT": "1" if buildkit else "0"}
        built = self.call("build", *words, stdin=stdin, env=env, timeout=timeout)
        identity = self.image_id(tag)
        if identity is None:  # 28.x without buildx only prints its complaint
            raise CommandFailed(built, f"docker build left no image {tag}")
        return Image(tag, identity, built.output)

    def image_id(self, reference: str) -> str | None:
        """The id of a local image, or None."""
        found = self.call("image", "inspect", "--format", "{{.Id}}", reference, check=False)
        return found.stdout.strip() if found.returncode == 0 else None

    def run_detached(self, image: str, *args: str, timeout: float = 60, **options: Option) -> Container:
        """`docker run --detach IMAGE ARGS`; `read_only=True`, `env={...}`, `tmpfs=[...]` become its flags."""
        words = ["--detach", "--label", f"{self.label}={self.run_id}", *flags(options)]
        started = self.call("run", *words, image, *args, timeout=timeout, check=False)
        identity = started.stdout.strip()
        if started.returncode != 0:
            if identity:  # created but not started: a bad command, a taken port
                Container(self.client, identity).remove()
            raise CommandFailed(started)
        return Container(self.client, identity)

    def leftovers(self, run_id: str | None = None) -> list[str]:
        """Ids of containers of a run: this one, another one's id, or of any with '*'."""
        run = run_id or self.run_id
        label = self.label if run == "*" else f"{self.label}={run}"
        listed = self.call("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}")
        return listed.stdout.split()

    def cleanup(self, run_id: str | None = None) -> list[str]:
        """Remove those containers; returns their ids, since who started them should have done so itself."""
        identities = self.leftovers(run_id)
        if identities:
            self.call("rm", "--force", "--volumes", *identities, timeout=120, check=False)
        return identities


def flags(options: Mapping[str, Option]) -> list[str]:
    """Keywords as docker's long flags: True bare, None and False left out, lists and mappings repeated."""
    words: list[str] = []
    for name, value in options.items():
        flag = "--" + name.rstrip("_").replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(flag)
        elif isinstance(value, Mapping):
            words += [f"{flag}={key}={item}" for key, item in value.items()]
        elif isinstance(value, str | int | float | Path):
            words.append(f"{flag}={value}")
        else:
            words += [f"{flag}={item}" for item in value]
    return words
