"""A real gunicorn of this interpreter with one of the kit's worker classes, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from generator.load_client.loop import run
from generator.load_client.plan import Plan
from generator.load_client.wire import request_bytes

ROOT = Path(__file__).resolve().parents[2]
APP = """
import os, socket, time

kept, served = [], []

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/sleep/"):
        time.sleep(float(path[7:]))
    if path.startswith("/burn/"):  # without letting any other request go on
        open(os.path.join(os.path.dirname(__file__), "burning"), "w").close()
        end = time.monotonic() + float(path[6:])
        while time.monotonic() < end:
            pass
    if path.startswith("/count/"):
        served.append(path)
    if path == "/served":
        body = " ".join(served).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    if path == "/keep":
        kept.append(environ["gunicorn.socket"])
    if path == "/close":
        for sock in kept:
            sock.close()
    if path == "/read":
        environ["wsgi.input"].read()
    if path == "/length":
        body = str(len(environ["wsgi.input"].read())).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    if path == "/pieces":
        return pieces(start_response)
    if path == "/file":
        file = open(__file__, "rb")
        start_response("200 OK", [("Content-Length", str(os.fstat(file.fileno()).st_size))])
        return environ["wsgi.file_wrapper"](file)
    if path == "/bytearray":
        start_response("200 OK", [("Content-Length", "1")])
        return [bytearray(b"x")]
    if path == "/fails":
        return fails(start_response)
    if path.startswith("/own"):
        return own_error(path, start_response)
    if path == "/dup":
        taken = environ["gunicorn.socket"].dup()
        taken.sendall(b"ready")
        taken.sendall(taken.recv(100))
        taken.close()
    if path == "/nothing":
        start_response("204 No Content", [])
        return []
    body = b"x" * {"/large": 100_000, "/huge": 30_000_000}.get(path, 0) or str(os.getpid()).encode()
    if path == "/keepalive":
        sock = environ["gunicorn.socket"]
        options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT
        found = [sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
        found += [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        body = " ".join(map(str, found)).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

def own_error(path, start_response):
    # As of a database, raised in a generator as views that stream are.
    error = ConnectionResetError(104, path) if "reset" in path else FileNotFoundError(2, path)
    if "call" in path:
        raise error
    start_response("200 OK", [])
    return own_pieces(path, error)

def own_pieces(path, error):
    if "late" in path:
        yield b"some"
    raise error

def fails(start_response):
    start_response("200 OK", [])
    yield b""
    raise ValueError("on purpose")

def pieces(start_response):
    time.sleep(0.1)
    start_response("200 OK", [])
    yield b""
    time.sleep(0.1)
    yield b"first"
    time.sleep(1)
    yield b"last"
"""
CONFIG = """
import sys; sys.path[:0] = [{root!r}, {here!r}]
bind = "127.0.0.1:{port}"
worker_tmp_dir = {here!r}
control_socket_disable = True
preload_app = True
from generator.runtime.workers.configuration import forked as post_fork
from generator.runtime.workers.master import forgive_freezes as on_starting
"""
#: What else the configuration of each worker class says.
WORKERS = {
    "gevent": """
from gevent import monkey; monkey.patch_all()
from generator.runtime.workers import gevent as gevent_worker
gevent_worker.TICK, gevent_worker.LINGER = 0.1, 0.4
worker_class = "generator.runtime.workers.gevent.FairGeventWorker"
""",
    "gthread": """
worker_class = "generator.runtime.workers.gthread.FairThreadWorker"
threads = 8
""",
    "sync": """
worker_class = "generator.runtime.workers.sync.DrainingSyncWorker"
""",
}


#: How long a condition may take on a slow or busy machine; only a failing test waits for so long.
PATIENCE = 40.0


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What it returns as soon as that is true."""
    end = monotonic() + seconds
    while not (value := what()):
        assert monotonic() < end, "deadline passed"
        sleep(0.01)
    return value


class Gunicorn:
    def __init__(self, folder: Path, worker: str, settings: dict[str, Any], more: str, app: str = APP) -> None:
        self.worker = worker
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "tiny.py").write_text(app)
        config = CONFIG.format(root=str(ROOT), here=str(folder), port=self.port) + WORKERS[worker] + more
        config += "".join(f"{name} = {value!r}\n" for name, value in settings.items())
        (folder / "gunicorn.conf.py").write_text(config)
        self.log = folder / "log"
        command = [sys.executable, "-m", "gunicorn", "-c", str(folder / "gunicorn.conf.py"), "tiny:app"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GUNICORN", "WEB_CONCURRENCY"))}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)

    def ready(self) -> Gunicorn:
        until(lambda: self.process.poll() is not None or self.get())
        assert self.process.poll() is None, self.log.read_text()
        return self

    def get(self, path: str = "/") -> bytes:
        """The body of one response; empty if there is none."""
        try:
            with self.connect() as conn:
                return read_response(conn, path)[1]
        except OSError:
            return b""

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 30)

    def kill(self, number: int) -> None:
        self.process.send_signal(number)

    def workers(self) -> set[int]:
        """The pids of the master's children."""
        return set(map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()))

    def ended_within(self, seconds: float = PATIENCE) -> bool:
        """Ends with 0 in that time."""
        return self.process.wait(seconds) == 0

    def load(self, **options: Any) -> dict[str, Any]:
        plan: dict[str, Any] = {"connections": 20, "duration": 0.9, "timeout": 5.0, "finish": 5.0, **options}
        request = request_bytes("GET", plan.pop("path", "/"), "127.0.0.1")
        return run(Plan((("127.0.0.1", self.port),), request, **plan)).report()


def send(conn: socket.socket, path: str = "/", method: str = "GET", body: bytes = b"") -> None:
    conn.sendall(request_bytes(method, path, "127.0.0.1", body=body))


def read_response(conn: socket.socket, path: str | None = None) -> tuple[str, bytes]:
    """Header and body of the next response; requests the path first, if one is given."""
    if path is not None:
        send(conn, path)
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(1)
        assert more, "closed before a response"
        data += more
    header = data.decode()
    length = int(header.lower().split("content-length: ")[1].split("\r\n")[0])
    return header, b"".join(conn.recv(1) for _ in range(length))


@contextmanager
def connections(server: Gunicorn, count: int) -> Iterator[list[socket.socket]]:
    conns = [server.connect() for _ in range(count)]
    try:
        yield conns
    finally:
        for conn in conns:
            conn.close()


def closed_after(conn: socket.socket, start: float) -> float:
    """Seconds from ``start`` until the server hung up; the connection's own timeout is the deadline."""
    assert conn.recv(1) == b""
    return monotonic() - start
