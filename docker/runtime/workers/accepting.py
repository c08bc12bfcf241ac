"""How many connections a worker accepts at a time, and when it pauses."""

import errno

#: Stock takes 1 where there are several workers, and of 10,000 clients half wait for ever.
MOST = 64
#: What accept says without a descriptor or memory for one more connection, which stays in the kernel's queue.
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: The client has hung up before it was accepted, or a signal came.
GONE = (errno.ECONNABORTED, errno.EINTR)
#: Seconds until it is tried again: the listener stays readable, so trying at once would spin.
PAUSE = 0.2


def batch(held: int) -> int:
    """Few while it holds few: with 64 at once, one of two workers often got all of 50 clients, half the throughput."""
    return min(MOST, 1 + held // 8)
