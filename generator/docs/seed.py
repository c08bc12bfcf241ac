"""Line by line: the configuration that people copy, what it really does, and what stands for it here."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line of the two copied configurations (gevent and meinheld differ in worker_class only).

    ``setting`` is the profile's path and ``value`` what to write there, or None where the profile refuses ``given``
    (a path and value) with a reason that contains ``refusal``. What a line does in a container is what `audit` finds
    in it; ``truth`` says it where it finds nothing.
    """

    text: str
    here: str
    setting: str | None = None
    value: str | None = None
    refusal: str = ""
    truth: str = ""


#: Both configurations line by line.
SEED = (
    Line(
        "preload_app = True",
        "the default; patched before anything else is imported, frozen before the fork",
        "preload_app",
        "true",
    ),
    Line(
        'bind = "0.0.0.0:5000"',
        "`port: 5000`",
        "port",
        "5000",
        truth="right for a container, and its own default of gunicorn, 127.0.0.1, is not",
    ),
    Line(
        "workers = multiprocessing.cpu_count() * 2 + 1",
        "`workers: {per_cpu: 2, plus: 1}`, of the container's own CPUs, capped by its memory; the default is better",
        "workers",
        "{per_cpu: 2, plus: 1}",
    ),
    Line(
        "threads = multiprocessing.cpu_count() * 2",
        "refused for `gevent`; `threads: {per_cpu: 2}` for `gthread`",
        "threads",
        "{per_cpu: 2}",
        "serves requests in greenlets",
    ),
    Line(
        "backlog = 2048",
        "`backlog`, 4096 by default, at most `somaxconn`",
        "backlog",
        "2048",
        truth="gunicorn's default; at 10,000 connections it overflows",
    ),
    Line(
        'worker_class = "gevent"',
        "`server: gevent`, a fair worker class of its own",
        "server",
        "gevent",
        truth="starves at 10,000 connections: 9,332 of them never get a response",
    ),
    Line(
        'worker_class = "egg:meinheld#gunicorn_worker"',
        "`server: meinheld`, rebuilt and supervised, where it is wanted",
    ),
    Line(
        "worker_connections = 1200",
        "`connections: 1200` of the container; `worker_connections` follows from it, or is set",
        "worker_connections",
        "1200",
    ),
    Line(
        "proc_name = 'gunicorn.pid'",
        "refused",
        "gunicorn.proc_name",
        "gunicorn.pid",
        "setproctitle",
    ),
    Line(
        "pidfile = 'app_run.log'",
        "refused",
        "gunicorn.pidfile",
        "app_run.log",
        "PID 1",
    ),
    Line(
        "loglevel = 'debug'",
        "`loglevel: debug`, by choice; the default is info",
        "loglevel",
        "debug",
    ),
    Line(
        "logfile = 'debug.log'",
        "refused: did you mean errorlog; logs go to stderr",
        "gunicorn.logfile",
        "debug.log",
        "did you mean errorlog",
    ),
    Line(
        "accesslog = 'access.log'",
        "refused: `access_log: text` or `json`, on stdout",
        "gunicorn.accesslog",
        "access.log",
        "use access_log",
    ),
    Line(
        "access_log_format = '%(h)s %(t)s %(U)s %(q)s'",
        "refused: the format belongs to `access_log`",
        "gunicorn.access_log_format",
        "'%(h)s %(t)s %(U)s %(q)s'",
        "use access_log",
    ),
)


def copied(server: str) -> str:
    """One of the two configurations: ``server`` is gevent or meinheld."""
    other = {"gevent": "meinheld", "meinheld": "gevent"}[server]
    lines = [line.text for line in SEED if not (line.text.startswith("worker_class") and other in line.text)]
    return "\n".join(["import multiprocessing", *lines]) + "\n"
