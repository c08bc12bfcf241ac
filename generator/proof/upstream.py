"""A backend that takes its time: each connection sends a number, and gets it back after that many milliseconds.

Runs as a file beside the load client (`upstream.py PORT`), on 127.0.0.1 only. One epoll and no objects a connection
but its socket, since it shares the CPUs with the server that is measured.
"""

from __future__ import annotations

import contextlib
import heapq
import resource
import select
import socket
import sys
from time import monotonic

MOST_MILLISECONDS = 60_000


class Upstream:
    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self.listener.setblocking(False)
        self.poll = select.epoll()
        self.poll.register(self.listener.fileno(), select.EPOLLIN)
        self.open: dict[int, socket.socket] = {}
        self.due: list[tuple[float, int, bytes]] = []  # when, which descriptor, what to answer

    def serve(self) -> None:
        while True:
            wait = max(0.0, self.due[0][0] - monotonic()) if self.due else -1
            for fd, _ in self.poll.poll(wait, 1024):
                if fd == self.listener.fileno():
                    self.accept()
                else:
                    self.read(fd)
            now = monotonic()
            while self.due and self.due[0][0] <= now:
                self.answer(*heapq.heappop(self.due)[1:])

    def accept(self) -> None:
        for _ in range(256):
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            self.open[connection.fileno()] = connection
            self.poll.register(connection.fileno(), select.EPOLLIN)

    def read(self, fd: int) -> None:
        """The number, which small as it is comes in one piece; it is answered when due, in the order of time."""
        try:
            asked = self.open[fd].recv(64)
        except BlockingIOError:
            return
        except OSError:
            asked = b""
        if not asked.strip().isdigit():
            self.close(fd)
            return
        self.poll.unregister(fd)  # until the answer is due, nothing it does matters
        milliseconds = min(int(asked), MOST_MILLISECONDS)
        heapq.heappush(self.due, (monotonic() + milliseconds / 1000, fd, asked))

    def answer(self, fd: int, data: bytes) -> None:
        connection = self.open.pop(fd)
        with contextlib.suppress(OSError):  # it has given up waiting
            connection.send(data)
        connection.close()

    def close(self, fd: int) -> None:
        self.poll.unregister(fd)
        self.open.pop(fd).close()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Upstream(int(sys.argv[1])).serve()
