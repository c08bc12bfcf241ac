"""The table of truths: what each server is, needs and honours. Adding a server is one entry here and its templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .runtime.sizing import MIB, Rule

Verdict = Literal["honoured", "ignored", "harmful"]


@dataclass(frozen=True)
class Cell:
    """What a server makes of a setting; ``shown_by`` names the container test that shows it, or why none does."""

    verdict: Verdict
    why: str = ""
    shown_by: str = ""


@dataclass(frozen=True)
class Server:
    """One way to serve the app; every figure was measured in the image that the kit builds (README, "Measured")."""

    name: str
    #: Which templates it has (templates/docker/<family>/) and what the image's entry point starts.
    family: Literal["gunicorn", "standalone", "development"]
    summary: str
    packages: tuple[str, ...]
    #: Python versions whose image the container tests boot, oldest first.
    pythons: tuple[str, ...]
    worker_class: str
    worker_class_why: str
    workers: Rule
    workers_why: str
    threads: Rule | None
    threads_why: str
    preload_app: bool
    preload_why: str
    #: Seconds to receive a request's headers; None where the server has no such limit.
    header_timeout: int | None
    #: "gevent" where the standard library is patched before anything else is imported.
    patched_by: str | None
    #: Whether worker_connections is each worker's share (it stops accepting when full) or must fit all connections.
    shares_connections: bool
    master_memory_bytes: int
    worker_memory_bytes: int
    connection_memory_bytes: int
    graceful_stop: str
    #: Whether an answer that is finished after SIGTERM says `Connection: close`.
    closes_while_draining: bool
    needs_proxy: bool
    settings: Mapping[str, Cell]
    production: bool = True


def _honoured(shown_by: str) -> Cell:
    return Cell("honoured", shown_by=shown_by)


def _ignored(why: str) -> Cell:
    return Cell("ignored", why, "refused before it could reach a container")


def _harmful(why: str) -> Cell:
    return Cell("harmful", why, "refused before it could reach a container")


#: What holds for every worker class of gunicorn that goes through its own request parser and arbiter.
_GUNICORN = {
    "workers": _honoured("test_plan_equals_boot"),
    "backlog": _honoured("test_listens_on_the_port"),
    "timeout": _honoured("test_hung_worker_is_replaced"),
    "graceful_timeout": _honoured("test_request_in_flight_finishes_on_sigterm"),
    "max_requests": _honoured("test_max_requests_recycles"),
    "max_requests_jitter": _honoured("unprobed: random by purpose; gunicorn adds it to max_requests"),
    "preload_app": _honoured("test_info_shows_preload_and_patches"),
    "loglevel": _honoured("test_boot_report_is_independent_of_loglevel"),
    "forwarded_allow_ips": _honoured("test_forwarded_proto_from_a_trusted_peer"),
    "access_log": _honoured("test_access_log"),
    "limit_request_line": _honoured("test_gunicorn_mapping_reaches_the_server"),
    "limit_request_fields": _honoured("unprobed: gunicorn's own parser, the same code as limit_request_line"),
    "limit_request_field_size": _honoured("unprobed: gunicorn's own parser, the same code as limit_request_line"),
}
_NO_ASGI = _ignored("only gunicorn's asgi worker reads it")
_ASGI_ONLY = ("asgi_loop", "asgi_lifespan", "asgi_disconnect_grace_period", "websocket_max_message_size", "root_path")

GEVENT = Server(
    name="gevent",
    family="gunicorn",
    summary="gunicorn with gevent: one greenlet a connection, thousands of connections a worker",
    packages=("gunicorn==27.0.1", "gevent==26.9.0", "packaging==26.3"),
    pythons=("3.13",),
    worker_class="kit_runtime.gevent_worker.FairGeventWorker",
    worker_class_why=(
        "gunicorn's gevent worker that accepts in batches and lets no busy connection starve the others: with the "
        "stock class 9,713 of 10,000 connections never got an answer, with this one 0"
    ),
    workers=Rule(per_cpu=1),
    workers_why="one a CPU: 2 x CPU + 1 gave 0.6 to 0.9 of the throughput and twice the memory",
    threads=None,
    threads_why="",
    preload_app=True,
    preload_why="imported once and frozen before the fork: 69 MiB instead of 106 MiB with 4 workers",
    header_timeout=10,
    patched_by="gevent",
    shares_connections=True,
    master_memory_bytes=40 * MIB,
    worker_memory_bytes=40 * MIB,
    connection_memory_bytes=20 * 1024,
    graceful_stop="closes idle connections at once, lets requests finish, exits when the last one has",
    closes_while_draining=True,
    needs_proxy=False,
    settings={
        **_GUNICORN,
        "threads": _ignored("gevent serves each connection in a greenlet, not in a thread"),
        "worker_connections": _honoured("test_worker_connections_limits"),
        "keepalive": _honoured("test_keepalive_closes_idle_connections"),
        "header_timeout": _honoured("test_header_timeout_closes_slow_clients"),
        **dict.fromkeys(_ASGI_ONLY, _NO_ASGI),
    },
)

GTHREAD = Server(
    name="gthread",
    family="gunicorn",
    summary="gunicorn with threads: no monkey patching; concurrency is workers x threads",
    packages=("gunicorn==27.0.1",),
    pythons=("3.13",),
    worker_class="gthread",
    worker_class_why="gunicorn's threads: each request being answered holds one, idle connections hold none",
    workers=Rule(per_cpu=1, at_least=2),
    workers_why="one a CPU, since threads of one process share one CPU; two at least, so that one may be replaced",
    threads=Rule(per_cpu=16, at_least=16, at_most=64),
    threads_why="16 a CPU, 64 at most: 64 gave 3 times the throughput of 16 on 50 ms calls, 200 less than 64",
    preload_app=True,
    preload_why="imported once and frozen before the fork: 60 MiB instead of 87 MiB with 4 workers",
    header_timeout=None,
    patched_by=None,
    shares_connections=True,
    master_memory_bytes=30 * MIB,
    worker_memory_bytes=40 * MIB,
    connection_memory_bytes=4 * 1024,
    graceful_stop="keeps idle connections for 2 s, lets requests finish; new connections wait in the backlog meanwhile",
    closes_while_draining=False,
    needs_proxy=True,
    settings={
        **_GUNICORN,
        "threads": _honoured("test_plan_equals_boot"),
        "worker_connections": _honoured("test_worker_connections_limits"),
        "keepalive": _honoured("test_keepalive_closes_idle_connections"),
        "header_timeout": _ignored("gthread waits for headers without a limit: put a buffering proxy in front"),
        **dict.fromkeys(_ASGI_ONLY, _NO_ASGI),
    },
)

SERVERS: Mapping[str, Server] = {server.name: server for server in (GEVENT, GTHREAD)}
