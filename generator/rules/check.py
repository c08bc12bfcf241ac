"""What no field can check alone: settings that contradict each other, or that the chosen server does not honour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import Fault, nearest
from ..profile.load import Draft
from ..profile.schema import ASGI_REMEDY, MAX_THREADS, CpuRule, Profile
from ..profile.secrets import secrets_in
from ..runtime.sizing import MIB, Numbers, ceil_div, memory_needed
from ..servers import SERVERS
from ..servers.server import Server
from .commands import command_faults
from .environment import environment_faults
from .kubernetes import kubernetes_faults

#: Folders below docker/ with a meaning of their own; a profile of that name would write over them.
RESERVED_NAMES = ("app", "runtime", "servers")
ASGI_SERVERS = ("asgi", "daphne", "hypercorn", "uvicorn")
#: What ends the words of a wrapper in the image's entry point.
_PROGRAMS = tuple(sorted({server.program for server in SERVERS.values()}))


def check(draft: Draft, server: Server | None, numbers: Numbers | None) -> Iterator[Fault]:
    """Every fault that no field can find alone.

    ``server`` is None where the profile names none that exists. ``numbers`` is what ``size`` makes of the profile, or
    None where it already has a fault: numbers that come of a stand-in would refuse what is right.
    """
    profile = draft.profile
    yield from environment_faults(draft, profile)
    yield from _app(draft, profile)
    yield from _contradictions(draft, profile)
    if draft.has_fault("server"):
        return
    if server is None:
        near = nearest(profile.server, sorted(SERVERS))
        remedy = f"did you mean {near}?" if near else "take one of them"
        if profile.server in ASGI_SERVERS:
            remedy = ASGI_REMEDY
        yield draft.fault("server", "one of " + ", ".join(sorted(SERVERS)), remedy, code="K010")
        return
    if profile.python not in server.pythons and not draft.has_fault("python"):
        why = server.pythons_refused or "those that its lock has packages for"
        allowed = f"one of {', '.join(server.pythons)} for {server.name}: {why}"
        yield draft.fault("python", allowed, f"write {_nearest_python(profile.python, server.pythons)}", code="K010")
    yield from _server_packages(draft, profile, server)
    yield from _unhonoured(draft, profile, server)
    yield from _request_timeout(draft, profile, server)
    limit = server.largest_body_bytes
    if limit is not None and profile.proxy_max_body > limit and not draft.has_fault("proxy_max_body"):
        allowed = f"at most {limit // MIB}Mi with {server.name}, which itself refuses a larger body"
        yield draft.fault("proxy_max_body", allowed, "lower it, or choose gthread or gevent", code="K011")
    if numbers is not None:
        yield from _capacity(draft, profile, server, numbers)
    yield from command_faults(draft, profile, server)
    if server.production:
        yield from kubernetes_faults(draft, profile, server, numbers)


def _nearest_python(version: str, pythons: Sequence[str]) -> str:
    def minor(python: str) -> int:
        return int(python.partition(".")[2])

    return min(pythons, key=lambda python: abs(minor(python) - minor(version)))


def _app(draft: Draft, profile: Profile) -> Iterator[Fault]:
    app = profile.app
    for number, (name, value) in enumerate(app.arguments):
        if next(secrets_in(name or "", value), None) is not None:
            do = "have the factory read it from the environment, and give it to the container at run time"
            yield draft.fault(
                f"app.arguments.{name or number}", "no secrets: the image would show them", do, code="K014"
            )
    for number, word in enumerate(app.wrapper):
        if word in _PROGRAMS:
            allowed = f"no word like {', '.join(_PROGRAMS)}: the server's own name ends the wrapper"
            remedy = "remove it: the server's command follows by itself"
            yield draft.fault(f"app.wrapper.{number}", allowed, remedy, code="K006")
    if app.mount is None:
        return
    for name in ("readiness_path", "liveness_path"):
        path = getattr(profile.health, name)
        if path and f"{path}/".startswith(f"{app.mount}/"):
            allowed = f"a path of the app's own: {app.mount} (app.mount) comes before it by itself"
            yield draft.fault(f"health.{name}", allowed, f"write {path.removeprefix(app.mount) or '/'}")
    route = profile.kubernetes.route.path
    if not f"{app.mount}/".startswith(f"{route.rstrip('/')}/"):
        allowed = f"{app.mount} (app.mount), or a path above it: nothing else reaches the app"
        yield draft.fault("kubernetes.route.path", allowed, "remove it, and app.mount is routed")


def _contradictions(draft: Draft, profile: Profile) -> Iterator[Fault]:
    for name in ("name", "group"):
        if getattr(profile, name) in RESERVED_NAMES[: 2 if name == "group" else 3] and not draft.has_fault(name):
            yield draft.fault(
                name, f"not {' or '.join(RESERVED_NAMES)}: folders of the kit's own", "choose another", code="K015"
            )
    for name in ("workers", "threads"):
        rule = getattr(profile, name)
        if isinstance(rule, CpuRule) and rule.at_most is not None and rule.at_least > rule.at_most:
            yield draft.fault(f"{name}.at_most", f"at_least ({rule.at_least}) or more", "raise it or lower at_least")
    if draft.has_fault("max_requests"):
        pass  # a default stands for it
    elif profile.max_requests_jitter and not profile.max_requests:
        yield draft.fault("max_requests_jitter", "0 while max_requests is 0: nothing to add to", "set max_requests too")
    elif profile.max_requests_jitter > profile.max_requests > 0:
        yield draft.fault("max_requests_jitter", f"at most max_requests ({profile.max_requests})", "lower it")
    if profile.backlog > profile.somaxconn and not draft.has_fault("backlog", "somaxconn"):
        allowed = f"at most somaxconn ({profile.somaxconn}): the kernel silently uses no more"
        yield draft.fault("backlog", allowed, "lower it, or set somaxconn to what the node allows", code="K013")


def _server_packages(draft: Draft, profile: Profile, server: Server) -> Iterator[Fault]:
    """Only what the tests boot: the kit's workers build on the insides of their server."""
    for name, version in profile.server_packages:
        versions = server.versions(name)
        if not versions:
            own = ", ".join(server.pins) or "none"
            yield draft.fault(f"server_packages.{name}", f"a package of {server.name}: {own}", "remove it", code="K010")
        elif version not in versions:
            others = [one.name for one in SERVERS.values() if version in one.versions(name)]
            do = f"take one of these, or server: {others[0]}" if others else "take one of these"
            allowed = f"{name} {' or '.join(versions)} for {server.name}: what the tests boot"
            yield draft.fault(f"server_packages.{name}", allowed, do, code="K010")


def _unhonoured(draft: Draft, profile: Profile, server: Server) -> Iterator[Fault]:
    in_mapping = dict.fromkeys(name for name, _ in profile.gunicorn)
    for name, cell in server.settings.items():
        path = f"gunicorn.{name}" if name in in_mapping else name
        if (name in in_mapping or profile.is_set(name)) and cell.verdict != "honoured":
            allowed = f"only settings that {server.name} honours; this one is {cell.verdict}: {cell.why}"
            yield draft.fault(path, allowed, "remove it, or choose another server", code="K011")
        elif cell.at_most is not None and getattr(profile, name, 0) > cell.at_most:
            yield draft.fault(path, f"at most {cell.at_most} for {server.name}: {cell.why}", "lower it", code="K011")


def _request_timeout(draft: Draft, profile: Profile, server: Server) -> Iterator[Fault]:
    """A worker that beats only between requests is killed with the request that takes longer than timeout."""
    limit = profile.request_timeout
    if limit is None or server.beats_while_busy or draft.has_fault("request_timeout", "timeout"):
        return
    if limit > profile.timeout:
        allowed = f"at most timeout ({profile.timeout}) with {server.name}, which takes a longer request for a hang"
        remedy = f"write timeout: {limit}, which finds a hang so much later, or choose gthread or gevent"
        yield draft.fault("request_timeout", allowed, remedy, code="K011")


def _one_each(draft: Draft, profile: Profile, server: Server, workers: int) -> Iterator[Fault]:
    """A worker holds one connection; behind a proxy, which holds the clients', the others wait in the backlog."""
    room = workers + profile.backlog if profile.proxy else workers
    if profile.connections <= room:
        return
    if profile.proxy:
        allowed = f"at most {room} with {server.name}: {workers} workers and, behind proxy, backlog ({profile.backlog})"
        yield draft.fault("connections", allowed, "lower it, or raise backlog and somaxconn", code="K013")
        return
    allowed = f"at most {room} with {server.name}: a connection occupies a whole worker"
    remedy = "lower it, raise workers, set proxy: true if one holds them, or choose gthread or gevent"
    yield draft.fault("connections", allowed, remedy, code="K013")


def _websocket_threads(draft: Draft, profile: Profile, server: Server, numbers: Numbers) -> Iterator[Fault]:
    """A WebSocket holds a thread for its whole life; who waits for one behind it would wait for as long."""
    if not profile.websocket or numbers.threads is None or numbers.threads.value > profile.connections:
        return
    allowed = (
        f"more than connections ({profile.connections}) with {server.name} and websocket: each WebSocket holds a "
        "thread for its whole life, one worker may get them all, and a probe needs one too"
    )
    remedy = f"write threads: {profile.connections + 1}, or choose gevent"
    if profile.connections >= MAX_THREADS:
        remedy = f"choose gevent, or lower connections below {MAX_THREADS}"
    yield draft.fault("threads", allowed, remedy, code="K013")


def _capacity(draft: Draft, profile: Profile, server: Server, numbers: Numbers) -> Iterator[Fault]:
    """The derived numbers must hold the connections."""
    if not server.production:
        if numbers.threads is not None and numbers.threads.value > 1 < numbers.workers.value:
            allowed = (
                "threads or workers above 1, not both: Flask's server takes threads or processes, and refuses both"
            )
            yield draft.fault("workers", allowed, "remove one of them", code="K011")
        return
    if profile.resources.shared_memory is not None and not server.effective(profile, "preload_app"):
        allowed = "only with preload_app: without it each worker loads all by itself"
        yield draft.fault("resources.shared_memory", allowed, "set preload_app: true, or count it in worker_memory")
    needed = memory_needed(numbers.demand, 1)
    if profile.resources.memory < needed:
        minimum = f"{ceil_div(needed, MIB)}Mi"
        allowed = f"at least {minimum} for {profile.connections} connections with one {server.name} worker"
        yield draft.fault("resources.memory", allowed, "raise it, or lower connections", code="K013")
    yield from _websocket_threads(draft, profile, server, numbers)
    if server.holds_one_each:
        yield from _one_each(draft, profile, server, numbers.workers.value)
        return
    if numbers.worker_connections is None:
        return
    slots = numbers.worker_connections.value
    if slots * numbers.workers.value < profile.connections and server.shares_connections:
        product = f"{slots} x {numbers.workers.value} workers"
        allowed = f"enough for {profile.connections} connections; {product} hold {slots * numbers.workers.value}"
        yield draft.fault("worker_connections", allowed, "raise it, raise workers, or leave it to the kit", code="K013")
    if numbers.threads is not None and slots <= numbers.threads.value:
        allowed = f"more than threads ({numbers.threads.value}): gunicorn keeps the difference for idle connections"
        yield draft.fault("worker_connections", allowed, "raise it, or lower threads", code="K013")
