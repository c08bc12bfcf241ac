"""The accepting side of the gevent worker, and the connections that wait for a request."""

from time import monotonic
from typing import Any

from gevent import socket
from gevent.server import StreamServer
from gunicorn import util

from . import accepting
from .balance import MOMENT


class Client(socket.socket):
    """An accepted connection; its deadline is a number the worker looks at, not a timer object of its own.

    While it waits for a request it has a watcher and no greenlet. The watcher goes on while a request is answered,
    since stopping and starting it are two system calls; what comes meanwhile stops it.
    """

    __slots__ = (
        "address",
        "busy",
        "deadline",
        "idle_since",
        "request",
        "server",
        "unread",
        "watched",
        "watcher",
        "whole",
    )

    def __init__(self, server: Any, address: Any, fileno: int) -> None:
        super().__init__(server.family, socket.SOCK_STREAM, fileno=fileno)
        self.server, self.address = server, address
        self.idle_since: float | None = monotonic()  # None from a request's first byte to its response
        self.deadline = self.idle_since + server.worker.header_timeout
        self.request: Any = None
        self.unread = b""  # bytes read that nobody has looked at
        self.whole = False  # gunicorn has answered a request, and nothing of the next one came with it
        self.busy = True  # in the pool, not waiting
        self.watcher = server.loop.io(fileno, 1)
        self.watched = False

    def wait(self) -> None:
        """For the next request's first bytes."""
        self.busy = self.whole = False
        if not self.watched:
            self.watched = True
            self.watcher.start(self.readable)

    def readable(self) -> None:
        if self.busy:
            self.stop_watching()
        else:
            self.busy = True
            self.deadline = float("inf")  # its time runs from its turn on
            self.server.worker.pool.add(self)

    def stop_watching(self) -> None:
        if self.watched:
            self.watched = False
            self.watcher.stop()

    def recv(self, *args: Any) -> bytes:
        """For gunicorn's parser and body readers; behind a request that gunicorn parsed the greenlet is given up."""
        if self.unread:
            data, self.unread = self.unread, b""
            return data
        if self.whole:
            raise StopIteration("idle")  # AsyncWorker.handle ends quietly on it, and calls close()
        data = super().recv(*args)
        return data if monotonic() < self.deadline else b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Nearly every response fits the socket's buffer; gevent's asks for the buffer's size first."""
        if not isinstance(data, bytes):  # an app's, through environ["gunicorn.socket"]
            super().sendall(data, flags)
            return
        try:
            sent = self._sock.send(data, flags)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            super().sendall(memoryview(data)[sent:], flags)

    def close(self) -> None:
        if not self.whole:
            self.stop_watching()
            self.watcher.close()
            super().close()


class FairServer(StreamServer):
    """Accepts in batches; holds the connections that wait for a request, without a greenlet each."""

    def __init__(self, worker: Any, listener: Any, **tls: Any) -> None:
        self.worker, self.draining, self.warned = worker, False, float("-inf")
        super().__init__(listener, spawn=worker.group.spawn, **tls)

    @property
    def max_accept(self) -> int:
        """How many gevent accepts before others have their turn."""
        return int(self.worker.worker_connections) if self.draining else accepting.batch(len(self.worker.clients))

    def getsockname(self) -> Any:
        """All that gunicorn asks of a listener; while draining the real one is closed."""
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
        self._timer = self.loop.timer(MOMENT)
        self._timer.start(self._accept_after_all)

    def _accept_after_all(self) -> None:
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
