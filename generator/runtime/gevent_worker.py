"""gunicorn's gevent worker, made fair: requests wait in one queue, and idle connections hold no greenlet."""

import errno
import os
from collections import deque
from contextlib import nullcontext, suppress
from functools import partial
from time import monotonic
from typing import Any

import gevent
from gevent import select, socket
from gevent.baseserver import _handle_and_close_when_done
from gevent.event import Event
from gevent.hub import Waiter
from gevent.pool import Group
from gevent.server import StreamServer
from gunicorn.http.body import LengthReader
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

TICK = 0.5  # seconds between heartbeats and looks at the deadlines, which are kept to this precision
LINGER = 1.0  # seconds in which a client answered just before a stop may send one more request
PARK_AFTER = 1.0  # seconds idle; parking after every answer was tried: 50 us more for each request
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
NO_ROOM_PAUSE = 0.2  # seconds


class Client(socket.socket):
    """An accepted connection; its deadline is a number the worker looks at, not a timer object of its own."""

    __slots__ = ("deadline", "idle_since", "parked", "queued", "request", "served", "waiter", "whole", "worker")

    def __init__(self, worker: "FairGeventWorker", *args: Any, fileno: int) -> None:
        super().__init__(*args, fileno=fileno)
        self.worker = worker
        self.idle_since: float | None = monotonic()  # None from a request's first byte to its answer
        self.deadline = self.idle_since + worker.header_timeout
        self.served = self.parked = False
        self.queued = False  # it stood in the worker's queue since its last request
        self.whole = False  # nothing of the next request came with the last one
        self.request: Any = None
        self.waiter: Any = None  # what wakes the greenlet while it waits for the next request

    def recv(self, *args: Any) -> bytes:
        data: bytes = self.next_in_turn(*args) if self.whole else super().recv(*args)
        if self.idle_since is not None and self.served:  # the first request's time runs from the accept
            self.deadline = monotonic() + self.worker.header_timeout
        self.idle_since = None
        return data if monotonic() < self.deadline else b""

    def next_in_turn(self, *args: Any) -> Any:
        """The first bytes of the next request, read only when those that were ready before had their turn.

        Stock reads at once, and a client that is quick enough is served again and again while the others and
        the listener wait (1,200 connections: p99 5.1 s).
        """
        self.whole = False
        self.worker.wait_for_turn()
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
        self._read_event.stop()  # it would fire again before the greenlet has its turn
        self.worker.queue_up(self.waiter.switch, None)
        self.waiter = None

    def close(self) -> None:
        if not self.parked:
            super().close()


class FairServer(StreamServer):
    """Accepts in batches; holds the connections that wait for a request, without a greenlet each."""

    def __init__(self, worker: "FairGeventWorker", listener: Any, **tls: Any) -> None:
        self.worker, self.max_accept, self.warned = worker, worker.accept_batch, float("-inf")
        super().__init__(listener, spawn=worker.group.spawn, **tls)

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
            if error.errno in NO_ROOM:
                self.pause(error)
            return None  # else another worker was faster, or the client has gone
        client = Client(self.worker, self.family, socket.SOCK_STREAM, fileno=fileno)
        self.worker.clients.add(client)
        return client, address

    def pause(self, error: OSError) -> None:
        """The listener stays readable, so trying at once would spin; stock writes a traceback for each try."""
        self.stop_accepting()
        self._timer = self.loop.timer(NO_ROOM_PAUSE)
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
        client.parked, client.queued = False, True
        # As do_handle, which a server that has stopped listening cannot do any more.
        arguments = _handle_and_close_when_done, self.handle, self.do_close, (client, address)
        self.worker.queue_up(self.worker.group.spawn, *arguments)

    def do_close(self, client: Client, address: Any) -> None:
        """The connection's greenlet has ended: the connection is parked, or over."""
        if client.parked:
            client._read_event.start(self.unpark, client, address)
            return
        client.close()
        self.worker.clients.discard(client)
        self.worker.gone.set()
        for server in self.worker.servers:
            server._start_accepting_if_started()  # it had stopped if the worker was full


class FairGeventWorker(GeventWorker):
    #: Seconds to read a request's headers, from the first byte (the first request: from the accept).
    header_timeout = 10.0
    #: Connections accepted in one turn of the hub; stock with several workers: 1.
    accept_batch = 64

    def run(self) -> None:
        """Not stock's: that makes servers of its own, and looks only each second whether to stop."""
        self.clients: set[Client] = set()
        self.group, self.gone, self.hub = Group(), Event(), gevent.get_hub()
        self.queue: deque[partial[Any]] = deque()
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        # With these a connection's parser remembers, or reads ahead, what a new one would not know.
        self.parks = self.cfg.proxy_protocol == "off" and self.cfg.http2_cleartext == "off"
        self.servers = [FairServer(self, listener, **tls) for listener in self.sockets]
        for server in self.servers:  # together they hold worker_connections; stock: each of them
            server.start()
        while self.alive:
            self.notify()
            self.look_at_clients()
            if select.select([self.PIPE[0]], [], [], TICK)[0]:  # gunicorn has every signal write to it
                os.read(self.PIPE[0], 4096)
        self.drain()

    def queue_up(self, start: Any, *args: Any) -> None:
        """Requests begin one after another, each behind what the hub has to do for those in progress.

        In the hub's own queue they would keep those in progress waiting: at 10,000 connections nearly all
        requests were then begun and none finished (/io: 283 MiB instead of MEASURED).  gevent looks for new
        events after 50 turns or 5 ms, whichever is later, so that the listener cannot starve either.
        """
        self.queue.append(partial(start, *args))
        if len(self.queue) == 1:
            self.hub.loop.run_callback(self.next_turn)

    def next_turn(self) -> None:
        start = self.queue.popleft()
        if self.queue:
            self.hub.loop.run_callback(self.next_turn)
        start()

    def wait_for_turn(self) -> None:
        waiter = Waiter()
        self.queue_up(waiter.switch, None)
        waiter.get()

    def look_at_clients(self) -> None:
        now = monotonic()
        for client in self.clients:
            idle = now - (client.idle_since or now)
            if now > client.deadline or (idle > LINGER and not self.alive):
                with suppress(OSError):  # wakes the reader, yet what has arrived is still read and answered
                    client._sock.shutdown(socket.SHUT_RD)  # not gevent's, which throws into the reader
            elif idle > PARK_AFTER and client.waiter is not None and self.parks:
                client.parked = True  # the greenlet ends
                client.wake()

    def drain(self) -> None:
        """Answer what is in progress or has arrived, close what is idle, leave as soon as none is left."""
        for server in self.servers:
            server.max_accept = self.worker_connections
            server._do_read()  # the kernel resets what waits in its queue when the last listener closes
            server.close()
        for client in self.clients:
            if client.request is not None:  # gunicorn asks whether to close before it calls the app
                client.request.force_close()
        end = monotonic() + self.cfg.graceful_timeout
        while self.clients and monotonic() < end:
            self.notify()
            self.look_at_clients()
            self.gone.clear()
            self.gone.wait(TICK / 10)
        if self.clients:
            self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
            self.group.kill(timeout=1)

    def timeout_ctx(self) -> Any:
        """Stock's timer, keepalive for idling and headers alike, only where there is no Client: with TLS."""
        return super().timeout_ctx() if self.cfg.is_ssl else nullcontext()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        if not getattr(sock, "queued", False):
            self.wait_for_turn()  # TLS, a pipelined request, or one behind a body that the app did not read
        if not isinstance(sock, Client):
            super().handle_request(listener_name, req, sock, addr)
            return
        sock.queued, sock.request, sock.idle_since, sock.deadline = False, req, None, float("inf")
        super().handle_request(listener_name, req, sock, addr)
        sock.served, sock.request, sock.idle_since = True, None, monotonic()
        sock.deadline = sock.idle_since + self.cfg.keepalive
        body_read = isinstance(req.body.reader, LengthReader) and req.body.reader.length == 0
        sock.whole = body_read and not req.unreader.buf.getvalue()

    def handle_http2(self, listener: Any, client: Any, addr: Any, **options: Any) -> None:
        if isinstance(client, Client):  # its requests share the connection: no deadline for the headers
            client.idle_since, client.deadline = None, float("inf")
        super().handle_http2(listener, client, addr, **options)
