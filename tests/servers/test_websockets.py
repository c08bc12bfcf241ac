"""WebSockets by flask-sock and Flask-SocketIO, and streams, on each server that has them; on started servers."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from time import monotonic
from typing import Any

import pytest
import socketio
import websocket

from tests.containers.support import chat_app
from tests.fast_support import ROOT
from tests.servers.started import PATIENCE, Gunicorn, until
from tests.servers.test_pywsgi_server import Running, everything
from tests.servers.test_pywsgi_server import start as start  # the fixture

APP = Path(chat_app.__file__).read_text()
#: What Flask-SocketIO does with its greenlets or threads there.
SERVERS = {"gevent": "gevent", "pywsgi": "gevent", "gthread": "threading"}
Start = Callable[..., Any]


@pytest.fixture(params=SERVERS)
def serve(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    gunicorn: Callable[..., Gunicorn],
    start: Callable[..., Running],
) -> Iterator[Start]:
    """Starts the chat with one of the servers; ``serve.server`` is its name."""
    server = request.param
    monkeypatch.setenv("SOCKETIO_MODE", SERVERS[server])

    def begin(more: str = "", app: str = APP, **settings: Any) -> Any:
        if server == "pywsgi":
            (tmp_path / "tiny.py").write_text(app)
            return start(wsgi_app="tiny:app", **settings)
        threads = {"threads": 8} if server == "gthread" else {}
        return gunicorn(server, more, app=app, **{**threads, **settings})

    begin.server = server  # type: ignore[attr-defined]
    yield begin


def connected(port: int, path: str = "/echo") -> Any:
    return websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=PATIENCE, skip_utf8_validation=True)


def log_of(server: Any) -> str:
    return str(server.err if isinstance(server, Running) else server.log.read_text())


def passed(seconds: float) -> None:
    end = monotonic() + seconds
    until(lambda: monotonic() > end)


def test_flask_sock(serve: Start) -> None:
    server = serve()
    ws = connected(server.port)
    for number in range(3):
        ws.send(f"message {number}")
        assert ws.recv() == f"message {number}"
    large = "x" * 20_000_000
    sending = Thread(target=ws.send, args=(large,))
    sending.start()
    sending.join()
    assert (ws.recv() == large) is True, "more than a connection takes at once is sent whole"
    ws.send("bye")
    closing = ws.recv_frame()
    assert (closing.opcode, closing.data) == (websocket.ABNF.OPCODE_CLOSE, (1000).to_bytes(2, "big"))
    ws.send_close()
    assert everything(ws.sock) == b"", "nothing of HTTP follows"
    assert "rror" not in log_of(server)


def test_flask_sock_pings_a_silent_websocket_where_the_app_asks_for_it(serve: Start) -> None:
    """The line of docs/your-app.md, with a second for its 25."""
    line = 'app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25}'
    assert f"`{line}`" in (ROOT / "docs/your-app.md").read_text()
    server = serve(app=APP + line.replace("25", "1"))
    ws = connected(server.port)
    for _ in range(2):
        ping = ws.recv_frame()
        assert ping.opcode == websocket.ABNF.OPCODE_PING
        ws.pong(ping.data)


def test_messages_of_one_websocket_do_not_mix(serve: Start) -> None:
    server = serve()
    ws = connected(server.port, "/together")
    ws.send("now")
    got = sorted((bytes(sorted(set(message))), len(message)) for message in (ws.recv() for _ in range(8)))
    assert got == [(bytes([letter]), 3_000_000) for letter in b"abcdefgh"]


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["websocket"]], ids="-".join)
def test_socketio(serve: Start, transports: list[str]) -> None:
    """One that polls first and changes to WebSocket, as clients do by default, and one that begins with it."""
    server = serve()
    received: Queue[str] = Queue()
    clients = [socketio.Client(reconnection=False) for _ in range(2)]
    try:
        for client in clients:
            client.on("line", received.put)
            client.connect(f"http://127.0.0.1:{server.port}", transports=transports, wait_timeout=PATIENCE)
            until(lambda: client.transport() == "websocket")  # noqa: B023
        clients[0].emit("say", "hello")
        assert [received.get(timeout=PATIENCE) for _ in clients] == ["hello", "hello"], "to both"
    finally:
        for client in clients:
            client.disconnect()
    assert "Traceback" not in log_of(server)


@pytest.mark.parametrize("serve", ["gevent", "pywsgi"], indirect=True)  # the others have no such limits
def test_a_silent_websocket_stays_and_a_slow_body_does_not(serve: Start) -> None:
    """The server's limits are for requests; who requests a WebSocket and sends a body instead is one of those."""
    limits = {"header_timeout": 1, "client_body_timeout": 1} if serve.server == "pywsgi" else {}  # type: ignore[attr-defined]
    server = serve("gevent_worker.FairGeventWorker.transfer_timeout = 1\n", **limits)
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + "a" * 22
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as conn:
        head = f"GET /echo HTTP/1.1\r\nHost: x\r\n{upgrade}==\r\n\r\n".encode()
        conn.sendall(head[:30])  # in pieces, whose limit must not be the WebSocket's
        passed(0.2)
        conn.sendall(head[30:])
        assert b" 101 " in conn.recv(1000)
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as slow:
            slow.sendall(f"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n{upgrade}==\r\n\r\nabc".encode())
            everything(slow)
        passed(2.5)
        conn.sendall(b"\x81\x85\0\0\0\0hello")
        assert conn.recv(1000) == b"\x81\x05hello"


def test_a_stop_gives_websockets_graceful_timeout(serve: Start) -> None:
    server = serve(graceful_timeout=3)
    ws = connected(server.port)
    ws.send("before")
    assert ws.recv() == "before"
    server.process.send_signal(signal.SIGTERM)
    until(lambda: refused(server.port))
    ws.send("after")
    assert ws.recv() == "after"
    assert everything(ws.sock) == b"", "the connection's end, no frame and no HTTP"
    assert server.process.wait(PATIENCE) == 0


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("serve", ["gthread"], indirect=True)
def test_a_websocket_holds_a_thread(serve: Start) -> None:
    """Which is why gthread must have more threads than connections; the thread is free again afterwards."""
    server = serve(threads=2, worker_connections=100)
    for _ in range(3):
        held = [connected(server.port) for _ in range(2)]
        for ws in held:
            ws.send("here")
            assert ws.recv() == "here"
        waiting = http.client.HTTPConnection("127.0.0.1", server.port, timeout=1)
        waiting.request("GET", "/")
        with pytest.raises(TimeoutError):
            waiting.getresponse()
        for ws in held:
            ws.close()
        assert until(server.get) == b"ok"
        waiting.close()


@pytest.mark.parametrize("serve", ["gevent", "pywsgi"], indirect=True)
def test_websockets_hold_connections_alone(serve: Start) -> None:
    """Many of them leave room for requests, up to worker_connections."""
    server = serve(worker_connections=100)
    held = [connected(server.port) for _ in range(99)]
    for number, ws in enumerate(held):
        ws.send(str(number))
    assert [ws.recv() for ws in held] == [str(number) for number in range(99)]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"


def test_the_first_event_arrives_before_the_last_is_sent(serve: Start, tmp_path: Path) -> None:
    server = serve()
    name = f"kit-test-{os.getpid()}-{tmp_path.name}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", f"/events/{name}")
    response = connection.getresponse()
    try:
        assert response.readline() == b"data: first\n"
        chat_app.release(name)
        assert response.read() == b"\ndata: last\n\n"
    finally:
        (chat_app.RELEASED / name).unlink(missing_ok=True)
