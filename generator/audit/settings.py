"""Checks of what settings mean together: worker, CPUs, files, time, trust."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..profile.gunicorn_settings import known_settings
from ..profile.schema import PROXY_IDLE_SECONDS
from ..profile.secrets import holds_secret
from .finding import Finding
from .given import Given, Run
from .worker import Worker, worker_of

#: Where a log leaves the container.
_STREAMS = ("-", "", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/1/fd/1", "/proc/1/fd/2",
            "/proc/self/fd/1", "/proc/self/fd/2", "/dev/null")  # fmt: skip
_SECRET_HEADER = re.compile(r"%\(\{(authorization|cookie|set-cookie|x-api-key|x-auth-token)\}[io]\)s", re.IGNORECASE)


def check_settings(run: Run) -> Iterator[Finding]:
    """Findings about the settings that decide, for the worker that they choose."""
    worker = worker_of(run)
    yield from _worker(run, worker)
    for one in run.effective(known_settings()):
        value = one.value
        cell = worker.cell(one.name)
        if one.name == "threads" and worker.name == "sync":
            yield from _sync_threads(one)
        elif cell is not None and cell.verdict != "honoured" and not worker.ours and not _is_default(one):
            code = "K112" if cell.verdict == "ignored" else "K113"
            if not (worker.name == "meinheld" and one.name == "worker_connections"):
                verb = "ignores" if code == "K112" else "does not take"
                yield Finding(code, one.span, f"the {worker.name} worker {verb} {one.name}", why=f"{cell.why}.")
            continue
        if value.cpus:
            yield from _cpus(one, run)
        elif not value.unseen and not value.function:
            for check in _CHECKS.get(one.name, ()):
                yield from check(one, run, worker)
    yield from _absent(run)


def _is_default(one: Given) -> bool:
    row = known_settings()[one.name]
    return one.value.known and "default" in row and str(one.value.value) == str(row["default"])


def _known(run: Run, name: str) -> Any:
    """The value of a setting, gunicorn's default where none is given, or None where it cannot be known."""
    one = run.last(name)
    if one is None:
        return known_settings()[name].get("default")
    return one.value.value if one.value.known else None


def _number(run: Run, name: str) -> int | None:
    try:
        return int(str(_known(run, name)))
    except ValueError:
        return None


def _true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _worker(run: Run, worker: Worker) -> Iterator[Finding]:
    if worker.name == "meinheld" and not worker.ours and worker.given:
        yield Finding("K117", worker.given.span, "meinheld as PyPI has it")
        if (one := run.last("worker_connections")) is not None:
            yield Finding("K118", one.span, "connections above this number hang")
    if (preload := preloads_unpatched(run)) is not None and run.app_unseen is None:
        yield Finding("K115", preload.span, "the app is imported before gevent patches anything")
    workers, connections = run.last("workers"), run.last("worker_connections")
    if worker.name == "gevent" and not worker.ours and workers and workers.value.cpus and connections:
        yield Finding("K119", connections.span, f"workers x {connections.value.value} connections")


def preloads_unpatched(run: Run) -> Given | None:
    """The preload_app that imports the app before gevent's worker patches, unless the app's module patches itself."""
    preload, worker = run.last("preload_app"), worker_of(run)
    late = worker.name.startswith("gevent") and not (worker.ours or run.patched or run.partial)
    return preload if late and preload and preload.value.known and _true(preload.value.value) else None


def _sync_threads(one: Given) -> Iterator[Finding]:
    if one.value.cpus or (one.value.known and str(one.value.value) not in ("0", "1")):
        yield Finding("K114", one.span, "worker_class is sync, and threads make it gthread")


def _cpus(one: Given, run: Run) -> Iterator[Finding]:
    if run.cpu_limit:
        yield Finding("K111", one.span, f"{one.name} follows the node's CPUs, and the limit is {run.cpu_limit}")
    else:
        yield Finding("K110", one.span, f"{one.name} follows the node's CPUs")


def _bind(one: Given, run: Run, _: Worker) -> Iterator[Finding]:
    addresses = one.value.value if isinstance(one.value.value, list) else str(one.value.value).split(",")
    local = [str(address).strip().removeprefix("tcp://") for address in addresses]
    if run.place == "container" and local and all(re.match(r"(127\.|localhost\b|\[::1\])", text) for text in local):
        yield Finding("K120", one.span, f"only this container reaches {', '.join(local)}")


def _file(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
    if one.value.value and isinstance(one.value.value, str):
        yield Finding("K121", one.span, f"a pid file: {one.value.value:.60}")


def _log(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
    if isinstance(one.value.value, str) and one.value.value not in _STREAMS:
        yield Finding("K122", one.span, f"{one.name} goes to the file {one.value.value:.60}")


def _control_socket(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
    empty = one.value.value is None
    text = "control_socket = None ends the master" if empty else f"a control socket at {one.value.value!s:.60}"
    yield Finding("K123", one.span, text)


def _loglevel(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
    if str(one.value.value).lower() == "debug":
        yield Finding("K125", one.span, f"{one.name} is debug")


def _flag(code: str, text: str) -> Any:
    def check(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
        if _true(one.value.value) and one.value.variable is None:
            yield Finding(code, one.span, text)

    return check


def _always(code: str, text: str) -> Any:
    def check(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
        if one.value.value:
            yield Finding(code, one.span, text.format(name=one.name))

    return check


def _timeout(one: Given, _: Run, worker: Worker) -> Iterator[Finding]:
    seconds = _whole(one)
    if seconds == 0:
        yield Finding("K131", one.span, "timeout is 0")
    elif seconds is not None and seconds > PROXY_IDLE_SECONDS and worker.name not in ("", "sync"):
        yield Finding("K130", one.span, f"{seconds} s, and the worker is {worker.name}")


def _keepalive(one: Given, _: Run, worker: Worker) -> Iterator[Finding]:
    seconds = _whole(one)
    if seconds is not None and 0 < seconds <= PROXY_IDLE_SECONDS and worker.given is not None:
        yield Finding("K132", one.span, f"{seconds} s, and most proxies keep connections for {PROXY_IDLE_SECONDS}")


def _max_requests(one: Given, run: Run, _: Worker) -> Iterator[Finding]:
    jitter = run.last("max_requests_jitter")
    absent = (jitter is None and not run.partial) or (jitter is not None and jitter.value.known and not _whole(jitter))
    if _whole(one) and absent:
        yield Finding("K133", one.span, f"each worker ends after {one.value.value} requests, without jitter")


def _jitter(one: Given, run: Run, _: Worker) -> Iterator[Finding]:
    own = run.last("max_requests")
    absent = own is None and run.place != "configuration" and not run.partial
    if _whole(one) and (absent or (own is not None and own.value.known and not _whole(own))):
        yield Finding("K134", one.span, "max_requests is 0")


def _forwarded(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
    value = one.value.value
    parts = value if isinstance(value, list) else str(value).split(",")
    if "*" in [str(part).strip() for part in parts]:
        yield Finding("K140", one.span, f'{one.name} is "*"')


def _format(one: Given, run: Run, _: Worker) -> Iterator[Finding]:
    if run.ours:
        return  # the kit's logger classes quote what they log
    text = str(one.value.value)
    leaks = (["the query string, %(q)s"] if "%(q)s" in text else []) + [
        f"the header {match[1]}" for match in _SECRET_HEADER.finditer(text)
    ]
    if leaks:
        yield Finding("K141", one.span, f"the access log shows {' and '.join(leaks)}")
    if text.lstrip().startswith("{"):
        yield Finding("K142", one.span, "JSON made by a format string")
    elif "%(U)s" in text:
        yield Finding("K142", one.span, "%(U)s is the decoded path")
    if not re.search(r"%\((s|st|status)\)", text):
        yield Finding("K143", one.span, "the format has no %(s)s")


def _raw_env(one: Given, _: Run, __: Worker) -> Iterator[Finding]:
    items = one.value.value if isinstance(one.value.value, list) else [one.value.value]
    for item in items:
        name, _equals, value = str(item).partition("=")
        if value and holds_secret(name, value) and not one.value.reads and not value.startswith("$"):
            yield Finding("K144", one.span, f"raw_env gives {name:.60} its value")


def _whole(one: Given) -> int | None:
    try:
        return int(str(one.value.value), 0)
    except ValueError:
        return None


def _absent(run: Run) -> Iterator[Finding]:
    """Findings about what is not given, where everything could be seen."""
    if run.command is None or run.partial or run.place != "container":
        return
    if run.last("bind") is None and "PORT" not in run.environment.keys() | run.unknown and not run.open:
        yield Finding("K120", run.command, "no bind, and no PORT")
    if run.read_only and not run.writable_tmp and run.last("worker_tmp_dir") is None:
        yield Finding("K124", run.command, "no worker_tmp_dir, on a read-only root without a writable /tmp")
    if run.read_only and not _true(_known(run, "control_socket_disable")):
        yield Finding("K123", run.command, "the control socket is on, on a read-only root")
    own = run.last("workers") if "WEB_CONCURRENCY" in run.environment.keys() | run.unknown else None
    if own and own.how != "variable" and "WEB_CONCURRENCY" not in own.value.reads and not own.value.unseen:
        yield Finding("K204", own.span, "workers is given, so WEB_CONCURRENCY changes nothing")


_CHECKS: dict[str, tuple[Any, ...]] = {
    "bind": (_bind,),
    "pidfile": (_file,),
    "accesslog": (_log,),
    "errorlog": (_log,),
    "control_socket": (_control_socket,),
    "loglevel": (_loglevel,),
    "daemon": (_flag("K126", "the server leaves the foreground"),),
    "reload": (_flag("K127", "workers restart when a file changes"),),
    "proc_name": (_always("K128", "{name} needs setproctitle"),),
    "ssl_version": (_always("K129", "gunicorn ignores {name}"),),
    "tmp_upload_dir": (_always("K129", "gunicorn ignores {name}"),),
    "timeout": (_timeout,),
    "keepalive": (_keepalive,),
    "max_requests": (_max_requests,),
    "max_requests_jitter": (_jitter,),
    "forwarded_allow_ips": (_forwarded,),
    "proxy_allow_ips": (_forwarded,),
    "access_log_format": (_format,),
    "raw_env": (_raw_env,),
}


def check_grace(run: Run) -> Iterator[Finding]:
    """Whether what stops the container waits as long as graceful_timeout and preStop."""
    graceful = _number(run, "graceful_timeout")
    if run.grace is None or run.grace_seconds is None or graceful is None or run.partial:
        return
    if run.grace_seconds < graceful + run.pre_stop_seconds:
        before = f"{run.pre_stop_seconds} s preStop and " if run.pre_stop_seconds else ""
        yield Finding("K135", run.grace, f"{run.grace_seconds} s, for {before}{graceful} s graceful_timeout")
