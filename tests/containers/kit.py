"""A profile on a booted container: built, run under its own limits as an operator would, requested over HTTP."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.containers.container import Container
from generator.containers.docker import Docker, Option
from generator.pipeline import read_plans
from generator.plan.plan import Plan
from generator.profile.schema import SETTINGS
from generator.proof.stage import upstream_port
from generator.render.render import render
from tests.containers.support import host
from tests.containers.support.docker import host_port
from tests.containers.support.images import LOAD_TAG, host_build_args, run_beside
from tests.containers.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("profiles/**/*.yaml"))
CHECKOUT = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
#: How long anything may take on a slow or busy machine; only a failing test waits for so long.
PATIENCE = 90
DEFAULT_PYTHON = SETTINGS["python"].default
#: Every container test on another Python than the profiles': KIT_PYTHON=3.14 pytest tests/containers/test_meinheld.py
PYTHON = os.environ.get("KIT_PYTHON")


@dataclass(frozen=True)
class Response:
    """An HTTP response with its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Booted:
    """A running container of a profile, and what its plan promises."""

    plan: Plan
    container: Container
    port: int
    options: dict[str, Any] = field(default_factory=dict)

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path: str, timeout: float = 30, headers: Mapping[str, str] | None = None) -> Response:
        connection = self.connect(timeout)
        try:
            return request(connection, path, headers)
        finally:
            connection.close()

    def wait_ready(self, seconds: float = PATIENCE) -> Booted:
        path, host = self.plan.probes.readiness_path or "/", self.plan.probes.host
        headers = {"Host": host} if host else {}
        wait_until(
            lambda: self.get(path, timeout=5, headers=headers).status == 200,
            seconds,
            self.container,
            what=f"{path} of {self.plan.name}",
            ignoring=(OSError, http.client.HTTPException),
        )
        return self

    def report(self) -> dict[str, Any]:
        """The boot report: the one line of JSON on stdout that says so."""
        reports = [line for line in self.container.logs().stdout.splitlines() if '"event": "boot"' in line]
        assert len(reports) == 1, self.container.describe()
        found: dict[str, Any] = json.loads(reports[0])
        return found

    def worker_pids(self) -> list[int]:
        """The server's children, as seen inside the container."""
        # Not Python: it would need a tenth of a second of the server's own CPU, at each look.
        listed = self.container.exec("sh", "-c", "cat /proc/[0-9]*/stat", check=False).stdout  # one may end meanwhile
        found = (re.fullmatch(r"(\d+) \(.*\) \S (\d+) .*", line) for line in listed.splitlines())
        return sorted(int(stat[1]) for stat in found if stat and stat[2] == "1")

    def wait_workers(self, count: int, gone: Collection[int] = ()) -> list[int]:
        """The workers' pids, once there are that many and none of ``gone`` is among them."""

        def settled() -> list[int]:
            pids = self.worker_pids()
            return pids if len(pids) == count and not set(pids) & set(gone) else []

        return wait_until(
            settled, PATIENCE, self.container, what=f"{count} workers, without {list(gone)}", interval=0.2
        )


def request(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str] | None = None) -> Response:
    connection.request("GET", path, headers=dict(headers or {}))
    response = connection.getresponse()
    body = response.read()
    return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def plan_of(profile: str, *overrides: str) -> Plan:
    python = (f"python={PYTHON}",) if PYTHON else ()
    return read_plans((str(ROOT / profile),), (*python, *overrides), ROOT)[0]


def honouring(setting: str) -> list[str]:
    """The shipped profiles whose server honours a setting: the capability table says what a test may expect."""
    return [profile for profile in PROFILES if plan_of(profile).server.honours(setting)]


def tag_of(plan: Plan) -> str:
    """Each shipped profile's image under a name of this checkout's tests, apart from an operator's and another's."""
    python = "" if plan.profile.python == DEFAULT_PYTHON else f"-{plan.profile.python}"
    return f"kit-test-{CHECKOUT}-{plan.folder.replace('/', '-')}{python}:dev"


def build(docker: Docker, plan: Plan, tag: str | None = None, context: Path = ROOT, **options: Any) -> str:
    """`docker build` as the Dockerfile's own comment says; returns the tag.

    The locks have the packages of every Python, so that one Dockerfile builds on the base image of each.
    """
    tag = tag or tag_of(plan)
    build_args = {**host_build_args(), "BASE_IMAGE": plan.base_image, **options.pop("build_args", {})}
    with host.one_at_a_time(host.lock_of(tag)):
        docker.build(context, context / plan.folder / "Dockerfile", tag, build_args=build_args, **options)
    return tag


def run_options(plan: Plan, **changes: Option) -> dict[str, Any]:
    """As little as a container may have: the profile's limits, nothing writable but /tmp, a user that owns nothing."""
    options: dict[str, Any] = {
        "cpus": plan.profile.resources.cpu / 1000,
        "memory": plan.profile.resources.memory,
        "memory_swap": plan.profile.resources.memory,
        "read_only": True,
        "cap_drop": "ALL",
        "security_opt": "no-new-privileges",
        "user": "12345",
        "tmpfs": "/tmp",
        "publish": f"127.0.0.1::{plan.profile.port}",
    }
    return {**options, **changes}


@contextmanager
def booted(
    docker: Docker, image: str, plan: Plan, *args: str, ready: bool = True, **changes: Option
) -> Iterator[Booted]:
    """A container of the image, ready, removed at the end whatever happens."""
    with docker.run_detached(image, *args, **run_options(plan, **changes)) as container:
        port = host_port(container, plan.profile.port)
        found = Booted(plan, container, port)
        yield found.wait_ready() if ready else found


#: What runs inside the network namespace of a server, as prove ships it in its own image.
LOAD_CLIENT = "/kit/load_client"
LOAD_CLIENT_VOLUME = f"{ROOT / 'generator/load_client'}:{LOAD_CLIENT}:ro"


@contextmanager
def upstream(docker: Docker, found: Booted) -> Iterator[int]:
    """The sample app's backend, in the container's network namespace; yields its port."""
    port = upstream_port(found.plan)
    words = "python3", f"{LOAD_CLIENT}/upstream.py", str(port)
    beside = f"container:{found.container.id}"
    with docker.run_detached(LOAD_TAG, *words, network=beside, volume=LOAD_CLIENT_VOLUME) as backend:
        ready = backend.exec("python3", f"{LOAD_CLIENT}/inside.py", "wait", str(port), str(PATIENCE), "-").stdout
        assert json.loads(ready)["ready_at"] is not None, backend.logs().text
        yield port


def load(
    docker: Docker,
    found: Booted,
    path: str,
    connections: int,
    duration: float,
    *,
    listening: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The kit's load client beside the server, on loopback; its JSON report accounts for every connection.

    ``listening`` is the port in the container, the profile's by default.
    """
    words = [f"http://127.0.0.1:{listening or found.plan.profile.port}{path}", "--connections", str(connections)]
    words += ["--duration", str(duration)]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    command = ["python3", f"{LOAD_CLIENT}/client.py", *words]
    done = run_beside(
        docker, found.container, *command, volume=LOAD_CLIENT_VOLUME, ulimit={"nofile": "20000:20000"}, check=False
    )
    assert done.stdout, done.output
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def mounted_configuration(plan: Plan, folder: Path) -> dict[str, Any]:
    """Another configuration over the image's own, as a pod's ConfigMap lies over it."""
    text = next(text for path, text in render(plan).items() if path.endswith(".conf.py"))
    name = next(path for path in render(plan) if path.endswith(".conf.py")).rpartition("/")[2]
    file = folder / name
    file.write_text(text)
    file.chmod(0o644)
    folder.chmod(0o755)
    return {"volume": f"{file}:/etc/kit/{name}:ro"}


def complaints(text: str) -> Sequence[str]:
    """Log lines that an operator would have to look at."""
    text = text.replace("EventletDeprecationWarning", "").replace("[WARNING] The eventlet worker is DEPRECATED", "")
    words = ("ERROR", "WARNING", "CRITICAL", "Traceback", "Exception")
    return [line for line in text.splitlines() if any(word in line for word in words)]
