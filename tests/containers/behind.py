"""A profile behind its proxy: its Compose project, up, and requests through the proxy's published port."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from generator.containers.client import Client
from generator.containers.container import Container
from generator.containers.docker import Docker
from generator.plan.plan import Plan
from generator.render.render import render
from tests.containers import kit
from tests.containers.support import host
from tests.containers.support.compose import Project, project
from tests.containers.support.images import LOAD_TAG, NGINX_TAG, host_build_args, run_beside

#: The one that is booted just as the README says: its own file, its image built by Compose.
LITERAL = "profiles/large.yaml"
#: Its network has the profile's own addresses, which one project of the machine can have at a time.
LITERAL_LOCK = Path(tempfile.gettempdir()) / f"kit-test-literal-{os.getuid()}.lock"
LOAD_CLIENT = kit.ROOT / "generator" / "load_client"


@dataclass
class Behind:
    """A running project, reached through its proxy."""

    plan: Plan
    project: Project
    app: Container
    proxy: Container
    door: kit.Booted

    def inside(self, *words: str) -> str:
        """curl in the proxy's own container, whose loopback is a trusted peer."""
        url = f"http://127.0.0.1:{self.plan.proxy.port}"
        return self.proxy.exec("curl", "--silent", "--max-time", "20", *words[:-1], url + words[-1]).stdout

    def load(self, docker: Docker, *words: str) -> dict[str, Any]:
        """The load client beside the proxy, in its network namespace."""
        command = ("python3", "-B", "/kit/load_client/client.py", *words)
        options: dict[str, Any] = {"volume": f"{LOAD_CLIENT}:/kit/load_client:ro", "image": LOAD_TAG}
        found: dict[str, Any] = json.loads(run_beside(docker, self.proxy, *command, **options).stdout)
        return found


@contextmanager
def behind_the_proxy(
    client: Client, profile: str, image: str, scratch: Path, overrides: Sequence[str] = (), app: Path | None = None
) -> Iterator[Behind]:
    """Any but the literal one gets a network of its own, so that two sessions of tests do not meet.

    ``app`` is a module that lies in the image's /app as well, with the configuration that ``overrides`` make.
    """
    environment = {"NGINX_IMAGE": NGINX_TAG, "PROXY_PORT": "0", "APP_IMAGE": image}
    root, plan = kit.ROOT, kit.plan_of(profile)
    if profile == LITERAL:
        environment |= {**host_build_args(), "APP_IMAGE": f"kit-test-compose-{secrets.token_hex(4)}:dev"}
    else:
        number = secrets.randbelow(2**13) * 8
        subnet = f"proxy_subnet=10.214.{number >> 8}.{number & 255}/29"
        root, plan = scratch, kit.plan_of(profile, subnet, *overrides)
        write(root, plan)
        if app is not None:
            mount(root, plan, app)
    try:
        with ExitStack() as stack:
            if profile == LITERAL:
                stack.enter_context(host.one_at_a_time(LITERAL_LOCK))
            found = stack.enter_context(project(client, f"{plan.folder}/compose.yaml", root, environment))
            proxy = found.container("proxy")
            door = kit.Booted(plan, proxy, found.port("proxy", plan.proxy.port))
            yield Behind(plan, found, found.container("app"), proxy, door)
    finally:
        if profile == LITERAL:
            client.call("image", "rm", "--no-prune", environment["APP_IMAGE"], check=False)  # its layers are a cache


def mount(root: Path, plan: Plan, app: Path) -> None:
    """As a pod has its configuration: over the image's."""
    compose = root / plan.folder / "compose.yaml"
    project = yaml.safe_load(compose.read_text())
    names = {app: f"/app/{app.name}", f"./{plan.server.configuration}": f"/etc/kit/{plan.server.configuration}"}
    project["services"]["app"]["volumes"] = [f"{source}:{target}:ro" for source, target in names.items()]
    compose.write_text(yaml.safe_dump(project))


def write(root: Path, plan: Plan) -> None:
    for path, text in render(plan).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o644)
