"""The accepting side of the gevent worker: waiting connections, and the queue in which their requests start."""

from collections import deque
from functools import partial
from time import monotonic
from typing import Any

from gevent import get_hub, socket
from gevent.baseserver import _handle_and_close_when_done
from gevent.hub import Waiter
from gevent.server import StreamServer

from . import accepting

# With so many requests waiting, the hub looks for events (and at the listener) after so many turns. By itself it looks
# after 50, or over 20 ms, which is too seldom to accept 10,000: 327 to 5,012 of them unanswered with batches of 16.
# With few waiting a look finds little: 10 % more CPU for each request at 200 connections.
CROWD = 1000
TURNS_A_LOOK = 16


class Turns:
    """Requests start one after another, in the order in which they came, and behind those in progress.

    Stock reads a connection's next request at once: a client that is quick enough is served again and again while
    the others and the listener wait (1,200 connections: p99 5.1 s, half of them answered once in 5 s). In the hub's
    own queue, new requests would keep waiting what the hub has to do for those in progress, and nearly all would be
    in progress at once.
    """

    def __init__(self) -> None:
        self.loop = get_hub().loop
        self.waiting: deque[partial[Any]] = deque()
        self.look = self.loop.timer(0.0)  # fires when the hub has looked for events
        self.count = 0

    def add(self, start: Any, *args: Any) -> None:
        self.waiting.append(partial(start, *args))
        if len(self.waiting) == 1:
            self.loop.run_callback(self.next)

    def next(self) -> None:
        start = self.waiting.popleft()
        self.count += 1
        if len(self.waiting) > CROWD and self.count % TURNS_A_LOOK == 0:
            self.look.start(self.next)
        elif self.waiting:
            self.loop.run_callback(self.next)
        start()

    def wait(self) -> None:
        waiter = Waiter()
        self.add(waiter.switch, None)
        waiter.get()


class Client(socket.socket):
    """An accepted connection; its deadline is a number the worker looks at, not a timer object of its own."""

    __slots__ = ("deadline", "idle_since", "parked", "queued", "request", "served", "waiter", "whole", "worker")

    def __init__(self, worker: Any, *args: Any, fileno: int) -> None:
        super().__init__(*args, fileno=fileno)
        self.worker = worker
        self.idle_since: float | None = monotonic()  # None from a request's first byte to its answer
        self.deadline = self.idle_since + worker.header_timeout
        self.served = self.parked = False
        self.queued = False  # it waited for its turn since its last request
        self.whole = False  # nothing of the next request came with the last one
        self.request: Any = None
        self.waiter: Any = None  # what wakes the greenlet while it waits for the next request

    def recv(self, *args: Any) -> bytes:
        data: bytes = self.next_in_turn(*args) if self.whole else super().recv(*args)
        if self.idle_since is not None and (self.served or self.queued):
            self.deadline = monotonic() + self.worker.header_timeout
        self.idle_since = None
        return data if monotonic() < self.deadline else b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Nearly every answer fits the socket's buffer; gevent's asks for the buffer's size first."""
        if not isinstance(data, bytes):  # an app's, through environ["gunicorn.socket"]
            super().sendall(data, flags)
            return
        try:
            sent = self._sock.send(data, flags)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            super().sendall(memoryview(data)[sent:], flags)

    def next_in_turn(self, *args: Any) -> Any:
        """The first bytes of the next request. A turn goes by before looking: often they have come by then."""
        self.whole = False
        self.worker.turns.wait()
        self.queued = True
        try:
            return self._sock.recv(*args)
        except BlockingIOError:
            self.waiter = waiter = Waiter()
        try:
            self._read_event.start(self.wake)
            waiter.get()
        finally:
            self._read_event.stop()
        if self.parked:
            raise StopIteration("idle")  # AsyncWorker.handle ends quietly on it, and calls close()
        return super().recv(*args)

    def wake(self) -> None:
        self.worker.turns.add(self.resume(), None)

    def park(self) -> None:
        """End the greenlet, keep the connection. It takes no turn: behind thousands to park, requests would wait.

        Measured: 200 active ones, right after 9,800 others were answered: p99 6 ms instead of 34; alone 3 to 5.
        """
        self.parked = True
        get_hub().loop.run_callback(self.resume(), None)

    def resume(self) -> Any:
        """What the greenlet goes on with; until then the event would fire again and again."""
        self._read_event.stop()
        waiter, self.waiter = self.waiter, None
        return waiter.switch

    def close(self) -> None:
        if not self.parked:
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
        self.worker.handle(self, client, address)

    def full(self) -> bool:
        return len(self.worker.clients) >= int(self.worker.worker_connections)

    def do_read(self) -> tuple[Client, Any] | None:
        try:
            fileno, address = self.socket._accept()
        except OSError as error:
            if error.errno in accepting.NO_ROOM:
                self.pause(error)
            return None  # else another worker was faster, or the client has gone
        client = Client(self.worker, self.family, socket.SOCK_STREAM, fileno=fileno)
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
        """A fresh connection is parked until its first byte; a TLS handshake needs a greenlet at once."""
        if self.ssl_enabled:
            client.idle_since, client.deadline = None, float("inf")
            super().do_handle(client, address)
        else:
            client._read_event.start(self.unpark, client, address)

    def unpark(self, client: Client, address: Any) -> None:
        client._read_event.stop()
        client.parked, client.queued, client.deadline = False, True, float("inf")  # its time runs from its turn on
        # As do_handle, which a server that has stopped listening cannot do any more.
        arguments = _handle_and_close_when_done, self.handle, self.do_close, (client, address)
        self.worker.turns.add(self.worker.group.spawn, *arguments)

    def do_close(self, client: Client, address: Any) -> None:
        """The connection's greenlet has ended: the connection is parked, or over."""
        if client.parked:
            client._read_event.start(self.unpark, client, address)
            return
        client.close()
        self.worker.clients.discard(client)
        if not self.worker.clients:
            self.worker.all_gone.set()
        for server in self.worker.servers:
            server._start_accepting_if_started()  # it had stopped if the worker was full
