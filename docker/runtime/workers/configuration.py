"""What a generated gunicorn.conf.py calls: numbers that heed gunicorn's arguments, its hooks, the app's own hooks."""

from __future__ import annotations

import functools
import gc
import importlib
import os
import signal
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from gunicorn.config import KNOWN_SETTINGS, Config

from .. import configuration, oom
from ..configuration import bind as bind
from ..http_limits import probe_silent_peers
from ..report import boot_report, write_report
from ..sizing import Numbers
from .error_log import hide_secrets
from .master import beat_each_turn, forgive_freezes, halt_once, show_import_errors

#: Settings that the boot report states.
REPORTED = (
    "workers",
    "threads",
    "worker_connections",
    "backlog",
    "bind",
    "worker_class",
    "keepalive",
    "timeout",
    "graceful_timeout",
    "max_requests",
    "max_requests_jitter",
    "preload_app",
    "loglevel",
    "forwarded_allow_ips",
)


def begin(runtime: str) -> None:
    """As every server begins; then an import that fails in the master says why."""
    configuration.begin(runtime)
    show_import_errors()


def numbers(workers: int | Mapping[str, Any], **demand: Any) -> Numbers:
    """The numbers at this container's limits; what arguments and GUNICORN_CMD_ARGS set beats the file."""
    config = Config()
    parser = config.parser()
    outside = {
        "command line": vars(parser.parse_args()),
        "GUNICORN_CMD_ARGS": vars(parser.parse_args(config.get_cmd_args_from_env())),
    }
    return configuration.numbers(workers, outside=outside, **demand)


def starting(server: Any, derived: Numbers) -> None:
    """on_starting: raise the descriptor limit and log what does not fit, a line each; watch freezes, and beat.

    The error log shows no query of a request.
    """
    hide_secrets()
    halt_once(server)
    forgive_freezes(server)
    beat_each_turn(server)
    for sentence in configuration.shortages(derived):
        server.log.warning(sentence)


def ready(server: Any, derived: Numbers, configured: Mapping[str, Any], **about: str) -> None:
    """when_ready: the app is imported (with preload_app) and no worker is forked yet.

    Freezing moves what is imported out of the collector's reach, so that a collection in a worker does not write
    to the pages it shares with the master (measured: 69 MiB instead of 106 MiB with 4 gevent workers).
    """
    if server.cfg.preload_app:
        gc.collect()
        gc.freeze()
    from_file = Config()
    for name in REPORTED:
        if name in configured:
            from_file.set(name, configured[name])
    variables = configuration.from_environment()
    write_report(boot_report(derived, _values(server.cfg), _values(from_file), variables, **about))


def forked(server: Any, worker: Any) -> None:
    """post_fork: what each worker gets before it starts.

    The kernel chooses it, not the master, when memory ends. The connections that it accepts are probed when silent. It
    heeds a stop that came since the fork.

    Until it has handlers of its own, the master's copy of them takes its signals, for a queue that nobody reads here.
    Stock would serve on, and the master wait graceful_timeout for it.
    """
    oom.prefer_this_process()
    for listener in worker.sockets:
        probe_silent_peers(listener)
    stock = worker.init_signals

    def init_signals() -> None:
        stock()
        while not server.SIG_QUEUE.empty():
            if (number := server.SIG_QUEUE.get_nowait()) in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                os.kill(os.getpid(), number)

    worker.init_signals = init_signals


def _values(config: Any) -> dict[str, Any]:
    return {name: config.settings[name].get() for name in REPORTED}


def add_app_hooks(module: str, configuration: MutableMapping[str, Any]) -> None:
    """Put the functions of the app's hooks module that are named like gunicorn's into the configuration.

    A hook that the kit uses too runs first, then the app's.
    """
    app_hooks = importlib.import_module(module)
    for setting in KNOWN_SETTINGS:
        name = setting.name
        hook = getattr(app_hooks, name, None)
        if setting.section == "Server Hooks" and callable(hook):
            configuration[name] = _both(configuration[name], hook) if name in configuration else hook


def _both(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(first)  # gunicorn counts the parameters
    def hook(*args: Any) -> None:
        first(*args)
        second(*args)

    return hook
