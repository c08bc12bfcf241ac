"""Sends the hostile cases to a server, and compares what its app saw with what gunicorn's parser lets through."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from tests import fuzz
from tests.containers.hostile_cases import CASES, SMUGGLED_REQUEST, TOKENS, Case
from tests.containers.hostile_reference import Reading

Verdict = Literal["same", "stricter", "more lenient"]
VERDICTS: tuple[Verdict, ...] = ("same", "stricter", "more lenient")
_SEEN = re.compile(rb"^X-Seen: (\w+)-(\w+)-(\w*)\r\n", re.MULTILINE | re.IGNORECASE)
_AT_ONCE = 24
#: Seconds without a byte after which the client says that it has sent all; a server that waits for more ends then.
QUIET_SECONDS = 1.0
_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class Found:
    """What one connection brought."""

    case: Case
    came: bytes
    core: list[str]
    whole: list[str]
    requests: list[str]
    statuses: list[int]

    def verdict(self, expected: Reading, whole: bool = False) -> Verdict:
        """Against gunicorn's reading."""
        return verdict(self.whole, expected.whole) if whole else verdict(self.core, expected.core)

    @property
    def smuggled(self) -> int:
        return self.requests.count(SMUGGLED_REQUEST)


def verdict(saw: list[str], lets: list[str]) -> Verdict:
    """More lenient is also who reads one of the requests otherwise."""
    if saw == lets:
        return "same"
    return "stricter" if saw == lets[: len(saw)] else "more lenient"


def send(address: tuple[str, int], case: Case) -> Found:
    """One connection, until the server ends it."""
    came = b""
    with socket.create_connection(address, _DEADLINE_SECONDS) as connection, suppress(ConnectionError):
        with suppress(ConnectionError):  # refused in the middle: the responses so far are read all the same
            connection.sendall(case.whole)
        connection.settimeout(QUIET_SECONDS)
        while True:
            try:
                data = connection.recv(65536)
            except TimeoutError:
                if connection.gettimeout() != QUIET_SECONDS:
                    raise
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(_DEADLINE_SECONDS)
                continue
            if not data:
                break
            came += data
    seen = _SEEN.findall(came)
    return Found(
        case,
        came,
        [core.decode() for core, _, _ in seen],
        [whole.decode() for _, whole, _ in seen],
        [bytes.fromhex(requests.decode()).decode("latin-1") for _, _, requests in seen],
        [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", came, re.MULTILINE)],
    )


def forged(address: tuple[str, int]) -> bytes:
    """The response to a request whose app puts a line end into its status."""
    return send(address, Case("response", b"GET /forge HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).came


def send_all(address: tuple[str, int], cases: Iterable[Case] = CASES) -> list[Found]:
    """All cases, some connections at a time."""
    one: Callable[[Case], Found] = lambda case: send(address, case)  # noqa: E731
    found: list[Found] = []
    left = iter(cases)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while some := list(islice(left, 4 * _AT_ONCE)):
            found += pool.map(one, some)
    return found


def fuzzed(server: str) -> Iterator[Case]:
    """Cases with random changes, for the server's share of the time."""
    for rng in fuzz.cases(server, 192, clock=time.monotonic):
        yield Case("fuzzed", fuzz.mutated(rng, rng.choice(CASES).sent[:6000], TOKENS))
