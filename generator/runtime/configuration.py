"""What every generated configuration calls at boot: its numbers at this container's limits, and the boot report."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from .boot import WRAPPED, BootError, fail, listening_port, positive_int
from .limits import read_limits
from .report import boot_report, raise_descriptor_limit, write_report
from .sizing import Demand, Numbers, Rule, derive
from .version import runtime_version

Outside = Mapping[str, Mapping[str, Any]]


def begin(runtime: str) -> None:
    """Refuse what cannot serve, and let SIGTERM end a master that still imports the app.

    What cannot: a configuration written for another runtime, and a server that its wrapper has started as a child,
    which signals to PID 1 would not reach.

    The kernel drops a signal with no handler for PID 1, and gunicorn installs its own only after the import:
    without this, stopping a container during a slow import waits for SIGKILL.
    """
    if runtime != (own := runtime_version()):
        fail(f"this configuration is for runtime {runtime}, the image has {own}: generate both in one run")
    wrapped = os.environ.pop(WRAPPED, None)
    if wrapped is not None and wrapped != str(os.getpid()):
        fail("app.wrapper started the server as a child; it must become the server (exec), or no signal reaches it")
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def bind(port: int) -> str:
    """Every interface, on PORT where the environment has it: platforms that run one container choose the port."""
    try:
        return f"0.0.0.0:{listening_port(os.environ, port)}"
    except BootError as error:
        fail(str(error))


def from_environment() -> dict[str, str]:
    """Settings that the configuration takes from a variable, for the boot report."""
    return {"bind": "PORT"} if "PORT" in os.environ else {}


def numbers(
    workers: int | Mapping[str, Any],
    threads: int | Mapping[str, Any] | None = None,
    outside: Outside | None = None,
    **demand: Any,
) -> Numbers:
    """The numbers at this container's limits; a mapping is a CPU rule, the rest are fields of sizing.Demand.

    ``outside`` holds what arguments or variables of the server itself set, by their names, strongest first.
    """
    try:
        request = positive_int(os.environ, "KIT_CPU_MILLICORES")
        memory = positive_int(os.environ, "KIT_MEMORY_BYTES")
        web_concurrency = positive_int(os.environ, "WEB_CONCURRENCY")
    except BootError as error:
        fail(str(error))
    given = outside or {}
    for who, values in given.items():
        for name in ("workers", "threads", "worker_connections"):
            # gunicorn itself takes 0: it starts no worker, or the workers serve nobody.
            if values.get(name) is not None and values[name] < 1:
                fail(f"{name}={values[name]} from {who} is not at least 1; correct it or leave it out")
    fixed = _given(given, "workers")
    if web_concurrency is not None:
        fixed["WEB_CONCURRENCY"] = web_concurrency
    return derive(
        Demand(workers=_rule(workers), threads=None if threads is None else _rule(threads), **demand),
        read_limits(request_millicores=request, memory_bytes=memory),
        fixed_workers=fixed,
        fixed_threads=_given(given, "threads"),
        fixed_worker_connections=_given(given, "worker_connections"),
    )


def _rule(value: int | Mapping[str, Any]) -> int | Rule:
    return value if isinstance(value, int) else Rule(**value)


def _given(outside: Outside, name: str) -> dict[str, int]:
    return {who: values[name] for who, values in outside.items() if values.get(name) is not None}


def shortages(derived: Numbers) -> Iterable[str]:
    """Raise the limit on open files, which workers inherit; a sentence for each thing that does not fit."""
    shortage = raise_descriptor_limit(derived.descriptors.value)
    return [*derived.warnings, *([shortage] if shortage else [])]


def ready(server: Any, derived: Numbers, configured: Mapping[str, Any], **about: str) -> None:
    """when_ready of a server that is not gunicorn: raise limits, warn, report."""
    for sentence in shortages(derived):
        print(f"[WARNING] kit: {sentence}", file=sys.stderr, flush=True)
    effective = {name: value for name, value in vars(server.cfg).items() if not callable(value)}
    write_report(boot_report(derived, effective, {**effective, **configured}, from_environment(), **about))
