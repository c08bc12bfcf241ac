"""Threads that take connections from the kernel, which keeps those whose bytes have come in their order.

gunicorn's thread worker has a loop that hands each request to a thread, and gets the connection back through a pipe.
Here the threads wait in epoll themselves, one at a time, and say there which connections they wait for next: no request
passes through another thread.
"""

import select
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any

#: One event, then silence until the next ``wait``: a connection is served by one thread at a time.
_ONCE = select.EPOLLIN | select.EPOLLONESHOT


class Threads:
    """So many connections are served at once, the others wait in the kernel.

    ``serve`` is called in a thread, with a connection that has become readable, ``respond`` with one given to
    ``serve_next``; neither raises. ``conn.descriptor`` is its file descriptor's number.
    """

    def __init__(self, count: int, serve: Callable[[Any], None], respond: Callable[[Any], None]) -> None:
        self.count, self.serve, self.respond = count, serve, respond
        self.epoll = select.epoll()
        self.conns: dict[int, Any] = {}
        self.ready: deque[Any] = deque()  # of which the next request has been read already
        # One thread at a time waits in epoll, and lets the next one go there when it has a connection. That one needs
        # Python's lock for it as those need it that serve, so while requests compute, few are begun at once. If each
        # waited there, 128 threads would contend for the lock: of 200 clients 12 to 26 had no response within 2 s.
        self.turn = Lock()

    def start(self) -> None:
        """Not joined at the end of the process: the worker has waited for their requests, or waits no longer."""
        for number in range(self.count):
            Thread(target=self.work, name=f"request-{number}", daemon=True).start()

    def add(self, conn: Any) -> None:
        """A new connection, which waits for its first bytes."""
        self.conns[conn.descriptor] = conn
        self.epoll.register(conn.descriptor, _ONCE)

    def wait(self, conn: Any) -> bool:
        """For more of a connection; called by ``serve`` or ``respond``. False if it is closed.

        If it is closed just now, and a new one has its number, that one is waited for twice, which does no harm.
        """
        if not self.knows(conn):
            return False
        try:
            self.epoll.modify(conn.descriptor, _ONCE)
        except OSError:
            return False
        return True

    def serve_next(self, conn: Any) -> None:
        """Called by ``serve`` or ``respond``: a thread takes it in turn with those that become readable."""
        self.ready.append(conn)

    def knows(self, conn: Any) -> bool:
        """Whether it is not forgotten; another may have its descriptor since."""
        return self.conns.get(conn.descriptor) is conn

    def forget(self, conn: Any) -> None:
        """Before it is closed: whoever has a duplicate of its descriptor would keep it in the kernel's list."""
        if self.knows(conn):
            del self.conns[conn.descriptor]
            with suppress(OSError):
                self.epoll.unregister(conn.descriptor)

    def work(self) -> None:
        while True:
            conn = self.next_ready()
            if conn is not None:
                self.respond(conn)
            conn = self.next_readable()
            if conn is not None:
                self.serve(conn)

    def next_readable(self) -> Any:
        """A connection whose bytes have come; none if the next request of another one is ready."""
        if not self.turn.acquire(blocking=not self.ready):
            return None
        try:
            events = self.epoll.poll(0 if self.ready else -1, 1)
        finally:
            self.turn.release()
        return self.conns.get(events[0][0]) if events else None

    def next_ready(self) -> Any:
        try:
            return self.ready.popleft()
        except IndexError:  # there was none, or another thread has it
            return None

    def shutdown(self, wait: bool = True) -> None:
        """gunicorn's word at the end of the worker: the threads end with the process."""
