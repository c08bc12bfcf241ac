"""Hundreds of clients that misbehave at once, in every way a socket can: the worker outlives them, gives back what they
held, and keeps its memory."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.servers.started import Gunicorn, until
from tests.servers.test_pywsgi_server import _starter

ATTACKERS, SECONDS = 150, 1.5
#: What the attackers may cost: 4 MiB of heads, as much of what waits, and what Python keeps of it.
MEMORY_KIB = 64 * 1024
HOST = b"Host: a\r\n"
PATHS = (b"/", b"/read", b"/unread", b"/large", b"/pieces", b"/nothing", b"/file")


def request(rng: random.Random) -> bytes:
    """Ordinary or broken, whole or with less than it says."""
    path = rng.choice(PATHS)
    size = rng.choice([1, 5000, 70_000])
    kinds: list[Callable[[], bytes]] = [
        lambda: b"GET %b HTTP/1.1\r\n%b\r\n" % (path, HOST),
        lambda: b"HEAD %b HTTP/1.1\r\n%b\r\n" % (path, HOST),
        lambda: b"GET %b HTTP/1.0\r\n%b\r\n" % (path, HOST),
        lambda: b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (path, HOST, size) + b"x" * size,
        lambda: b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (path, HOST, size + 9) + b"x" * size,
        lambda: (
            b"POST %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (path, HOST)
            + b"1\r\na\r\n" * 99
            + b"0\r\n\r\n"
        ),
        lambda: b"POST %b HTTP/1.1\r\n%bExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" % (path, HOST),
        lambda: b"GET / HTTP/1.1\r\n%bConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % HOST,
        lambda: b"GET / HTTP/1.1\r\n%bX: " % HOST + b"a" * rng.choice([8180, 8191, 20_000]) + b"\r\n\r\n",
        lambda: b"GET / HTTP/1.1\r\n%b" % HOST + b"".join(b"X-%d: y\r\n" % n for n in range(120)) + b"\r\n",
        lambda: rng.randbytes(rng.randint(1, 200)),
    ]
    return rng.choice(kinds)()


class Attacker:
    """One connection: it sends at once or a few bytes at a time, reads or does not, and ends in one of four ways."""

    def __init__(self, rng: random.Random, port: int) -> None:
        self.rng, self.sock = rng, socket.socket()
        if rng.random() < 0.3:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.left = b"".join(request(rng) for _ in range(rng.choice([1, 1, 2, 5, 20])))
        self.slow, self.reads = rng.random() < 0.3, rng.random() < 0.7
        self.way, self.ends_at = rng.choice(["close", "reset", "half", "hold"]), monotonic() + 2 * rng.random()

    def goes_on(self) -> bool:
        try:
            if self.left:
                self.left = self.left[
                    self.sock.send(self.left[: self.rng.randint(1, 20)] if self.slow else self.left) :
                ]
                if not self.left and self.way == "half":
                    self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            if self.reads and self.sock.recv(65536) == b"":
                return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        return monotonic() < self.ends_at or self.way == "hold"

    def end(self) -> None:
        if self.way == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def attack(port: int) -> None:
    rng, end, count = random.Random(12), monotonic() + SECONDS, 0
    live: list[Attacker] = []
    while monotonic() < end or count < 2 * ATTACKERS:
        while len(live) < ATTACKERS:
            live.append(Attacker(rng, port))
            count += 1
        ended = [one for one in live if not one.goes_on()]
        # Those who hold their connection make room in the end too, so that enough others come.
        for one in ended or live[:1]:
            one.end()
            live.remove(one)
        sleep(0.005)
    for one in live:
        one.end()


def held(pid: int) -> tuple[int, int]:
    """Descriptors and KiB of memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.parametrize("server", ["gevent", "gthread", "pywsgi"])
def test_the_worker_outlives_them(server: str, gunicorn: Callable[..., Gunicorn], tmp_path: Path) -> None:
    if server == "pywsgi":
        starter = _starter(tmp_path)
        running: Any = next(starter)(header_timeout=2, client_body_timeout=2, send_timeout=2)
        pids: Callable[[], list[int]] = lambda: list(running.workers)  # noqa: E731
        serves: Callable[[], object] = running.serves
    else:
        starter = None
        more = "gevent_worker.FairGeventWorker.header_timeout = gevent_worker.FairGeventWorker.transfer_timeout = 2.0\n"
        running = gunicorn(server, more if server == "gevent" else "", keepalive=2)
        pids = lambda: list(running.workers())  # noqa: E731
        serves = lambda: running.get("/")  # noqa: E731
    (pid,) = pids()
    descriptors, memory = held(pid)
    attack(running.port)
    until(lambda: held(pid)[0] <= descriptors + 1)
    assert until(serves) and pids() == [pid]
    assert held(pid)[1] < memory + MEMORY_KIB
    if starter:
        assert "Traceback" not in running.err
        next(starter, None)
