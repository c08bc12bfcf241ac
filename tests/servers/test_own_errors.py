"""What an app raises itself is the server's to report, not a client that has gone."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.servers.started import Gunicorn, send, until

WORKERS = ("gevent", "gthread", "sync")
#: ConnectionResetError is what gunicorn is silent about.
PATHS = ("/own/call/reset", "/own/call/file", "/own/first/reset", "/own/first/file")
#: A repeated header: gunicorn's parser reads this head, not the kit's pattern.
OTHER = b"GET %s HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n"


@pytest.mark.parametrize("worker", WORKERS)
def test_an_oserror_of_the_app_is_a_500_with_its_traceback(gunicorn: Callable[..., Gunicorn], worker: str) -> None:
    server = gunicorn(worker)
    for path in PATHS:
        for head in (b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n", OTHER):
            with server.connect() as conn:
                conn.sendall(head % path.encode())
                assert conn.recv(65536).startswith(b"HTTP/1.1 500 Internal Server Error\r\n"), path
    log = server.log.read_text()
    for path in PATHS:
        raised = "ConnectionResetError: [Errno 104]" if "reset" in path else "FileNotFoundError: [Errno 2]"
        assert log.count(f"{raised} {path}") == 2
    with server.connect() as conn:  # what has begun only ends, and the log says why
        send(conn, "/own/late/reset")
        while conn.recv(65536):
            pass
    assert "[Errno 104] /own/late/reset" in until(server.log.read_text)
    server.log.write_text("")


def logged(server: Gunicorn, text: str) -> None:
    until(lambda: text in server.log.read_text())


@pytest.mark.parametrize("worker", WORKERS)
def test_a_client_that_goes_is_no_error(gunicorn: Callable[..., Gunicorn], worker: str) -> None:
    """Its reset comes up through the app that reads the body, or writes the response."""
    server = gunicorn(
        worker,
        "def pre_request(worker, req): worker.log.info('begun: %s', req.path)\n"
        "def post_request(worker, req, environ, resp): worker.log.info('over: %s', req.path)\n",
    )
    for path, more in (("/read", b"Content-Length: 9\r\n\r\nabc"), ("/huge", b"\r\n")):
        with server.connect() as conn:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close() resets
            conn.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode() + more)
            logged(server, f"begun: {path}")  # or it would not be begun at all
            if path == "/huge":
                conn.recv(100)
        logged(server, f"over: {path}")
    assert server.get()  # that no traceback is in the log, the fixture says
