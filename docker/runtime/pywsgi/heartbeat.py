"""What a worker tells its supervisor: a heartbeat, that it is recycled, and to look at both now."""

from __future__ import annotations

import mmap
import os
import signal
import struct
from time import monotonic


class Heartbeat:
    """A page of memory that both processes see: time of the last heartbeat, and whether to be replaced."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)

    def beat(self) -> None:
        struct.pack_into("d", self._page, 0, monotonic())

    @property
    def last(self) -> float:
        """Monotonic time of the last heartbeat; 0 until the worker is ready (an import may take long)."""
        return float(struct.unpack_from("d", self._page, 0)[0])

    @property
    def recycled(self) -> bool:
        return self._page[8] == 1

    def recycle(self) -> None:
        self._page[8] = 1


def wake(parent: int) -> None:
    """Wake the supervisor: one more SIGCHLD only makes it look around."""
    if os.getppid() == parent:
        os.kill(parent, signal.SIGCHLD)
