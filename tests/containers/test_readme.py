"""The commands of README and docs, as they stand there: they are the first thing that a new user runs."""

from __future__ import annotations

import http.client
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generator.containers.container import Container
from generator.containers.docker import Docker
from tests.containers import kit
from tests.containers.support.docker import host_port
from tests.containers.support.waiting import wait_until

OPERATING = kit.ROOT / "docs/operating.md"
PAGES = [kit.ROOT / "README.md", *sorted((kit.ROOT / "docs").glob("*.md"))]


def commands(start: str, pages: Sequence[Path] = PAGES) -> list[list[str]]:
    """Commands of the pages' shell blocks that begin with these words; the README's come first."""
    blocks = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)]
    blocks = [block.replace("\\\n", "") for block in blocks]
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(start)]


def test_build_then_run(docker: Docker) -> None:
    """`docker build`, then `docker run`; only the port is another, and the container is left to the test to end."""
    build = commands("docker build")[0]
    docker.call(*build[1:], timeout=600, cwd=kit.ROOT)
    with started(docker, commands("docker run")[0], "8000:8000", "profiles/large.yaml") as found:
        assert found.get("/").body == b"hello"


@contextmanager
def started(docker: Docker, run: Sequence[str], port: str, profile: str) -> Iterator[kit.Booted]:
    """The container of a `docker run --rm`, ready."""
    assert run[1:3] == ["run", "--rm"]
    at = run.index("-p") + 1
    assert run[at] == port
    label = f"kit-test={docker.run_id}"
    words = ["run", "--detach", "--label", label, *run[3:at], "127.0.0.1::8000", *run[at + 1 :]]
    identity = docker.call(*words).stdout.strip()
    found = kit.Booted(kit.plan_of(profile), Container(docker.client, identity), 0)
    with found.container:
        found.port = host_port(found.container, 8000)
        yield found.wait_ready()


def test_flasks_own_server_starts_anew_with_the_folders_code(docker: Docker, image: Any, tmp_path: Path) -> None:
    """Only the port, the tag and the folder are others. (The builds of that page: test_build.)"""
    profile, app = "profiles/servers/flask.yaml", tmp_path / "docker/app"
    (build,) = [words for words in commands("docker build", [OPERATING]) if "web-dev" in words]
    (run,) = commands("docker run", [OPERATING])
    other = {"web-dev": image(profile), "$PWD/docker/app:/app:ro": f"{app}:/app:ro"}
    docker.call(*replaced(build, other)[1:], timeout=600, cwd=kit.ROOT)
    shutil.copytree(kit.ROOT / "docker/app", app, ignore=shutil.ignore_patterns("__pycache__"))
    tmp_path.chmod(0o755)
    with started(docker, replaced(run, other), "127.0.0.1:8000:8000", profile) as found:
        assert found.get("/").body == b"hello"
        module = app / "flask_server.py"
        module.write_text(module.read_text().replace('"hello"', '"anew"'))
        wait_until(
            lambda: found.get("/", timeout=5).body == b"anew",
            kit.PATIENCE,
            found.container,
            what="the new code",
            ignoring=(OSError, http.client.HTTPException),
        )


def replaced(words: Sequence[str], other: Mapping[str, str]) -> list[str]:
    """The words, with others in the place of some."""
    return [other.get(word, word) for word in words]


def test_make_explains_every_target() -> None:
    listed = subprocess.run(["make", "help"], cwd=kit.ROOT, check=True, capture_output=True, text=True).stdout
    targets = re.findall(r"^([a-z][a-z-]*):", (kit.ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [name for name in targets if f"make {name} " not in listed] == []
    for command in commands("make"):
        assert command[1] in targets


def test_web_concurrency_and_arguments_as_described(docker: Docker, image: Any) -> None:
    """`docker run large:dev --workers 3`."""
    plan = kit.plan_of("profiles/large.yaml")
    with kit.booted(docker, image("profiles/large.yaml"), plan, "--workers", "3") as container:
        wait_until(lambda: len(container.worker_pids()) == 3, kit.PATIENCE, container.container, what="3 workers")
