"""A client that vanished costs two minutes, not two hours: the kernel's own account of each accepted connection."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.runtime.http_limits import PROBE_IDLE
from generator.servers import SERVERS
from tests.containers.support.peers import seconds_to_probe
from tests.servers.started import Gunicorn, read_response, until
from tests.servers.test_pywsgi_server import _starter

#: What this interpreter has; the images' eventlet and meinheld are asked in tests/containers/hostile_servers.py.
HERE = ("gevent", "gthread", "sync", "pywsgi")


def test_every_server_that_needs_no_proxy_is_asked() -> None:
    assert {name for name, server in SERVERS.items() if not server.needs_proxy} <= set(HERE)


def known(left: list[float | None]) -> list[float]:
    """Nothing yet where a byte is on its way, which has a timer of its own."""
    return [] if None in left else [seconds for seconds in left if seconds]


@pytest.mark.parametrize("server", HERE)
def test_a_silent_connection_is_probed(server: str, gunicorn: Callable[..., Gunicorn], tmp_path: Path) -> None:
    starter = _starter(tmp_path) if server == "pywsgi" else None
    port = next(starter)().port if starter else gunicorn(server).port
    with socket.create_connection(("127.0.0.1", port), 30) as conn:
        if server != "sync":  # which closes behind its response
            read_response(conn, "/")
        left = until(lambda: known(seconds_to_probe(Path("/proc/net/tcp").read_text(), port)))
    assert all(PROBE_IDLE / 2 < seconds <= PROBE_IDLE for seconds in left), left
    next(starter, None) if starter else None
