"""What bites in production though it builds and boots: the table, and which of it a project has.

The messages, the names that ``app.warnings_ignored`` takes and the table of docs/errors.md all come from KINDS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import Mark
from .importable import fault
from .source import Source, file_of, read_source


@dataclass(frozen=True)
class Serving:
    """How the app is served, as far as it decides what bites."""

    production: bool
    #: "gevent" or "eventlet", where the standard library is patched; sockets of C code are not.
    patched_by: str | None
    #: Whether many requests share one thread, which code in C that waits would stop.
    one_thread: bool
    preload: bool
    #: Whether even time.sleep stops its worker, probes included.
    sleep_blocks: bool
    #: The profile's ``app.hooks``.
    hooks: str | None
    #: Whether the image has packages of the app's own.
    installs: bool
    #: The profile's ``websocket``.
    websocket: bool
    #: Whether a client's next request may reach another process than the one before: several workers, or pods.
    several: bool


@dataclass(frozen=True)
class Kind:
    """One thing that bites; ``name`` is what ``app.warnings_ignored`` calls it."""

    name: str
    #: With which servers and settings, in words and as the check.
    where: str
    matters: Callable[[Serving], bool]
    why: str
    remedy: str
    #: Distributions that requirements name, and packages that modules import.
    distributions: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    #: Calls and imports that show that the remedy is in place.
    cured_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hazard:
    """One that a project has, with the place that shows it."""

    mark: Mark
    kind: Kind
    shown: str

    def __str__(self) -> str:
        """The message: where, what shows it, why it bites, what to do, how to silence it."""
        return (
            f"{self.mark}: {self.kind.name}: {self.shown}: {self.kind.why}\n"
            f"    do: {self.kind.remedy}\n"
            f"    or: app.warnings_ignored: {{{self.kind.name}: why it does not matter here}}"
        )


_ONE_THREAD = "gevent, pywsgi, eventlet, meinheld"
_PRELOAD = "preload_app: true"
KINDS: tuple[Kind, ...] = (
    Kind(
        "psycopg2",
        _ONE_THREAD,
        lambda serving: serving.one_thread,
        "it waits for the database in C, so each query stops every other request of its worker",
        "take psycopg 3 (psycopg[binary]), which waits through Python's sockets, or server: gthread",
        ("psycopg2", "psycopg2-binary"),
        ("psycopg2",),
        ("psycogreen", "patch_psycopg", "set_wait_callback"),
    ),
    Kind(
        "mysqlclient",
        _ONE_THREAD,
        lambda serving: serving.one_thread,
        "it waits for the database in C, so each query stops every other request of its worker",
        "take PyMySQL, which waits through Python's sockets, or server: gthread",
        ("mysqlclient",),
        ("MySQLdb",),
    ),
    Kind(
        "grpcio",
        "gevent, pywsgi",
        lambda serving: serving.patched_by == "gevent",
        "its C core waits outside gevent's loop, so calls run one after the other in each worker",
        "call grpc.experimental.gevent.init_gevent() in post_fork of a module that app.hooks names; with pywsgi, which "
        "has no hooks, in a worker's first request",
        ("grpcio",),
        ("grpc",),
        ("init_gevent",),
    ),
    Kind(
        "apscheduler",
        "every server but flask",
        lambda serving: serving.production,
        "a scheduler that the app starts runs its jobs once in each worker of each pod, and with preload_app in the "
        "master too",
        "run it as a container of its own, with one replica",
        ("apscheduler", "flask-apscheduler"),
        ("apscheduler", "flask_apscheduler"),
    ),
    Kind(
        "flask-socketio",
        "every server but flask, with more than one worker or pod",
        lambda serving: serving.production and serving.several,
        "its clients poll before they take WebSocket, and a poll that reaches another worker or pod than the one "
        "before fails with 400",
        "set websocket: true and have clients take WebSocket alone (transports: ['websocket']), with a message_queue "
        "for what one process sends to the clients of another; or workers: 1 and kubernetes.replicas: 1",
        ("flask-socketio",),
        ("flask_socketio",),
    ),
    Kind(
        "websocket",
        "every server but flask, without websocket: true",
        lambda serving: serving.production and not serving.websocket,
        "the proxy does not pass WebSockets on, and memory is counted for requests: a WebSocket takes several times as "
        "much, and its slot or thread for its whole life",
        "set websocket: true, with server: gevent or another that has it",
        ("flask-socketio", "flask-sock", "simple-websocket"),
        ("flask_socketio", "flask_sock", "simple_websocket"),
    ),
    Kind(
        "gevent-websocket",
        "every server but flask",
        lambda serving: serving.production,
        "Flask-SocketIO takes it where it is installed, and it needs a server class of its own: each WebSocket ends "
        "with 500",
        "remove it: simple-websocket, which Flask-SocketIO brings, needs no server of its own",
        ("gevent-websocket",),
        ("geventwebsocket",),
    ),
    Kind(
        "client-at-import",
        f"{_PRELOAD}, without app.hooks",
        lambda serving: serving.preload and serving.hooks is None,
        "it is made once, before the workers are forked, and what it has opened by then is shared by all of them",
        "make it in the first request, or, with a server of gunicorn's, again in post_fork of a module that app.hooks "
        "names, or set preload_app: false",
    ),
    Kind(
        "thread-at-import",
        _PRELOAD,
        lambda serving: serving.preload,
        "a thread that importing the app starts runs in the master only: no worker has it after the fork",
        "start it in the first request, or, with a server of gunicorn's, in post_fork of a module that app.hooks "
        "names, or set preload_app: false",
    ),
    Kind(
        "serves-at-import",
        "every server but flask",
        lambda serving: serving.production,
        "importing the app starts this server and never ends, so the one of the profile never runs",
        'write it below if __name__ == "__main__":, which only `python file.py` runs',
    ),
    Kind(
        "not-importable",
        "every server",
        lambda _: True,
        "the server cannot import it or call it: its workers end at once, or each request fails",
        "write what is there, as module:name or module:factory()",
    ),
    Kind(
        "nothing-installed",
        "every server, without app.requirements",
        lambda _: True,
        "the image has no such package: nothing is installed but the server and what that needs",
        "write its packages into a requirements.txt, and app.requirements: requirements.txt",
    ),
    Kind(
        "event-stream",
        "every server but flask",
        lambda serving: serving.production,
        "nginx, the kit's or an ingress, holds a response back until its buffer is full, so events come late",
        'send the header X-Accel-Buffering: no with it: Response(..., headers={"X-Accel-Buffering": "no"})',
    ),
    Kind(
        "probed-page",
        "meinheld, with health.readiness_path or health.liveness_path",
        lambda serving: serving.sleep_blocks,
        "a request that waits other than by Python's sockets (time.sleep) stops its worker, so a few take the pod out "
        "of its Service (2,212 requests failed in one rollout with requests of 3 s)",
        "take server: gevent or gthread, or leave the path out for a TCP connect, which no worker needs to respond to",
    ),
    Kind(
        "debug",
        "every server but flask",
        lambda serving: serving.production,
        "it shows tracebacks, settings or more to whoever provokes an error",
        "read it from the environment, off by default",
    ),
    Kind(
        "gunicorn-conf",
        "every server",
        lambda _: True,
        "nothing reads it: the image has the configuration that the profile gives",
        "`container-kit audit` says what is wrong with it, `container-kit import` writes a profile that does the same; "
        "then remove it",
    ),
    Kind(
        "procfile",
        "every server",
        lambda _: True,
        "nothing reads it: the image starts what the profile says",
        "`container-kit audit` says what is wrong with it, `container-kit import` writes a profile that does the same; "
        "then remove it",
    ),
)
NAMES = tuple(kind.name for kind in KINDS)
_BY_NAME = {kind.name: kind for kind in KINDS}
#: Files that lie in a project beside its app, and are read by what the kit replaces.
_FILES = {"gunicorn.conf.py": "gunicorn-conf", "gunicorn_config.py": "gunicorn-conf", "Procfile": "procfile"}


def find_hazards(
    root: Path,
    folders: Sequence[str],
    targets: Mapping[str, tuple[Mark, str]],
    required: Mapping[str, Mark],
    serving: Serving,
    settings: Sequence[tuple[str, Mark, str]] = (),
) -> tuple[Hazard, ...]:
    """What the project below ``root`` has of the table, as far as it matters for how it is served, in order of place.

    ``folders`` are those that modules are imported from, the app's own first; ``targets`` what the server imports, a
    module or module:name, by the setting that says so; ``required`` the places of the distributions that the app's
    requirements name themselves; ``settings`` what the profile itself says that may bite: a kind's name, the place and
    what shows it. Nothing is run.
    """
    source = read_source(root, folders, [target.partition(":")[0] for _, target in targets.values()])
    found = [*_used(required, source), *_at_import(source)]
    found += _not_importable(root, folders, targets, required)
    if not serving.installs:
        found += _not_installed(root, folders, source)
    if not source.unbuffered:
        found += [Hazard(mark, _BY_NAME["event-stream"], shown) for mark, shown in source.streams[:1]]
    found += _files(root, folders, targets)
    found += [Hazard(mark, _BY_NAME[name], shown) for name, mark, shown in settings]
    kept = {hazard for hazard in found if hazard.kind.matters(serving)}
    return tuple(sorted(kept, key=lambda one: (one.mark.file, one.mark.line, one.mark.column, one.kind.name)))


def _not_importable(
    root: Path, folders: Sequence[str], targets: Mapping[str, tuple[Mark, str]], required: Iterable[str]
) -> Iterator[Hazard]:
    for setting, (mark, target) in targets.items():
        if (text := fault(root, folders, target, tuple(required))) is not None:
            yield Hazard(mark, _BY_NAME["not-importable"], f"{setting}: {text}")


def _not_installed(root: Path, folders: Sequence[str], source: Source) -> Iterator[Hazard]:
    """The first package that the app imports and neither Python nor the app itself has."""
    foreign = (name for name in source.imports if name not in sys.stdlib_module_names and name)
    for name in foreign:
        if file_of(root, folders, name) is None and not any((root / folder / name).is_dir() for folder in folders):
            yield Hazard(source.imports[name], _BY_NAME["nothing-installed"], f"import {name}")
            return


def _used(required: Mapping[str, Mark], source: Source) -> Iterator[Hazard]:
    """One a kind: where it is required, else where it is imported."""
    for kind in KINDS:
        if any(cure in source.calls or cure in source.imports for cure in kind.cured_by):
            continue
        places = [(required[name], name) for name in kind.distributions if name in required]
        places += [(source.imports[name], f"import {name}") for name in kind.imports if name in source.imports]
        for mark, shown in places[:1]:
            yield Hazard(mark, kind, shown)


def _at_import(source: Source) -> Iterator[Hazard]:
    for name, places in (
        ("client-at-import", source.clients),
        ("thread-at-import", source.threads),
        ("debug", source.debug),
        ("serves-at-import", source.servers),
    ):
        for mark, shown in places:
            yield Hazard(mark, _BY_NAME[name], shown)


def _files(root: Path, folders: Sequence[str], targets: Mapping[str, tuple[Mark, str]]) -> Iterator[Hazard]:
    """Of those beside the app; none that the server imports, as for its hooks."""
    imported = {file_of(root, folders, target.partition(":")[0]) for _, target in targets.values()}
    for folder in dict.fromkeys((folders[0], ".")):
        for name, kind in _FILES.items():
            path = PurePosixPath(folder, name).as_posix()
            if path not in imported and (root / path).is_file():
                yield Hazard(Mark(path), _BY_NAME[kind], name)
