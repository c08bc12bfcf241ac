"""gunicorn's limits of a head, at their edge: a head that comes whole, and takes the short way where there is one, is
judged as one that comes in two pieces, which gunicorn's parser reads."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic, sleep

import pytest

from tests.servers.started import Gunicorn

LINE, FIELDS, FIELD = 100, 5, 60
LIMITS = {"limit_request_line": LINE, "limit_request_fields": FIELDS, "limit_request_field_size": FIELD}


def line_of(size: int) -> bytes:
    """A request line of so many bytes without its end, as gunicorn counts it."""
    start, end = b"GET /", b" HTTP/1.1"
    return start + b"a" * (size - len(start) - len(end)) + end + b"\r\nHost: x\r\n\r\n"


def fields_of(count: int) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1, count)) + b"\r\n"


def field_of(size: int) -> bytes:
    """A header line of so many bytes with its end, as gunicorn counts it."""
    return b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (size - 5) + b"\r\n\r\n"


def answered(server: Gunicorn, head: bytes, pieces: int) -> bytes:
    """Status of the response, on a connection that has had one before."""
    with server.connect() as conn:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        middle = len(head) // 2
        conn.sendall(head if pieces == 1 else head[:middle])
        if pieces == 2:
            end = monotonic() + 0.2  # the first piece has been read alone by then, on a machine that is not busy
            while monotonic() < end:
                sleep(0.01)
            with suppress(ConnectionError):
                conn.sendall(head[middle:])
        return conn.recv(100)[9:12]


@pytest.mark.parametrize("worker", ["gevent", "gthread", "sync"])
def test_the_last_that_fits_and_the_first_that_does_not(gunicorn: Callable[..., Gunicorn], worker: str) -> None:
    server = gunicorn(worker, **LIMITS)
    for make, most, refused in (
        (line_of, LINE, b"414"),
        (fields_of, FIELDS, b"431"),
        (field_of, FIELD, b"431"),
    ):
        for pieces in (1, 2):
            ask = partial(answered, server, pieces=pieces)
            found = [ask(make(size)) for size in (most - 1, most, most + 1)]
            assert found == [b"200", b"200", refused], (make.__name__, pieces)
