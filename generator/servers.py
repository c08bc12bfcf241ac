"""The table of truths: what each server is, needs and honours. Adding a server is one entry here and its templates."""

from __future__ import annotations

from collections.abc import Mapping

from .runtime.sizing import MIB, Rule
from .server import Server, harmful, honoured, honoured_up_to, ignored

_TLS = harmful("probes and HEALTHCHECK speak plain HTTP to the container: end TLS in the proxy or the ingress")
#: What holds for every worker class of gunicorn that goes through its own request parser and arbiter.
_GUNICORN = {
    "workers": honoured("test_plan_equals_boot"),
    "backlog": honoured("test_listens_on_the_port"),
    "timeout": honoured("test_hung_worker_is_replaced"),
    "graceful_timeout": honoured("test_request_in_flight_finishes_on_sigterm"),
    "max_requests": honoured("test_max_requests_recycles"),
    "max_requests_jitter": honoured("unprobed: random by purpose; gunicorn adds it to max_requests"),
    "preload_app": honoured("test_info_shows_preload_and_patches"),
    "loglevel": honoured("test_boot_report_is_independent_of_loglevel"),
    "forwarded_allow_ips": honoured("test_forwarded_proto_from_a_trusted_peer"),
    "access_log": honoured("test_access_log"),
    "limit_request_line": honoured("test_gunicorn_mapping_reaches_the_server"),
    "proxy_protocol": honoured("unprobed: gunicorn's own parser; needs a proxy that speaks it"),
    "statsd_host": honoured("unprobed: gunicorn's own logger; needs a statsd server"),
    **dict.fromkeys(("certfile", "keyfile", "ca_certs", "ciphers"), _TLS),
    "limit_request_fields": honoured("unprobed: gunicorn's own parser, the same code as limit_request_line"),
    "limit_request_field_size": honoured("unprobed: gunicorn's own parser, the same code as limit_request_line"),
}
_HANG = (
    "A worker that has hung for this long is killed and replaced. It limits no request: the loop or another thread "
    "goes on meanwhile."
)
_NO_ASGI = ignored("only gunicorn's asgi worker reads it")
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
        "stock class 9,793 of 10,000 connections never got an answer, with this one 0"
    ),
    workers=Rule(per_cpu=1),
    workers_why=(
        "one a CPU: with 10,000 connections on a 50 ms backend 2 x CPU + 1 gave 0.9 of the throughput, a p99 of 5.6 s "
        "instead of 3.9, and 13 % more memory"
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
    timeout_note=_HANG,
    graceful_stop="closes idle connections at once, lets requests finish, exits when the last one has",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=False,
    settings={
        **_GUNICORN,
        "threads": ignored("gevent serves each connection in a greenlet, not in a thread"),
        "worker_connections": honoured("test_worker_connections_limits"),
        "keepalive": honoured("test_keepalive_closes_idle_connections"),
        "header_timeout": honoured("test_header_timeout_closes_slow_clients"),
        **dict.fromkeys(_ASGI_ONLY, _NO_ASGI),
    },
)

GTHREAD = Server(
    name="gthread",
    family="gunicorn",
    summary="gunicorn with threads: no monkey patching; concurrency is workers x threads",
    packages=("gunicorn==27.0.1",),
    pythons=("3.13",),
    worker_class="kit_runtime.gthread_worker.FairThreadWorker",
    worker_class_why=(
        "gunicorn's thread worker that accepts in batches and gives a connection a thread only once it asks: with the "
        "stock class 9,011 of 10,000 connections never got an answer, and a silent one held a thread for 5 s"
    ),
    workers=Rule(per_cpu=1, at_least=2),
    workers_why="one a CPU, since threads of one process share one CPU; two at least, so that one may be replaced",
    threads=Rule(per_cpu=16, at_least=16, at_most=64),
    threads_why="16 a CPU, 64 at most: 64 gave 3 times the throughput of 16 on 50 ms calls, 200 less than 64",
    preload_app=True,
    preload_why="imported once and frozen before the fork: 60 MiB instead of 87 MiB with 4 workers",
    header_timeout=None,
    patched_by=None,
    shares_connections=True,
    # Measured: 15 MiB the master, 13 a worker; a busy connection 5 KiB, an idle one 3.
    master_memory_bytes=20 * MIB,
    worker_memory_bytes=28 * MIB,
    connection_memory_bytes=6 * 1024,
    timeout_note=_HANG,
    graceful_stop="keeps idle connections for 2 s, lets requests finish, exits when the last one has",
    closes_while_draining=False,
    closes_idle_on_stop=True,
    needs_proxy=True,
    settings={
        **_GUNICORN,
        "threads": honoured("test_plan_equals_boot"),
        "worker_connections": honoured("test_worker_connections_limits"),
        "keepalive": honoured("test_keepalive_closes_idle_connections"),
        "header_timeout": ignored("gthread waits for headers without a limit: put a buffering proxy in front"),
        **dict.fromkeys(_ASGI_ONLY, _NO_ASGI),
    },
)

SYNC = Server(
    name="sync",
    family="gunicorn",
    summary="gunicorn's default: one request at a time in each worker, no keep-alive",
    packages=("gunicorn==27.0.1",),
    pythons=("3.13",),
    worker_class="sync",
    worker_class_why="gunicorn's simplest worker: it holds one connection from its first byte to its last",
    workers=Rule(per_cpu=2, plus=1),
    workers_why="2 x CPU + 1, gunicorn's own rule: while one waits, another computes; a worker is all its concurrency",
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
    graceful_stop="lets the requests being answered finish; those in the backlog are reset",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=True,
    holds_one_each=True,
    settings={
        **_GUNICORN,
        "threads": harmful("more than 1 turns the worker into gthread without a word: choose server: gthread"),
        "worker_connections": ignored("a sync worker holds one connection, so workers is the number"),
        "keepalive": ignored("a sync worker closes each connection after its answer"),
        "header_timeout": ignored("sync waits for headers until timeout kills the worker: put the proxy in front"),
        **dict.fromkeys(_ASGI_ONLY, _NO_ASGI),
    },
)

EVENTLET = Server(
    name="eventlet",
    family="gunicorn",
    summary="legacy: gunicorn 25 with eventlet; gunicorn 26 removed this worker, take gevent instead",
    packages=("gunicorn==25.3.0", "eventlet==0.41.3"),
    pythons=("3.13",),
    worker_class="eventlet",
    worker_class_why="the last gunicorn that has it is 25.3; eventlet itself is in maintenance only",
    workers=Rule(per_cpu=1),
    workers_why="one a CPU, as for gevent",
    threads=None,
    threads_why="",
    preload_app=False,
    preload_why="imported once and frozen before the fork",
    header_timeout=None,
    patched_by="eventlet",
    shares_connections=True,
    # Measured: 23 MiB the master, 24 a worker; a connection 20 KiB, one that waits for a backend 26.
    master_memory_bytes=28 * MIB,
    worker_memory_bytes=28 * MIB,
    connection_memory_bytes=28 * 1024,
    timeout_note=_HANG,
    graceful_stop="lets requests finish, and waits for idle connections too, until graceful_timeout",
    closes_while_draining=False,
    closes_idle_on_stop=False,
    needs_proxy=True,
    legacy=True,
    settings={
        **_GUNICORN,
        "threads": ignored("eventlet serves each connection in a greenlet, not in a thread"),
        "worker_connections": honoured("test_worker_connections_limits"),
        "keepalive": honoured("test_keepalive_closes_idle_connections"),
        "header_timeout": ignored("the keepalive timer also bounds the headers"),
        **dict.fromkeys(_ASGI_ONLY, _NO_ASGI),
    },
)

_IN_C = ignored("meinheld parses requests in C, with limits of its own: 128 fields, 8 KiB each, bodies to 16 MiB")
_NO_PROXY_HEADERS = ignored("meinheld's scheme is always http: let the app read X-Forwarded-Proto (ProxyFix)")
_NO_TLS = harmful("meinheld has no TLS: it would refuse to start; end TLS in the proxy or the ingress")

MEINHELD = Server(
    name="meinheld",
    family="gunicorn",
    summary="gunicorn with meinheld, a server in C from 2020, mended: the fastest on small answers",
    packages=("gunicorn==27.0.1", "greenlet==3.5.6"),
    pythons=("3.13",),
    worker_class="kit_runtime.meinheld_worker.MeinheldWorker",
    worker_class_why=(
        "the kit's worker for the meinheld that this image builds: stock, one dead worker takes the master along, "
        "timeout is not enforced, a stop cuts requests, and 8,063 of 10,000 connections never got an answer; here 0"
    ),
    workers=Rule(per_cpu=1),
    workers_why="one a CPU: each is one loop, and cooperative sockets fill the time that a backend takes",
    threads=None,
    threads_why="",
    preload_app=False,
    preload_why="imported once and frozen before the fork",
    header_timeout=None,
    patched_by=None,
    shares_connections=True,
    # Measured: 14 MiB the master, 25 a worker; an idle connection 3 KiB,
    # one of 10,000 that all wait for a backend 15.
    master_memory_bytes=20 * MIB,
    worker_memory_bytes=30 * MIB,
    connection_memory_bytes=16 * 1024,
    timeout_note=_HANG,
    graceful_stop="closes idle connections at once, lets requests finish, exits when the last one has",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=True,
    settings={
        **_GUNICORN,
        **dict.fromkeys(("limit_request_line", "limit_request_fields", "limit_request_field_size"), _IN_C),
        "threads": ignored("meinheld serves each request in a greenlet, not in a thread"),
        "worker_connections": honoured("test_worker_connections_limits"),
        "keepalive": honoured_up_to(127, "its timer wheel has 128 places", "test_keepalive_closes_idle_connections"),
        "header_timeout": ignored("meinheld waits 30 s for each piece, without a limit for all: needs the proxy"),
        "forwarded_allow_ips": _NO_PROXY_HEADERS,
        **dict.fromkeys(("secure_scheme_headers", "forwarder_headers", "header_map"), _NO_PROXY_HEADERS),
        **dict.fromkeys(("certfile", "keyfile", "ca_certs", "ciphers"), _NO_TLS),
        "proxy_protocol": harmful("meinheld does not read it: every request would be a bad one"),
        "http_protocols": ignored("meinheld speaks HTTP/1 only"),
        "http_parser": ignored("meinheld has a parser of its own"),
        **dict.fromkeys(_ASGI_ONLY, _NO_ASGI),
    },
)

#: What pywsgi took over from gunicorn, with the same meaning and the same tests.
_STANDALONE = (
    *("workers", "backlog", "timeout", "graceful_timeout", "max_requests", "max_requests_jitter", "preload_app"),
    *("loglevel", "forwarded_allow_ips", "access_log"),
)
_NO_GUNICORN = ignored("pywsgi is no gunicorn: it has no such setting")

PYWSGI = Server(
    name="pywsgi",
    family="standalone",
    summary="gevent's own WSGI server with the kit's supervisor: the leanest way to thousands of connections",
    packages=("gevent==26.9.0",),
    pythons=("3.13",),
    worker_class="",
    worker_class_why="",
    workers=Rule(per_cpu=1),
    workers_why="one a CPU: greenlets share one CPU whatever their number",
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
    timeout_note=_HANG,
    graceful_stop="closes idle connections after 2 s at most, lets requests finish, exits when the last one has",
    closes_while_draining=True,
    closes_idle_on_stop=True,
    needs_proxy=False,
    settings={
        **{name: cell for name, cell in _GUNICORN.items() if name in _STANDALONE},
        "threads": ignored("pywsgi serves each connection in a greenlet, not in a thread"),
        "worker_connections": honoured("test_worker_connections_limits"),
        "keepalive": honoured("test_keepalive_closes_idle_connections"),
        "header_timeout": honoured("test_header_timeout_closes_slow_clients"),
        "gunicorn": _NO_GUNICORN,
        "app.hooks": ignored("hooks are gunicorn's; open pools lazily, in the first request of a worker"),
    },
)

_DEVELOPMENT = ignored("Flask's development server has no such thing")

FLASK = Server(
    name="flask",
    family="development",
    summary="DEVELOPMENT ONLY: Flask's own server, as `python code.py` starts it; reloads; no Kubernetes output",
    packages=(),
    pythons=("3.13",),
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
    settings={
        "workers": honoured("test_flask_processes"),
        "threads": honoured("test_flask_threads"),
        **dict.fromkeys(
            (
                *("worker_connections", "backlog", "timeout", "graceful_timeout", "keepalive", "header_timeout"),
                *("max_requests", "max_requests_jitter", "preload_app", "forwarded_allow_ips", "access_log"),
                *("loglevel", "gunicorn", "app.hooks"),
            ),
            _DEVELOPMENT,
        ),
    },
)

SERVERS: Mapping[str, Server] = {
    server.name: server for server in (GEVENT, GTHREAD, SYNC, PYWSGI, MEINHELD, EVENTLET, FLASK)
}
