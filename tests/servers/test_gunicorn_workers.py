"""What the kit's gevent and thread workers have in common, under a real gunicorn."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from time import monotonic
from typing import Any

import pytest

from tests.servers.started import APP, Gunicorn, closed_after, connections, read_response, send, until

Start = Callable[..., Gunicorn]


@pytest.fixture(params=["gevent", "gthread"])
def start(request: pytest.FixtureRequest, gunicorn: Start) -> Start:
    return partial(gunicorn, request.param)


def test_keepalive_closes_idle_connections(start: Start) -> None:
    server = start(keepalive=1)
    with server.connect() as conn:
        began = monotonic()
        read_response(conn, "/")
        assert closed_after(conn, began) > 0.9


def test_an_app_may_set_script_name_while_it_is_imported(start: Start) -> None:
    server = start(preload_app=False, app="import os\nos.environ['SCRIPT_NAME'] = '/tool'\n" + APP)
    server.get("/tool/count/a")
    assert server.get("/tool/served") == b"/count/a"


def test_bodies_read_and_unread(start: Start) -> None:
    server = start()
    chunked = b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with server.connect() as conn:
        for path in ("/read", "/unread", "/read"):
            send(conn, path, "POST", b"x" * 50_000)  # more, unread, and gthread hangs up
            assert read_response(conn)
            conn.sendall(chunked % path.encode())
            assert read_response(conn, "/") and read_response(conn)


def test_a_request_in_the_socket_when_the_stop_begins_is_served(start: Start) -> None:
    server = start(worker_connections=20)
    with connections(server, 10) as conns:
        for conn in conns[:5]:
            read_response(conn, "/")
        pid = int(server.get())
        os.kill(pid, signal.SIGSTOP)  # so that the requests and the signal are there before it runs again
        for conn in conns:
            send(conn)
        with connections(server, 5) as queued:  # in the kernel's queue, not accepted
            for conn in queued:
                send(conn)
            server.kill(signal.SIGTERM)
            until(lambda: "Handling signal: term" in server.log.read_text())
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
            kept = [conn for conn in (*conns, *queued) if "Connection: close" not in read_response(conn)[0]]
            # A thread may have a request before the loop reads the signal; none of those that it accepts afterwards.
            assert not kept or (server.worker == "gthread" and set(kept) <= set(conns))
            for conn in kept:
                assert closed_after(conn, monotonic())
    assert server.ended_within(20), "less than graceful_timeout"


#: The master is told to stop, and has told the worker, before this one has signal handlers of its own.
STOP_AT_BIRTH = """
import os, signal, time
from pathlib import Path

from generator.runtime.workers.configuration import forked

def post_fork(server, worker):
    if not Path("born").exists():
        Path("born").touch()
        return forked(server, worker)
    os.kill(os.getppid(), signal.SIGTERM)
    while server.SIG_QUEUE.empty():  # until it is told
        time.sleep(0.01)
    forked(server, worker)
"""


def test_a_stop_while_a_worker_is_forked(start: Start) -> None:
    server = start(STOP_AT_BIRTH, graceful_timeout=120)
    os.kill(int(server.get()), signal.SIGKILL)  # so that another one is forked
    assert server.ended_within()


def test_killed_worker_is_replaced(start: Start) -> None:
    server = start()
    pid = int(server.get())
    os.kill(pid, signal.SIGKILL)
    assert int(until(server.get)) != pid


def test_a_request_may_take_longer_than_timeout(start: Start) -> None:
    """It waits, and the worker's heart beats: timeout finds what hangs, request_timeout is for who waits."""
    server = start(timeout=2)
    pid = server.get()
    with server.connect() as conn:
        send(conn, "/sleep/5")
        assert read_response(conn)[1] == pid
    assert server.get() == pid


def received(conn: socket.socket) -> int:
    """Packets with data that have come, which the kernel counts: tcpi_data_segs_in."""
    return int(struct.unpack_from("I", conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 156), 152)[0])


def test_header_and_body_come_in_one_packet(start: Start) -> None:
    with start().connect() as conn:
        for count in (1, 2, 3):
            header, body = read_response(conn, "/")
            assert header.startswith("HTTP/1.1 200 OK") and int(body)
            assert received(conn) == count


def test_a_piece_comes_when_it_is_there_with_the_header(start: Start) -> None:
    with start().connect() as conn:
        send(conn, "/pieces")
        header, _, body = conn.recv(65536).partition(b"\r\n\r\n")
        assert b"\r\nTransfer-Encoding: chunked" in header and body == b"5\r\nfirst\r\n"
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += (more := conn.recv(65536))
            assert more, "closed within a response"
        assert data == b"4\r\nlast\r\n0\r\n\r\n"
        assert read_response(conn, "/")


def test_responses_without_a_piece_of_a_body(start: Start) -> None:
    """HEAD, 204 and a file, which the kernel sends: the header must not stay behind."""
    server = start()
    with server.connect() as conn:
        for _ in range(2):
            send(conn, "/", "HEAD")
            assert conn.recv(65536).endswith(b"\r\n\r\n")
            send(conn, "/nothing")
            assert conn.recv(65536).startswith(b"HTTP/1.1 204 No Content")
            assert read_response(conn, "/file")[1].startswith(b"\nimport os")
            assert read_response(conn, "/large")[1] == b"x" * 100_000


def under_load(server: Gunicorn, act: Callable[[], None], **options: Any) -> dict[str, Any]:
    timer = threading.Timer(0.3, act)
    timer.start()
    try:
        return server.load(**options)
    finally:
        timer.join()


@pytest.mark.parametrize("rate", [None, 200.0], ids=["closed loop", "open loop"])
def test_reload_under_load_fails_nothing(start: Start, rate: float | None) -> None:
    server = start(workers=2)
    before = until(lambda: len(found := server.workers()) == 2 and found)
    reports = [under_load(server, lambda: server.kill(signal.SIGHUP), rate=rate)]
    while before & server.workers():  # on a busy machine the reload outlasts one load
        reports.append(server.load(rate=rate))
    for report in reports:
        assert (report["failed"], report["no_response"], report["unfinished"]) == (0, 0, 0), report["failures"]
    assert sum(report["connections"]["closed_announced"] for report in reports) > 0
    assert server.get()


def test_max_requests_under_load_fails_nothing(start: Start) -> None:
    server = start(workers=2, max_requests=150, max_requests_jitter=50)
    while server.log.read_text().count("Booting worker") < 5:
        report = server.load()
        assert report["responses"] > 0
        assert (report["failed"], report["no_response"], report["unfinished"]) == (0, 0, 0), report["failures"]


def test_graceful_timeout_ends_what_does_not_end(start: Start) -> None:
    server = start(graceful_timeout=1)
    with closing(server.connect()) as conn:
        send(conn, "/sleep/60")
        sent = monotonic()
        until(lambda: monotonic() > sent + 0.1)
        server.kill(signal.SIGTERM)
        assert server.ended_within()
    assert 1 <= monotonic() - sent < 60, "not when the request ends"


def test_a_quick_client_does_not_starve_the_others(start: Start) -> None:
    report = start().load(connections=50, duration=2)
    assert (report["failed"], report["no_response"]) == (0, 0)
    assert report["connections"]["responses_min"] * 3 > report["connections"]["responses_median"]


def test_no_descriptor_left_neither_floods_the_log_nor_kills(start: Start) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
    server = start(raw_env=["A=b"])
    config = server.log.with_name("gunicorn.conf.py")
    config.write_text(config.read_text() + limit)
    server.kill(signal.SIGHUP)
    before = server.get()
    until(lambda: server.get() not in (b"", before))
    with connections(server, 60) as conns:
        until(lambda: "Accepting pauses" in server.log.read_text())
        assert read_response(conns[0], "/")
        for conn in conns[:40]:
            conn.close()
        assert read_response(conns[-1], "/")
    assert server.log.read_text().count("Accepting pauses") == 1


def test_an_app_that_fails_before_anything_is_sent_gets_500(start: Start) -> None:
    server = start()
    for path in ("/bytearray", "/fails"):
        with server.connect() as conn:
            send(conn, path)
            assert conn.recv(65536).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert server.log.read_text().count("Error handling request") == 2
    server.log.write_text("")  # its tracebacks are what this test is about


def test_a_head_has_an_end(start: Start) -> None:
    server = start()
    with connections(server, 2) as (endless, long):
        with suppress(OSError):  # it may be reset
            endless.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
            for number in range(100):
                endless.sendall(b"X-%d: %s\r\n" % (number, b"x" * 8000))
        status = b""
        with suppress(OSError):
            status = endless.recv(100)
        assert status == b"" or status.startswith(b"HTTP/1.1 431 ")
        long.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: %s\r\n" % (b"x" * 8000) * 7 + b"\r\n")
        assert read_response(long)
        for _ in range(2):  # a body's bytes are not the next head's, whether the app reads it or not
            send(long, "/read", "POST", b"x" * 300_000)
            assert read_response(long)
            send(long, "/unread", "POST", b"x" * 60_000)  # more, unread, and gthread hangs up
            assert read_response(long)
    assert "more than 65536 bytes" in server.log.read_text()


@pytest.mark.parametrize("worker", ["gevent", "gthread", "sync"])
def test_a_unix_socket_beside_the_port(gunicorn: Start, worker: str) -> None:
    """Its clients have no address."""
    server = gunicorn(worker, 'bind = [bind, "unix:unix.socket"]\n')
    with socket.socket(socket.AF_UNIX) as conn:
        conn.connect(str(server.log.with_name("unix.socket")))
        conn.settimeout(30)
        assert read_response(conn, "/")[1] == server.get()


@pytest.mark.parametrize("worker", ["gevent", "gthread", "sync"])
def test_a_client_that_has_gone_while_its_request_waited_costs_no_more(gunicorn: Start, worker: str) -> None:
    server = gunicorn(worker, workers=1, **{"threads": 1} if worker == "gthread" else {})
    with server.connect() as busy, server.connect() as gone, server.connect() as reset, server.connect() as stays:
        send(busy, "/burn/2.5")
        until(server.log.with_name("burning").exists)
        send(gone, "/count/gone")
        gone.close()
        send(reset, "/count/reset")
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
        send(stays, "/count/stays")
        assert read_response(stays)
    with server.connect() as half:  # has closed its sending half only, and did not wait for long
        send(half, "/count/half")
        half.shutdown(socket.SHUT_WR)
        assert read_response(half)
    assert server.get("/served") == b"/count/stays /count/half"
