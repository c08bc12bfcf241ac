"""What a legal profile is: each setting once, with its type, unit, limits, default, one sentence why, where it shows.

A field's further words are explained in records.Setting: what gunicorn calls it, whether the boot report and
``--explain`` state it, which families of servers honour it and which container test shows that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..runtime.sizing import HEADROOM
from . import field_types as f
from . import formats
from .gunicorn_settings import gunicorn_mapping
from .kubernetes import AppVolume, Kubernetes
from .records import Record, all_settings, record_or, section, setting
from .sections import App, Health, Resources
from .workload import ENV_SECRETS, VARIABLE, EnvSecret, Job

#: A Service's name must start with a letter.
_NAME = f.text(
    "a DNS label of at most 40 characters that starts with a letter", "large", r"[a-z]([-a-z0-9]*[a-z0-9])?", 40
)
ASGI_REMEDY = (
    "the kit serves WSGI apps, as Flask's and Django's are; an ASGI app needs an image with an ASGI server. "
    "For a WSGI app write gevent"
)
#: With what people copy from gunicorn's worker_class.
_SERVER = f.advised(
    f.text("a server's name", "gevent", r"[a-z]+", 20),
    {
        r"(uvicorn|uvicorn_worker|hypercorn|daphne)[._A-Za-z].*|asgi[._].*": ASGI_REMEDY,
        r"(gunicorn\.workers\.)?(ggevent|geventlet)\..*|gevent_.*": "write gevent",
        r"gunicorn\.workers\.gthread\..*": "write gthread",
        r"gunicorn\.workers\.sync\..*": "write sync",
    },
)
_LOW_PORT = (
    "write 8000, say, and kubernetes.service_port or the published port for the one that clients use: "
    "the server runs without the right to a port below 1024"
)
_VARIABLES = f.mapping_of(VARIABLE, f.text("text of one line", "hello", r"[^\r\n\x00]*"))
#: Unquoted, an editor reads 3.13 as a number; the reader takes the text as it is written.
_PYTHON = replace(f.text("a Python version", "3.13", r"3\.[0-9]{1,2}", 6), schema={"type": ["string", "number"]})
_PACKAGE = f.text("a package of the server", "gunicorn", r"[a-z0-9]+(-[a-z0-9]+)*", 40)
#: Unquoted, 26.2 is a number to YAML; the reader takes the text as it is written.
_VERSION = replace(f.text("a version", "26.2.0", r"[0-9]+(\.[0-9]+){1,3}", 20), schema={"type": ["string", "number"]})
#: For so long load balancers and nginx keep an idle connection to the server, unless they are configured otherwise.
PROXY_IDLE_SECONDS = 60
_EVERY_PRODUCTION_SERVER = ("gunicorn", "standalone")


@dataclass(frozen=True, kw_only=True)
class CpuRule(Record):
    """A number that follows the CPUs: per_cpu x CPUs + plus, at least at_least, at most at_most."""

    per_cpu: int = setting(f.integer(0, 64, 2), "Factor for each CPU, rounded up before.")
    plus: int = setting(f.integer(0, 1024, 1), "Added after multiplying.", default=0)
    at_least: int = setting(f.integer(1, 1024, 1), "Never fewer, whatever memory allows.", default=1)
    at_most: int | None = setting(f.integer(1, 1024, 9).or_null(), "Never more.", default=None)


#: Of a worker; as many workers.
MAX_THREADS = 1024
_COUNT = record_or(CpuRule, f.integer(1, MAX_THREADS, 4).or_null(), "a CPU rule")


@dataclass(frozen=True, kw_only=True)
class Profile(Record):
    """One container: the app, its server, the connections it must hold and the resources it has."""

    name: str = setting(_NAME, "Name of the output, the image and the Kubernetes objects.")
    app: App = setting(section(App), "The application.")
    server: str = setting(
        _SERVER,
        "How the app is served.",
        gunicorn="worker_class",
        reported=True,
    )
    connections: int = setting(
        f.integer(1, 1_000_000, 1200), "Open client connections one container must hold, each of them served."
    )
    resources: Resources = setting(section(Resources), "What one container may use.")
    health: Health = setting(section(Health), "The pages that probes request.")
    workers: int | CpuRule | None = setting(
        _COUNT,
        "Worker processes, or a CPU rule; null takes the server's rule.",
        default=None,
        gunicorn="workers",
        reported=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_plan_equals_boot",
    )
    threads: int | CpuRule | None = setting(
        _COUNT,
        "Threads of a worker, or a CPU rule; null takes the server's rule.",
        default=None,
        gunicorn="threads",
        reported=True,
        honoured_by=(),
    )
    worker_connections: int | None = setting(
        f.integer(1, 1_000_000, 6500).or_null(),
        f"Connections of one worker; null computes {HEADROOM} x connections / workers at boot.",
        default=None,
        gunicorn="worker_connections",
        reported=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_worker_connections_limits",
    )
    backlog: int = setting(
        f.integer(64, 65535, 2048),
        "Connections that may wait for accept(); not above somaxconn.",
        default=4096,
        gunicorn="backlog",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_listens_on_the_port",
    )
    somaxconn: int = setting(
        f.integer(128, 65535, 4096),
        "net.core.somaxconn that the node gives a container; 4096 on Linux since 5.4.",
        default=4096,
    )
    timeout: int = setting(
        f.advised(f.integer(1, 3600, 30), {"0": "0 would leave a worker that hangs for ever: write up to 3600"}),
        "Seconds a worker may hang before it is killed.",
        default=30,
        gunicorn="timeout",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_hung_worker_is_replaced",
    )
    request_timeout: int | None = setting(
        f.integer(1, 3600, 300).or_null(),
        "Seconds that a request may take: for so long proxy, route and stop wait for it; null is the longer of "
        "timeout and graceful_timeout.",
        default=None,
    )
    graceful_timeout: int | None = setting(
        f.integer(1, 3600, 30).or_null(),
        "Seconds that requests in flight have to finish after SIGTERM; null is request_timeout, at least 30.",
        default=None,
        gunicorn="graceful_timeout",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_request_in_flight_finishes_on_sigterm",
    )
    keepalive: int = setting(
        f.integer(0, 3600, 75),
        "Seconds an idle connection stays open; "
        f"above the {PROXY_IDLE_SECONDS} s after which most proxies drop theirs.",
        default=75,
        gunicorn="keepalive",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_keepalive_closes_idle_connections",
    )
    websocket: bool = setting(
        f.boolean(),
        "Whether connections may be WebSockets: proxy and route pass them on, and memory and threads are counted for "
        "them.",
        default=False,
        explained=True,
        honoured_by=(),
    )
    header_timeout: int | None = setting(
        f.integer(1, 300, 10).or_null(),
        "Seconds a client has to send a request's headers; null takes the server's (10 where it has one).",
        default=None,
        explained=True,
        server_default=True,
        honoured_by=("standalone",),
        shown_by="test_header_timeout_closes_slow_clients",
    )
    max_requests: int = setting(
        f.integer(0, 10_000_000, 10_000),
        "Requests after which a worker is replaced; 0 never. Only for an app that leaks.",
        default=0,
        gunicorn="max_requests",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_max_requests_recycles",
    )
    max_requests_jitter: int = setting(
        f.integer(0, 10_000_000, 1000),
        "Random addition to max_requests, so that workers are not replaced all at once.",
        default=0,
        gunicorn="max_requests_jitter",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="unprobed: random by purpose; gunicorn adds it to max_requests",
    )
    preload_app: bool | None = setting(
        f.boolean().or_null(),
        "Import the app once, before forking; null takes the server's default.",
        default=None,
        gunicorn="preload_app",
        reported=True,
        explained=True,
        server_default=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_info_shows_preload_and_patches",
    )
    loglevel: str = setting(
        f.choice(("debug", "info", "warning", "error", "critical"), "info"),
        "Level of the server's own log on stderr.",
        default="info",
        gunicorn="loglevel",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_boot_report_is_independent_of_loglevel",
    )
    forwarded_allow_ips: str = setting(
        formats.peers(),
        "Proxies whose X-Forwarded-Proto is believed.",
        default="127.0.0.1,::1",
        gunicorn="forwarded_allow_ips",
        reported=True,
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_forwarded_proto_from_a_trusted_peer",
    )
    gunicorn: tuple[tuple[str, Any], ...] = setting(
        gunicorn_mapping(lambda: GUNICORN_NAMES),
        "Any other setting of gunicorn, by gunicorn's own name.",
        default=(),
        honoured_by=("gunicorn",),
        shown_by="test_gunicorn_mapping_reaches_the_server",
    )
    port: int = setting(
        f.advised(f.integer(1024, 65535, 8000), {r"[1-9]\d{0,2}": _LOW_PORT, r"10[01]\d|102[0-3]": _LOW_PORT}),
        "Port in the container.",
        default=8000,
        gunicorn="bind",
        reported=True,
    )
    server_packages: tuple[tuple[str, str], ...] = setting(
        f.mapping_of(_PACKAGE, _VERSION),
        "Versions of the server's own packages for an app that refuses the newest, of those that the tests boot.",
        default=(),
    )
    python: str = setting(
        _PYTHON,
        "Python of the image, which decides the base image: python:<version>-slim-trixie.",
        default="3.13",
    )
    image: str | None = setting(formats.image().or_null(), "Image of the manifests; null is <name>:dev.", default=None)
    proxy: bool = setting(
        f.boolean(),
        "A buffering proxy in front holds the clients' connections, as the one of compose.yaml does.",
        default=False,
    )
    proxy_image: str = setting(
        formats.image("nginx:1.30-alpine"),
        "Image of that proxy, in compose.yaml and in the pod: an nginx with curl.",
        default="nginx:1.30-alpine",
    )
    proxy_max_body: int = setting(
        formats.memory_quantity(), "Largest request body that the proxy takes.", default=16 * 1024**2
    )
    proxy_subnet: str | None = setting(
        formats.subnet().or_null(),
        "Network of compose.yaml, in which the app knows the proxy; null takes one by the name.",
        default=None,
    )
    group: str | None = setting(
        f.text("a DNS label of at most 40 characters", "servers", formats.LABEL, 40).or_null(),
        "Folder for the output, below docker/ and k8s/.",
        default=None,
    )
    access_log: str = setting(
        f.choice(("off", "text", "json")),
        "Access log on stdout; costs 20 to 40 % of throughput, and most ingresses keep one.",
        default="off",
        gunicorn="accesslog",
        explained=True,
        honoured_by=_EVERY_PRODUCTION_SERVER,
        shown_by="test_access_log",
    )
    env: tuple[tuple[str, str], ...] = setting(
        _VARIABLES, "Environment of the app; no secrets.", default=(), hidden=True
    )
    env_secrets: tuple[tuple[str, EnvSecret], ...] = setting(
        ENV_SECRETS,
        "Variables whose values Secrets hold, by name; Compose takes them from .env.<name>.",
        default=(),
    )
    volumes: tuple[AppVolume, ...] = setting(
        f.list_of(section(AppVolume)), "Folders of the app, in pod and Compose; below /app too.", default=()
    )
    jobs: tuple[Job, ...] = setting(
        f.list_of(section(Job)),
        "Commands that run beside the server in containers of their own of the same image: workers, a scheduler.",
        default=(),
    )
    env_allowed: tuple[str, ...] = setting(
        f.list_of(VARIABLE),
        "Variables in env that look like a secret or are the server's, and are allowed all the same; in commands, too, "
        "that set one by NAME=value.",
        default=(),
    )
    kubernetes: Kubernetes = setting(section(Kubernetes), "What only the manifests need.")


#: Every setting of a profile by its dotted path, sections left out in favour of what is in them.
SETTINGS = dict(all_settings(Profile))
#: gunicorn's names of what a profile has a setting for, with that setting's path.
GUNICORN_NAMES: dict[str, str] = {one.gunicorn: path for path, one in SETTINGS.items() if one.gunicorn}
#: What `--explain` states beside the derived numbers.
EXPLAINED = tuple(path for path, one in SETTINGS.items() if one.explained)
#: What the boot report states, by gunicorn's names; the runtime has a copy, since it cannot import this.
REPORTED = tuple(one.gunicorn for one in SETTINGS.values() if one.reported and one.gunicorn)
#: Settings that servers see, each of which every server honours or refuses.
SERVED = tuple(path for path, one in SETTINGS.items() if one.honoured_by is not None)
