"""What a generated gunicorn.conf.py calls: its numbers at boot, the hooks around them, the app's own hooks."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from gunicorn.config import KNOWN_SETTINGS, Config

from . import VERSION
from .boot import BootError, fail, positive_int
from .cgroup import read_limits
from .report import boot_report, raise_descriptor_limit, write_report
from .sizing import Demand, Numbers, Rule, derive

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
    """Refuse a configuration written for another runtime, and let SIGTERM end a master that still imports the app.

    The kernel drops a signal with no handler for PID 1, and gunicorn installs its own only after the import:
    without this, stopping a container during a slow import waits for SIGKILL.
    """
    if runtime != VERSION:
        fail(f"this configuration is for runtime {runtime}, the image has {VERSION}: generate both in one run")
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def numbers(workers: int | Mapping[str, Any], threads: int | Mapping[str, Any] | None = None, **demand: Any) -> Numbers:
    """The numbers at this container's limits; a mapping is a CPU rule, the rest are fields of sizing.Demand."""
    try:
        request = positive_int(os.environ, "KIT_CPU_MILLICORES")
        web_concurrency = positive_int(os.environ, "WEB_CONCURRENCY")
    except BootError as error:
        fail(str(error))
    outside = _set_outside_the_file()
    fixed = {name: values["workers"] for name, values in outside.items() if values.get("workers")}
    if web_concurrency is not None:
        fixed["WEB_CONCURRENCY"] = web_concurrency
    return derive(
        Demand(workers=_rule(workers), threads=None if threads is None else _rule(threads), **demand),
        read_limits(request_millicores=request),
        fixed_workers=fixed,
        fixed_threads=next((v["threads"] for v in outside.values() if v.get("threads")), None),
        fixed_worker_connections=next(
            (v["worker_connections"] for v in outside.values() if v.get("worker_connections")), None
        ),
    )


def _rule(value: int | Mapping[str, Any]) -> int | Rule:
    return value if isinstance(value, int) else Rule(**value)


def _set_outside_the_file() -> dict[str, dict[str, Any]]:
    """What arguments and GUNICORN_CMD_ARGS set, by gunicorn's own parser, strongest first: they beat this file."""
    config = Config()
    parser = config.parser()
    return {
        "command line": vars(parser.parse_args()),
        "GUNICORN_CMD_ARGS": vars(parser.parse_args(config.get_cmd_args_from_env())),
    }


def starting(server: Any, derived: Numbers) -> None:
    """on_starting: raise the descriptor limit (workers inherit it) and log what does not fit, a line each."""
    shortage = raise_descriptor_limit(derived.descriptors.value)
    for sentence in (*derived.warnings, *([shortage] if shortage else [])):
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
    write_report(boot_report(derived, _values(server.cfg), _values(from_file), **about))


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
    # gunicorn counts a hook's parameters; the hooks that the kit uses (on_starting, when_ready) have one.
    def hook(server: Any) -> None:
        first(server)
        second(server)

    return hook
