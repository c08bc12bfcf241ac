"""The sections of a profile that describe the application, its resources and its probes' pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from . import field_types as f
from . import formats
from .records import Record, setting
from .scheduling import EXTENDED_RESOURCES
from .workload import COMMAND, FOLDER, command_words

_PACKAGES = f.list_of(f.text("a Debian package", "libpq5", r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?", 200))
_EXTRAS = f.list_of(f.text("a name in pyproject.toml", "postgres", r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", 100))
_URL_PATH = f.text("an absolute URL path in ASCII", "/readyz", r"/[A-Za-z0-9_.~!$&'()*+,;=:@%/?-]*", 1024)
_HEALTH_HOST = f.text(
    "a host name, with a port where the app expects one",
    "app.example.com",
    r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?",
    253,
)


@dataclass(frozen=True, kw_only=True)
class App(Record):
    """The Flask application that goes into the image."""

    module: str = setting(formats.application(), "What the server imports.", gunicorn="wsgi_app")
    arguments: tuple[Any, ...] = setting(
        formats.arguments(),
        "Literal arguments of a factory: a list, or a mapping for those by name; no secrets.",
        default=(),
        hidden=True,
    )
    mount: str | None = setting(
        f.text(
            "an absolute URL path without a slash at its end, empty or dotted parts",
            "/tool",
            r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.~-]+)+",
            1024,
        ).or_null(),
        "Path that the app lies below (WSGI's SCRIPT_NAME); health's paths are the app's own, without it.",
        default=None,
    )
    wrapper: tuple[str, ...] = setting(
        f.list_of(f.text("a word of a command", "opentelemetry-instrument", r"[^\x00-\x1f\x7f]+", 1024), command_words),
        "Command that starts the server and becomes it (exec): [ddtrace-run], [newrelic-admin, run-program].",
        default=(),
    )
    before_start: tuple[str, ...] = setting(
        replace(COMMAND, example="[flask, db, upgrade]"),
        "Command that must have succeeded, once for each release, before the release serves: a migration.",
        default=(),
    )
    path: str = setting(
        formats.relative_path("a folder", "docker/app"),
        "Folder copied into the image, below the folder that --output names.",
    )
    requirements: str | None = setting(
        formats.relative_path(
            "a requirements file, pyproject.toml or a lock file", "docker/app/requirements.txt"
        ).or_null(),
        "A requirements file, pyproject.toml (with the lock beside it), uv.lock, poetry.lock or Pipfile.lock; "
        "null installs nothing.",
        default=None,
    )
    extras: tuple[str, ...] = setting(
        _EXTRAS, "Optional dependencies of pyproject.toml that are installed too.", default=()
    )
    groups: tuple[str, ...] = setting(
        _EXTRAS, "Dependency groups of pyproject.toml that are installed too; none is by itself.", default=()
    )
    python_path: str | None = setting(
        formats.relative_path("a folder in app.path", "src").or_null(),
        "Folder below app.path that modules are imported from too: src, where the code lies in src/.",
        default=None,
    )
    include: tuple[str, ...] = setting(
        f.list_of(formats.relative_path("a file or folder in app.path", "data/seed.sqlite3")),
        "What belongs into the image though its kind is left out: a database, a folder named env, a key.",
        default=(),
    )
    build_commands: tuple[str, ...] = setting(
        f.list_of(f.text("a shell command of one line", "python manage.py collectstatic --noinput", r"[^\r\n\x00]+")),
        "Commands that the build runs in the app's folder, with its packages and env: static files, translations.",
        default=(),
    )
    warnings_ignored: tuple[tuple[str, str], ...] = setting(
        f.mapping_of(
            f.text("the name that a warning gives", "psycopg2", r"[a-z0-9-]+", 40),
            f.text("the reason, in a line", "one query at start", r"[^\r\n\x00]*\S[^\r\n\x00]*", 500),
        ),
        "Warnings that do not matter here, by name, each with why.",
        default=(),
    )
    hooks: str | None = setting(
        formats.module().or_null(),
        "Module with post_fork, child_exit, …: what a preloaded app needs, say, for its database pools.",
        default=None,
        honoured_by=("gunicorn",),
        shown_by="test_factory_hooks_and_packages",
    )
    build_secrets: tuple[tuple[str, str], ...] = setting(
        f.mapping_of(
            f.text("the id of a build secret", "netrc", r"[a-z][a-z0-9_]*", 63),
            replace(FOLDER, allowed="an absolute path", example="/root/.netrc"),
        ),
        "BuildKit secrets that the build mounts as files while it installs, by id: a private index's password.",
        default=(),
    )
    build_packages: tuple[str, ...] = setting(
        _PACKAGES, "Debian packages for building requirements; not in the final image.", default=()
    )
    runtime_packages: tuple[str, ...] = setting(_PACKAGES, "Debian packages in the final image.", default=())


@dataclass(frozen=True, kw_only=True)
class Resources(Record):
    """What one container may use; the manifests' requests and limits."""

    cpu: int = setting(formats.cpu_quantity(), "CPUs of one container, a Kubernetes quantity.")
    memory: int = setting(formats.memory_quantity(), "Memory limit of one container.")
    cpu_request: int | None = setting(
        formats.cpu_quantity().or_null(),
        "What the scheduler reserves and the autoscaler measures by; null is cpu, which stays the limit.",
        default=None,
    )
    extended: tuple[tuple[str, int], ...] = setting(
        EXTENDED_RESOURCES, "Further resources of a pod, as a device plugin names them: nvidia.com/gpu.", default=()
    )
    shared_memory: int | None = setting(
        formats.memory_quantity().or_null(),
        "What preloading loads once for all workers, a model say; worker_memory is then without it.",
        default=None,
    )
    worker_memory: int | None = setting(
        formats.memory_quantity().or_null(),
        "What one worker of the real app needs; null takes the server's figure for the sample app.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class Health(Record):
    """The pages that probes request; null is a TCP connect, and for liveness the heartbeat of the master."""

    readiness_path: str | None = setting(_URL_PATH.or_null(), "Ready to be sent requests.", default=None)
    liveness_path: str | None = setting(
        _URL_PATH.or_null(),
        "For an app that may deadlock while its workers run on; load may restart its pods.",
        default=None,
    )
    host: str | None = setting(
        _HEALTH_HOST.or_null(),
        "Host that probes name, for an app that accepts no other; null is the route's, or none of its own.",
        default=None,
    )
    startup_seconds: int = setting(
        f.integer(2, 3600, 60), "Seconds the app may take to import before it counts as failed.", default=60
    )
