"""gunicorn's worker for meinheld, made right for the meinheld that the image builds
(1.0.2 with the kit's patch).

The class that meinheld ships replaces methods of gunicorn's Logger in the master, where
the first worker that dies then takes the master along; its heartbeat is not the one that
gunicorn reads; and its stop cuts requests. So this one starts from gunicorn's own Worker.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import monotonic
from types import FrameType, SimpleNamespace, TracebackType
from typing import Any
from urllib.parse import quote

from gunicorn.workers.base import Worker
from meinheld import server
from meinheld.patch import patch_all

from . import accepting
from .access_log import records_access
from .scheme import SchemeReader

# Descriptors that are not client connections: listeners, logs, the loop's own.
RESERVED_FDS = 64
# The table is a million entries at most, whatever "unlimited" means to the container.
MAX_FDS = 1 << 20
NEVER = float("inf")

StartResponse = Callable[..., Any]
Environ = dict[str, Any]


class LogAdapter:
    """What meinheld's C code calls, in the form that gunicorn's Logger wants.

    The stock way replaces the Logger's methods by others; through its own methods every
    atom of access_log_format works, and so does statsd.
    """

    def __init__(self, log: Any) -> None:
        self.log = log

    def access(self, environ: Environ) -> None:
        path = quote(
            environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "-"), safe="/:@!$&'()*+,;=~-", encoding="latin-1"
        )
        query = environ.get("QUERY_STRING")
        # A request that could not be parsed has only some of these.
        fields = {
            "REQUEST_METHOD": "-",
            "SERVER_PROTOCOL": "-",
            "PATH_INFO": "-",
            **environ,
            "RAW_URI": f"{path}?{query}" if query else path,
        }
        response = SimpleNamespace(status=str(environ["STATUS_CODE"]), headers=(), sent=environ["SEND_BYTES"])
        headers = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
        elapsed = timedelta(milliseconds=environ["REQUEST_TIME"])
        self.log.access(response, headers, fields, elapsed)

    def error(self, kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, SystemExit):  # a signal's handler ended the request
            return
        self.log.error("Error handling request", exc_info=(kind, exc, trace))


class MeinheldWorker(Worker):  # type: ignore[misc, unused-ignore]
    """One process, one loop; a greenlet per request."""

    exit_code = 0
    #: Once it has to stop: when, and after how many requests, it stops accepting at the latest.
    drain_by = drain_at = NEVER

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        """In the master, at start and reload: what would silently not be what it says."""
        if cfg.is_ssl:
            raise RuntimeError("meinheld has no TLS: it would respond to https:// in plain text")
        if cfg.proxy_protocol not in (False, "off"):
            raise RuntimeError("meinheld does not read proxy_protocol: every request would be bad")

    def load_wsgi(self) -> None:
        # Before the application is imported and after the fork: the master's own sockets
        # (control socket, statsd) must stay as they are.
        patch_all()
        super().load_wsgi()

    def run(self) -> None:
        if self.alive:  # no signal to stop came while the application was imported
            self.configure()
            self.notify()
            server.run(self.count_requests(self.wsgi))
        sys.exit(self.exit_code)

    def configure(self) -> None:
        fds = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], MAX_FDS)
        if fds < 0:  # RLIM_INFINITY
            fds = MAX_FDS
        # The stock class takes worker_connections for the size of this table: a connection with a higher
        # descriptor was accepted and never looked at again.
        server.set_picoev_max_fd(fds)
        server.set_max_connections(max(1, min(self.cfg.worker_connections, fds - RESERVED_FDS)))
        server.set_keepalive(self.cfg.keepalive)
        logs = LogAdapter(self.log)
        server.set_error_logger(logs)
        server.set_access_logger(logs if records_access(self.log) else None)
        server.set_watchdog(self.tick)
        server.set_listen_socket([sock.fileno() for sock in self.sockets])

    def count_requests(self, wsgi: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        host, port = self.address()
        schemes = SchemeReader(self.cfg)
        beaten = 0.0

        def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            nonlocal beaten
            if (now := monotonic()) - beaten > 1:  # where many requests compute, tick() waits for all of them
                beaten = now
                self.notify()
            environ["SERVER_NAME"] = host  # meinheld says 127.0.0.1:8000 whatever the address
            environ["SERVER_PORT"] = port
            scheme = schemes.read(environ, environ["REMOTE_ADDR"])
            environ["wsgi.url_scheme"] = scheme or "http"  # meinheld says http whatever a proxy says
            self.nr += 1
            if self.drain_by < NEVER:
                self.drain_if_done()
            elif self.nr == self.max_requests:
                self.log.info("Autorestarting worker after current request.")
                self.drain()
            if scheme is None:  # as gunicorn's parser: a request that says both
                start_response("400 Bad Request", [("Content-Type", "text/plain"), ("Connection", "close")])
                return [b"Contradicting scheme headers\n"]
            return wsgi(environ, start_response)

        return app

    def address(self) -> tuple[str, str]:
        """SERVER_NAME and SERVER_PORT; with several binds, the first one's."""
        name = self.sockets[0].getsockname()
        if isinstance(name, tuple):
            return str(name[0]), str(name[1])
        return str(name), ""

    def tick(self) -> None:
        """Once a second, from the loop: a loop that hangs stops its heartbeat."""
        self.notify()
        if self.drain_by < NEVER:
            self.drain_if_done()
        elif not self.alive:  # the reloader, in its thread, wants a new process
            self.drain()
        elif self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.drain()

    def drain_after_the_queue(self) -> None:
        """The kernel resets who waits in the queue when the last listener closes, and a worker that is full does not
        take them: drain() once they have their responses, or in the last second."""
        self.drain_by = monotonic() + self.cfg.graceful_timeout
        self.drain_at = self.nr + sum(map(accepting.queue_length, self.sockets)) + 1
        self.drain_if_done()

    def drain_if_done(self) -> None:
        if not self.alive:
            return
        late = self.nr >= self.drain_at or monotonic() > self.drain_by - 1
        if late or not any(map(accepting.queue_length, self.sockets)):
            self.drain()

    def drain(self) -> None:
        """Take no more connections, finish what is here, then return from run()."""
        self.alive = False
        left = min(self.cfg.graceful_timeout, self.drain_by - monotonic())
        server.stop(max(1, int(left)))
        # Once no process holds them, a new client is refused at once instead of left waiting.
        for sock in self.sockets:
            sock.close()

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """SIGTERM, also at SIGHUP: within graceful_timeout."""
        self.drain_after_the_queue()

    def handle_quit(self, _sig: int, _frame: FrameType | None) -> None:
        """SIGQUIT and SIGINT: at once."""
        self.leave(0, self.cfg.worker_int)

    def handle_abort(self, _sig: int, _frame: FrameType | None) -> None:
        """SIGABRT: the master saw no heartbeat for `timeout` seconds."""
        self.leave(1, self.cfg.worker_abort)

    def leave(self, code: int, hook: Callable[[Worker], object]) -> None:
        self.alive = False
        self.exit_code = code
        hook(self)
        server.stop(0)
        # Ends the request that runs, if one does; in the loop itself it ends run().
        raise SystemExit(code)
