"""The gevent worker class under a real gunicorn of this interpreter, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from generator.proof.loop import run
from generator.proof.plan import Plan
from generator.proof.wire import request_bytes

worker = pytest.importorskip("generator.runtime.gevent_worker", reason="gevent or gunicorn is not installed")

ROOT = Path(__file__).resolve().parents[2]
APP = """
import os, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/sleep/"):
        time.sleep(float(path[7:]))
    if path == "/read":
        environ["wsgi.input"].read()
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
CONFIG = """
from gevent import monkey; monkey.patch_all()
import sys; sys.path[:0] = [{root!r}, {here!r}]
from generator.runtime import gevent_worker
gevent_worker.TICK, gevent_worker.LINGER, gevent_worker.PARK_AFTER = 0.1, 0.4, 0.3
gevent_worker.FairGeventWorker.header_timeout = {header_timeout}
worker_class = "generator.runtime.gevent_worker.FairGeventWorker"
bind = "127.0.0.1:{port}"
worker_tmp_dir = {here!r}
control_socket_disable = True
preload_app = True
"""


def until(what: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What it returns as soon as that is true."""
    end = monotonic() + seconds
    while not (value := what()):
        assert monotonic() < end, "deadline passed"
        sleep(0.01)
    return value


class Gunicorn:
    def __init__(self, folder: Path, header_timeout: float, settings: dict[str, Any]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "tiny.py").write_text(APP)
        config = CONFIG.format(root=str(ROOT), here=str(folder), header_timeout=header_timeout, port=self.port)
        config += "".join(f"{name} = {value!r}\n" for name, value in settings.items())
        (folder / "gunicorn.conf.py").write_text(config)
        self.log = folder / "log"
        command = [sys.executable, "-m", "gunicorn", "-c", str(folder / "gunicorn.conf.py"), "tiny:app"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GUNICORN", "WEB_CONCURRENCY"))}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)

    def ready(self) -> Gunicorn:
        until(lambda: self.process.poll() is not None or self.asks(), 20)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def asks(self, path: str = "/") -> bytes:
        """The body of one answer; empty if there is none."""
        try:
            with self.connect() as conn:
                return whole_answer(conn, path)[1]
        except OSError:
            return b""

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def kill(self, number: int) -> None:
        self.process.send_signal(number)

    def ended_within(self, seconds: float) -> bool:
        """Ends with 0 in that time."""
        return self.process.wait(seconds) == 0

    def load(self, **options: Any) -> dict[str, Any]:
        plan: dict[str, Any] = {"connections": 20, "duration": 0.9, "timeout": 5.0, "finish": 5.0, **options}
        request = request_bytes("GET", plan.pop("path", "/"), "127.0.0.1")
        return run(Plan((("127.0.0.1", self.port),), request, **plan)).report()


def send(conn: socket.socket, path: str = "/", method: str = "GET", body: bytes = b"") -> None:
    conn.sendall(request_bytes(method, path, "127.0.0.1", body=body))


def whole_answer(conn: socket.socket, path: str | None = None) -> tuple[str, bytes]:
    """Header and body of the next answer; asks for the path first, if one is given."""
    if path is not None:
        send(conn, path)
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(1)
        assert more, "closed before an answer"
        data += more
    header = data.decode()
    length = int(header.lower().split("content-length: ")[1].split("\r\n")[0])
    return header, b"".join(conn.recv(1) for _ in range(length))


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Callable[..., Gunicorn]]:
    started: list[Gunicorn] = []

    def start(header_timeout: float = 10.0, **settings: Any) -> Gunicorn:
        started.append(Gunicorn(tmp_path, header_timeout, {"workers": 1, "keepalive": 75, **settings}))
        return started[-1].ready()

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()
        assert "Traceback" not in server.log.read_text()


@contextmanager
def connections(server: Gunicorn, count: int) -> Iterator[list[socket.socket]]:
    conns = [server.connect() for _ in range(count)]
    try:
        yield conns
    finally:
        for conn in conns:
            conn.close()


def closed_after(conn: socket.socket, start: float) -> float:
    assert conn.recv(1) == b""
    return monotonic() - start


def test_header_timeout_is_apart_from_keepalive(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn(header_timeout=0.4)
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


def test_keepalive_closes_idle_connections(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn(keepalive=1)
    with server.connect() as conn:
        whole_answer(conn, "/")
        assert 0.9 < closed_after(conn, monotonic()) < 2.5


def test_a_parked_connection_is_served_again(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn()
    with connections(server, 2) as (one, other):
        assert whole_answer(one, "/")[1] == whole_answer(other, "/")[1]
        parked_by = monotonic() + 0.6
        until(lambda: monotonic() > parked_by)
        one.sendall(b"GET / HTT")  # in two pieces
        other.sendall(request_bytes("GET", "/", "a") * 3)  # pipelined
        assert [whole_answer(other)[1] for _ in range(3)]
        one.sendall(b"P/1.1\r\nHost: a\r\n\r\n")
        assert whole_answer(one)


def test_bodies_read_and_unread(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn()
    chunked = b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with server.connect() as conn:
        for path in ("/read", "/unread", "/read"):
            send(conn, path, "POST", b"x" * 100_000)
            assert whole_answer(conn)
            conn.sendall(chunked % path.encode())
            assert whole_answer(conn, "/") and whole_answer(conn)


def test_stop_ends_idle_connections_and_answers_what_is_in_progress(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn()
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


def test_a_request_in_the_socket_when_the_stop_begins_is_answered(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn(worker_connections=20)
    with connections(server, 10) as conns:
        for conn in conns[:5]:
            whole_answer(conn, "/")
        pid = int(server.asks())
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
            for conn in (*conns, *queued):
                assert "Connection: close" in whole_answer(conn)[0]
    assert server.ended_within(3)


def test_worker_connections_limits_and_the_rest_waits(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn(worker_connections=5)
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


def test_no_descriptor_left_neither_floods_the_log_nor_kills(gunicorn: Callable[..., Gunicorn]) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
    server = gunicorn(raw_env=["A=b"])
    config = server.log.with_name("gunicorn.conf.py")
    config.write_text(config.read_text() + limit)
    server.kill(signal.SIGHUP)
    before = server.asks()
    until(lambda: server.asks() not in (b"", before))
    with connections(server, 60) as conns:
        until(lambda: "Accepting pauses" in server.log.read_text())
        assert whole_answer(conns[0], "/")
        for conn in conns[:40]:
            conn.close()
        assert whole_answer(conns[-1], "/")
    assert server.log.read_text().count("Accepting pauses") == 1


def test_killed_worker_is_replaced(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn()
    pid = int(server.asks())
    os.kill(pid, signal.SIGKILL)
    assert int(until(server.asks)) != pid


def under_load(server: Gunicorn, act: Callable[[], None], **options: Any) -> dict[str, Any]:
    timer = threading.Timer(0.3, act)
    timer.start()
    try:
        return server.load(**options)
    finally:
        timer.join()


@pytest.mark.parametrize("rate", [None, 200.0], ids=["closed loop", "open loop"])
def test_reload_under_load_fails_nothing(gunicorn: Callable[..., Gunicorn], rate: float | None) -> None:
    server = gunicorn(workers=2)
    before = server.asks()
    report = under_load(server, lambda: server.kill(signal.SIGHUP), rate=rate)
    assert (report["failed"], report["unanswered"], report["unfinished"]) == (0, 0, 0), report["failures"]
    assert report["connections"]["closed_announced"] > 0
    assert server.asks() != before


def test_max_requests_under_load_fails_nothing(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn(workers=2, max_requests=150, max_requests_jitter=50)
    report = server.load()
    assert (report["failed"], report["unanswered"], report["unfinished"]) == (0, 0, 0), report["failures"]
    assert server.log.read_text().count("Booting worker") > 3


def test_an_address_is_looked_up_without_a_thread() -> None:
    asked: list[tuple[Any, ...]] = []

    def lookup(*query: Any) -> list[str]:
        asked.append(query)
        return ["answer"]

    getaddrinfo = worker.numeric_at_once(lookup)
    assert getaddrinfo("127.0.0.1", 80, 0, socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
    assert getaddrinfo("::1", None)[0][0] == socket.AF_INET6
    assert asked == []
    assert getaddrinfo("db.example", 80) == getaddrinfo("127.0.0.1", "http") == getaddrinfo(None, 80) == ["answer"]
    assert [query[0] for query in asked] == ["db.example", "127.0.0.1", None]


def test_graceful_timeout_ends_what_does_not_end(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn(graceful_timeout=1)
    with closing(server.connect()) as conn:
        send(conn, "/sleep/20")
        sent = monotonic()
        until(lambda: monotonic() > sent + 0.1)
        server.kill(signal.SIGTERM)
        assert server.ended_within(4)
    assert 1 <= monotonic() - sent < 3.5


def test_a_quick_client_does_not_starve_the_others(gunicorn: Callable[..., Gunicorn]) -> None:
    report = gunicorn().load(connections=50, duration=0.6)
    assert (report["failed"], report["unanswered"]) == (0, 0)
    assert report["connections"]["answers_min"] * 3 > report["connections"]["answers_median"]
