"""What a legal profile is: each setting once, with its type, unit, limits, default and one sentence why."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from . import field_types as f
from .document import Block
from .gunicorn_settings import gunicorn_mapping
from .kubernetes import Kubernetes
from .section import LABEL, Section

#: A Service's name must start with a letter.
_NAME = f.text(
    "a DNS label of at most 40 characters that starts with a letter", "large", r"[a-z]([-a-z0-9]*[a-z0-9])?", 40
)
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_REFERENCE = (
    r"([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_PACKAGES = f.list_of(f.text("a Debian package", "libpq5", r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?", 200))
_URL_PATH = f.text("an absolute URL path in ASCII", "/readyz", r"/[A-Za-z0-9_.~!$&'()*+,;=:@%/?-]*", 1024)
_VARIABLES = f.mapping_of(
    f.text("a variable name", "GREETING", r"[A-Za-z_][A-Za-z0-9_]*", 256),
    f.text("text of one line", "hello", r"[^\r\n\x00]*"),
)


class CpuRule(Section):
    """A number that follows the CPUs: per_cpu x CPUs + plus, at least at_least, at most at_most."""

    per_cpu: Annotated[int, f.integer(0, 64, 2)] = Field(description="Factor for each CPU, rounded up before.")
    plus: Annotated[int, f.integer(0, 1024, 1)] = Field(0, description="Added after multiplying.")
    at_least: Annotated[int, f.integer(1, 1024, 1)] = Field(1, description="Never fewer, whatever memory allows.")
    at_most: Annotated[int | None, f.integer(1, 1024, 9).or_null()] = Field(None, description="Never more.")


def _number_or_rule(value: Any) -> str:
    return "rule" if isinstance(value, Block) else "number"


Count = Annotated[
    Annotated[int | None, f.integer(1, 1024, 4).or_null(), Tag("number")] | Annotated[CpuRule, Tag("rule")],
    Discriminator(_number_or_rule),
]


class App(Section):
    """The Flask application that goes into the image."""

    module: Annotated[
        str, f.text("module:name or module:factory()", "flask_server:app", rf"{_MODULE}:[A-Za-z_]\w*(\(\))?", 200)
    ] = Field(description="What the server imports.")
    path: Annotated[str, f.relative_path("a folder", "docker/app")] = Field(
        description="Folder copied into the image, below the folder that --output names."
    )
    requirements: Annotated[
        str | None, f.relative_path("a requirements file", "docker/app/requirements.txt").or_null()
    ] = Field(None, description="pip requirements of the app; null installs nothing.")
    hooks: Annotated[str | None, f.text("a module name", "myapp.hooks", _MODULE, 200).or_null()] = Field(
        None,
        description="Module with post_fork, child_exit, …: what a preloaded app needs, say, for its database pools.",
    )
    build_packages: Annotated[tuple[str, ...], _PACKAGES] = Field(
        (), description="Debian packages for building requirements; not in the final image."
    )
    runtime_packages: Annotated[tuple[str, ...], _PACKAGES] = Field(
        (), description="Debian packages in the final image."
    )


class Resources(Section):
    """What one container may use; the manifests' requests and limits."""

    cpu: Annotated[int, f.cpu_quantity()] = Field(description="CPUs of one container, a Kubernetes quantity.")
    memory: Annotated[int, f.memory_quantity()] = Field(description="Memory limit of one container.")
    worker_memory: Annotated[int | None, f.memory_quantity().or_null()] = Field(
        None, description="What one worker of the real app needs; null takes the server's figure for the sample app."
    )


class Health(Section):
    """What probes ask; null is a TCP connect, since an app may have neither page."""

    readiness_path: Annotated[str | None, _URL_PATH.or_null()] = Field(None, description="Ready to be sent requests.")
    liveness_path: Annotated[str | None, _URL_PATH.or_null()] = Field(None, description="Not in need of a restart.")
    startup_seconds: Annotated[int, f.integer(2, 3600, 60)] = Field(
        60, description="Seconds the app may take to import before it counts as failed."
    )


class Profile(Section):
    """One container: the app, its server, the connections it must hold and the resources it has."""

    name: Annotated[str, _NAME] = Field(description="Name of the output, the image and the Kubernetes objects.")
    app: App = Field(description="The application.")
    server: Annotated[str, f.text("a server's name", "gevent", r"[a-z]+", 20)] = Field(
        description="How the app is served."
    )
    connections: Annotated[int, f.integer(1, 1_000_000, 1200)] = Field(
        description="Open client connections one container must hold, each of them answered."
    )
    resources: Resources = Field(description="What one container may use.")
    health: Health = Field(default_factory=dict, validate_default=True, description="What probes ask.")
    workers: Count = Field(None, description="Worker processes, or a CPU rule; null takes the server's rule.")
    threads: Count = Field(None, description="Threads of a worker, or a CPU rule; null takes the server's rule.")
    worker_connections: Annotated[int | None, f.integer(1, 1_000_000, 6500).or_null()] = Field(
        None, description="Connections of one worker; null computes 1.3 x connections / workers at boot."
    )
    backlog: Annotated[int, f.integer(64, 65535, 2048)] = Field(
        4096, description="Connections that may wait for accept(); not above somaxconn."
    )
    somaxconn: Annotated[int, f.integer(128, 65535, 4096)] = Field(
        4096, description="net.core.somaxconn that the node gives a container; 4096 on Linux since 5.4."
    )
    timeout: Annotated[int, f.integer(1, 3600, 30)] = Field(
        30, description="Seconds a worker may hang before it is killed."
    )
    graceful_timeout: Annotated[int, f.integer(1, 3600, 30)] = Field(
        30, description="Seconds that requests in flight have to finish after SIGTERM."
    )
    keepalive: Annotated[int, f.integer(0, 3600, 75)] = Field(
        75, description="Seconds an idle connection stays open; above the 60 s after which most proxies drop theirs."
    )
    header_timeout: Annotated[int | None, f.integer(1, 300, 10).or_null()] = Field(
        None,
        description="Seconds a client has to send a request's headers; null takes the server's (10 where it has one).",
    )
    max_requests: Annotated[int, f.integer(0, 10_000_000, 10_000)] = Field(
        0, description="Requests after which a worker is replaced; 0 never. Only for an app that leaks."
    )
    max_requests_jitter: Annotated[int, f.integer(0, 10_000_000, 1000)] = Field(
        0, description="Random addition to max_requests, so that workers are not replaced all at once."
    )
    preload_app: Annotated[bool | None, f.boolean().or_null()] = Field(
        None, description="Import the app once, before forking; null takes the server's default."
    )
    loglevel: Annotated[str, f.choice(("debug", "info", "warning", "error", "critical"), "info")] = Field(
        "info", description="Level of the server's own log on stderr."
    )
    forwarded_allow_ips: Annotated[str, f.peers()] = Field(
        "127.0.0.1,::1", description="Proxies whose X-Forwarded-Proto is believed."
    )
    gunicorn: Annotated[tuple[tuple[str, Any], ...], gunicorn_mapping()] = Field(
        (), description="Any other setting of gunicorn, by gunicorn's own name."
    )
    port: Annotated[int, f.integer(1024, 65535, 8000)] = Field(8000, description="Port in the container.")
    python: Annotated[str, f.text("a Python version", "3.13", r"3\.[0-9]{1,2}", 6)] = Field(
        "3.13", description="Python of the image; one that the kit's tests boot."
    )
    image: Annotated[
        str | None,
        f.text("an image reference", "registry.example/team/app:1.4", _REFERENCE, 500).or_null(),
    ] = Field(None, description="Image of the manifests; null is <name>:dev.")
    proxy: Annotated[bool, f.boolean()] = Field(
        False, description="A buffering proxy in front holds the clients' connections, as the one of compose.yaml does."
    )
    proxy_image: Annotated[str, f.text("an image reference", "nginx:1.30-alpine", _REFERENCE, 500)] = Field(
        "nginx:1.30-alpine", description="Image of that proxy, in compose.yaml and in the pod: an nginx with curl."
    )
    proxy_max_body: Annotated[int, f.memory_quantity()] = Field(
        16 * 1024**2, description="Largest request body that the proxy takes."
    )
    proxy_subnet: Annotated[str | None, f.subnet().or_null()] = Field(
        None, description="Network of compose.yaml, in which the app knows the proxy; null takes one by the name."
    )
    group: Annotated[str | None, f.text("a DNS label of at most 40 characters", "servers", LABEL, 40).or_null()] = (
        Field(None, description="Folder for the output, below docker/ and k8s/.")
    )
    access_log: Annotated[str, f.choice(("off", "text", "json"))] = Field(
        "off", description="Access log on stdout; costs 20 to 40 % of throughput, and most ingresses keep one."
    )
    env: Annotated[tuple[tuple[str, str], ...], _VARIABLES] = Field(
        (), description="Environment of the app; no secrets."
    )
    kubernetes: Kubernetes = Field(
        default_factory=dict, validate_default=True, description="What only the manifests need."
    )

    def is_set(self, path: str) -> bool:
        """Whether the profile itself gave the setting, so that it is not just the default."""
        section: Any = self
        for name in path.split("."):
            if name not in section.model_fields_set:
                return False
            section = getattr(section, name)
        return section is not None
