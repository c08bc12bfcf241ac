"""gevent's own WSGI server under the kit's supervisor."""

from __future__ import annotations

from ..runtime.sizing import MIB, Rule
from .common import HANG, cells
from .server import PYTHONS, Server, honoured, ignored

_NOTHING_LIKE_IT = ignored("pywsgi is no gunicorn: it has no such setting")

PYWSGI = Server(
    name="pywsgi",
    family="standalone",
    summary="gevent's own WSGI server with the kit's supervisor, without gunicorn's master and hooks",
    # gunicorn for its parser alone: what reads requests must be as strict as the strictest (pywsgi/request.py).
    packages=("gevent==26.9.0", "gunicorn==27.0.1"),
    pythons=PYTHONS,
    worker_class="",
    worker_class_why="",
    workers=Rule(per_cpu=1),
    workers_why="one per CPU: all greenlets of a process share one CPU",
    threads=None,
    threads_why="",
    preload_app=True,
    preload_why="imported once and frozen before the fork: 46 MiB instead of 62 MiB with 2 workers",
    header_timeout=10,
    patched_by="gevent",
    shares_connections=True,
    # Measured: 18 MiB the master, 14 a worker; a connection 17 KiB,
    # one of 10,000 that all wait for a backend 25 (as above).
    master_memory_bytes=22 * MIB,
    worker_memory_bytes=20 * MIB,
    connection_memory_bytes=26 * 1024,
    websocket_memory_bytes=176 * 1024,  # measured: 169
    timeout_note=HANG,
    graceful_stop="closes idle connections after 2 s at most, lets requests finish, exits when the last one has",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=False,
    settings=cells(
        "standalone",
        {
            "websocket": honoured("test_websockets"),
            "threads": ignored("pywsgi serves each connection in a greenlet, not in a thread"),
            "app.hooks": ignored("hooks are gunicorn's; open pools lazily, in the first request of a worker"),
        },
        otherwise=_NOTHING_LIKE_IT,
    ),
)
