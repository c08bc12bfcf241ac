"""The health check against real servers that answer well, badly, slowly or not at all."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from generator.runtime.health import healthy
from tests.fast_support import ROOT

#: Seconds; far above the timeout of 0.3 s that is given, below the 30 s for which a server here keeps a client busy.
DEADLINE = 20


@pytest.fixture
def serve() -> Iterator[Callable[[bytes | None, bool], tuple[int, list[bytes]]]]:
    """A server on a free port that gives one answer to whatever it is asked; None never answers."""
    open_sockets: list[socket.socket] = []
    over = threading.Event()

    def start(answer: bytes | None, drip: bool = False) -> tuple[int, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listener)
        asked: list[bytes] = []

        def run() -> None:
            connection, _ = listener.accept()
            open_sockets.append(connection)
            asked.append(connection.recv(4096))
            try:
                for part in [answer[i : i + 1] for i in range(len(answer))] if answer and drip else [answer or b""]:
                    connection.sendall(part)
                    if drip and over.wait(0.02):
                        return
            except OSError:
                return
            if answer is not None:
                connection.close()

        threading.Thread(target=run, daemon=True).start()
        return int(listener.getsockname()[1]), asked

    yield start
    over.set()
    for one in open_sockets:
        one.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
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
def test_health(answer: bytes | None, expected: bool, serve: Callable[..., tuple[int, list[bytes]]]) -> None:
    port, asked = serve(answer)
    started = monotonic()
    assert healthy(port, 0.3, "/readyz?full=1") == expected
    assert monotonic() - started < DEADLINE
    assert b"".join(asked).startswith(b"GET /readyz?full=1 HTTP/1.1\r\nHost: ") or answer is None


def test_a_dripping_answer_does_not_stretch_the_timeout(serve: Callable[..., tuple[int, list[bytes]]]) -> None:
    port, _ = serve(b"HTTP/1.1 200 OK" * 100, drip=True)
    started = monotonic()
    assert not healthy(port, 0.3, "/")
    assert monotonic() - started < DEADLINE


def test_without_a_path_a_connect_is_enough_and_a_closed_port_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert healthy(port, 1)
    assert not healthy(port, 1)
    assert not healthy(port, 1, "/")


@pytest.mark.parametrize(("answer", "code"), [(b"HTTP/1.1 200 OK\r\n\r\n", 0), (b"HTTP/1.1 503 Busy\r\n\r\n", 1)])
def test_the_health_command(answer: bytes, code: int, serve: Callable[..., tuple[int, list[bytes]]]) -> None:
    port, _ = serve(answer)
    command = [sys.executable, "-m", "generator.runtime.health", str(port), "5", "/readyz"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == code
