"""The health check against real servers that respond well, badly, slowly or not at all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from generator.runtime import health
from generator.runtime.master_heartbeat import MasterHeartbeat
from tests.fast_support import ROOT

#: Seconds; far above the timeout of 0.3 s that is given, below the 30 s for which a server here keeps a client busy.
DEADLINE = 20

Serve = Callable[..., tuple[int, list[bytes]]]


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    return tmp_path / "heartbeat"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server on a free port that gives one response to whatever it is sent; None never responds."""
    open_sockets: list[socket.socket] = []
    over = threading.Event()

    def start(response: bytes | None, drip: bool = False) -> tuple[int, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listener)
        received: list[bytes] = []

        def run() -> None:
            try:
                connection, _ = listener.accept()
                open_sockets.append(connection)
                received.append(connection.recv(4096))
                octets = [bytes([octet]) for octet in response or b""]
                for part in octets if drip else [response or b""]:
                    connection.sendall(part)
                    if drip and over.wait(0.02):
                        return
            except OSError:
                return
            if response is not None:
                connection.close()

        threading.Thread(target=run, daemon=True).start()
        return int(listener.getsockname()[1]), received

    yield start
    over.set()
    for one in open_sockets:
        one.close()


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n", True),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n200 OK", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (b"200\r\n", False),
        (b"", False),
        (b"x" * 100_000, False),
        (None, False),
    ],
)
def test_the_response_decides(response: bytes | None, expected: bool, serve: Serve, heartbeat: Path) -> None:
    port, received = serve(response)
    started = monotonic()
    assert health.ready(port, 0.3, 4, "/readyz?full=1", heartbeat=str(heartbeat)) == expected
    assert monotonic() - started < DEADLINE
    assert b"".join(received).startswith(b"GET /readyz?full=1 HTTP/1.1\r\nHost: ") or response is None


@pytest.mark.parametrize(
    ("beat_ago", "path", "expected"),
    [
        (1.0, "/", True),  # busy
        (1.0, None, True),
        (5.0, "/", False),  # hangs
        (5.0, None, False),
        (-1e9, "/", False),  # still boots: gunicorn's file has the wall clock's time
        (None, "/", False),  # no worker at all
        ("no master", "/", False),  # Flask's own server
        ("no master", None, True),
    ],
)
def test_without_a_response_the_workers_heartbeat_decides(
    beat_ago: float | str | None, path: str | None, expected: bool, serve: Serve, heartbeat: Path
) -> None:
    if beat_ago != "no master":
        beats = [] if beat_ago is None else [monotonic() - 60, monotonic() - float(beat_ago)]
        MasterHeartbeat(str(heartbeat)).beat(beats if beat_ago != -1e9 else beats[1:])
    port, _ = serve(None)
    assert health.ready(port, 0.2, 4, path, heartbeat=str(heartbeat)) is expected


def test_a_full_backlog_is_judged_as_no_response(heartbeat: Path) -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        assert not health.ready(port, 0.2, 4, "/", heartbeat=str(heartbeat))
        MasterHeartbeat(str(heartbeat)).beat([monotonic()])
        assert health.ready(port, 0.2, 4, "/", heartbeat=str(heartbeat))


def test_a_dripping_response_does_not_stretch_the_timeout(serve: Serve, heartbeat: Path) -> None:
    port, _ = serve(b"HTTP/1.1 200 OK" * 100, drip=True)
    started = monotonic()
    assert not health.ready(port, 0.3, 4, "/", heartbeat=str(heartbeat))
    assert monotonic() - started < DEADLINE


def test_a_closed_port_is_not_ready_however_fresh_the_heartbeat(heartbeat: Path) -> None:
    MasterHeartbeat(str(heartbeat)).beat([monotonic()])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert health.ready(port, 1, 4, None, heartbeat=str(heartbeat))
    assert not health.ready(port, 1, 4, None, heartbeat=str(heartbeat))
    assert not health.ready(port, 1, 4, "/", heartbeat=str(heartbeat))


def test_the_master_is_alive_while_it_looks_at_its_workers(heartbeat: Path) -> None:
    assert not health.master(10, str(heartbeat)), "no master has ever beaten"
    MasterHeartbeat(str(heartbeat))
    assert health.master(10, str(heartbeat)), "without a worker too"
    now = monotonic()
    os.utime(heartbeat, (now, now - 11))
    assert not health.master(10, str(heartbeat)), "frozen, though its worker beats"
    assert health.master(12, str(heartbeat))


def test_the_heartbeat_goes_with_the_master_and_not_with_its_worker(heartbeat: Path) -> None:
    code = (
        "import os, sys, atexit\n"
        "from generator.runtime.master_heartbeat import MasterHeartbeat\n"
        f"MasterHeartbeat({str(heartbeat)!r})\n"
        "if (pid := os.fork()):\n"
        "    os.waitpid(pid, 0)\n"
        f"    assert os.path.exists({str(heartbeat)!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert not heartbeat.exists()


def test_the_heartbeat_follows_no_link(heartbeat: Path, tmp_path: Path) -> None:
    heartbeat.symlink_to(tmp_path / "another")
    with pytest.raises(OSError):
        MasterHeartbeat(str(heartbeat))
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize(("response", "code"), [(b"HTTP/1.1 200 OK\r\n\r\n", 0), (b"HTTP/1.1 503 Busy\r\n\r\n", 1)])
def test_the_ready_command(response: bytes, code: int, serve: Serve) -> None:
    port, _ = serve(response)
    assert command("ready", str(port), "5", "4", "/readyz").returncode == code


def test_the_ready_command_names_the_host_and_follows_port(serve: Serve) -> None:
    port, received = serve(b"HTTP/1.1 200 OK\r\n\r\n")
    assert command("ready", "1", "5", "4", "/readyz", "shop.example.com", PORT=str(port)).returncode == 0
    assert b"".join(received).startswith(b"GET /readyz HTTP/1.1\r\nHost: shop.example.com\r\n")


def test_the_master_command() -> None:
    alive = (
        "import sys\n"
        "from generator.runtime import health, master_heartbeat\n"
        "master_heartbeat.MasterHeartbeat()\n"
        "sys.exit(0 if health.main('master', '10') and not health.main('master', '-1') else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", alive], cwd=ROOT, check=False).returncode == 0
    assert "ready and master" in command("live").stderr


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "generator.runtime.health", *arguments]
    environment = {**{name: value for name, value in os.environ.items() if name != "PORT"}, **variables}
    return subprocess.run(words, cwd=ROOT, env=environment, check=False, text=True, capture_output=True)
