"""gunicorn's sync worker, which at a stop serves the connections that wait in its queue."""

from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Any

from gunicorn.workers.sync import SyncWorker

from .. import http_limits
from ..given_up import given_up
from . import accepting, old_gunicorn
from . import response as gunicorn_response
from .app_errors import OwnErrors
from .heads import HeadSocket

SILENT = 1.0  # seconds in which one that has connected before the stop must send something
MOMENT = 0.01  # seconds that the next in the queue waits for one that has sent nothing yet


class DrainingSyncWorker(OwnErrors, SyncWorker):  # type: ignore[misc]
    """gunicorn's sync worker, which serves its queue before it stops."""

    stopping_since: float | None = None

    def run(self) -> None:
        gunicorn_response.install()
        old_gunicorn.tighten_if_old()
        self.head_bytes = http_limits.head_bytes(self.cfg.limit_request_line, self.cfg.limit_request_field_size)
        super().run()
        if self.nr < self.max_requests or self.cfg.reuse_port:  # else the other workers share the queue
            self.drain()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        super().handle(listener, HeadSocket(client, self.head_bytes), addr)

    def handle_request(self, listener: Any, req: Any, client: Any, addr: Any) -> None:
        client.head = None
        if given_up(client):
            raise StopIteration("the client has gone")
        super().handle_request(listener, req, client, addr)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM, also at SIGHUP."""
        self.stopping_since = monotonic()
        super().handle_exit(sig, frame)

    def drain(self) -> None:
        """The kernel resets what waits in the queue when the last listener closes: 1 or 2 of 100 requests a stop."""
        end = (self.stopping_since or monotonic()) + self.cfg.graceful_timeout
        with DefaultSelector() as accepted:
            for listener in self.sockets:
                self.serve_queue(listener, accepted, end)
                listener.close()
            last = monotonic()
            while accepted.get_map() and monotonic() < min(end, last + SILENT):
                if self.serve_readable(accepted, SILENT / 10):
                    last = monotonic()

    def serve_queue(self, listener: Any, accepted: DefaultSelector, end: float) -> None:
        """Serve who waits, one after another. Workers that stop together share the queue: one that accepted all
        of it had to serve alone what they serve within graceful_timeout together."""
        name, waiting = accepting.ListenerName(listener), accepting.queue_length(listener)
        while waiting > 0 and monotonic() < end:
            try:
                client, address = listener.accept()
            except OSError as error:
                if error.errno in accepting.GONE:
                    continue
                return  # nobody waits any more, or no descriptor is left
            waiting -= 1
            client.setblocking(True)
            accepted.register(client, EVENT_READ, (name, client, address))
            self.serve_readable(accepted, MOMENT)

    def serve_readable(self, accepted: DefaultSelector, seconds: float) -> bool:
        """Serve the clients that send something within that time; whether there was one."""
        self.notify()
        ready = accepted.select(seconds)
        for key, _ in ready:
            accepted.unregister(key.fileobj)
            self.handle(*key.data)
            self.notify()
        return bool(ready)
