"""A connection of the gevent worker: what it waits for, and how long it may."""

import errno
from _socket import SHUT_RD
from contextlib import suppress
from time import monotonic
from typing import Any

from gevent import socket
from gevent.lock import BoundedSemaphore
from gunicorn.http.errors import LimitRequestHeaders

from ..http_limits import FEW_HEAD_BYTES, UNFINISHED_HEADS_BYTES
from .lean import READ_BYTES

#: Of all requests of a worker that wait for their turn: more stays in the kernel.
WAITING_BYTES = 4 * 1024 * 1024


class Client(socket.socket):  # type: ignore[misc]
    """An accepted connection; its deadline is a number the worker looks at, not a timer object of its own.

    While it waits for a request it has a watcher and no greenlet. The watcher goes on while a request is served,
    since stopping and starting it are two system calls; what comes meanwhile stops it. It is

    - idle: ``idle_since`` is a time, and nothing of the next request has been read;
    - reading a head that gunicorn parses: ``head`` counts its bytes;
    - in a request: the app has it, and may take as long as it likes, but the client may be silent in the middle of the
      body, or take nothing of the response, for ``transfer_timeout`` at a time;
    - a WebSocket: the app's library reads and writes it; it may be silent for as long as it likes.
    """

    __slots__ = (
        "address",
        "busy",
        "deadline",
        "first",
        "head",
        "hung_up",
        "idle_since",
        "request",
        "served",
        "server",
        "unread",
        "watched",
        "watcher",
        "whole",
        "writing",
    )

    def __init__(self, server: Any, address: Any, fileno: int) -> None:
        super().__init__(server.family, socket.SOCK_STREAM, fileno=fileno)
        self.settimeout(server.worker.transfer_timeout)
        self.server, self.address = server, address
        self.idle_since: float | None = monotonic()  # None from a request's first byte to its response
        self.deadline = self.idle_since + server.worker.header_timeout
        self.head: int | None = None
        self.request: Any = None
        self.served = False  # it has had a request before
        self.hung_up = False  # its reading side is shut, yet Linux takes what still comes: nothing of that is a request
        self.first: bytes | None = None  # what has come of a request that waits for its turn, if it has been read
        self.unread = b""  # bytes read that nobody has looked at
        self.whole = False  # gunicorn has served a request, and nothing of the next one came with it
        self.busy = True  # in the pool, not waiting
        self.writing: BoundedSemaphore | None = None  # of a WebSocket: who sends a message
        self.watcher = server.loop.io(fileno, 1)
        self.watched = False

    # --- Waiting ---

    def wait(self) -> None:
        """For the next request's first bytes."""
        self.busy = self.whole = False
        if not self.watched:
            self.watched = True
            self.watcher.start(self.readable)

    def readable(self) -> None:
        """Read what has come: left in the kernel it would be reported again while this waits for its turn, and to stop
        and start the watcher are two system calls."""
        if self.busy:
            self.stop_watching()
            return
        worker = self.server.worker
        if worker.waiting_bytes < WAITING_BYTES:
            try:
                self.first = self._sock.recv(READ_BYTES)
            except BlockingIOError:  # nothing; the kernel may say so
                return
            except OSError:  # it is over
                self.first = b""
            worker.waiting_bytes += len(self.first)
        self.wait_for_turn(begun=bool(self.first))

    def wait_for_turn(self, begun: bool) -> None:
        """Something has come; its time runs from its turn on. Whether it is known to be the begin of a request."""
        self.busy, self.deadline = True, float("inf")
        if begun:
            self.idle_since = None
        self.server.worker.pool.add(self)

    def hang_up(self) -> None:
        """Its time is over. Wakes the reader, yet what has arrived is still read and served, as the last request."""
        self.hung_up = True
        with suppress(OSError):
            self._sock.shutdown(SHUT_RD)  # not gevent's, which throws into the reader

    def take_first(self) -> bytes:
        """The bytes that have come, none at the end of the connection; BlockingIOError where there are none yet."""
        data, self.first = self.first, None
        if data is None:
            return bytes(self._sock.recv(READ_BYTES))
        self.server.worker.waiting_bytes -= len(data)
        return data

    def stop_watching(self) -> None:
        if self.watched:
            self.watched = False
            self.watcher.stop()

    # --- Reading: for gunicorn's parser and body readers ---

    def recv(self, *args: Any) -> bytes:
        if self.head is None:
            return self.recv_body(*args)
        data, self.unread = self.unread, b""
        if not data:
            if self.whole:  # behind a request that gunicorn parsed the greenlet is given up
                raise StopIteration("idle")  # AsyncWorker.handle ends quietly on it, and calls close()
            data = self.recv_head(*args)
        self.count_head(len(data))
        return data

    def recv_head(self, *args: Any) -> bytes:
        """More of a head, or with settings for which there is no short way, the next one's first bytes."""
        while True:
            with suppress(TimeoutError):  # transfer_timeout; the worker ends this by the deadline
                data: bytes = super().recv(*args)
                break
        if self.idle_since is not None:
            self.idle_since, self.deadline = None, monotonic() + self.server.worker.header_timeout
        return data if monotonic() < self.deadline else b""

    def recv_body(self, *args: Any) -> bytes:
        """More of it, nothing where the client has closed. What is cut off here is no end of a body: gunicorn would
        take it for whole, and the rest, should it come later, for the next request."""
        if self.unread:
            data, self.unread = self.unread, b""
            return data
        while True:
            try:
                received: bytes = super().recv(*args)
                break
            except TimeoutError as error:
                if self.writing is None or self.timeout != self.server.worker.transfer_timeout:
                    raise self.gone("sent nothing more of the body", error) from None
        if monotonic() >= self.deadline or (self.hung_up and not received):
            raise ConnectionResetError(errno.ECONNRESET, "the client sent its body too late")
        return received

    def read_head(self, data: bytes) -> None:
        """gunicorn's parser gets the head, which begins with ``data``, and has header_timeout for it."""
        self.unread, self.head, self.deadline = data, 0, monotonic() + self.server.worker.header_timeout

    def count_head(self, count: int) -> None:
        """Raise what gunicorn makes a 431 of once a head is too long; shorter ones are when the worker has too much."""
        assert self.head is not None
        worker = self.server.worker
        self.head += count
        worker.unfinished_bytes += count
        limit = worker.head_bytes if worker.unfinished_bytes <= UNFINISHED_HEADS_BYTES else FEW_HEAD_BYTES
        if self.head > limit:
            raise LimitRequestHeaders(f"more than {limit} bytes")

    def end_head(self) -> None:
        """It is complete, or the connection is over."""
        self.server.worker.unfinished_bytes -= self.head or 0
        self.head = None

    # --- Writing ---

    def become_websocket(self) -> None:
        self.writing = BoundedSemaphore(1)

    def send(self, data: Any, flags: int = 0) -> int:
        """As a socket that blocks, a WebSocket takes all of it: simple-websocket counts on that, and its messages
        of some megabytes were cut (its issues 34 and 45). Messages of several greenlets do not mix.
        """
        if self.writing is None:
            return self.send_some(data, flags)
        with self.writing:
            self.sendall(data, flags)
        return len(data)

    def send_some(self, data: Any, flags: int = 0) -> int:
        try:
            return int(super().send(data, flags))
        except TimeoutError as error:
            raise self.gone("took nothing more of the response", error) from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Nearly every response fits the socket's buffer; gevent's asks for the buffer's size first.

        gevent's timeout is for all of the data; this one begins anew with each piece that the client takes.
        """
        if not isinstance(data, bytes):  # an app's, through environ["gunicorn.socket"]
            data = memoryview(data).cast("B")
        try:
            sent = self._sock.send(data, flags)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            rest = memoryview(data)[sent:]
            while rest:
                rest = rest[self.send_some(rest, flags) :]

    def gone(self, what: str, timed_out: TimeoutError) -> OSError:
        """gunicorn and Flask take it for a client that has gone, which it is; an app's own timeout stays what it is."""
        if self.timeout != self.server.worker.transfer_timeout:
            return timed_out
        return ConnectionResetError(errno.ECONNRESET, f"the client {what} for {self.timeout:g} s")

    # --- Whose it is, and its end ---

    def dup(self) -> Any:
        """A plain socket without a limit, for an app that takes the connection over, as WebSocket libraries do."""
        duplicate = socket.socket(self.family, self.type, self.proto, fileno=socket.dup(self.fileno()))
        duplicate.settimeout(None)  # or it would have socket.setdefaulttimeout's
        return duplicate

    def close(self) -> None:
        """At the end of gunicorn's part; of the connection, unless it has to wait for its next request."""
        self.end_head()
        if not self.whole:
            self.stop_watching()
            self.watcher.close()
            super().close()
