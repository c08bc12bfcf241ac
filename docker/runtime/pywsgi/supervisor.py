"""The parent of the standalone server's workers: forks, watches, replaces and stops them, serves nothing."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, NoReturn

from gevent import monkey
from gevent.os import fork_gevent

from ..master_heartbeat import MasterHeartbeat
from . import worker as pywsgi_worker
from .configuration import ConfigError
from .heartbeat import Heartbeat
from .log import log
from .worker import BOOT_ERROR

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD)
TICK_SECONDS = 0.25
#: A round that took so much longer than a tick: the container was frozen, or the machine was.
_FROZEN_SECONDS = 1.0
#: After its own time limits a worker gets this long before SIGKILL.
_MARGIN_SECONDS = 1.5
#: A worker that lives shorter than this died "at once"; each such death doubles the pause before a fork.
_YOUNG_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 30.0
#: Settings that the parent has acted on before it forks.
_FOR_GOOD = ("bind", "backlog", "chdir", "preload_app")
# gevent's own would wait in the hub, which the parent never runs.
_waitpid = monkey.get_original("os", "waitpid")
_poll = monkey.get_original("select", "poll")
_signal = monkey.get_original("signal", "signal")


@dataclass(eq=False)
class Worker:
    """One child, as the hooks and the supervisor see it."""

    age: int
    pid: int = 0
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    forked: float = field(default_factory=monotonic)
    stale: bool = False
    kill_at: float | None = None

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # Dead already: it will be reaped.
            os.kill(self.pid, number)


class Supervisor:
    """What the hooks get as ``server``: ``cfg``, ``pid``, ``log``."""

    def __init__(self, cfg: Any, listener: Any, app: Any, read_again: Callable[[], Any]) -> None:
        self.cfg, self._listener, self._app, self.log = cfg, listener, app, log
        self._read_again = read_again
        self.pid = os.getpid()
        self.workers: dict[int, Worker] = {}
        self._exit_code: int | None = None
        self._ages = 0
        self._pause = 0.0
        self._next_fork = 0.0
        self._ever_ready = False
        self._looked = self._thawed = monotonic()
        self._wakeups, self._wakeup = os.pipe()

    def run(self) -> int:
        """Serve until a signal to stop; the exit code."""
        log.info("Listening at: http://%s (%s), %s workers", self.cfg.bind, self.pid, self.cfg.workers)
        if self.cfg.when_ready:
            self.cfg.when_ready(self)
        self._catch_signals()
        heartbeat = MasterHeartbeat()
        while self._exit_code is None or self.workers:
            self._replace()
            self._watch()
            heartbeat.beat(worker.heartbeat.last for worker in self.workers.values())
            for number in self._signals(TICK_SECONDS):
                self._obey(number)
            self._reap()
        log.info("Stopped")
        return self._exit_code

    def _catch_signals(self) -> None:
        """Signals are fetched from a pipe one by one: no handler runs at an awkward moment.

        Not by sigtimedwait(): after a freeze or SIGSTOP that outlasts its deadline it returns whatever number lay in
        its buffer (EINTR without a signal), which once ended PID 1.
        """
        for end in (self._wakeups, self._wakeup):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        for number in SIGNALS:
            _signal(number, lambda *_: None)
        self._pipe = _poll()
        self._pipe.register(self._wakeups, select.POLLIN)

    def _signals(self, seconds: float) -> list[int]:
        """The signals to obey that came within that time; SIGCHLD and what is none of ours only wake."""
        if not self._pipe.poll(seconds * 1000):
            return []
        return [number for number in os.read(self._wakeups, 4096) if number in SIGNALS and number != signal.SIGCHLD]

    def _obey(self, number: int) -> None:
        log.info("Handling signal: %s", signal.Signals(number).name[3:].lower())
        if number == signal.SIGHUP:
            self._reload()
        elif number == signal.SIGTERM:
            self._stop(0, signal.SIGTERM, self.cfg.graceful_timeout)
        else:
            self._stop(0, signal.SIGQUIT, 0)

    def _reload(self) -> None:
        """New workers with the document as it is now; one that is wrong changes nothing."""
        try:
            cfg = self._read_again()
        except (ConfigError, SystemExit) as error:  # the kit's own checks in it say why, and end what starts with it
            log.error("The configuration is as it was: %s", error)
            return
        acted_on = (*_FOR_GOOD, *(["wsgi_app"] if self._app else []))
        fixed = [name for name in acted_on if getattr(cfg, name) != getattr(self.cfg, name)]
        if fixed:
            log.warning("Takes effect at the next start only: %s", ", ".join(fixed))
        self.cfg = replace(cfg, **{name: getattr(self.cfg, name) for name in fixed})
        log.setLevel(self.cfg.loglevel.upper())
        for worker in self.workers.values():
            worker.stale = True

    def _stop(self, code: int, number: int, seconds: float) -> None:
        if self._exit_code is None:
            self._exit_code = code
            self._listener.close()
        elif number == signal.SIGTERM:
            return
        for worker in self.workers.values():
            self._end(worker, number, seconds)

    def _end(self, worker: Worker, number: int, seconds: float) -> None:
        worker.kill_at = monotonic() + seconds + _MARGIN_SECONDS
        worker.send(number)

    def _replace(self) -> None:
        """Keep the number; one at a time, a stale or recycled worker leaves when its successor serves."""
        if self._exit_code is not None:
            return
        active = [worker for worker in self.workers.values() if worker.kill_at is None]
        self._ever_ready = self._ever_ready or any(worker.heartbeat.last for worker in active)
        old = [worker for worker in active if worker.stale or worker.heartbeat.recycled]
        leaving = len(active) < len(self.workers)
        target = self.cfg.workers + (1 if old and not leaving else 0)
        for _ in range(target - len(active)):
            if monotonic() < self._next_fork:
                return
            self._fork()
        successors_serve = all(worker.heartbeat.last for worker in active if worker not in old)
        if len(active) > self.cfg.workers and successors_serve:
            oldest = min(old or active, key=lambda worker: worker.age)
            self._end(oldest, signal.SIGTERM, self.cfg.graceful_timeout)

    def _fork(self) -> None:
        self._ages += 1
        worker = Worker(self._ages)
        _flush()
        # The child opens itself to signals when it has handlers of its own: this process' would write to its pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = fork_gevent()
            if pid == 0:
                self._be(worker)
        except OSError as error:
            log.error("fork: %s; trying again", error.strerror)  # A limit on processes or memory; the rest serves on.
            self._wait_before_next_fork(young=True)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker.pid = pid
        self.workers[pid] = worker
        log.info("Booting worker with pid: %s", pid)

    def _be(self, worker: Worker) -> NoReturn:
        """The child: ends here whatever happens, so that it never runs on in the parent's loop."""
        code = 1
        try:
            worker.pid = os.getpid()
            signal.set_wakeup_fd(-1)
            _signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._wakeups, self._wakeup):
                os.close(end)
            code = pywsgi_worker.run(self, worker, self._listener, self._app)
            log.info("Worker exiting (pid: %s)", worker.pid)
            atexit._run_exitfuncs()
        except BaseException:
            log.exception("Worker (pid:%s) failed", worker.pid)
        finally:
            _flush()
            os._exit(code)

    def _watch(self) -> None:
        """Kill what hangs and what did not leave in time. A time in which this process was frozen counts for nobody."""
        now = monotonic()
        frozen = now - self._looked - TICK_SECONDS
        self._looked = now
        if frozen > _FROZEN_SECONDS:
            # Every heartbeat is old now. The workers were frozen too, or may have been, and get their whole time anew.
            self._thawed = now
            for worker in self.workers.values():
                worker.kill_at = worker.kill_at and worker.kill_at + frozen
        for worker in self.workers.values():
            if worker.kill_at is not None:
                if now > worker.kill_at:
                    worker.send(signal.SIGKILL)
            elif self.cfg.timeout and worker.heartbeat.last > 0 and self._silent(worker, now) > self.cfg.timeout:
                log.critical("WORKER TIMEOUT (pid:%s): its stack follows, then it is killed", worker.pid)
                worker.send(signal.SIGUSR1)
                worker.kill_at = now + TICK_SECONDS

    def _silent(self, worker: Worker, now: float) -> float:
        """Seconds without a heartbeat, as far as this process was there to see it."""
        return now - max(worker.heartbeat.last, self._thawed)

    def _reap(self) -> None:
        """Collect every dead child; as PID 1 also those that others left behind."""
        while True:
            try:
                pid, status = _waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self.workers.pop(pid, None)
            if worker is not None:
                self._on_exit(worker, os.waitstatus_to_exitcode(status))

    def _wait_before_next_fork(self, young: bool) -> None:
        self._pause = min(_LONGEST_PAUSE_SECONDS, max(0.25, self._pause * 2)) if young else 0.0
        self._next_fork = monotonic() + self._pause

    def _on_exit(self, worker: Worker, code: int) -> None:
        if worker.kill_at is None:
            self._wait_before_next_fork(young=monotonic() - worker.forked < _YOUNG_SECONDS)
        killer = next((number.name for number in signal.Signals if number == -code), f"signal {-code}")
        cause = f"was sent {killer}" if code < 0 else f"exited with code {code}"
        if code:
            log.error("Worker (pid:%s) %s%s", worker.pid, cause, "; out of memory?" if code == -9 else "")
        if self.cfg.child_exit:
            try:
                self.cfg.child_exit(self, worker)
            except Exception:
                log.exception("child_exit failed")
        if code == BOOT_ERROR and not self._ever_ready and self._exit_code is None:
            log.error("No worker could load the app: stopping")
            self._stop(BOOT_ERROR, signal.SIGQUIT, 0)


def _flush() -> None:
    """Whoever read these may have gone, and the disk behind them may be full: no reason to end, or not to."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
