"""The standalone pywsgi server, run from this interpreter: every promise that shows within seconds."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from generator.runtime.pywsgi import configuration as pywsgi_config
from generator.runtime.pywsgi import log as pywsgi_log
from generator.runtime.pywsgi import server as pywsgi_server
from tests.servers.started import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")

APP = """
import json, os, subprocess, threading, time

VERSION = "one"
COUNT = []
CREATED_LOCK = type(threading.Lock()).__module__

def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = b"ok"
    if path == "/pid":
        body = str(os.getpid()).encode()
    elif path == "/version":
        body = VERSION.encode()
    elif path == "/count":
        COUNT.append(1)
        body = str(len(COUNT)).encode()
    elif path == "/environ":
        names = ("wsgi.url_scheme", "wsgi.multiprocess", "wsgi.multithread", "SERVER_NAME", "REMOTE_ADDR")
        body = json.dumps({**{name: environ[name] for name in names}, "lock": CREATED_LOCK}).encode()
    elif path.startswith("/sleep/"):
        time.sleep(float(path.rpartition("/")[2]))
    elif path.startswith("/burn/"):
        open("burning", "w").close()
        end = time.monotonic() + float(path.rpartition("/")[2])
        while time.monotonic() < end:
            pass
    elif path == "/hang":
        while True:
            pass
    elif path == "/boom":
        raise ZeroDivisionError("on purpose")
    elif path == "/late-boom":
        start_response("200 OK", [("Content-Length", "2")])
        raise ZeroDivisionError("later")
    elif path == "/own-reset":
        raise ConnectionResetError(104, "of its own")
    elif path == "/first-reset":
        start_response("200 OK", [("Content-Length", "2")])
        return own_reset()
    elif path == "/half-boom":
        start_response("200 OK", [("Content-Length", "2")])
        return half()
    elif path == "/never":
        return []
    elif path == "/long":
        start_response("200 OK", [("Content-Length", "2")])
        return [b"okHTTP/1.1 200 OK", b"forged"]
    elif path == "/not-modified":
        start_response("304 Not Modified", [("Content-Length", "5"), ("ETag", "x")])
        return [b"12345"]
    elif path == "/no-content":
        start_response("204 No Content", [("Content-Length", "5")])
        return [b"12345"]
    elif path == "/header":
        status, name, value = json.loads(environ["HTTP_X_SAY"])
        start_response(status, [(name, value)])
        return [b"ok"]
    elif path == "/length":
        body = str(len(environ["wsgi.input"].read())).encode()
    elif path == "/swallow":
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            body = type(error).__name__.encode()
    elif path == "/big":
        body = b"x" * 20_000_000
    elif path == "/short":
        start_response("200 OK", [("Content-Length", "99")])
        return [b"x"]
    elif path == "/generator":
        start_response("200 OK", [])
        return (part for part in (b"a", b"b"))
    elif path == "/orphan":
        subprocess.run(["sh", "-c", "(sleep 0.05; echo done >&2) &"], check=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]

def own_reset():
    raise ConnectionResetError(104, "of its own")
    yield b""

def half():
    yield b"o"
    raise ZeroDivisionError("in the middle")

def create(word="", suffix=""):
    def created(environ, start_response):
        start_response("200 OK", [])
        return [(word + suffix).encode()]
    return created
"""


class Running:
    """One server process with its app, document and log files in a directory of its own."""

    def __init__(self, directory: Path, extra: str = "", **settings: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.app = directory / "tiny.py"
        if not self.app.exists():
            self.app.write_text(APP)
        values = {"wsgi_app": "tiny:application", "bind": f"127.0.0.1:{self.port}", "chdir": str(directory)}
        lines = [f"{name} = {value!r}" for name, value in (values | settings).items()]
        document = directory / "pywsgi.conf.py"
        document.write_text("\n".join([*lines, extra]))
        self._out, self._err = directory / "out", directory / "err"
        command = [sys.executable, "-m", "generator.runtime.pywsgi.server", "-c", str(document)]
        # A changed app is seen by its modification second and size only, so nothing may cache its bytecode.
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, env=env)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 30)

    def get(self, path: str = "/", *headers: str) -> tuple[int, dict[str, str], bytes]:
        with self.connect() as client:
            return exchange(client, path, *headers, "Connection: close")

    def serves(self) -> bool:
        assert self.process.poll() is None, self.err
        with suppress(OSError):
            return self.get()[0] == 200
        return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def exchange(client: socket.socket, path: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """One request and its whole response; the connection stays usable."""
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""])
    client.sendall(head.encode("latin-1"))
    return read_response(client, method)


def read_response(client: socket.socket, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Read one response; OSError when the connection ends before it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(client)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while method != "HEAD" and len(body) < int(headers.get("content-length", 0)):
        body += receive(client)
    return int(status.split()[1]), headers, body


def everything(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    data = b""
    with suppress(ConnectionError):
        while True:
            data += receive(client)
    return data


def receive(client: socket.socket) -> bytes:
    data = client.recv(65536)
    if not data:
        raise ConnectionError("closed by the server")
    return data


def closed_after(client: socket.socket, start: float = 0.0) -> float:
    """Seconds from ``start`` until the server hangs up without a response; the client's timeout is the deadline."""
    with suppress(ConnectionError):
        assert client.recv(1) == b""
    return time.monotonic() - start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    yield from _starter(tmp_path)


def _starter(directory: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(extra: str = "", wait: bool = True, **settings: Any) -> Running:
        running = Running(directory, extra, **settings)
        started.append(running)
        if wait:
            until(running.serves)
        return running

    try:
        yield start
    finally:  # also of a test that failed with the generator in its hands
        for running in started:
            if running.process.poll() is None:
                children = running.workers
                running.process.kill()
                running.process.wait()
                for pid in children:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two workers with short limits, a parent that adopts orphans as PID 1 does, and a JSON log."""
    starter = _starter(tmp_path_factory.mktemp("shared"))
    adopt = "import ctypes as _ctypes\n_ctypes.CDLL(None).prctl(36, 1)"
    limits = {"keepalive": 1, "header_timeout": 1, "timeout": 2, "graceful_timeout": 3}
    yield next(starter)(adopt, workers=2, accesslog="-", access_log_json=True, quiet_paths=["/quiet"], **limits)
    next(starter, None)


# --- one connection ---


def test_environ(shared: Running) -> None:
    status, _, body = shared.get("/environ")
    assert status == 200
    assert json.loads(body) == {
        "wsgi.url_scheme": "http",
        "wsgi.multiprocess": True,
        "wsgi.multithread": True,
        "SERVER_NAME": "127.0.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "lock": "gevent.thread",
    }


def test_forwarded_proto_of_a_trusted_peer(shared: Running) -> None:
    assert json.loads(shared.get("/environ", "X-Forwarded-Proto: https")[2])["wsgi.url_scheme"] == "https"
    assert json.loads(shared.get("/environ", "X-Forwarded-Proto: gopher")[2])["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize(
    ("allowed", "peer", "trusted"),
    [
        ("127.0.0.1,::1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("10.0.0.0/8, 192.168.1.0/24", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("fd00::/8", "fd00::1%eth0", True),
        ("*", "203.0.113.9", True),
        ("", "127.0.0.1", False),
    ],
)
def test_trusted_peers(allowed: str, peer: str, trusted: bool) -> None:
    assert pywsgi_config.trusts(pywsgi_config.peers_of(allowed), peer) is trusted


def test_idle_connection_is_closed_after_keepalive(shared: Running) -> None:
    with shared.connect() as client:
        assert exchange(client, "/")[1].get("connection") is None
        start = time.monotonic()
        assert exchange(client, "/")[0] == 200
        assert closed_after(client, start) > 0.2


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_header_timeout(shared: Running, sent: bytes) -> None:
    start = time.monotonic()
    with shared.connect() as client:
        client.sendall(sent)
        assert closed_after(client, start) > 0.2


def test_one_header_byte_at_a_time_does_not_prolong_the_limit(shared: Running) -> None:
    with shared.connect() as client:
        start = time.monotonic()
        with suppress(ConnectionError, BrokenPipeError):
            client.settimeout(0.05)
            while time.monotonic() - start < 30:
                client.sendall(b"G")
                with suppress(TimeoutError):
                    assert client.recv(1) == b""
                    break
        assert 0.2 < time.monotonic() - start < 30, "header_timeout"


def test_an_error_of_the_app_is_a_500_with_one_traceback(shared: Running) -> None:
    before = shared.err.count("ZeroDivisionError: on purpose")
    assert shared.get("/boom")[0] == 500
    until(lambda: "ZeroDivisionError: on purpose" in shared.err)
    assert shared.err.count("ZeroDivisionError: on purpose") == before + 1
    assert shared.err.count("Traceback") == shared.err.count("Error handling request")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 1", "Content-Length: 1"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Content-Length: +1"],
        ["Content-Length: 1_0"],
        ["Content-Length : 1"],
        ["no colon here", "Content-Length: 5"],
        ["X-Folded: a\r\n b"],
        ["Host: y"],
        ["X-Nul: a\0b"],
    ],
)
def test_ambiguous_heads_are_refused(shared: Running, lines: list[str]) -> None:
    status, headers, _ = shared.get("/", *lines)
    assert (status, headers["connection"]) == (400, "close")


def test_a_chunked_body_and_pipelined_requests_are_understood(shared: Running) -> None:
    with shared.connect() as client:
        first = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        client.sendall(first + b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while part := client.recv(65536):
            data += part
        assert data.count(b"HTTP/1.1 200 OK") == 2


def test_head_of_a_generator_has_no_body(shared: Running) -> None:
    with shared.connect() as client:
        assert exchange(client, "/generator", method="HEAD")[0] == 200
        assert exchange(client, "/pid")[0] == 200


def test_a_body_shorter_than_promised_ends_the_connection(shared: Running) -> None:
    with shared.connect() as client, pytest.raises(ConnectionError):
        exchange(client, "/short")


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=b", "multipart/mixed", "message/rfc822", "message/partial"]
)
def test_an_upload_is_no_header_defect(shared: Running, kind: str) -> None:
    with shared.connect() as client:
        client.sendall(
            f"POST /length HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n--b\r\nrest".encode()
        )
        assert read_response(client)[::2] == (200, b"9")


@pytest.mark.parametrize("path", ["/length", "/swallow", "/pid"])
@pytest.mark.parametrize(
    "chunks", [b"zz\r\n", b"3\r\nabcX\r\n", b"3;\0\r\nabc\r\n", b"0\r\nno colon\r\n\r\n", b"-1\r\n"]
)
def test_nothing_behind_a_broken_body_is_served(shared: Running, path: str, chunks: bytes) -> None:
    with shared.connect() as client:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        client.sendall(head + chunks + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        data = everything(client)
        assert data.count(b"HTTP/1.1 ") == 1, data
        # What the app does not read is found broken only when its response has gone.
        assert path != "/length" or data.startswith(b"HTTP/1.1 400 ")


def test_a_body_that_ends_early_is_never_handed_on_as_whole(shared: Running) -> None:
    with shared.connect() as client:
        client.sendall(b"POST /swallow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        client.shutdown(socket.SHUT_WR)
        assert read_response(client)[::2] == (200, b"BrokenBody")


def test_continue_is_sent_when_the_app_reads(shared: Running) -> None:
    head = "POST {} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with shared.connect() as client:
        client.sendall(head.format("/length").encode())
        assert client.recv(99) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert read_response(client)[::2] == (200, b"3")
    with shared.connect() as client:
        client.sendall(head.format("/pid").encode())
        assert read_response(client)[1]["connection"] == "close"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/late-boom", 500), ("/never", 500), ("/header", 500), ("/own-reset", 500), ("/first-reset", 500)],
)
def test_what_fails_before_anything_was_sent_is_a_500(shared: Running, path: str, status: int) -> None:
    found, headers, _ = shared.get(path, "Content-Length: 0")
    assert (found, headers["connection"]) == (status, "close")


def test_what_fails_in_the_middle_ends_the_connection(shared: Running) -> None:
    with shared.connect() as client:
        client.sendall(b"GET /half-boom HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        data = everything(client)
    assert data.endswith(b"\r\n\r\no") and data.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "header",
    [
        ["200 OK\r\nX-Forged: 1", "X-A", "b"],
        ["200 OK\n", "X-A", "b"],
        ["200 OK\0", "X-A", "b"],
        ["OK", "X-A", "b"],
        ["20 OK", "X-A", "b"],
        ["200 OK", "X-A\r\nX-Forged", "b"],
        ["200 OK", "X A", "b"],
        ["200 OK", "X-A:", "b"],
        ["200 OK", "", "b"],
        ["200 OK", "X-A", "b\r\nX-Forged: 1"],
        ["200 OK", "X-A", "b\0"],
        ["200 OK", "X-A", "\u20ac"],
        ["200 OK", "Content-Length", "2, 2"],
        ["200 OK", "Content-Length", "-2"],
        ["200 OK", "X-A", 1],
        [200, "X-A", "b"],
    ],
)
def test_an_app_cannot_break_its_own_headers(shared: Running, header: list[Any]) -> None:
    status, headers, _ = shared.get("/header", f"X-Say: {json.dumps(header)}")
    assert status == 500 and "x-forged" not in headers


@pytest.mark.parametrize("header", [["200 OK", "Transfer-Encoding", "chunked"], ["200 OK", "Connection", "keep-alive"]])
def test_the_connection_is_not_the_apps_to_say(shared: Running, header: list[str]) -> None:
    status, headers, body = shared.get("/header", f"X-Say: {json.dumps(header)}")
    assert (status, headers["connection"], headers["content-length"], body) == (200, "close", "2", b"ok")


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/long", 200, b"ok"),
        ("HEAD", "/big", 200, b""),
        ("GET", "/not-modified", 304, b""),
        ("GET", "/no-content", 204, b""),
    ],
)
def test_no_byte_behind_the_response(shared: Running, method: str, path: str, status: int, body: bytes) -> None:
    with shared.connect() as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\nGET /pid HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        responses = everything(client).split(b"HTTP/1.1 ")[1:]
    assert len(responses) == 2
    head, _, found = responses[0].partition(b"\r\n\r\n")
    assert (int(head[:3]), found) == (status, body)
    assert responses[1].startswith(b"200 OK")
    assert status != 204 or b"content-length" not in head.lower()


def test_http_1_0_without_a_length_ends_with_the_connection(shared: Running) -> None:
    with shared.connect() as client:
        client.sendall(b"GET /generator HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        data = everything(client)
    assert data.endswith(b"\r\n\r\nab") and b"Connection: close" in data and b"chunked" not in data


# --- logs ---


def test_json_access_log_survives_hostile_bytes(shared: Running) -> None:
    path = '/h%0A{"forged":1}\\"%1b%ff%e2%82%ac?token=secret'
    assert shared.get(path, 'User-Agent: a\x9bb"\\', "X-Forwarded-For: 9.9.9.9")[0] == 200
    entries = until(
        lambda: [
            entry for entry in map(json.loads, shared.out.splitlines()) if (entry["path"] or "").startswith("/h\n")
        ]
    )
    assert len(entries) == 1
    duration, pid = entries[0].pop("duration_ms"), entries[0].pop("pid")
    assert duration > 0 and pid in shared.workers
    assert entries[0] == {
        "remote_addr": "127.0.0.1",
        "forwarded_for": "9.9.9.9",
        "method": "GET",
        "path": '/h\n{"forged":1}\\"\x1b\ufffd€',
        "status": 200,
        "bytes": 2,
        "user_agent": 'a\x9bb"\\',
    }
    assert "secret" not in shared.out


def test_a_refused_request_is_logged_with_its_own_status(shared: Running) -> None:
    with shared.connect() as client:
        assert exchange(client, "/before")[0] == 200
        assert exchange(client, "/", "Content-Length: x")[0] == 400
    until(lambda: "/before" in shared.out and shared.out.endswith("\n"))
    entries = until(lambda: shared.out.partition('"/before"')[2].splitlines()[1:])
    entry = json.loads(entries[0])
    assert (entry["status"], entry["path"], entry["bytes"]) == (400, None, 0)


def test_probes_are_left_out_of_the_access_log(shared: Running) -> None:
    assert shared.get("/quiet")[0] == 200
    assert shared.get("/afterwards")[0] == 200
    until(lambda: "/afterwards" in shared.out)
    assert "/quiet" not in shared.out


def test_text_line_is_gunicorns_default_format() -> None:
    line = pywsgi_log.text_line(
        pywsgi_log.Exchange("10.0.0.1", 'GET /a"\x1b\\?t=1 HTTP/1.1', "GET", "/a", 200, 5, 0.01, 1e9, user_agent='c"')
    )
    shape = r"10\.0\.0\.1 - - \[09/Sep/2001:\d\d:46:40 [+-]\d{4}\] "
    shape += r'"GET /a\\x22\\x1b\\x5c HTTP/1\.1" 200 5 "-" "c\\x22"'
    assert re.fullmatch(shape, line)


@pytest.mark.parametrize(
    ("requestline", "referer", "expected"),
    [
        ("GET http://me:secret@x/a?secret HTTP/1.1", "https://me:secret@y/b?secret#secret", "GET http://x/a HTTP/1.1"),
        ("GET /a#secret HTTP/1.1", "//secret@y/b#secret", "GET /a HTTP/1.1"),
        ("GET /a@b?secret HTTP/1.1", "/a@b", "GET /a@b HTTP/1.1"),
        ("GET /a\x85\x9b HTTP/1.1", "\x9b?secret", "GET /a\\x85\\x9b HTTP/1.1"),
    ],
)
def test_text_line_has_no_secret(requestline: str, referer: str, expected: str) -> None:
    exchange = pywsgi_log.Exchange("::1", requestline, "GET", "/a", 200, 5, 0.01, 1e9, referer=referer)
    line = pywsgi_log.text_line(exchange)
    assert f'"{expected}" 200' in line and "secret" not in line and line.isprintable()


def test_the_user_of_basic_authorization_is_logged() -> None:
    words = {"Basic YWxpY2U6cHc=": "alice", "Basic %%%": "-", "Bearer x": "-"}
    for given, user in words.items():
        exchange = pywsgi_log.Exchange("::1", "GET / HTTP/1.1", "GET", "/", 200, 5, 0.01, 1e9, authorization=given)
        assert pywsgi_log.text_line(exchange).startswith(f"::1 - {user} [")


# --- supervision (these leave the shared server with its two workers) ---


def test_a_killed_worker_is_respawned(shared: Running) -> None:
    until(lambda: len(shared.workers) == 2)
    victim = shared.workers[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in shared.workers and len(shared.workers) == 2)
    assert f"Worker (pid:{victim}) was sent SIGKILL" in shared.err
    assert shared.get()[0] == 200


def test_a_hung_worker_is_killed_with_its_stack_in_the_log(shared: Running) -> None:
    with shared.connect() as client:
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: re.search(r"WORKER TIMEOUT.*\n(?:.*\n)*?.*in application", shared.err))
        assert closed_after(client)
    until(lambda: len(shared.workers) == 2)
    assert shared.get()[0] == 200


def test_orphans_are_reaped(shared: Running) -> None:
    assert shared.get("/orphan")[0] == 200
    until(lambda: "done" in shared.err)
    until(lambda: len(shared.workers) == 2)


def test_hup_brings_new_code_without_dropping_a_request(shared: Running) -> None:
    before = set(shared.workers)
    failures: list[str] = []
    done = threading.Event()

    def send() -> None:
        while not done.is_set():
            try:
                with shared.connect() as client:
                    while exchange(client, "/version")[1].get("connection") != "close" and not done.is_set():
                        pass
            except OSError as error:
                failures.append(str(error))

    clients = [threading.Thread(target=send) for _ in range(4)]
    for client in clients:
        client.start()
    shared.app.write_text(APP.replace('"one"', '"two"'))
    shared.process.send_signal(signal.SIGHUP)
    try:
        until(lambda: not before & set(shared.workers) and len(shared.workers) == 2)
    finally:
        done.set()
        for client in clients:
            client.join()
    assert failures == []
    assert shared.get("/version")[2] == b"two"


def test_the_kernel_takes_a_worker_before_the_supervisor(shared: Running) -> None:
    def adjustment(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    until(lambda: len(shared.workers) == 2)
    assert all(adjustment(worker) > adjustment(shared.process.pid) for worker in shared.workers)


@pytest.mark.parametrize("seconds", [0.1, 0.6, 4])
def test_a_stopped_supervisor_goes_on(shared: Running, seconds: float) -> None:
    """SIGSTOP and SIGCONT, as the freezer of `docker pause`: the supervisor serves on, and kills no worker."""
    until(lambda: len(shared.workers) == 2)
    workers = shared.workers
    family = [shared.process.pid, *workers]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)  # longer than a tick, and with 4 s than the timeout: that it passes is what is tested
    # The supervisor first: it finds the workers still stopped, and every heartbeat old.
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    assert all(shared.get()[0] == 200 for _ in range(20))
    os.kill(shared.process.pid, signal.SIGCHLD)
    assert shared.process.poll() is None and shared.workers == workers
    assert "WORKER TIMEOUT" not in shared.err.partition(f"Booting worker with pid: {workers[-1]}")[2]


def test_hup_reads_the_document_again(start: Callable[..., Running]) -> None:
    running = start(keepalive=60)
    document = running.app.parent / "pywsgi.conf.py"
    good = document.read_text()
    (first,) = running.workers
    document.write_text(good + "workerz = 1")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: "The configuration is as it was" in running.err)
    assert running.workers == [first]
    document.write_text(good + "workers = 2\nkeepalive = 0\nbacklog = 7")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: len(running.workers) == 2 and first not in running.workers)
    with running.connect() as client:
        assert exchange(client, "/")[1]["connection"] == "close"
    assert "Takes effect at the next start only: backlog" in running.err


def test_a_supervisor_whose_output_is_gone_stops_as_ever(start: Callable[..., Running]) -> None:
    broken = "import sys as _sys, io as _io\n_sys.stdout = _io.TextIOWrapper(open('/dev/full', 'wb', 0))\n"
    running = start(broken + "def post_fork(server, worker):\n    print('x')", graceful_timeout=1)
    (worker,) = running.workers
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in running.workers and running.serves())
    assert running.stop() == 0


def test_hup_to_code_that_does_not_load_keeps_the_old_workers(shared: Running) -> None:
    before = set(shared.workers)
    good = shared.app.read_text()
    shared.app.write_text("raise SystemError('not today')")
    shared.process.send_signal(signal.SIGHUP)
    until(lambda: "not today" in shared.err)
    assert shared.get()[0] == 200 and before <= set(shared.workers)
    shared.app.write_text(good)
    until(lambda: not before & set(shared.workers) and len(shared.workers) == 2)


def test_sigterm_finishes_requests_closes_idle_connections_and_exits_0(start: Callable[..., Running]) -> None:
    running = start(keepalive=60, graceful_timeout=2)
    with running.connect() as idle, running.connect() as steady, running.connect() as busy:
        assert exchange(idle, "/")[0] == exchange(steady, "/")[0] == 200
        busy.sendall(b"GET /sleep/0.6 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: exchange(steady, "/")[0] == 200)
        running.process.send_signal(signal.SIGTERM)
        until(lambda: "Handling signal: term" in running.err)
        status, headers, _ = exchange(steady, "/")
        assert status == 200 and (headers.get("connection") == "close" or exchange(steady, "/")[0] == 200)
        status, headers, body = read_response(busy)
        assert (status, headers["connection"], body) == (200, "close", b"ok")
        assert closed_after(idle)
        assert running.process.wait(PATIENCE) == 0


def test_graceful_timeout_cuts_what_does_not_finish(start: Callable[..., Running]) -> None:
    running = start(graceful_timeout=0.5)
    with running.connect() as busy:
        busy.sendall(b"GET /sleep/60 HTTP/1.1\r\nHost: x\r\n\r\n")
        running.get()
        assert running.stop() == 0
    assert "cut 1 connections after graceful_timeout" in running.err


def test_max_requests_replaces_the_worker_without_a_gap(start: Callable[..., Running]) -> None:
    running = start(max_requests=5, max_requests_jitter=2, graceful_timeout=1)
    first = running.get("/pid")[2]
    until(lambda: running.get("/pid")[2] != first)
    assert "has served max_requests" in running.err
    until(lambda: len(running.workers) == 1)


def test_a_full_worker_takes_who_waits_when_a_response_ends(start: Callable[..., Running]) -> None:
    running = start(worker_connections=2, keepalive=60, header_timeout=60)
    with running.connect() as first, running.connect() as second, running.connect() as third:
        for busy in (first, second):
            busy.sendall(b"GET /sleep/0.6 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        third.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
        # Someone waits, so a response gives its slot back; with it nobody waits any more.
        assert {read_response(conn)[1].get("connection") for conn in (first, second)} <= {"close", None}
        assert read_response(third)[0] == 200


def test_a_worker_full_of_idle_clients_hangs_up_the_longest_idle(start: Callable[..., Running]) -> None:
    running = start(worker_connections=3, keepalive=60, header_timeout=60)
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(running.connect()) for _ in range(3))
        for client in (third, second, first):  # the third has idled longest
            assert exchange(client, "/")[0] == 200
        newcomer = stack.enter_context(running.connect())
        assert exchange(newcomer, "/")[0] == 200
        assert closed_after(third)
        assert exchange(first, "/")[0] == exchange(second, "/")[0] == exchange(newcomer, "/")[0] == 200


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_may_pause_but_not_for_long(start: Callable[..., Running], framing: str) -> None:
    running = start(client_body_timeout=2)
    with running.connect() as slow, running.connect() as silent:
        for client, path in ((slow, "/length"), (silent, "/length")):
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
        for _ in range(8):  # together longer than the limit
            slow.sendall(b"1\r\na\r\n")
            time.sleep(0.3)
        assert read_response(silent)[0] == 408
        with pytest.raises(BlockingIOError):
            slow.setblocking(False)
            slow.recv(1)
        slow.setblocking(True)
        assert read_response(slow)[0] == 408


def test_a_body_that_nobody_reads_has_the_same_limit(start: Callable[..., Running]) -> None:
    running = start(client_body_timeout=0.5, keepalive=60)
    with running.connect() as client:
        client.sendall(b"POST /pid HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert read_response(client)[0] == 200
        assert closed_after(client)


def test_a_reader_may_be_slow_but_not_stop(start: Callable[..., Running]) -> None:
    running = start(send_timeout=1.5)
    with running.connect() as slow, running.connect() as stopped:
        for client in (slow, stopped):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = 0
        started = time.monotonic()
        while data := slow.recv(200_000):
            received += len(data)
            time.sleep(0.02)
        assert received > 20_000_000 and time.monotonic() - started > 1.5
        cut = len(everything(stopped))
        assert cut < 20_000_000
    assert "Traceback" not in running.err


def test_unfinished_heads_cost_a_bounded_memory(start: Callable[..., Running]) -> None:
    """150 heads that end in the middle took 6.5 MB each; a worker of 256 MiB was killed."""
    running = start(header_timeout=60, worker_connections=500)
    (worker,) = running.workers
    before = resident_mb(worker)
    with ExitStack() as stack:
        line = b"X-A: " + b"a" * 1000 + b"\r\n"
        clients = [stack.enter_context(running.connect()) for _ in range(150)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + line * 60)
        assert running.get()[0] == 200
        until(lambda: sum(refused(client) for client in clients) > 50)
        assert resident_mb(worker) - before < 60
    assert running.workers == [worker]


def refused(client: socket.socket) -> bool:
    client.setblocking(False)
    with suppress(BlockingIOError):
        return client.recv(99, socket.MSG_PEEK).startswith(b"HTTP/1.1 431 ")
    return False


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


@pytest.mark.parametrize("lines", [90, 10_000])
def test_a_head_beyond_64_kib_is_refused(shared: Running, lines: int) -> None:
    with shared.connect() as client:
        with suppress(ConnectionError):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"X-A: " + b"a" * 1000 + b"\r\n") * lines)
        assert read_response(client)[0] == 431


def test_a_busy_client_does_not_starve_others(start: Callable[..., Running]) -> None:
    running = start()
    request, count = b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n", 200
    with running.connect() as before, running.connect() as busy, running.connect() as after:
        for client in (before, busy, after):
            exchange(client, "/")
        # Stopped, the worker finds all of them at once; whichever it takes first, two others wait for a turn.
        (worker,) = running.workers
        os.kill(worker, signal.SIGSTOP)
        before.sendall(request)
        busy.sendall(request * count)
        after.sendall(request)
        os.kill(worker, signal.SIGCONT)
        assert int(read_response(before)[2]) < count and int(read_response(after)[2]) < count


def test_too_few_descriptors_neither_spin_nor_flood_nor_kill(start: Callable[..., Running]) -> None:
    low = "import resource as _resource\n_resource.setrlimit(_resource.RLIMIT_NOFILE, (40, 40))"
    running = start(low, keepalive=60, header_timeout=60)
    worker = running.workers[0]
    clients = [running.connect() for _ in range(60)]
    until(lambda: "Too many open files" in running.err)
    ticks = cpu_ticks(worker)
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 0.4)
    limit = 0.4 * os.sysconf("SC_CLK_TCK") * (time.monotonic() - began)
    assert cpu_ticks(worker) - ticks < limit, "two fifths of a CPU: the worker spins"
    assert running.err.count("Too many open files") == 1
    for client in clients:
        client.close()
    assert running.get()[0] == 200 and running.workers == [worker]


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


HOOKS = """
import sys as _sys
def _say(text):
    print(text, file=_sys.stderr, flush=True)
def when_ready(server):
    _say(f"ready {server.cfg.workers} {server.cfg.backlog} {server.pid}")
def post_fork(server, worker):
    _say(f"forked {worker.pid} of {server.pid}")
def child_exit(server, worker):
    _say(f"buried {worker.pid}")
    raise RuntimeError("a hook's mistake")
"""


def test_hooks_preload_text_log_and_sigint(start: Callable[..., Running]) -> None:
    running = start(HOOKS, wsgi_app="tiny:create('he', suffix='llo')", preload_app=True, accesslog="-")
    assert running.get("/x?secret", "User-Agent: probe")[2] == b"hello"
    (worker,) = running.workers
    parent = running.process.pid
    assert f"ready 1 2048 {parent}" in running.err and f"forked {worker} of {parent}" in running.err
    line = re.compile(r'^127.0.0.1 - - \[.*\] "GET /x HTTP/1.1" 200 5 "-" "probe"$', re.M)
    until(lambda: line.search(running.out))
    with running.connect() as busy:
        busy.sendall(b"GET /sleep/60 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert running.stop(signal.SIGINT) == 0
    assert f"buried {worker}" in running.err and "child_exit failed" in running.err


def test_workers_that_die_at_once_are_respawned_ever_slower(start: Callable[..., Running]) -> None:
    began = time.monotonic()
    running = start("def post_fork(server, worker):\n    __import__('os')._exit(7)", wait=False)
    until(lambda: running.err.count("exited with code 7") == 3)
    assert time.monotonic() - began > 0.7, "0.25 s and 0.5 s of pause"
    assert running.stop() == 0


@pytest.mark.parametrize("preload", [False, True])
def test_an_app_below_a_path_is_there_whoever_imports_it(start: Callable[..., Running], preload: bool) -> None:
    running = start(wait=False, mount="/tool", preload_app=preload)

    def listens() -> bool:
        with suppress(OSError), running.connect():
            return True
        return False

    until(listens)
    assert (running.get("/tool/pid")[0], running.get("/pid")[0]) == (200, 404)


@pytest.mark.parametrize("preload", [False, True])
def test_an_app_that_does_not_load_at_boot_is_exit_code_3(start: Callable[..., Running], preload: bool) -> None:
    running = start(wsgi_app="tiny:missing", wait=False, preload_app=preload)
    assert running.process.wait(PATIENCE) == 3
    assert "has no attribute 'missing'" in running.err


def test_the_listener_has_nodelay_and_an_address_in_use_is_one_line(start: Callable[..., Running]) -> None:
    listener = pywsgi_server.listen("127.0.0.1:0", 5)
    with listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        running = start(wait=False, bind=f"127.0.0.1:{listener.getsockname()[1]}")
        assert running.process.wait(PATIENCE) == 1
        assert re.fullmatch(r".*\[CRITICAL\] Could not listen at 127.*: Address already in use\n", running.err)


# --- the document ---


def test_a_wrong_document_is_one_line_and_exit_code_2(start: Callable[..., Running]) -> None:
    running = start("_helper = 1\nworker = 2", wait=False)
    assert running.process.wait(PATIENCE) == 2
    assert re.fullmatch(r"kit: .*pywsgi.conf.py:5: worker is not a setting.*did you mean workers\?\n", running.err)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers = 0", ":2: workers = 0 must be a whole number of at least 1"),
        ("workers = True", "workers = True must be"),
        ("keepalive = -1", "keepalive = -1 must be a number of seconds"),
        ("header_timeout = 0", "above 0"),
        ("preload_app = 1", "preload_app = 1 must be True or False"),
        ("accesslog = 'a.log'", "accesslog = 'a.log' must be"),
        ("bind = 'localhost:80'", "bind = 'localhost:80' must be"),
        ("bind = '::1:80'", "[::]:8000"),
        ("forwarded_allow_ips = '10.0.0.1/8'", "CIDR"),
        ("loglevel = 'loud'", "one of debug, info"),
        ("when_ready = 3", "must be a function"),
        ("import os", "os is not a setting of this server; a helper's name starts with _"),
        ("threads = 4\nworkerz = 2", "threads is not a setting"),
        ("threads = 4\nworkerz = 2", ":3: workerz is not a setting"),
        ("workers = (", ":2: SyntaxError"),
        ("\nworkers = 1 / 0", ":3: ZeroDivisionError"),
    ],
)
def test_faults_of_a_document(tmp_path: Path, text: str, expected: str) -> None:
    document = tmp_path / "c.py"
    document.write_text(f"wsgi_app = 'a:b'\n{text}\n")
    with pytest.raises(pywsgi_config.ConfigError) as caught:
        pywsgi_config.load(str(document), pywsgi_server.Settings)
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_a_right_document(tmp_path: Path) -> None:
    document = tmp_path / "c.py"
    document.write_text("wsgi_app = 'a:b'\nbind = '[::]:8000'\n_n = 3\nworkers = _n\nkeepalive = 2.5\naccesslog = None")
    cfg = pywsgi_config.load(str(document), pywsgi_server.Settings)
    assert (cfg.workers, cfg.keepalive, cfg.accesslog, cfg.backlog) == (3, 2.5, None, 2048)
    assert pywsgi_config.address_of(cfg.bind) == (socket.AF_INET6, ("::", 8000))


def test_wsgi_app_is_required(tmp_path: Path) -> None:
    (tmp_path / "c.py").write_text("")
    with pytest.raises(pywsgi_config.ConfigError, match="wsgi_app is missing"):
        pywsgi_config.load(str(tmp_path / "c.py"), pywsgi_server.Settings)


def test_a_client_that_has_gone_while_its_request_waited_costs_no_more(start: Callable[..., Running]) -> None:
    server = start(workers=1)
    with server.connect() as busy, server.connect() as gone, server.connect() as stays:
        busy.sendall(b"GET /burn/2.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(server.app.with_name("burning").exists)
        gone.sendall(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n")
        gone.close()
        assert exchange(stays, "/count")[2] == b"1"
    assert server.get("/count")[2] == b"2"
