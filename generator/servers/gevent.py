"""gunicorn with the kit's gevent worker."""

from __future__ import annotations

from ..runtime.sizing import MIB, Rule
from .common import HANG, cells
from .server import PYTHONS, Server, honoured, ignored

GEVENT = Server(
    name="gevent",
    family="gunicorn",
    summary="gunicorn with gevent: a greenlet for each request in progress, thousands of connections per worker",
    packages=("gunicorn==27.0.1", "gevent==26.9.0", "packaging==26.3"),
    pythons=PYTHONS,
    worker_class="kit_runtime.workers.gevent.FairGeventWorker",
    worker_class_why=(
        "gunicorn's gevent worker with fair scheduling and a short path for ordinary requests: of 10,000 "
        "connections at once the stock class left 8,354 without any response, this one 0"
    ),
    workers=Rule(per_cpu=1),
    workers_why=(
        "one per CPU: with 10,000 connections on a 50 ms backend, 2 x CPU + 1 workers served 1.1 times the requests, "
        "in rounds that overlap, for 46 % more memory; `tune` measures your app"
    ),
    threads=None,
    threads_why="",
    preload_app=True,
    preload_why="imported once and frozen before the fork: 69 MiB instead of 106 MiB with 4 workers",
    header_timeout=10,
    patched_by="gevent",
    shares_connections=True,
    # Measured: 23 MiB the master, 16 a worker (PSS, sample app); a busy connection 17 KiB, an idle one 7 to 10,
    # one of 10,000 that all wait for a backend 22 (known by its address: a name is looked up in a thread).
    master_memory_bytes=28 * MIB,
    worker_memory_bytes=20 * MIB,
    connection_memory_bytes=23 * 1024,
    websocket_memory_bytes=176 * 1024,  # measured: 172
    timeout_note=HANG,
    graceful_stop="closes idle connections at once, lets requests finish, exits when the last one has",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=False,
    settings=cells(
        "gunicorn",
        {
            "websocket": honoured("test_websockets"),
            "threads": ignored("gevent serves requests in greenlets, not in threads"),
            "header_timeout": honoured("test_header_timeout_closes_slow_clients"),
        },
    ),
)
