"""The sync worker class under a real gunicorn."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.servers.started import Gunicorn, connections, read_response, send, until


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_serves_those_who_wait_in_the_queue(gunicorn: Callable[..., Gunicorn], workers: int) -> None:
    server = gunicorn("sync", workers=workers)
    pids = until(lambda: len(found := {int(server.get()) for _ in range(20)}) == workers and found)
    with connections(server, 12) as (*conns, silent):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # so that requests and signal are there before one of them runs again
        for conn in conns:
            send(conn)
        server.kill(signal.SIGTERM)
        until(lambda: "Handling signal: term" in server.log.read_text())
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
        for conn in conns:
            header, _ = read_response(conn)
            assert header.startswith("HTTP/1.1 200") and "Connection: close" in header
            conn.close()  # as told, or the worker waits 2 s for each
        with suppress(ConnectionResetError):
            assert silent.recv(1) == b""
    assert server.ended_within()


def test_workers_that_stop_together_share_the_queue(gunicorn: Callable[..., Gunicorn]) -> None:
    """One that accepted the whole queue had 8 s of work in it, and was ended after 6 s with the rest unanswered."""
    server = gunicorn("sync", workers=2, graceful_timeout=6)
    pids = until(lambda: len(found := {int(server.get()) for _ in range(20)}) == 2 and found)
    with connections(server, 16) as conns:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for conn in conns:
            send(conn, "/sleep/0.5")
        server.kill(signal.SIGTERM)
        until(lambda: "Handling signal: term" in server.log.read_text())
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
        with ThreadPoolExecutor(len(conns)) as clients:
            assert [*clients.map(status_then_close, conns)] == [b"200"] * len(conns)
    assert server.ended_within(10)


def status_then_close(conn: socket.socket) -> bytes:
    """As a client does that reads `Connection: close`: gunicorn waits for it up to 2 s."""
    response = conn.recv(65536)
    conn.close()
    return response[9:12]


def test_max_requests_fails_nothing(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("sync", workers=2, max_requests=10)
    assert all([server.get() for _ in range(60)])
    assert server.log.read_text().count("Booting worker") > 4


def test_a_head_has_an_end_and_a_failing_app_gets_500(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("sync")
    with server.connect() as conn, suppress(OSError):
        conn.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: %s\r\n" % (b"x" * 8000) * 100)
        conn.recv(100)
    assert "more than 65536 bytes" in until(server.log.read_text)
    with server.connect() as conn:
        send(conn, "/read", "POST", b"x" * 300_000)  # a body's bytes are not the head's
        assert read_response(conn)
    for path in ("/bytearray", "/fails"):
        with server.connect() as conn:
            send(conn, path)
            assert conn.recv(65536).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    server.log.write_text("")  # its tracebacks are what this test is about


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
@pytest.mark.parametrize("begins", [b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
def test_a_client_that_goes_on_after_a_refusal_ends_no_worker(
    gunicorn: Callable[..., Gunicorn], worker: str, begins: bytes
) -> None:
    """What it still sends is read away, up to 64 KiB: no part of a head that could be too long again."""
    server = gunicorn(worker)
    pid = int(server.get())
    for _ in range(3):
        with server.connect() as conn, suppress(OSError):
            conn.sendall(begins + b"X: %s\r\n" % (b"x" * 8000) * 30)
            while conn.recv(65536):
                pass
        assert int(server.get()) == pid
