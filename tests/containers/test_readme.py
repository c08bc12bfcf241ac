"""The commands of README and docs, as they stand there: they are the first thing that a new user runs."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

from generator.containers.container import Container
from generator.containers.docker import Docker
from tests.containers import kit
from tests.containers.support.docker import host_port
from tests.containers.support.waiting import wait_until

PAGES = [kit.ROOT / "README.md", *sorted((kit.ROOT / "docs").glob("*.md"))]


def commands(start: str) -> list[list[str]]:
    """Commands of the pages' shell blocks that begin with these words; the README's come first."""
    blocks = [block for page in PAGES for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)]
    blocks = [block.replace("\\\n", "") for block in blocks]
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(start)]


def test_build_then_run(docker: Docker) -> None:
    """`docker build`, then `docker run`; only the port is another, and the container is left to the test to end."""
    build = commands("docker build")[0]
    docker.call(*build[1:], timeout=600, cwd=kit.ROOT)
    run = commands("docker run")[0]
    assert run[1:3] == ["run", "--rm"]
    port = run.index("-p") + 1
    assert run[port] == "8000:8000"
    words = [
        "run",
        "--detach",
        "--label",
        f"kit-test={docker.run_id}",
        *run[3:port],
        "127.0.0.1::8000",
        *run[port + 1 :],
    ]
    identity = docker.call(*words).stdout.strip()
    found = kit.Booted(kit.plan_of("profiles/large.yaml"), Container(docker.client, identity), 0)
    with found.container:
        found.port = host_port(found.container, 8000)
        assert found.wait_ready().get("/").body == b"hello"


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
