"""The thread worker class under a real gunicorn."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any
from unittest.mock import Mock

import pytest

from generator.runtime.workers.gthread import FairThreadWorker, InOrder
from tests.servers.started import PATIENCE, Gunicorn, closed_after, connections, read_response, send, until


def test_silent_connections_hold_no_thread(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gthread", threads=2)
    with connections(server, 20), server.connect() as client:
        start = monotonic()
        assert read_response(client, "/")
        assert monotonic() - start < 25  # stock: each pair of the 20 silent ones takes 5 s


def test_silent_connections_end_after_keepalive(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gthread", "from generator.runtime.workers import gthread as gthread_worker\n"
                      "gthread_worker.DEFAULT_WORKER_DATA_TIMEOUT = 0\n", keepalive=1)  # fmt: skip
    start = monotonic()
    with server.connect() as silent:
        assert closed_after(silent, start) > 0.5


def test_silent_connections_end_at_a_stop(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gthread")
    with server.connect() as silent, server.connect() as busy:
        send(busy, "/sleep/0.5")
        sent = monotonic()
        until(lambda: monotonic() > sent + 0.2)
        server.kill(signal.SIGTERM)
        assert read_response(busy)
        assert closed_after(silent, sent)
        assert server.ended_within()


def test_worker_connections_limits_and_the_rest_waits(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gthread", threads=2, worker_connections=5)
    with connections(server, 8) as conns:
        held, waiting = conns[:5], conns[5:]
        for conn in conns:
            send(conn)
        for conn in held:
            assert read_response(conn)
        for conn in waiting:
            conn.settimeout(0.1)
            with pytest.raises(TimeoutError):
                conn.recv(1)
        for conn in held[:3]:
            conn.close()
        for conn in waiting:
            conn.settimeout(PATIENCE)
            assert read_response(conn)


@pytest.mark.parametrize(("served", "accepted"), [(0, 300), (1000, 0)], ids=["a stop", "max_requests"])
def test_a_stop_takes_from_the_queue_what_the_descriptors_suffice_for(served: int, accepted: int) -> None:
    """And nothing where the other workers go on with the queue; however many clients come meanwhile."""
    worker: Any = FairThreadWorker.__new__(FairThreadWorker)
    worker.cfg = Mock(worker_connections=300, backlog=4096, keepalive=75, reuse_port=False)
    worker.nr, worker.max_requests, worker.nr_conns, worker.worker_connections = served, 1000, 200, 300
    worker.keepalived_conns, worker.pending_conns = InOrder(), InOrder()
    worker.wait_for_first_byte, worker.head_bytes, worker.lean, listener = Mock(), 65536, False, Mock()
    listener.accept.side_effect = lambda: (socket.socket(), None)
    worker.sockets = [listener]
    worker._cap_keepalive(0.0)
    assert listener.close.called
    assert worker.wait_for_first_byte.call_count == accepted


def test_a_client_that_does_not_close_after_its_last_response_stops_nobody(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gthread")
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    pid = int(server.get())
    with connections(server, 20) as staying, server.connect() as other:
        for conn in staying:
            conn.sendall(last)
            assert read_response(conn)
        start = monotonic()
        assert read_response(other, "/")
        assert monotonic() - start < 20  # stock: 2 s for each of the 20
        for conn in staying:
            assert closed_after(conn, start)  # half closed
            conn.sendall(b"x")
        until(lambda: len(sockets(pid)) < 5)  # LINGER is over
    assert int(server.get()) == pid


def sockets(pid: int) -> list[str]:
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found.append(str(fd.readlink()))
    return [link for link in found if link.startswith("socket:")]


def test_an_app_may_close_a_socket_that_it_has_kept(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gthread")
    pid = int(server.get())
    with connections(server, 5) as staying:
        for conn in staying:
            conn.sendall(b"GET /keep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert read_response(conn)
        assert read_response(server.connect(), "/close")  # while the worker waits for their ends
        with connections(server, 10) as others:
            for conn in others:
                assert int(read_response(conn, "/")[1]) == pid
