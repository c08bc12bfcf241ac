"""One worker of the standalone server: accepts, responds, beats, and leaves without dropping a request."""

from __future__ import annotations

import errno
import faulthandler
import os
import random
import signal
import socket
import struct
import sys
from itertools import islice
from time import monotonic
from typing import Any

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from .. import oom
from ..workers import accepting, gevent_resolver
from .configuration import address_of, load_app, peers_of
from .handler import Handler
from .heartbeat import Heartbeat, wake
from .log import access_writer, log
from .reader import UnfinishedHeads

#: Exit code of a worker that could not load the app, as gunicorn's.
BOOT_ERROR = 3
#: What a client has for one more request whose last came just before the stop; the response says Connection: close.
LINGER_SECONDS = 2.0
#: How often a full worker looks whether clients wait.
ROOM_SECONDS = 0.1
_original_poll = monkey.get_original("select", "poll")


class Server(WSGIServer):  # type: ignore[misc]
    """gevent's server with a pool limit that starves nobody, and a stop that finishes what has begun."""

    handler_class = Handler

    def __init__(self, listener: Any, app: Any, cfg: Any, recycled: Any, beat: Any) -> None:
        self.cfg, self._beat = cfg, beat
        self.peers = peers_of(cfg.forwarded_allow_ips)
        write = access_writer(cfg.access_log_json, tuple(cfg.quiet_paths))
        self.access = write if cfg.accesslog == "-" else None
        #: Connections between two requests, the one that has waited longest first.
        self.waiting: dict[Handler, None] = {}
        self.heads = UnfinishedHeads()
        self._drained_at: float | None = None
        jitter = random.randint(0, cfg.max_requests_jitter)  # noqa: S311
        self._requests_left = cfg.max_requests + jitter if cfg.max_requests else 0
        self._recycled = recycled
        self._complained = -60.0
        self._listening, self._waited = listener, False
        self._backlog = _original_poll()
        self._backlog.register(listener, 1)
        # SERVER_NAME here, or gevent looks it up in DNS at boot.
        environ = {"SERVER_NAME": address_of(cfg.bind)[1][0], "wsgi.multiprocess": cfg.workers > 1}
        environ["wsgi.multithread"] = True
        super().__init__(listener, app, spawn=Pool(cfg.worker_connections), log=None, environ=environ)
        self._room = self.loop.timer(ROOM_SECONDS, repeat=ROOM_SECONDS)
        of_a_request = ("wsgi.url_scheme", "SCRIPT_NAME", "SERVER_NAME")
        self.of_every_request = {name: value for name, value in self.environ.items() if name not in of_a_request}

    @property
    def max_accept(self) -> int:
        """How many gevent accepts before others have their turn."""
        return accepting.batch(len(self.pool))

    def set_max_accept(self) -> None:
        """gevent's: 1 with several processes."""

    def do_read(self) -> Any:
        try:
            return super().do_read()
        except OSError as error:
            if error.errno == errno.ECONNABORTED:
                return None
            if error.errno not in accepting.NO_ROOM:
                raise
            self._pause(error)
            return None

    def _pause(self, error: OSError) -> None:
        """Out of descriptors: leave clients in the backlog and try again soon; at most a line a minute."""
        if monotonic() - self._complained >= 60:
            self._complained = monotonic()
            log.error("accept: %s; %d connections held, new ones wait", error.strerror, len(self.pool))
        self.stop_accepting()
        self._timer = self.loop.timer(accepting.PAUSE)
        self._timer.start(self._start_accepting_if_started)

    def patience(self, first: bool) -> float:
        """Seconds to wait for the first byte of a request."""
        seconds = float(self.cfg.header_timeout if first else self.cfg.keepalive)
        return seconds if self._drained_at is None else max(0.01, min(seconds, self._drained_at - monotonic()))

    def _do_read(self) -> None:
        """gevent's; full of idle connections it would let clients wait for as long as keepalive."""
        super()._do_read()
        if self.full() and self._drained_at is None and not self._room.active:
            self._room.start(self._make_room)

    def _make_room(self) -> None:
        """While full: hang up the connections that have idled longest, one for each client in the backlog.

        Only for clients that were there a moment ago too: another worker may be about to accept them.
        """
        if not self.full() or self.closed:
            self._room.stop()
            self._waited = False
            return
        waits = bool(self._backlog.poll(0))
        if waits and self._waited:
            idle = islice(self.waiting, max(1, backlog_length(self._listening)))
            for handler in list(idle):
                handler.hang_up()
        self._waited = waits

    def wants_close(self) -> bool:
        """Whether a response ends its connection: stopping, no keep-alive, or no slot left for who waits."""
        if self._drained_at is not None or not self.cfg.keepalive:
            return True
        return self.pool.free_count() <= 0 and bool(self._backlog.poll(0))

    def count_request(self) -> None:
        self._beat()  # where many requests compute, the loop's own beat waits for all of them
        if self._requests_left:
            self._requests_left -= 1
            if not self._requests_left:
                self._recycled()

    def drain(self, seconds: float) -> int:
        """Take what waits in the backlog, accept no more, let requests finish; how many did not in time."""
        linger = min(LINGER_SECONDS, seconds / 2)
        self._drained_at = monotonic() + linger
        for _ in range(self.cfg.backlog):
            if self.full() or not (accepted := self.do_read()):
                break
            self.do_handle(*accepted)
        self.close()
        gevent.spawn_later(linger, self._hang_up)
        self.pool.join(timeout=seconds)
        unfinished = len(self.pool)
        self.pool.kill(block=True, timeout=1)
        return unfinished

    def _hang_up(self) -> None:
        for handler in list(self.waiting):
            handler.hang_up()


def backlog_length(listener: Any) -> int:
    """How many clients wait to be accepted: tcpi_unacked of a listening socket, after eight bytes and four words."""
    return int(struct.unpack_from("I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)[0])


def run(supervisor: Any, worker: Any, listener: Any, app: Any) -> int:
    """The life of a worker after the fork; its exit code."""
    cfg, heartbeat = supervisor.cfg, worker.heartbeat
    _take_signals_during_import()
    oom.prefer_this_process()
    try:
        if cfg.post_fork:
            cfg.post_fork(supervisor, worker)
        app = app or load_app(cfg.wsgi_app, cfg.mount)
    except Exception:
        log.exception("Worker (pid:%s) could not load %s", worker.pid, cfg.wsgi_app)
        return BOOT_ERROR

    def recycled() -> None:
        log.info("Worker (pid:%s) has served max_requests and is to be replaced", worker.pid)
        heartbeat.recycle()
        wake(supervisor.pid)

    gevent_resolver.install()
    server = Server(listener, app, cfg, recycled, heartbeat.beat)
    stop = Event()
    gevent.signal_handler(signal.SIGTERM, stop.set)
    for number in (signal.SIGINT, signal.SIGQUIT):
        gevent.signal_handler(number, os._exit, 0)
    server.start()
    gevent.spawn(_beat, heartbeat, cfg.timeout, supervisor.pid, stop)
    stop.wait()
    unfinished = server.drain(cfg.graceful_timeout)
    if unfinished:
        log.warning("Worker (pid:%s) cut %d connections after graceful_timeout", worker.pid, unfinished)
    return 0


def _take_signals_during_import() -> None:
    """Until the loop runs, any of these ends the process at once; the supervisor's mask is lifted last."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, lambda *_: None)
    # The supervisor requests the stack of a hung worker before it kills it.
    faulthandler.register(signal.SIGUSR1, sys.stderr, all_threads=False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _beat(heartbeat: Heartbeat, timeout: float, parent: int, stop: Event) -> None:
    heartbeat.beat()
    wake(parent)
    while True:
        gevent.sleep(min(1.0, timeout / 4 or 1.0))
        heartbeat.beat()
        if os.getppid() != parent:
            stop.set()  # Nobody would respawn, stop or replace this worker any more.
