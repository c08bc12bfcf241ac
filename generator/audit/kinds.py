"""Every kind of finding, once: code, severity, why, and what to do. docs/findings.md comes from this table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..profile.gunicorn_settings import OWNED
from ..servers import SERVERS
from ..servers.meinheld import STOCK_FAULTS

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Kind:
    """One kind of finding; codes never change their meaning, and none is used again."""

    code: str
    severity: Severity
    title: str
    why: str
    fix: str

    @property
    def anchor(self) -> str:
        """Its section in docs/findings.md."""
        return f"docs/findings.md#{self.code.lower()}"


def _remedy(setting: str) -> str:
    """What the profile says of a setting that has no place in a container."""
    return OWNED[setting].removeprefix("leave it out: ")


_TABLE = (
    # --- The text and its names ---
    Kind("K100", "error", "not readable",
         "gunicorn runs the configuration as Python and ends with its exception.",
         "correct the syntax"),
    Kind("K101", "error", "unknown setting, ignored without a word",
         "gunicorn reads the names that it knows, case and all, and passes over every other one in silence.",
         "write the name that is meant"),
    Kind("K102", "note", "name that nothing reads",
         "gunicorn has no such setting, and the file does not use the name itself.",
         "remove it, or begin a helper's name with an underscore"),
    Kind("K103", "error", "unknown option",
         "gunicorn prints its usage and exits with 2.",
         "correct the option"),
    Kind("K104", "error", "value that gunicorn refuses",
         "gunicorn checks each value by the setting's type before it starts, and exits.",
         "write a value of that type"),
    Kind("K105", "error", "helper taken for a setting",
         "every module-level name that equals a setting is applied, imports, functions and helpers included.",
         "begin the helper's name with an underscore, or import it under another"),
    Kind("K106", "warning", "value that another one overrides",
         "gunicorn's order is: the environment's defaults, the configuration, GUNICORN_CMD_ARGS, the command line.",
         "keep the one that is meant"),
    # --- Workers ---
    Kind("K110", "warning", "number from the node's CPUs",
         "cpu_count() and the like see the node's CPUs, whatever the container's quota: measured with a limit of half "
         "a CPU, they still count all. cpu_count() * 2 + 1 is 129 on a node of 64.",
         "give a number, or take it from the container's limit, as a profile's workers do"),
    Kind("K111", "error", "number from the node's CPUs beside a CPU limit",
         "the container has a CPU limit that cpu_count() does not see: 129 workers share half a CPU on a node of 64, "
         "run out of memory, and fail their probes.",
         "give a number that fits the limit, or take it from there, as a profile's workers do"),
    Kind("K112", "warning", "setting that the worker ignores",
         "the chosen worker does not read it.",
         "remove it"),
    Kind("K113", "error", "setting that harms the worker",
         "the chosen worker breaks or misbehaves with it.",
         "remove it"),
    Kind("K114", "warning", "sync with threads is gthread",
         f"{SERVERS['sync'].settings['threads'].why.partition(':')[0]}.",
         "write the worker class gthread"),
    Kind("K115", "error", "patched too late",
         "preload_app imports the app in the master, and gevent patches in the worker: locks and sockets that the app "
         "made at import block the loop, and an SSLContext ends in a RecursionError; nothing warns.",
         "preload_app = False, or `from gevent import monkey; monkey.patch_all()` as the first line"),
    Kind("K116", "error", "worker that gunicorn no longer has",
         f"{SERVERS['eventlet'].summary.removeprefix('legacy: ')}; gaiohttp went in 20.0. gunicorn starts, then fails "
         "to import it; --check-config does not notice.",
         "take gevent or gthread"),
    Kind("K117", "error", "meinheld as it is published",
         f"{STOCK_FAULTS}. Its last release is of 2020.",
         "take gevent, or the meinheld that the kit mends (server: meinheld)"),
    Kind("K118", "error", "worker_connections as meinheld reads it",
         "to meinheld it is the size of a table of descriptors: a connection whose number is above it is never "
         "served, never closed, and leaks.",
         "set it to the limit on open files, or take another worker"),
    Kind("K119", "note", "worker_connections is each worker's",
         "the container holds workers times as many, here with a number of workers that follows the node.",
         "divide the connections that the container must hold by a fixed number of workers"),
    # --- In a container ---
    Kind("K120", "error", "listens on the loopback address",
         "127.0.0.1 of a container is reached by no Service, no published port and no other container; it is "
         "gunicorn's default too.",
         "bind 0.0.0.0 and the port"),
    Kind("K121", "warning", "pid file",
         f"{_remedy('pidfile')}: the master dies of it, and on a volume that outlives the container a stale file keeps "
         "the next one from starting.",
         "remove it"),
    Kind("K122", "warning", "log in a file",
         "a file in a container is lost with it, is not rotated, and no log collector sees it; on a read-only root "
         "gunicorn does not start.",
         'write "-": the access log to stdout, the error log to stderr'),
    Kind("K123", "warning", "control socket",
         "on by default since 25.1: a socket that can stop workers; on a read-only root an error line at each start.",
         "control_socket_disable = True (not control_socket = None, which ends the master)"),
    Kind("K124", "error", "heartbeat file on a read-only root",
         "each worker makes its heartbeat file in a temporary folder; without a writable one gunicorn ends with "
         "'No usable temporary directory'.",
         'worker_tmp_dir = "/dev/shm"'),
    Kind("K125", "warning", "debug level",
         "a line more for each request, and the whole configuration at boot, raw_env and its secrets included.",
         'loglevel = "info"'),
    Kind("K126", "warning", "daemon",
         "the command returns at once: a container ends with it, and a supervisor starts a second one.",
         _remedy("daemon")),
    Kind("K127", "warning", "reload",
         f"it is for development: {OWNED['reload'].partition('; ')[2]}.",
         "remove it"),
    Kind("K128", "note", "process name that changes nothing",
         _remedy("proc_name").replace("it does", "gunicorn does") + ".",
         "remove it, or require setproctitle"),
    Kind("K129", "note", "setting that gunicorn no longer reads",
         f"ssl_version: {_remedy('ssl_version')}; tmp_upload_dir: {_remedy('tmp_upload_dir')}.",
         "remove it"),
    # --- Time ---
    Kind("K130", "note", "timeout is no request limit",
         "with threads or greenlets, timeout replaces a worker that hangs as a whole; a slow request never meets it.",
         "limit requests in the app, its clients or the proxy, and let timeout stay near 30"),
    Kind("K131", "warning", "a hung worker is never replaced",
         "timeout 0 turns off the only thing that notices.",
         "timeout = 30, or what the slowest request of a sync worker needs"),
    Kind("K132", "note", "keep-alive shorter than the proxy's",
         "load balancers and nginx keep idle connections for 60 s; one that the server closes first is a 502 now and "
         "then.",
         "keepalive = 75 behind a proxy that keeps connections; a proxy that does not needs no more than 2 to 5"),
    Kind("K133", "warning", "all workers replaced at once",
         "max_requests without max_requests_jitter: workers get requests evenly, so they all end in the same moment.",
         "max_requests_jitter of a tenth of max_requests"),
    Kind("K134", "note", "jitter without max_requests",
         "max_requests_jitter is only added to max_requests; alone it does nothing.",
         "remove it, or set max_requests"),
    Kind("K135", "warning", "stopped before graceful_timeout is over",
         "what stops the container waits less than preStop and graceful_timeout take; then it kills, and requests in "
         "flight are cut.",
         "grace of preStop + graceful_timeout + 5 s: terminationGracePeriodSeconds, or stop_grace_period"),
    # --- Trust and logs ---
    Kind("K140", "warning", "every peer is a trusted proxy",
         'forwarded_allow_ips = "*" believes X-Forwarded-Proto, SCRIPT_NAME and PATH_INFO of whoever connects.',
         "the proxy's network, or a NetworkPolicy that lets only the proxy in"),
    Kind("K141", "warning", "access log with secrets",
         "query strings carry tokens, and headers like Authorization and Cookie are credentials.",
         "leave them out, or take a profile's access_log: json"),
    Kind("K142", "warning", "access log that clients can forge",
         "gunicorn escapes quotes only: %0A in a path begins a new line with %(U)s, and a backslash breaks JSON that "
         "a format string makes.",
         "a logger class that quotes, such as a profile's access_log: json"),
    Kind("K143", "note", "access log without the status",
         "errors cannot be found in it, nor, without %(D)s, slow requests; %(h)s is the proxy's address.",
         "add %(s)s and %(D)s"),
    Kind("K144", "warning", "secret in raw_env",
         "the value stands in the file and in the log of --print-config and loglevel debug.",
         "an environment variable from a Secret"),
    # --- Dockerfile, Compose, manifests ---
    Kind("K201", "warning", "a shell is PID 1",
         "the shell gets SIGTERM and does not pass it on: the container is killed after its grace, requests cut.",
         'the JSON form, CMD ["gunicorn", ...], or exec before gunicorn'),
    Kind("K202", "error", "HEALTHCHECK with a program that the image lacks",
         "slim and alpine images of Python have no curl, and slim has no wget: the container is never healthy.",
         "install it, or request the page with python -c and urllib"),
    Kind("K203", "warning", "probe with the default timeout of 1 s",
         "a saturated server takes longer to respond: the kubelet then restarts it under load, or takes it out.",
         "timeoutSeconds of 5 and more"),
    Kind("K204", "warning", "WEB_CONCURRENCY that nothing reads",
         "it is only the default of workers, which are given elsewhere.",
         "remove one of them"),
    Kind("K290", "warning", "ignored without a reason",
         "who reads `kit: ignore` later must know why; without a reason it has no effect.",
         "# kit: ignore[K101] and the reason"),
)  # fmt: skip
KINDS: Mapping[str, Kind] = {kind.code: kind for kind in _TABLE}


def findings_page() -> str:
    """The sections of docs/findings.md."""
    sections = []
    for kind in KINDS.values():
        body = f"{_sentence(kind.why)}\n\nDo: {kind.fix}."
        sections.append(f'<a id="{kind.code.lower()}"></a>\n\n### {kind.code} {kind.title} ({kind.severity})\n\n{body}')
    return "\n\n".join(sections)


def _sentence(text: str) -> str:
    """With a capital letter, but for the name of a setting or a function, which has its own case."""
    return text if re.match(r"\w*[_(`]", text) else f"{text[0].upper()}{text[1:]}"
