"""Applications from the package registry (tests/apps/real/): built, booted read-only, probed, loaded, stopped.

Of ours is only what their documentation lets a user write: an entry module, settings, a profile of at most 15 lines.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import websocket

from generator.containers.docker import Docker
from generator.proof.claim import FAILED
from generator.proof.judge import judge_stop
from tests.containers import kit
from tests.containers.faults import established
from tests.containers.support.docker import health
from tests.containers.support.waiting import wait_until
from tests.containers.test_apps import project, served

CONNECTIONS = 200


@dataclass(frozen=True)
class Real:
    """What one of them needs to run, and what its page has."""

    page: str
    words: bytes
    #: A second page, and the start of its content type.
    other: tuple[str, str]
    env: dict[str, str] = field(default_factory=dict)
    #: The one warning that the application itself logs.
    says: str = "no warning"
    fast: bool = False


REAL = {
    "httpbin": Real(
        "/get?city=Oslo", b'"city": "Oslo"', ("/image/png", "image/png"), says="flasgger is not installed", fast=True
    ),
    "django": Real(
        "/admin/login/?next=/admin/",
        b"csrfmiddlewaretoken",
        ("/static/admin/css/base.css", "text/css"),
        env={"DJANGO_KEY": "a key with more than fifty characters, of which many differ: 0123456789"},
        fast=True,
    ),
    "dash": Real("/_dash-layout", b'"Rome"', ("/_dash-dependencies", "application/json"), fast=True),
    "flask-socketio": Real("/", b"Chat", ("/", "text/html")),
    "flask-admin": Real(
        "/admin/book/",
        b"Library",
        ("/admin/static/admin/css/bootstrap4/admin.css", "text/css"),
        {"SECRET_KEY": "x" * 40},
    ),
}
#: What has a module of its own: more than a server (test_real_projects.py).
IN_COMPOSE = ("celery", "mlflow", "psycopg")
CHOSEN = [name for name, one in REAL.items() if one.fast or os.environ.get("KIT_ALL_APPS")]


def test_each_application_has_its_case() -> None:
    folders = sorted((kit.ROOT / "tests/apps/real").glob("*/profile.yaml"))
    assert [path.parent.name for path in folders] == sorted((*REAL, *IN_COMPOSE))
    assert all(len(path.read_text().splitlines()) <= 15 for path in folders)


def chats(port: int) -> None:
    """As many WebSockets of Socket.IO at once as the profile has connections: what one says, all hear."""
    url = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
    with ExitStack() as stack:
        sockets = []
        for _ in range(CONNECTIONS):
            sockets.append(websocket.create_connection(url, timeout=kit.PATIENCE))
            stack.callback(sockets[-1].close)
            assert hear(sockets[-1]).startswith("0{")
            sockets[-1].send("40")
            assert hear(sockets[-1]).startswith("40{")
        sockets[0].send('42["say","hello"]')
        assert {hear(one) for one in sockets} == {'42["said","hello"]'}


def hear(socket: Any) -> str:
    """The next message that is no ping."""
    while (said := str(socket.recv())) == "2":
        socket.send("3")
    return said


@pytest.mark.parametrize("name", CHOSEN)
def test_a_real_application_serves_and_stops(docker: Docker, tmp_path: Path, name: str) -> None:
    real, folder = REAL[name], project(f"real/{name}", tmp_path)
    with ExitStack() as stack:
        volumes = [f"kit-test-{kit.CHECKOUT}-{name}"] if name == "flask-admin" else []
        for volume in volumes:
            docker.call("volume", "create", volume)
            stack.callback(docker.call, "volume", "rm", "--force", volume)
        mounts = {"volume": [f"{volume}:/data" for volume in volumes], "user": None} if volumes else {}
        container = stack.enter_context(served(docker, folder, env=real.env, **mounts))
        host = container.plan.probes.host
        headers = {"Host": host} if host else {}
        page = container.get(real.page, headers=headers)
        assert (page.status, real.words in page.body) == (200, True), page.body[:2000]
        other = container.get(real.other[0], headers=headers)
        assert (other.status, other.headers["content-type"].startswith(real.other[1])) == (200, True)
        wait_until(lambda: health(container.container) == "healthy", kit.PATIENCE, container.container, what="healthy")
        if name == "flask-socketio":
            chats(container.port)
        words: dict[str, Any] = {"host": host} if host else {}
        held = kit.load(docker, container, real.page, CONNECTIONS, 3, timeout=60, finish=60, **words)
        assert (held["failed"], held["no_response"], held["connections"]["requested"]) == (0, 0, CONNECTIONS), held
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(
                kit.load, docker, container, real.page, 50, 10, timeout=60, finish=60, no_reconnect=True, **words
            )
            wait_until(lambda: established(container) >= 50, kit.PATIENCE, container.container, what="load")
            assert not running.done(), "the stop comes while requests are sent"
            container.container.kill("TERM")
            code = container.container.wait(kit.PATIENCE)
            stopped = judge_stop(running.result(), code, 0, kit.PATIENCE)
        assert stopped.verdict != FAILED, stopped
        assert not running.result()["failures"]["non_2xx"] and running.result()["responses"], stopped
        assert [line for line in kit.complaints(container.container.logs().text) if real.says not in line] == []
