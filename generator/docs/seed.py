"""Line by line: the configuration that people copy, what it really does, and what stands for it here."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line of the two copied configurations (gevent and meinheld differ in worker_class only).

    ``setting`` is the profile's path and ``value`` what to write there, or None where the profile refuses ``given``
    (a path and value) with a reason that contains ``refusal``.
    """

    text: str
    truth: str
    here: str
    setting: str | None = None
    value: str | None = None
    refusal: str = ""


SEED = (
    Line(
        "preload_app = True",
        "with gevent the app is imported before the patching: its locks and sockets block, without a warning",
        "the default; patched before anything else is imported, frozen before the fork",
        "preload_app",
        "true",
    ),
    Line(
        'bind = "0.0.0.0:5000"',
        "right for a container, and its own default of gunicorn, 127.0.0.1, is not",
        "`port: 5000`",
        "port",
        "5000",
    ),
    Line(
        "workers = multiprocessing.cpu_count() * 2 + 1",
        "the host's CPUs: 129 workers in a pod of half a CPU on a node of 64",
        "`workers: {per_cpu: 2, plus: 1}`, of the container's own CPUs, capped by its memory; the default is better",
        "workers",
        "{per_cpu: 2, plus: 1}",
    ),
    Line(
        "threads = multiprocessing.cpu_count() * 2",
        "gevent and meinheld ignore it; the default worker turns into gthread without a word",
        "refused for `gevent`; `threads: {per_cpu: 2}` for `gthread`",
        "threads",
        "{per_cpu: 2}",
        "serves requests in greenlets",
    ),
    Line(
        "backlog = 2048",
        "gunicorn's default; at 10,000 connections it overflows",
        "`backlog`, 4096 by default, at most `somaxconn`",
        "backlog",
        "2048",
    ),
    Line(
        'worker_class = "gevent"',
        "starves at 10,000 connections: 9,793 of them never get a response",
        "`server: gevent`, a fair worker class of its own",
        "server",
        "gevent",
    ),
    Line(
        'worker_class = "egg:meinheld#gunicorn_worker"',
        "broken on every supported Python, and one dead worker takes the master with it",
        "`server: meinheld`, rebuilt and supervised, where it is wanted",
    ),
    Line(
        "worker_connections = 1200",
        "of one worker, so 129 times that many; as meinheld's size of a table, connections beyond it hang",
        "`connections: 1200` of the container; `worker_connections` follows from it, or is set",
        "worker_connections",
        "1200",
    ),
    Line(
        "proc_name = 'gunicorn.pid'",
        "nothing, without the package setproctitle",
        "refused",
        "gunicorn.proc_name",
        "gunicorn.pid",
        "setproctitle",
    ),
    Line(
        "pidfile = 'app_run.log'",
        "ends the master on a read-only root; the server is PID 1 anyway",
        "refused",
        "gunicorn.pidfile",
        "app_run.log",
        "PID 1",
    ),
    Line(
        "loglevel = 'debug'",
        "a line more for each request, and the whole environment at boot, secrets included",
        "`loglevel: debug`, by choice; the default is info",
        "loglevel",
        "debug",
    ),
    Line(
        "logfile = 'debug.log'",
        "nothing: gunicorn has no such setting and ignores it without a word",
        "refused: did you mean errorlog; logs go to stderr",
        "gunicorn.logfile",
        "debug.log",
        "did you mean errorlog",
    ),
    Line(
        "accesslog = 'access.log'",
        "a file that is lost with the container; on a read-only root the server does not start",
        "refused: `access_log: text` or `json`, on stdout",
        "gunicorn.accesslog",
        "access.log",
        "use access_log",
    ),
    Line(
        "access_log_format = '%(h)s %(t)s %(U)s %(q)s'",
        "no status, no time taken, but the query string with its tokens; a path with %0A forges lines",
        "refused: the format belongs to `access_log`",
        "gunicorn.access_log_format",
        "'%(h)s %(t)s %(U)s %(q)s'",
        "use access_log",
    ),
)
