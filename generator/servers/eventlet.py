"""gunicorn 25 with eventlet: legacy."""

from __future__ import annotations

from ..runtime.sizing import MIB, Rule
from .common import HANG, cells
from .server import PYTHONS, Server, harmful, ignored

EVENTLET = Server(
    name="eventlet",
    family="gunicorn",
    summary="legacy: gunicorn 25 with eventlet; gunicorn 26 removed this worker, take gevent instead",
    packages=("gunicorn==25.3.0", "eventlet==0.41.3"),
    pythons=PYTHONS,
    worker_class="kit_runtime.workers.eventlet.DrainingEventletWorker",
    worker_class_why=(
        "the last gunicorn that has it is 25.3, and eventlet itself is in maintenance only; with the stock class a "
        "worker that once had no descriptor left never accepted again, and a stop reset those who waited in its queue"
    ),
    workers=Rule(per_cpu=1),
    workers_why="one per CPU, as for gevent",
    threads=None,
    threads_why="",
    preload_app=False,
    preload_why="imported once and frozen before the fork",
    header_timeout=None,
    patched_by="eventlet",
    shares_connections=True,
    # Measured: 23 MiB the master, 24 a worker, and 34 to 36 after the whole of `prove` (3 runs); a connection 20 KiB,
    # one that waits for a backend 26.
    master_memory_bytes=28 * MIB,
    worker_memory_bytes=36 * MIB,
    connection_memory_bytes=28 * 1024,
    timeout_note=HANG,
    graceful_stop="lets requests finish, and waits for idle connections too, until graceful_timeout",
    closes_while_draining=False,
    closes_idle_on_stop=False,
    needs_proxy=True,
    beats_while_busy=False,  # its loop is eventlet's, where the beat waits for every request that computes
    legacy=True,
    settings=cells(
        "gunicorn",
        {
            "websocket": harmful(
                "its sockets take a part of a message of some megabytes, the rest is lost (measured with "
                "simple-websocket): choose server: gevent"
            ),
            "threads": ignored("eventlet serves each connection in a greenlet, not in a thread"),
            "header_timeout": ignored("the keepalive timer also bounds the headers"),
        },
    ),
)
