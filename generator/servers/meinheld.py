"""gunicorn with the meinheld that the kit builds."""

from __future__ import annotations

from ..runtime.sizing import MIB, Rule
from .common import HANG, cells
from .server import PYTHONS, Server, harmful, honoured_up_to, ignored

_KEEPALIVE = honoured_up_to(127, "its timer wheel has 128 places", "test_keepalive_closes_idle_connections")
_IN_C = ignored("meinheld parses requests in C, with limits of its own: 128 fields, 8 KiB each, bodies to 16 MiB")
_NO_PROXY_HEADERS = ignored("meinheld drops every header with an underscore, whoever sends it")
_NO_TLS = harmful("meinheld has no TLS: it would refuse to start; end TLS in the proxy or the ingress")

#: Of meinheld as PyPI has it; measured.
STOCK_FAULTS = (
    "a dead worker takes the master down, timeout is not enforced, a stop cuts requests, and 8,018 of 10,000 "
    "connections got no response"
)

MEINHELD = Server(
    name="meinheld",
    family="gunicorn",
    summary="gunicorn with meinheld, a server in C from 2020, mended: cheap while requests wait",
    packages=("gunicorn==27.0.1", "greenlet==3.5.6"),
    pythons=PYTHONS,
    worker_class="kit_runtime.workers.meinheld.MeinheldWorker",
    worker_class_why=(
        f"the kit's worker for the patched meinheld in this image. With the stock one {STOCK_FAULTS}; here 0"
    ),
    workers=Rule(per_cpu=1),
    workers_why="one per CPU: each worker is one event loop, and cooperative sockets use the time that a backend takes",
    threads=None,
    threads_why="",
    preload_app=False,
    preload_why="imported once and frozen before the fork",
    header_timeout=None,
    patched_by=None,
    sleep_blocks=True,
    shares_connections=True,
    # Measured: 14 MiB the master, 25 a worker; an idle connection 3 KiB,
    # one of 10,000 that all wait for a backend 15.
    master_memory_bytes=20 * MIB,
    worker_memory_bytes=30 * MIB,
    connection_memory_bytes=16 * 1024,
    timeout_note=HANG,
    graceful_stop="closes idle connections at once, lets requests finish, exits when the last one has",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=True,
    largest_body_bytes=16 * MIB,  # max_content_length, in C
    settings=cells(
        "gunicorn",
        {
            **dict.fromkeys(("limit_request_line", "limit_request_fields", "limit_request_field_size"), _IN_C),
            "websocket": ignored(
                "meinheld keeps the connection to itself, so libraries find no socket and each handshake ends with "
                "500: choose server: gevent"
            ),
            "threads": ignored("meinheld serves each request in a greenlet, not in a thread"),
            "keepalive": _KEEPALIVE,
            "header_timeout": ignored("meinheld waits 30 s for each piece, without a limit for all: needs the proxy"),
            **dict.fromkeys(("forwarder_headers", "header_map"), _NO_PROXY_HEADERS),
            **dict.fromkeys(("certfile", "keyfile", "ca_certs", "ciphers"), _NO_TLS),
            "proxy_protocol": harmful("meinheld does not read it: every request would be a bad one"),
            "http_protocols": ignored("meinheld speaks HTTP/1 only"),
            "http_parser": ignored("meinheld has a parser of its own"),
        },
    ),
)
