"""gunicorn's own default worker."""

from __future__ import annotations

from ..runtime.sizing import MIB, Rule
from .common import cells
from .server import PYTHONS, Server, harmful, ignored

SYNC = Server(
    name="sync",
    family="gunicorn",
    summary="gunicorn's default: one request at a time in each worker, no keep-alive",
    packages=("gunicorn==27.0.1",),
    pythons=PYTHONS,
    worker_class="kit_runtime.workers.sync.DrainingSyncWorker",
    worker_class_why=(
        "gunicorn's simplest worker: it holds one connection from its first byte to its last; this one also serves "
        "at a stop those who wait in its queue, where the stock class resets 1 or 2 of 100"
    ),
    workers=Rule(per_cpu=2, plus=1),
    workers_why="2 x CPU + 1, gunicorn's own rule: a worker handles one request at a time",
    threads=None,
    threads_why="",
    preload_app=True,
    preload_why="imported once and frozen before the fork: 60 MiB instead of 87 MiB with 4 workers",
    header_timeout=None,
    patched_by=None,
    shares_connections=True,
    # Measured: 16 MiB the master, 13 a worker.
    master_memory_bytes=20 * MIB,
    worker_memory_bytes=16 * MIB,
    connection_memory_bytes=4 * 1024,
    timeout_note="A request that takes longer costs its worker: it is killed and replaced. Slow clients count too.",
    graceful_stop="lets the requests in progress finish, then serves those that wait in the queue",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=True,
    holds_one_each=True,
    beats_while_busy=False,  # it beats between requests
    settings=cells(
        "gunicorn",
        {
            "websocket": harmful("a WebSocket holds a whole worker, and timeout kills that: choose server: gevent"),
            "threads": harmful("more than 1 turns the worker into gthread without a word: choose server: gthread"),
            "worker_connections": ignored("a sync worker holds one connection, so workers is the number"),
            "keepalive": ignored("a sync worker closes each connection after its response"),
            "header_timeout": ignored("sync waits for headers until timeout kills the worker: put the proxy in front"),
        },
    ),
)
