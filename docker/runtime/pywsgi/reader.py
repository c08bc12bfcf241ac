"""What arrives on a connection, as gunicorn's parser reads it: limits on time and memory of heads and bodies."""

from __future__ import annotations

import contextlib
import socket
from time import monotonic
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.unreader import Unreader

from ..http_limits import HEAD_BYTES, UNFINISHED_HEADS_BYTES

#: gunicorn's own size of a read.
READ_BYTES = 8192
#: Of one read inside a body whose length is known.
BODY_READ_BYTES = 1024 * 1024


class UnfinishedHeads:
    """The heads that a worker holds in part. Over the limit the largest goes: an honest one is small."""

    def __init__(self) -> None:
        self._held: dict[Reader, int] = {}
        self._total = 0

    def hold(self, reader: Reader, count: int) -> None:
        self._total += count - self._held.get(reader, 0)
        self._held[reader] = count
        if self._total > UNFINISHED_HEADS_BYTES:
            largest = max(self._held, key=self._held.__getitem__)
            self.release(largest)
            largest.refuse()

    def release(self, reader: Reader) -> None:
        self._total -= self._held.pop(reader, 0)


class Reader(Unreader):  # type: ignore[misc]
    """One connection. While ``deadline`` is set, what is read is a head; without it, a body."""

    buf: Any

    def __init__(self, sock: Any, heads: UnfinishedHeads, body_timeout: float) -> None:
        super().__init__()
        self._sock, self._heads, self._body_timeout = sock, heads, body_timeout
        self._deadline: float | None = None
        self._head_bytes = 0
        self._refused = False

    def begun(self) -> bool:
        """Whether bytes of the next request are here. Raises BlockingIOError where that is not known yet."""
        if not self.buf.tell():
            self.buf.write(self._sock._sock.recv(READ_BYTES))
        return bool(self.buf.tell())

    def begin_head(self, deadline: float) -> None:
        """What is read next is a head, due at that monotonic time."""
        self._deadline, self._head_bytes = deadline, self.buf.tell()

    def end_head(self) -> None:
        self._deadline = None
        self._heads.release(self)

    def refuse(self) -> None:
        """Wake the reader of an unfinished head, which is not read any further."""
        self._refused = True
        with contextlib.suppress(OSError):
            self._sock._sock.shutdown(socket.SHUT_RD)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes. Raises TimeoutError when they are late, LimitRequestHeaders, EOFError within a body."""
        if self._deadline is not None:
            return self._more_of_the_head(self._deadline)
        self._sock.settimeout(self._body_timeout or None)
        data: bytes = self._sock.recv(min(max(size_hint or 0, READ_BYTES), BODY_READ_BYTES))
        if not data:
            # gunicorn's reader would hand the app the part that came, as if it were the whole body.
            raise EOFError("the connection ended within the body")
        return data

    def _more_of_the_head(self, deadline: float) -> bytes:
        if self._head_bytes:
            self._heads.hold(self, self._head_bytes)
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError("header_timeout")
        self._sock.settimeout(left)
        data: bytes = b"" if self._refused else self._sock.recv(READ_BYTES)
        self._head_bytes += len(data)
        if self._refused or self._head_bytes > HEAD_BYTES:
            raise LimitRequestHeaders("the head is too large")
        return data
