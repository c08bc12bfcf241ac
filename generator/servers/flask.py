"""Flask's development server."""

from __future__ import annotations

from ..runtime.sizing import MIB, Rule
from .common import cells
from .server import PYTHONS, Server, honoured, ignored

_DEVELOPMENT = ignored("Flask's development server has no such thing")

FLASK = Server(
    name="flask",
    family="development",
    summary="DEVELOPMENT ONLY: Flask's own server, as `python code.py` starts it; reloads; no Kubernetes output",
    packages=(),
    pythons=PYTHONS,
    worker_class="",
    worker_class_why="",
    workers=Rule(per_cpu=0, plus=1),
    workers_why="one process, which reloads when a file changes",
    threads=Rule(per_cpu=0, plus=2),
    threads_why="above 1: a thread for each request",
    preload_app=False,
    preload_why="",
    header_timeout=None,
    patched_by=None,
    shares_connections=True,
    master_memory_bytes=40 * MIB,
    worker_memory_bytes=40 * MIB,
    connection_memory_bytes=64 * 1024,
    timeout_note="",
    graceful_stop="ends at once",
    closes_while_draining=False,
    closes_idle_on_stop=True,
    needs_proxy=True,
    production=False,
    settings=cells(
        "development",
        {
            "workers": honoured("test_flask_processes"),
            "threads": honoured("test_flask_threads"),
            "websocket": honoured("test_websockets"),
        },
        otherwise=_DEVELOPMENT,
    ),
)
