"""gunicorn with the kit's thread worker."""

from __future__ import annotations

from ..runtime.sizing import MIB, Rule
from .common import HANG, cells
from .server import PYTHONS, Server, honoured, ignored

GTHREAD = Server(
    name="gthread",
    family="gunicorn",
    summary="gunicorn with threads: no monkey patching; concurrency is workers x threads",
    packages=("gunicorn==27.0.1",),
    pythons=PYTHONS,
    worker_class="kit_runtime.workers.gthread.FairThreadWorker",
    worker_class_why=(
        "gunicorn's thread worker, where a connection gets a thread only when a request arrives: of 10,000 "
        "connections the stock class left 9,011 without any response, and a silent one held a thread for 5 s"
    ),
    workers=Rule(per_cpu=1, at_least=2),
    workers_why="one per CPU, because the threads of a process share one; at least two, so that one can be replaced",
    threads=Rule(per_cpu=16, at_least=16, at_most=64),
    threads_why=(
        "16 per CPU, at most 64: where requests wait, more serve more (50 ms: 128 threads a worker 2.4 times what 32 "
        "do); where they compute, fewer cost less (128: 11 to 26 % more CPU than 16)"
    ),
    preload_app=True,
    preload_why="imported once and frozen before the fork: 60 MiB instead of 87 MiB with 4 workers",
    header_timeout=None,
    patched_by=None,
    shares_connections=True,
    # Measured: 15 MiB the master, 13 a worker; a busy connection 5 KiB, an idle one 3.
    master_memory_bytes=20 * MIB,
    worker_memory_bytes=28 * MIB,
    connection_memory_bytes=6 * 1024,
    websocket_memory_bytes=216 * 1024,  # measured: 210
    timeout_note=HANG,
    graceful_stop="keeps idle connections for 2 s, lets requests finish, exits when the last one has",
    closes_while_draining=False,
    closes_idle_on_stop=True,
    needs_proxy=True,
    settings=cells(
        "gunicorn",
        {
            "websocket": honoured("test_websockets"),
            "threads": honoured("test_plan_equals_boot"),
            "header_timeout": ignored("gthread waits for headers without a limit: put a buffering proxy in front"),
        },
    ),
)
