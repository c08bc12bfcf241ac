"""gunicorn's sync worker, which at a stop answers those who wait in its queue."""

import errno
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Any

from gunicorn.workers.sync import SyncWorker

from .. import http_limits
from . import response as gunicorn_response
from .heads import HeadSocket

SILENT = 1.0  # seconds in which one that has connected before the stop must send something


class DrainingSyncWorker(SyncWorker):  # type: ignore[misc]
    """gunicorn's sync worker, which serves its queue before it stops."""

    def run(self) -> None:
        gunicorn_response.install()
        self.head_bytes = http_limits.head_bytes(self.cfg.limit_request_line, self.cfg.limit_request_field_size)
        super().run()
        if self.nr < self.max_requests or self.cfg.reuse_port:  # else the other workers share the queue
            self.drain()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        super().handle(listener, HeadSocket(client, self.head_bytes), addr)

    def handle_request(self, listener: Any, req: Any, client: Any, addr: Any) -> None:
        client.head = None
        super().handle_request(listener, req, client, addr)

    def drain(self) -> None:
        """The kernel resets what waits in the queue when the last listener closes: 1 or 2 of 100 requests a stop."""
        end, last = monotonic() + self.cfg.graceful_timeout, monotonic()
        with DefaultSelector() as waiting:
            for listener in self.sockets:
                with suppress(OSError):
                    self.take(listener, waiting)
                listener.close()
            while waiting.get_map() and monotonic() < min(end, last + SILENT):
                self.notify()
                for key, _ in waiting.select(SILENT / 10):
                    waiting.unregister(key.fileobj)
                    self.handle(*key.data)
                    last = monotonic()

    def take(self, listener: Any, waiting: DefaultSelector) -> None:
        """All who wait; BlockingIOError ends it."""
        name = Closed(listener)
        while True:
            try:
                client, address = listener.accept()
            except OSError as error:
                if error.errno == errno.ECONNABORTED:
                    continue
                raise
            client.setblocking(True)
            waiting.register(client, EVENT_READ, (name, client, address))


class Closed:
    """All that gunicorn asks of a listener."""

    def __init__(self, listener: Any) -> None:
        self.name = listener.getsockname()

    def getsockname(self) -> Any:
        return self.name
