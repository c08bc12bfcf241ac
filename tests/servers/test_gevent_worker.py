"""The gevent worker class under a real gunicorn."""

from __future__ import annotations

import signal
from collections.abc import Callable
from time import monotonic
from typing import Any
from unittest.mock import Mock

import pytest

from generator.load_client.wire import request_bytes
from generator.runtime.workers import gevent as gevent_worker
from tests.servers.started import Gunicorn, closed_after, connections, send, until, whole_answer


def test_header_timeout_is_apart_from_keepalive(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", "gevent_worker.FairGeventWorker.header_timeout = 0.4\n")
    with connections(server, 4) as (idle, fresh, slow, slow_second):
        assert whole_answer(idle, "/")
        assert whole_answer(slow_second, "/")
        start = monotonic()
        slow.sendall(b"GET / HT")
        slow_second.sendall(b"GET / HT")
        for conn in (fresh, slow, slow_second):
            assert 0.2 < closed_after(conn, start) < 2
        assert whole_answer(idle, "/")  # idle for longer than the header timeout, and parked
        send(idle, "/sleep/0.7")  # nor does it bound the app
        assert whole_answer(idle)


def test_waiting_for_the_others_is_not_the_clients_time(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", "gevent_worker.FairGeventWorker.header_timeout = 0.5\n")
    with connections(server, 2) as (burning, patient):
        assert whole_answer(burning, "/")  # both are accepted
        send(burning, "/burn/1.2")
        send(patient)
        assert whole_answer(burning)
        assert whole_answer(patient)


class IdleClient:
    """Past its deadline."""

    def __init__(self) -> None:
        self.idle_since, self.deadline, self._sock = None, 0.0, Mock()


def looking_worker(clients: int) -> Any:
    """One that is not running."""
    found: Any = gevent_worker.FairGeventWorker.__new__(gevent_worker.FairGeventWorker)
    found.clients = {IdleClient() for _ in range(clients)}
    found.alive, found.notify = True, Mock()
    return found


def test_the_heart_beats_while_thousands_are_looked_at() -> None:
    found = looking_worker(500)
    found.look_at_clients()
    assert all(client._sock.shutdown.called for client in found.clients)
    each = gevent_worker.LOOKED_AT // (gevent_worker.A_CLOSED_ONE + 1) + 1
    assert found.notify.call_count == 500 // each


def test_a_look_ends_with_the_grace_and_when_the_stop_begins() -> None:
    found = looking_worker(500)
    found.look_at_clients(end=monotonic())
    assert found.notify.call_count == 1
    found.notify.side_effect = lambda: setattr(found, "alive", False)
    found.look_at_clients()
    assert found.notify.call_count == 2


def test_a_waiting_connection_is_served_again(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent")
    with connections(server, 2) as (one, other):
        assert whole_answer(one, "/")[1] == whole_answer(other, "/")[1]
        parked_by = monotonic() + 0.6
        until(lambda: monotonic() > parked_by)
        one.sendall(b"GET / HTT")  # in two pieces
        other.sendall(request_bytes("GET", "/", "a") * 3)  # pipelined
        assert [whole_answer(other)[1] for _ in range(3)]
        one.sendall(b"P/1.1\r\nHost: a\r\n\r\n")
        assert whole_answer(one)


def test_stop_ends_idle_connections_and_answers_what_is_in_progress(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent")
    with connections(server, 12) as (busy, late, *idle):
        for conn in idle:
            whole_answer(conn, "/")
        parked_by = monotonic() + 0.5
        until(lambda: monotonic() > parked_by)
        send(busy, "/sleep/2")
        sent = monotonic()
        until(lambda: monotonic() > sent + 0.1)
        whole_answer(late, "/")
        server.kill(signal.SIGTERM)
        # Its last answer was just before the stop: one more is served.
        until(lambda: "Connection: close" in whole_answer(late, "/")[0])
        for conn in idle:
            assert closed_after(conn, sent) < 1.8
        header, _ = whole_answer(busy)
        assert header.startswith("HTTP/1.1 200") and "Connection: close" in header
        answered = monotonic()
        assert answered - sent > 1.9
        assert server.ended_within(3)
        assert monotonic() - answered < 0.9


def test_worker_connections_limits_and_the_rest_waits(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", worker_connections=5)
    with connections(server, 8) as conns:
        for conn in conns:
            send(conn)
        held, waiting = conns[:5], conns[5:]
        for conn in held:
            assert whole_answer(conn)
        parked_by = monotonic() + 0.6
        for conn in waiting:
            conn.settimeout(0.1)
            with pytest.raises(TimeoutError):
                conn.recv(1)
        until(lambda: monotonic() > parked_by)  # parked connections count too
        with pytest.raises(TimeoutError):
            waiting[0].recv(1)
        for conn in held[:3]:
            conn.close()
        for conn in waiting:
            conn.settimeout(5)
            assert whole_answer(conn)
