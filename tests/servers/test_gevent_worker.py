"""The gevent worker class under a real gunicorn."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import select
from threading import Thread
from time import monotonic, sleep
from typing import Any
from unittest.mock import Mock

import pytest

from generator.load_client.wire import request_bytes
from generator.runtime.workers import gevent as gevent_worker
from tests.servers.started import PATIENCE, Gunicorn, closed_after, connections, read_response, send, until


def test_header_timeout_is_apart_from_keepalive(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", "gevent_worker.FairGeventWorker.header_timeout = 1.5\n")
    start = monotonic()
    with connections(server, 4) as (idle, fresh, slow, slow_second):
        assert read_response(idle, "/")
        assert read_response(slow_second, "/")
        slow.sendall(b"GET / HT")
        slow_second.sendall(b"GET / HT")
        for conn in (fresh, slow, slow_second):
            assert closed_after(conn, start) > 1
        assert read_response(idle, "/")  # idle for longer than the header timeout, and parked
        send(idle, "/sleep/2")  # nor does it bound the app
        assert read_response(idle)


def test_waiting_for_the_others_is_not_the_clients_time(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", "gevent_worker.FairGeventWorker.header_timeout = 1.5\n")
    with connections(server, 2) as (burning, patient):
        assert read_response(burning, "/")  # both are accepted
        send(burning, "/burn/3")
        send(patient)
        assert read_response(burning)
        assert read_response(patient)


class IdleClient:
    """Past its deadline."""

    def __init__(self) -> None:
        self.idle_since, self.deadline, self.hang_up = None, 0.0, Mock()


def looking_worker(clients: int) -> Any:
    """One that is not running."""
    found: Any = gevent_worker.FairGeventWorker.__new__(gevent_worker.FairGeventWorker)
    found.clients = {IdleClient() for _ in range(clients)}
    found.alive, found.notify = True, Mock()
    return found


def test_the_heart_beats_while_thousands_are_looked_at() -> None:
    found = looking_worker(500)
    found.look_at_clients()
    assert all(client.hang_up.called for client in found.clients)
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
        assert read_response(one, "/")[1] == read_response(other, "/")[1]
        parked_by = monotonic() + 0.6
        until(lambda: monotonic() > parked_by)
        one.sendall(b"GET / HTT")  # in two pieces
        other.sendall(request_bytes("GET", "/", "a") * 3)  # pipelined
        assert [read_response(other)[1] for _ in range(3)]
        one.sendall(b"P/1.1\r\nHost: a\r\n\r\n")
        assert read_response(one)


def test_stop_ends_idle_connections_and_finishes_what_is_in_progress(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent")
    with connections(server, 12) as (busy, late, *idle):
        for conn in idle:
            read_response(conn, "/")
        parked_by = monotonic() + 0.5
        until(lambda: monotonic() > parked_by)
        send(busy, "/sleep/4")
        sent = monotonic()
        until(lambda: monotonic() > sent + 0.1)
        read_response(late, "/")
        server.kill(signal.SIGTERM)
        # Its last response was just before the stop: one more is served.
        until(lambda: "Connection: close" in read_response(late, "/")[0])
        for conn in idle:
            assert closed_after(conn, sent)
        assert select([busy], [], [], 0)[0] == [], "the idle ones end first"
        header, _ = read_response(busy)
        assert header.startswith("HTTP/1.1 200") and "Connection: close" in header
        assert monotonic() - sent > 3.9
        assert server.ended_within()


def test_worker_connections_limits_and_the_rest_waits(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", worker_connections=5)
    with connections(server, 8) as conns:
        held, waiting = conns[:5], conns[5:]
        for conn in held:
            send(conn, "/sleep/3")  # nobody is idle, nobody finishes
        for conn in waiting:
            send(conn)
        for conn in waiting:
            conn.settimeout(0.2)
            with pytest.raises(TimeoutError):
                conn.recv(1)
        for conn in held:
            assert read_response(conn)
        for conn in held[:3]:
            conn.close()
        for conn in waiting:
            conn.settimeout(PATIENCE)
            assert read_response(conn)


def test_a_full_worker_ends_who_is_idle_for_who_waits(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", worker_connections=5, keepalive=75)
    with connections(server, 5) as held:
        for conn in held:
            read_response(conn, "/")
        parked_by = monotonic() + 0.6
        until(lambda: monotonic() > parked_by)
        read_response(held[0], "/")  # idle for less long than the others
        with connections(server, 2) as late:
            for conn in late:
                assert read_response(conn, "/")  # within connect()'s 5 s; stock: after keepalive
        still_open = [conn for conn in held if responds(conn)]
        assert held[0] in still_open and len(still_open) <= 3


def responds(conn: socket.socket) -> bool:
    try:
        return bool(read_response(conn, "/"))
    except (OSError, AssertionError):
        return False


def test_a_full_worker_of_busy_clients_closes_after_a_response(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", worker_connections=3, keepalive=75)
    report: dict[str, Any] = {}
    load = Thread(target=lambda: report.update(server.load(connections=3, duration=3)))
    load.start()
    try:
        until(lambda: established(server.port) >= 3)
        with connections(server, 2) as late:
            for conn in late:
                assert read_response(conn, "/")
    finally:
        load.join()
    assert (report["failed"], report["no_response"]) == (0, 0), report["failures"]
    assert report["connections"]["closed_announced"] > 0


def established(port: int) -> int:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)


SHORT = "gevent_worker.FairGeventWorker.transfer_timeout = 1.5\n"


def test_a_client_silent_in_its_body_is_hung_up_on(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", SHORT)
    head = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
    asks_for_websocket = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with connections(server, 4) as (silent, slow, unread, once_websocket):
        once_websocket.sendall(asks_for_websocket)  # and gets a page
        assert read_response(once_websocket)
        start = monotonic()
        silent.sendall(head + b"x")
        once_websocket.sendall(head + b"x")
        unread.sendall(head.replace(b"/read", b"/") + b"x")
        for _ in range(9):  # 2.3 s in all, never silent for long
            slow.sendall(b"x" if _ else head + b"x")
            pause = monotonic() + 0.25
            until(lambda: monotonic() > pause)  # noqa: B023
        assert read_response(slow)
        assert closed_after(silent, start) and closed_after(once_websocket, start)
        assert read_response(unread)  # the app did not wait for it
        assert unread.recv(1) == b""
    assert "Error" not in server.log.read_text()


def test_what_comes_of_a_body_too_late_is_no_request(gunicorn: Callable[..., Gunicorn]) -> None:
    """The app leaves the body, which is discarded until header_timeout; each client sends on just before or after."""
    server = gunicorn("gevent", "gevent_worker.FairGeventWorker.header_timeout = 0.5\n", keepalive=1)
    smuggled = b"GET /count/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (len(smuggled) + 1)
    with connections(server, 40) as clients:
        for client in clients:
            client.sendall(head)
            assert read_response(client)
        sent = monotonic()
        for number, client in enumerate(clients):
            until(lambda: monotonic() > sent + 0.3 + number * 0.015)  # noqa: B023
            for part in (b"x", smuggled):
                with suppress(OSError):  # closed
                    client.sendall(part)
                sleep(0.005)
        for client in clients:
            with suppress(OSError):
                while client.recv(1000):
                    pass
    assert server.get("/served") == b""


def test_a_body_has_its_time_behind_a_request_that_came_with_it(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", keepalive=1)
    with connections(server, 1) as (client,):
        head = b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + head + b"hello")
        assert read_response(client)
        start = monotonic()
        until(lambda: monotonic() > start + 1.6)  # longer than keepalive
        client.sendall(b"world")
        assert read_response(client)[1] == b"10"


@pytest.mark.parametrize(("hung_up", "keeps"), [(False, True), (True, False)])
def test_behind_a_hang_up_a_connection_is_not_kept(hung_up: bool, keeps: bool) -> None:
    worker = looking_worker(0)
    worker.keepalive, worker.respond = 75, lambda *_: True
    client = Mock(hung_up=hung_up, unread=b"")
    worker.serve(client)
    assert client.wait.called is keeps and client.server.do_close.called is not keeps


def test_a_client_that_takes_nothing_is_hung_up_on(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", SHORT)
    with connections(server, 2) as (stuck, slow):
        send(stuck, "/huge")
        send(slow, "/huge")
        received = 0
        while received < 20_000_000:  # in more than transfer_timeout, but never waiting for long
            received += len(more := slow.recv(200_000))
            assert more, "closed in the middle"
            pause = monotonic() + 0.02
            until(lambda: monotonic() > pause)  # noqa: B023
        until(lambda: established(server.port) <= 1)
        with pytest.raises(AssertionError, match="cut"):
            while stuck.recv(1_000_000):
                pass
            raise AssertionError("cut")
    assert "Error" not in server.log.read_text()


def test_connections_are_probed_when_silent(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent")
    with server.connect() as conn:
        read_response(conn, "/")
        _, body = read_response(conn, "/keepalive")
        assert body == b"1 60 10 6"


def test_a_connection_can_be_duplicated(gunicorn: Callable[..., Gunicorn]) -> None:
    """WebSocket libraries take it over so."""
    server = gunicorn("gevent", SHORT)
    with server.connect() as conn:
        send(conn, "/dup")
        assert conn.recv(5) == b"ready"
        later = monotonic() + 2
        until(lambda: monotonic() > later)  # longer than transfer_timeout
        conn.sendall(b"hello")
        assert conn.recv(5) == b"hello"


FAILS = """
_read = gevent_worker.lean.Reader.read

def _fails(self, data, *rest):
    if b"/unforeseen" in data:
        raise ValueError("on purpose")
    return _read(self, data, *rest)

gevent_worker.lean.Reader.read = _fails
"""


def test_what_was_not_foreseen_costs_one_connection(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gevent", FAILS, worker_connections=3)
    for _ in range(5):  # more than there are places
        with server.connect() as conn:
            send(conn, "/unforeseen")
            assert conn.recv(1) == b""
    assert server.get()
    assert server.log.read_text().count("ValueError: on purpose") == 5
    server.log.write_text("")  # its tracebacks are what this test is about


def test_a_recycled_worker_leaves_the_queue_to_the_others() -> None:
    for nr, drained in ((0, 1), (1000, 0)):
        worker: Any = gevent_worker.FairGeventWorker.__new__(gevent_worker.FairGeventWorker)
        worker.nr, worker.max_requests, worker.clients = nr, 1000, set()
        worker.cfg, worker.servers = Mock(reuse_port=False, graceful_timeout=1), [Mock()]
        worker.drain()
        assert worker.servers[0]._do_read.call_count == drained
        worker.servers[0].close.assert_called_once_with()
