"""How many connections a worker accepts at a time, when it pauses, and how many wait for it."""

import errno
import select
import socket
import struct
from typing import Any

#: Stock takes 1 where there are several workers, and of 10,000 clients half wait for ever.
MAX_BATCH = 64
#: What accept says without a descriptor or memory for one more connection, which stays in the kernel's queue.
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: The client has hung up before it was accepted, or a signal came.
GONE = (errno.ECONNABORTED, errno.EINTR)
#: Seconds until it is tried again: the listener stays readable, so trying at once would spin.
PAUSE = 0.2


def batch(held: int) -> int:
    """Few while it holds few: with 64 at once, one of two workers often got all of 50 clients, half the throughput."""
    return min(MAX_BATCH, 1 + held // 8)


#: In a listener's TCP_INFO, where Linux keeps the length of its queue: tcpi_unacked, after 24 bytes of others.
_QUEUE_LENGTH = struct.Struct("=8x16xI")


def queue_length(listener: Any) -> int:
    """How many connections wait to be accepted. A worker that stops owes them a response; those that come later it does
    not, else a stop under load would last until graceful_timeout. Of a Unix socket Linux does not say: as many as
    there can be."""
    if listener.family == socket.AF_UNIX:
        poll = select.poll()
        poll.register(listener.fileno(), select.POLLIN)
        return socket.SOMAXCONN if poll.poll(0) else 0
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUEUE_LENGTH.size)
    return int(_QUEUE_LENGTH.unpack(info)[0])


class ListenerName:
    """All that gunicorn uses of a listener, which may be closed before the last of its connections is served."""

    def __init__(self, listener: Any) -> None:
        self.name = listener.getsockname()

    def getsockname(self) -> Any:
        return self.name
