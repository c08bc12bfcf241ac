"""gunicorn's counters for statsd, with and without an access log: every response is counted, a probe's too."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.servers.started import Gunicorn, until

LOGGER = """
from generator.runtime.workers.access_log import {0} as _Logger
_Logger.quiet_paths = frozenset({{"/count/probe"}})
logger_class, accesslog = _Logger, "-"
access_log_format = "line %(U)s"
"""


class Received:
    """What came to a UDP socket: the sum of each counter, and each gauge's last value."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.sums, self.timers = sock, Counter[str](), Counter[str]()
        self.gauges: dict[str, str] = {}

    def read(self) -> Received:
        with suppress(BlockingIOError):
            while True:
                name, _, rest = self.sock.recv(1000).decode().partition(":")
                value, kind, *_ = rest.split("|")
                if kind == "c":
                    self.sums[name] += int(value)
                elif kind == "ms":
                    self.timers[name] += float(value) >= 0
                else:
                    self.gauges[name] = value
        return self


@pytest.mark.parametrize(
    ("worker", "logger"),
    [("gevent", "JsonLogger"), ("gevent", "TextLogger"), ("gthread", "JsonLogger"), ("gthread", None),
     ("sync", "TextLogger")],
)  # fmt: skip
def test_every_response_is_counted_beside_its_line(
    gunicorn: Callable[..., Gunicorn], worker: str, logger: str | None
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        host = "{}:{}".format(*sock.getsockname())
        server = gunicorn(worker, LOGGER.format(logger) if logger else "", statsd_host=host, statsd_prefix="web")
        for _ in range(3):
            assert server.get("/count/probe")
            assert server.get("/count/a%0Aline%20/forged?token=sesame")
        received = Received(sock)
        until(lambda: received.read().sums["web.gunicorn.requests"] == 7)  # with the one that found it ready
        until(lambda: received.read().sums["web.gunicorn.request.status.200"] == 7)
        assert received.timers == {"web.gunicorn.request.duration": 7}
        until(lambda: received.read().gauges == {"web.gunicorn.workers": "1"})
    lines = server.log.read_text().splitlines()
    if logger == "JsonLogger":
        found = [json.loads(line)["path"] for line in lines if line.startswith("{")]
    else:
        found = [line.removeprefix("line ") for line in lines if line.startswith("line ")]
    forged = "/count/a\nline /forged" if logger == "JsonLogger" else "/count/a\\x0aline /forged"
    assert found == (["/", *[forged] * 3] if logger else [])
    assert "sesame" not in "".join(lines)
