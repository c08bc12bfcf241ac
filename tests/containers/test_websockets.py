"""WebSockets and server-sent events on each server that has them, directly and through the pod's nginx."""

from __future__ import annotations

import http.client
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import socketio
import websocket

from generator.containers.docker import Docker
from generator.plan.plan import Plan
from tests.containers import kit, pod
from tests.containers.support import chat_app
from tests.containers.support.docker import host_port
from tests.containers.support.images import NGINX_TAG, ensure_nginx_image
from tests.containers.support.waiting import wait_until

#: Pure Python all of them, so that those of the tests' own Python serve in every image.
LIBRARIES = ("flask_sock", "simple_websocket", "wsproto", "h11", "flask_socketio", "socketio", "engineio", "bidict")
#: `make test` boots one; tests/servers has the others' own behaviour, and `make test-apps` boots them all.
EVERY = [profile for profile in kit.honouring("websocket") if profile != "profiles/large.yaml"]
CHOSEN = EVERY if os.environ.get("KIT_ALL_APPS") else ["profiles/small.yaml"]


def volumes() -> list[str]:
    """The chat and its libraries, in the app's folder."""
    found = [chat_app.__file__ or ""]
    for name in LIBRARIES:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None, name
        found.append(str(Path(spec.origin).parent))
    return [f"{path}:/app/{Path(path).name}:ro" for path in found]


@contextmanager
def proxied(docker: Docker, plan: Plan, app: kit.Booted, folder: Path) -> Iterator[int]:
    """The sidecar of the pod beside the app; its port on this machine."""
    ensure_nginx_image(docker)
    manifest = pod.Manifest.of(plan)
    options = {**manifest.options("proxy", folder), "network": f"container:{app.container.id}"}
    entrypoint, *words = manifest.container("proxy")["command"]
    with docker.run_detached(NGINX_TAG, *words, entrypoint=entrypoint, **options) as nginx:
        door = kit.Booted(plan, nginx, host_port(app.container, plan.proxy.port))
        door.wait_ready()
        yield door.port
        assert kit.complaints(nginx.logs().text) == []


@pytest.mark.parametrize("profile", CHOSEN)
def test_websockets(docker: Docker, image: Callable[[str], str], tmp_path: Path, profile: str) -> None:
    changes = ["websocket=true", "connections=50", "workers=1", "app.module=chat_app:app", "kubernetes={proxy: true}"]
    changes += ["threads=51"] if "gthread" in profile else []
    production = kit.plan_of(profile).server.production
    plan = kit.plan_of(profile, *(changes if production else ["websocket=true", "app.module=chat_app:app"]))
    tmp_path.chmod(0o755)
    mounted = kit.mounted_configuration(plan, tmp_path)
    ports = [plan.profile.port, plan.proxy.port] if production else [plan.profile.port]
    publish = [f"127.0.0.1::{port}" for port in ports]
    with ExitStack() as stack:
        volume = [*volumes(), mounted["volume"]]
        app = stack.enter_context(kit.booted(docker, image(profile), plan, volume=volume, publish=publish))
        doors = [app.port, *([stack.enter_context(proxied(docker, plan, app, tmp_path))] if production else [])]
        for port in doors:
            by_flask_sock(port)
            by_socketio(port, ["polling", "websocket"])
            by_socketio(port, ["websocket"])
            streams(kit.Booted(plan, app.container, port))
        if production:
            not_another_protocol(doors[1])
        complaints = kit.complaints(app.container.logs().text)
        assert [line for line in complaints if "This is a development server" not in line] == []


def by_flask_sock(port: int) -> None:
    ws = websocket.create_connection(f"ws://127.0.0.1:{port}/echo", timeout=kit.PATIENCE, skip_utf8_validation=True)
    for message in ("short", "x" * 3_000_000):
        ws.send(message)
        assert (ws.recv() == message) is True
    ws.send("bye")
    assert ws.recv_frame().opcode == websocket.ABNF.OPCODE_CLOSE
    ws.close()


def by_socketio(port: int, transports: list[str]) -> None:
    received: Queue[str] = Queue()
    client = socketio.Client(reconnection=False)
    client.on("line", received.put)
    try:
        client.connect(f"http://127.0.0.1:{port}", transports=transports, wait_timeout=kit.PATIENCE)
        wait_until(lambda: client.transport() == "websocket", kit.PATIENCE, None, what="the change to WebSocket")
        client.emit("say", "hello")
        assert received.get(timeout=kit.PATIENCE) == "hello"
    finally:
        client.disconnect()


def streams(door: kit.Booted) -> None:
    """The first event is here before the last is released; no proxy in front would hold it back either."""
    name = secrets.token_hex(8)
    connection = door.connect(kit.PATIENCE)
    connection.request("GET", f"/events/{name}")
    response = connection.getresponse()
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.readline() == b"data: first\n"
    assert door.get(f"/release/{name}").body == b"released"
    assert response.read() == b"\ndata: last\n\n"


def not_another_protocol(port: int) -> None:
    connection: Any = http.client.HTTPConnection("127.0.0.1", port, timeout=kit.PATIENCE)
    connection.request("GET", "/", headers={"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"ok")
