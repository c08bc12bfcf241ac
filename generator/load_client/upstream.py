"""A backend that takes its time: each connection sends a number, and gets it back after that many milliseconds.

Runs as a file beside the load client (`upstream.py PORT`), on 127.0.0.1 only. As few system calls a connection as can
be, since it shares the CPUs with the server that is measured.
"""

from __future__ import annotations

import contextlib
import heapq
import resource
import select
import socket
import sys
from time import monotonic

MAX_MILLISECONDS = 60_000
SILENT_SECONDS = 1  # the kernel keeps a connection from us until it sends something, or for this long


class Upstream:
    """A backend that responds after as many milliseconds as the request says."""

    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_SECONDS)
        self.listener.setblocking(False)
        self.poll = select.epoll()
        self.poll.register(self.listener.fileno(), select.EPOLLIN)
        self.silent: dict[int, socket.socket] = {}
        self.due: list[tuple[float, int, socket.socket, bytes]] = []  # when, its number (for equal times), whom, what

    def serve(self) -> None:
        while True:
            wait = max(0.0, self.due[0][0] - monotonic()) if self.due else -1
            for fd, _ in self.poll.poll(wait, 1024):
                if fd == self.listener.fileno():
                    self.accept()
                else:
                    self.poll.unregister(fd)
                    self.read(self.silent.pop(fd))
            now = monotonic()
            while self.due and self.due[0][0] <= now:
                _, _, connection, data = heapq.heappop(self.due)
                with contextlib.suppress(OSError):  # it has given up waiting
                    connection.send(data)
                connection.close()

    def accept(self) -> None:
        for _ in range(256):
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.read(connection)

    def read(self, connection: socket.socket) -> None:
        """The number, which small as it is comes in one piece; the response goes out when due, in the order of time."""
        try:
            received = connection.recv(64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.silent[connection.fileno()] = connection
            self.poll.register(connection.fileno(), select.EPOLLIN)
            return
        except OSError:
            received = b""
        if not received.strip().isdigit():
            connection.close()
            return
        milliseconds = min(int(received), MAX_MILLISECONDS)
        heapq.heappush(self.due, (monotonic() + milliseconds / 1000, connection.fileno(), connection, received))


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Upstream(int(sys.argv[1])).serve()
