"""The WSGI call of an ordinary request, as ``handle_request`` of gunicorn's gevent and thread workers does it.

What that looks up for each request (settings, hooks, whether there is an access log) does not change while a worker
lives, and is looked up once here. Hooks, access log, statsd, max_requests and errors are as they are there.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from logging import DEBUG
from typing import Any

from gunicorn.config import PostRequest, PreRequest
from gunicorn.workers.base_async import ALREADY_HANDLED

from . import lean
from .access_log import records_access
from .app_errors import AppWithOwnErrors, raise_if_own


def hang_up(sock: Any) -> None:
    """In the middle of a response, as gunicorn's gevent worker."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


class Exchange:
    """Handles the requests of one worker that lean.py has read."""

    def __init__(self, worker: Any, hang_up: Callable[[Any], None] = hang_up) -> None:
        self.hang_up = hang_up
        cfg, log = worker.cfg, worker.log
        self.worker, self.cfg, self.log, self.keepalive = worker, cfg, log, bool(cfg.keepalive)
        # gunicorn's own hooks only log, at the level debug.
        debug = log.error_log.isEnabledFor(DEBUG)
        self.pre_request = cfg.pre_request if debug or cfg.pre_request is not PreRequest.default else None
        self.post_request = cfg.post_request if debug or cfg.post_request is not PostRequest.default else None
        # A hook may have put another application in the place of gunicorn's, around that which tells the app's errors.
        self.wsgi = worker.wsgi
        self.app = self.wsgi.app if type(self.wsgi) is AppWithOwnErrors else self.wsgi
        self.logs = records_access(log)

    def handle(self, request: lean.LeanRequest, sock: Any) -> None:
        """Call the app and send its response. Raises StopIteration where the connection must close, and what the app
        raised before anything was sent."""
        started = datetime.now() if self.logs else None
        environ: dict[str, Any] = {}
        resp = None
        try:
            if self.pre_request:
                self.pre_request(self.worker, request)
                resp, environ = lean.create_anew(request, sock, self.cfg)
            else:
                resp, environ = lean.create(request, sock, None, None, self.cfg)
            self.call_app(request, resp, environ, started)
            if resp.should_close():
                raise StopIteration
        except (StopIteration, OSError):  # the second is the worker's to judge
            raise
        except (Exception, SystemExit):
            if not (resp and resp.headers_sent):
                raise
            self.log.exception("Error handling request")  # a 500 would come in the middle of the response
            self.hang_up(sock)
            raise StopIteration from None
        finally:
            if self.post_request:
                try:
                    self.post_request(self.worker, request, environ, resp)
                except Exception:
                    self.log.exception("Exception in post_request hook")

    def call_app(self, request: lean.LeanRequest, resp: Any, environ: dict[str, Any], started: datetime | None) -> None:
        worker = self.worker
        worker.nr += 1
        if worker.nr >= worker.max_requests and worker.alive:
            self.log.info("Autorestarting worker after current request.")
            worker.alive = False
        if not (worker.alive and self.keepalive):
            resp.force_close()
        try:
            body = (self.app if worker.wsgi is self.wsgi else worker.wsgi)(environ, resp.start_response)
            if body is ALREADY_HANDLED:
                return
            try:
                if isinstance(body, environ["wsgi.file_wrapper"]):
                    resp.write_file(body)
                else:
                    for piece in body:
                        resp.write(piece)
                resp.close()
            finally:
                if started:
                    self.log.access(resp, request, environ, datetime.now() - started)
                if hasattr(body, "close"):
                    body.close()
        except OSError as error:
            raise_if_own(error)
            raise
