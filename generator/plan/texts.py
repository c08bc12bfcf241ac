"""The plan's values in the words of what reads them: quantities, commands, and notes for the generated files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

from ..profile.formats import memory_text
from ..profile.schema import Profile
from ..runtime.sizing import MIB
from ..servers.server import Server
from .places import APP_FOLDER


@dataclass(frozen=True)
class Texts:
    """Text that templates take as it is, so that they need no decision of their own."""

    app_source: str
    #: What the server imports, with a factory's arguments.
    wsgi_app: str
    #: What the profile includes though its like is left out: below the build context, and words for find.
    kept_paths: tuple[str, ...]
    kept_words: str
    python_path: str
    bind: str
    cpu_text: str
    memory_text: str
    cpu_quantity: str
    memory_quantity: str
    cpu_request_quantity: str
    shared_memory_note: str
    cpu_from_request: bool
    logger: str
    max_requests_note: str
    no_forwarder_headers: bool
    preload_note: str
    probe_paths: tuple[str, ...]
    proxy_note: str
    threads_why: str
    timeout_note: str
    worker_class_why: str
    worker_memory_note: str
    workers_why: str


def make_texts(profile: Profile, server: Server, preload_app: bool) -> Texts:
    """All words of one plan."""
    paths = (profile.health.liveness_path, profile.health.readiness_path)
    return Texts(
        kept_paths=tuple(_joined(profile.app.path, path) for path in profile.app.include),
        kept_words="".join(
            f"-path {shlex.quote(_joined(APP_FOLDER, path))} -prune -o " for path in profile.app.include
        ),
        python_path=_joined(APP_FOLDER, profile.app.python_path or "."),
        app_source="./" if profile.app.path == "." else f"{profile.app.path}/",
        wsgi_app=wsgi_app(profile),
        bind=f"0.0.0.0:{profile.port}",
        cpu_text=cpu_text(profile.resources.cpu),
        memory_text=memory_text(profile.resources.memory),
        cpu_quantity=cpu_quantity(profile.resources.cpu),
        memory_quantity=memory_text(profile.resources.memory),
        cpu_request_quantity=cpu_quantity(profile.resources.cpu_request or profile.resources.cpu),
        shared_memory_note=_shared_memory_note(profile, server),
        cpu_from_request=profile.kubernetes.cpu_limit == "none",
        logger="JsonLogger" if profile.access_log == "json" else "TextLogger",
        max_requests_note=_max_requests_note(profile),
        no_forwarder_headers=_no_forwarder_headers(profile, server),
        preload_note=preload_note(server, preload_app),
        probe_paths=tuple(sorted({_path_info(path) for path in paths if path})),
        proxy_note=_proxy_note(profile, server),
        threads_why=_sentence(server.threads_why),
        timeout_note=server.timeout_note,
        worker_class_why=_sentence(server.worker_class_why),
        worker_memory_note=_worker_memory_note(profile),
        workers_why=_sentence(server.workers_why),
    )


def wsgi_app(profile: Profile) -> str:
    """``module:name``, or ``module:factory('argument', key=1)`` as gunicorn and the kit's servers read it."""
    if not profile.app.arguments:
        return profile.app.module
    words = [f"{name}={value!r}" if name else repr(value) for name, value in profile.app.arguments]
    return f"{profile.app.module.removesuffix('()')}({', '.join(words)})"


def cpu_text(millicores: int) -> str:
    """Thousandths of a CPU as a number of CPUs, the way Docker and a reader write it."""
    return f"{millicores / 1000:g}"


def docker_size(size: int) -> str:
    """Bytes as Docker and nginx both read them; their m is 1024 x 1024."""
    return f"{size // MIB}m" if size % MIB == 0 else str(size)


def cpu_quantity(millicores: int) -> str:
    """Thousandths of a CPU as the Kubernetes quantity that a person would write."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def _path_info(path: str) -> str:
    """The path as WSGI's PATH_INFO gives it: unquoted, its bytes as Latin-1, without the query."""
    return unquote_to_bytes(path.partition("?")[0]).decode("latin-1")


def _joined(folder: str, path: str) -> str:
    return str(PurePosixPath(folder) / path)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def preload_note(server: Server, preload_app: bool) -> str:
    """What the import means for the workers, and where they open connections of their own."""
    if not preload_app:
        return "Each worker imports the app itself, after the fork."
    where = "the app's post_fork hook" if server.family == "gunicorn" else "a worker's first request"
    shared = f"Workers would share connections that are opened at import: open them in {where}."
    return f"The app is {server.preload_why}. {shared}"


def _proxy_note(profile: Profile, server: Server) -> str:
    if profile.proxy:
        held = "a worker has one of them at a time, and the backlog the rest" if server.holds_one_each else ""
        return f"the proxy in front holds the {profile.connections} connections" + (f"; {held}" if held else "")
    return "needs a buffering proxy in front: slow clients pin its workers" if server.needs_proxy else ""


def _max_requests_note(profile: Profile) -> str:
    if profile.max_requests:
        return "Workers are replaced after this many requests, at different times: for an app that leaks memory."
    return "Workers are never recycled; only an app that leaks memory needs that."


def _no_forwarder_headers(profile: Profile, server: Server) -> bool:
    named = "forwarder_headers" in server.settings or "forwarder_headers" in dict(profile.gunicorn)
    return server.family == "gunicorn" and not named


def _shared_memory_note(profile: Profile, server: Server) -> str:
    shared = profile.resources.shared_memory
    if shared is None:
        return ""
    return (
        f"{memory_text(server.master_memory_bytes)} and resources.shared_memory ({memory_text(shared)}), loaded once."
    )


def _worker_memory_note(profile: Profile) -> str:
    if profile.resources.worker_memory is None:
        return "Measured with the sample app; measure yours and set resources.worker_memory."
    return "From the profile's resources.worker_memory."
