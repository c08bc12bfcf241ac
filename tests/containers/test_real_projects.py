"""Applications of tests/apps/real/ that need more than a server: a broker, a database, a migration, all in Compose.

Nightly, by `make test-apps`. Each is built, booted read-only, used, held with 200 connections through its proxy, and
stopped under load.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from generator.containers.container import Container
from generator.containers.docker import Docker
from generator.proof.claim import FAILED
from generator.proof.judge import judge_stop
from tests.containers import kit
from tests.containers.support.compose import Project, project
from tests.containers.support.images import (
    NGINX_TAG,
    POSTGRES_TAG,
    REDIS_TAG,
    ensure_nginx_image,
    ensure_postgres_image,
    ensure_redis_image,
    run_beside,
)
from tests.containers.support.plugins import ensure_compose
from tests.containers.support.waiting import wait_until
from tests.containers.test_apps import built
from tests.containers.test_apps import project as copied
from tests.containers.test_readme import commands

pytestmark = pytest.mark.skipif(not os.environ.get("KIT_ALL_APPS"), reason="`make test-apps` boots them")
CONNECTIONS = 200
PASSWORD = "p$ss 'word"
#: Importing MLflow alone takes a minute on a busy machine, and it is imported twice.
UP_SECONDS = 600
#: 127.0.0.1, as /proc/net/tcp writes it.
LOOPBACK = "0100007F:%04X"


@dataclass
class Up:
    """A project that is up."""

    docker: Docker
    project: Project
    app: kit.Booted
    door: kit.Booted

    @property
    def headers(self) -> dict[str, str]:
        host = self.app.plan.probes.host
        return {"Host": host} if host else {}

    def get(self, path: str) -> kit.Response:
        return self.door.get(path, headers=self.headers)

    def load(self, booted: kit.Booted, path: str, connections: int, seconds: float, **options: Any) -> dict[str, Any]:
        host = self.app.plan.probes.host
        words = {"host": host, **options} if host else options
        return kit.load(self.docker, booted, path, connections, seconds, timeout=60, finish=60, **words)


@contextmanager
def up(docker: Docker, folder: Path, environment: dict[str, str], *overrides: str) -> Iterator[Up]:
    """The project in Compose, as its own file says beside what is generated, in a network of its own."""
    ensure_nginx_image(docker)
    number = secrets.randbelow(2**12) * 16
    plan, tag = built(docker, folder, f"proxy_subnet=10.217.{number >> 8}.{number & 255}/28", *overrides)
    environment = {"NGINX_IMAGE": NGINX_TAG, "PROXY_PORT": "0", "APP_IMAGE": tag, **environment}
    beside = ("beside.yaml",) if (folder / "beside.yaml").exists() else ()
    client, file = ensure_compose(docker.client), f"{plan.folder}/compose.yaml"
    with project(client, file, folder, environment, beside, UP_SECONDS) as found:
        app, proxy = found.container("app"), found.container("proxy")
        door = kit.Booted(plan, proxy, found.port("proxy", plan.proxy.port))
        yield Up(docker, found, kit.Booted(plan, app, 0), door)


def holds_and_stops(found: Up, path: str) -> None:
    """200 connections through the proxy, then SIGTERM to the app while it serves: nothing fails, nothing is dropped."""
    held = found.load(found.door, path, CONNECTIONS, 3, listening=found.app.plan.proxy.port)
    assert (held["failed"], held["no_response"], held["connections"]["requested"]) == (0, 0, CONNECTIONS), held
    app, call = found.app.container, found.project.client.call
    # Without keep-alive each connection sends one request: all of them wait in the queue when the signal comes.
    stopped = [] if found.app.plan.server.honours("keepalive") else found.app.worker_pids()
    with ThreadPoolExecutor(1) as threads:
        signal(found.app, "STOP", stopped)
        running = threads.submit(found.load, found.app, path, 50, 10, no_reconnect=True)
        wait_until(lambda: connected(found) >= 50, kit.PATIENCE, what="load")
        signal(found.app, "CONT", stopped)
        call("stop", "--time", str(kit.PATIENCE), app.id, timeout=kit.PATIENCE + 60)
        claim = judge_stop(running.result(), app.state()["ExitCode"], 0, kit.PATIENCE)
    assert claim.verdict != FAILED and running.result()["responses"], claim
    assert kit.complaints(app.logs().text) == []


def signal(app: kit.Booted, name: str, pids: Sequence[int]) -> None:
    if pids:
        app.container.exec("sh", "-c", f"kill -{name} {' '.join(map(str, pids))}")


def connected(found: Up) -> int:
    """Connections to the app's loopback, so not those that the proxy keeps open."""
    seen = run_beside(found.docker, found.app.container, "cat", "/proc/net/tcp").stdout
    return sum(
        row[1] == LOOPBACK % found.app.plan.profile.port and row[3] == "01" for row in map(str.split, seen.splitlines())
    )


def hardened(container: Container) -> bool:
    found = container.inspect()
    host: dict[str, Any] = found["HostConfig"]
    return (host["ReadonlyRootfs"], host["CapDrop"], found["Config"]["User"]) == (True, ["ALL"], "10001:10001")


def test_celery_with_redis(docker: Docker, tmp_path: Path) -> None:
    folder = copied("real/celery", tmp_path)
    (folder / ".env.celery").write_text("BROKER_URL=redis://redis:6379/0\n")
    ensure_redis_image(docker)
    with up(docker, folder, {"REDIS_IMAGE": REDIS_TAG}) as found:
        worker = found.project.container("worker")
        assert hardened(worker) and hardened(found.app.container)
        task = found.get("/add?a=2&b=3").json["task"]
        done = wait_until(finished(found, task), kit.PATIENCE, worker, what="the task")
        assert done == {"ready": True, "sum": 5}
        holds_and_stops(found, "/add?a=2&b=3")
        found.project.call("stop", "worker", timeout=kit.PATIENCE + 60)
        assert worker.state()["ExitCode"] == 0, worker.describe()


def finished(found: Up, task: str) -> Callable[[], Any]:
    def look() -> Any:
        answer = found.get(f"/result/{task}").json
        return answer if answer["ready"] else None

    return look


def test_postgresql_through_a_pool_of_psycopg_with_preloading(docker: Docker, tmp_path: Path) -> None:
    folder = copied("real/psycopg", tmp_path)
    (folder / ".env.visits").write_text("DATABASE_URL=postgresql://visits@postgres/postgres\n")
    password = folder / ".env.visits.d/pg/password"
    password.parent.mkdir(parents=True)
    password.write_text(PASSWORD)
    ensure_postgres_image(docker)
    with up(docker, folder, {"POSTGRES_IMAGE": POSTGRES_TAG}) as found:
        assert hardened(found.app.container) and found.app.plan.profile.preload_app
        (documented,) = commands("docker compose -f docker/visits")  # of docs/your-app.md: what brought all this up
        files = [word for file in (found.project.file, *found.project.beside) for word in ("-f", file)]
        assert documented == ["docker", "compose", *files, "up", "--wait"]
        assert [found.get("/visit/first").json["count"] for _ in range(2)] == [1, 2]
        held: dict[int, set[int]] = {}
        for _ in range(60):
            seen = found.get("/visit/each").json
            held.setdefault(seen["worker"], set()).add(seen["connection"])
        connections = [one for each in held.values() for one in each]
        assert len(connections) == len(set(connections)), "no connection is used by two workers"
        holds_and_stops(found, "/visit/loaded")
        logs = found.project.call("logs").stdout
        assert PASSWORD not in logs, logs


def test_the_server_of_mlflow(docker: Docker, tmp_path: Path) -> None:
    """gunicorn 26.2 for a package that wants one before 27; its database is made before it starts, in a volume."""
    # Its workers are halted for as long as it takes to connect: longer than 30 s on a busy machine.
    with up(docker, copied("real/mlflow", tmp_path), {}, "timeout=120", "request_timeout=120") as found:
        assert hardened(found.app.container)
        assert b"MLflow" in found.get("/").body and found.get("/health").body == b"OK"
        search = "/api/2.0/mlflow/experiments/search?max_results=10"
        assert [one["name"] for one in found.get(search).json["experiments"]] == ["Default"]
        holds_and_stops(found, search)
