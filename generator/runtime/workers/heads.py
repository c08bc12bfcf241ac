"""A cap on a request's head for the workers with blocking sockets."""

import socket
from threading import Lock
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders


class HeadSocket(socket.socket):
    """A client's connection that counts what is read of a head, and raises what gunicorn makes a 431 of."""

    __slots__ = ("head", "limit", "unread", "writing")

    def __init__(self, accepted: socket.socket, limit: int) -> None:
        super().__init__(fileno=accepted.detach())
        self.limit = limit
        self.unread = b""  # bytes behind a request that lean.py has read
        self.head: int | None = 0  # bytes of the head; None while the app has the request
        self.writing: Lock | None = None  # of a WebSocket: who sends a message

    def recv(self, *args: Any) -> bytes:
        data = super().recv(*args)
        if self.head is not None:
            self.head += len(data)
            if self.head > self.limit:
                raise LimitRequestHeaders(f"more than {self.limit} bytes")
        return data

    def setblocking(self, flag: bool) -> None:
        """gunicorn says it for each request; it is a system call."""
        if not flag or self.gettimeout() is not None:
            super().setblocking(flag)

    def become_websocket(self) -> None:
        self.writing = Lock()

    def send(self, data: Any, flags: int = 0) -> int:
        """Of a WebSocket all of it, and messages of several threads do not mix, as the kernel lets them."""
        if self.writing is None:
            return super().send(data, flags)
        with self.writing:
            super().sendall(data, flags)
        return len(data)

    def shutdown(self, how: int) -> None:
        """No head follows. gunicorn reads away what the client still sends; to raise there ended a sync worker."""
        self.head = None
        super().shutdown(how)
