"""The accepting side of the gevent worker."""

from time import monotonic
from typing import Any

from gevent.server import StreamServer
from gunicorn import util

from . import accepting
from .balance import MOMENT
from .gevent_client import Client


class FairServer(StreamServer):  # type: ignore[misc]
    """Accepts in batches; holds the connections that wait for a request, without a greenlet each."""

    def __init__(self, worker: Any, listener: Any, **tls: Any) -> None:
        self.worker, self.draining, self.warned = worker, False, float("-inf")
        self.leaves_to_others = False  # for a moment, before it accepts
        super().__init__(listener, spawn=worker.group.spawn, **tls)

    @property
    def max_accept(self) -> int:
        """How many gevent accepts before others have their turn."""
        return int(self.worker.worker_connections) if self.draining else accepting.batch(len(self.worker.clients))

    def getsockname(self) -> Any:
        """All that gunicorn uses of a listener; while draining the real one is closed."""
        return self.address

    def handle(self, client: Any, address: Any) -> None:
        """Of a TLS connection, which keeps its greenlet."""
        self.worker.handle(self, client, address)

    def full(self) -> bool:
        return len(self.worker.clients) >= int(self.worker.worker_connections)

    def _do_read(self) -> None:
        """The listener is readable. Another worker that holds fewer connections has a moment to take them first."""
        if self.draining or not self.worker.is_ahead():
            super()._do_read()
            return
        self.stop_accepting()
        self.leaves_to_others = True
        self._timer = self.loop.timer(MOMENT)
        self._timer.start(self._accept_after_all)

    def accept_meanwhile(self) -> None:
        """Between requests: a turn of the hub lasts as long as all that is ready, and would accept one batch."""
        if self.draining or not self.started or not (self._watcher is not None or self.leaves_to_others):
            return
        if not self.full() and not self.worker.is_ahead():
            super()._do_read()

    def _accept_after_all(self) -> None:
        self.leaves_to_others = False
        if self.started:
            super()._do_read()
            self.start_accepting()

    def do_read(self) -> tuple[Client, Any] | None:
        try:
            fileno, address = self.socket._accept()
        except OSError as error:
            if error.errno in accepting.NO_ROOM:
                self.pause(error)
            return None  # else another worker was faster, or the client has gone
        client = Client(self, address, fileno)
        self.worker.clients.add(client)
        return client, address

    def pause(self, error: OSError) -> None:
        """Stock tries again at once, and writes a traceback for each try."""
        self.stop_accepting()
        self.leaves_to_others = False
        self._timer = self.loop.timer(accepting.PAUSE)
        self._timer.start(self._start_accepting_if_started)
        if monotonic() - self.warned > 60:
            self.warned = monotonic()
            self.worker.log.warning("Accepting pauses: %s; %d connections", error.strerror, len(self.worker.clients))

    def do_handle(self, client: Client, address: Any) -> None:
        """A fresh connection waits for its first byte; a TLS handshake needs a greenlet at once."""
        if self.ssl_enabled:
            client.idle_since, client.deadline = None, float("inf")
            super().do_handle(client, address)
        else:
            client.wait()

    def do_close(self, client: Client, *_address: Any) -> None:
        """The connection is over."""
        util.close(client)
        self.worker.clients.discard(client)
        if not self.worker.clients:
            self.worker.all_gone.set()
        for server in self.worker.servers:
            server._start_accepting_if_started()  # it had stopped if the worker was full
