"""What the kit adds to gunicorn's master (its Arbiter): time in which nobody ran does not count against a worker, and
a heartbeat that probes read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer

from ..master_heartbeat import MasterHeartbeat

PERIOD = 1.0  # seconds after which the master looks at its workers again, if no signal wakes it
JUMP = 2.0  # seconds later than that, from which on the master cannot have been running


class AppImportError(Exception):
    """The app could not be imported; the cause is its own error."""


def show_import_errors() -> None:
    """gunicorn takes a RuntimeError for one of its own, and prints a line without a traceback. With preload_app it may
    be the app's: "Working outside of application context" is."""
    stock = BaseApplication.wsgi

    def wsgi(self: Any) -> Any:
        try:
            return stock(self)
        except RuntimeError as error:
            raise AppImportError(f"the app raised {type(error).__name__} when it was imported") from error

    if stock.__module__ != __name__:  # SIGHUP runs the configuration again
        BaseApplication.wsgi = wsgi


def forgive_freezes(arbiter: Any) -> None:
    """In on_starting: let the master notice that it was frozen, and move the workers' heartbeats by that time.

    ``docker pause``, a laptop's sleep or a node's stall stop the master and its workers together. At the end all
    heartbeats are old, and stock kills workers that are well: after 40 s 1 or 2 of 2, with requests failed. A worker
    that had hung before is still found, as late as it would have been without the freeze.
    """
    last_seen = monotonic()

    def seen() -> None:
        nonlocal last_seen
        now = monotonic()
        if (lost := now - last_seen - PERIOD) > JUMP:
            move_heartbeats(arbiter.WORKERS.values(), lost, now)
        last_seen = now

    stock_murder, stock_reap = arbiter.murder_workers, arbiter.reap_workers

    def murder_workers() -> None:
        seen()
        stock_murder()

    def reap_workers() -> None:  # all that a reload does while it waits for the old workers, up to graceful_timeout
        seen()
        stock_reap()

    arbiter.murder_workers, arbiter.reap_workers = murder_workers, reap_workers


def move_heartbeats(workers: Iterable[Any], lost: float, now: float) -> None:
    """Each by ``lost`` seconds, but not into the future: a worker whose heart has beaten since is well anyway."""
    for worker in tuple(workers):
        with suppress(OSError, ValueError):  # its file is closed
            last = worker.tmp.last_update()
            if last <= now:  # else it has not beaten yet: the file still has its time of creation, by the wall clock
                moved = min(last + lost, now)
                os.utime(worker.tmp.fileno(), (moved, moved))


def beat_each_turn(arbiter: Any) -> None:
    """In on_starting: gunicorn has no hook in the master's loop. This wraps what the loop calls first, each second at
    least, and what a reload or a stop calls while it waits for workers."""
    heartbeat = MasterHeartbeat()

    def beating(stock: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            heartbeat.beat(last_updates(arbiter.WORKERS.values()))
            stock()

        return call

    arbiter.maybe_promote_master = beating(arbiter.maybe_promote_master)
    arbiter.reap_workers = beating(arbiter.reap_workers)


def halt_once(arbiter: Any) -> None:
    """In on_starting: the first worker that cannot import the app halts the master. Stock raises for the second one
    too, out of the halt: it ends with 1 instead of 3, and with a traceback of the master's below the app's own."""
    stock, halting = arbiter.reap_workers, False

    def reap_workers() -> None:
        nonlocal halting
        while True:
            try:
                stock()
                return
            except HaltServer:
                if not halting:
                    halting = True
                    raise

    arbiter.reap_workers = reap_workers


def last_updates(workers: Iterable[Any]) -> Iterator[float]:
    """When each worker gave its last heartbeat, on the monotonic clock."""
    for worker in tuple(workers):
        with suppress(OSError, ValueError):  # its file is closed
            yield worker.tmp.last_update()
