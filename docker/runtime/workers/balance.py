"""What the workers tell each other: how many connections each of them holds, in memory that they share.

Without it the first worker that wakes takes what has come: in 3 of 24 boots one of two workers got all of 200 clients,
and half of the CPUs had nothing to do. One that is ahead of the others leaves them a moment before it accepts again; of
a lead that stays nevertheless (another worker was started later, or got no CPU) it lets connections close after their
next response, and their clients come back to whoever holds fewer.
"""

import mmap
import struct
from time import monotonic

#: Seconds that a worker which is ahead of the others waits before it accepts a batch. Only a moment: should the others
#: be busy, those that wait are still accepted, some 10,000 a second.
MOMENT = 0.002
#: A worker is ahead above the mean of the others by an eighth and this many connections.
SLACK = 4
#: A lead above the mean by a quarter and this many is mended: two workers with 50 connections have 31 and 19 at most.
CLEAR_SLACK = 8
#: Seconds after which the figure of a worker that says nothing more does not count.
STALE = 2.0
_USED = struct.Struct("=q")  # places written so far: to look at all of them, each 16 requests, took 1 % of the CPU
_ENTRY = struct.Struct("=dq")  # when it was written, by a clock that all processes share, and the connections
_PLACES = 256


class Balance:
    """Made before the workers are forked. Each has a place of its own, by its age; a successor takes an old one."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, _USED.size + _PLACES * _ENTRY.size)

    def write(self, place: int, connections: int) -> None:
        own = place % _PLACES
        _ENTRY.pack_into(self.memory, _USED.size + own * _ENTRY.size, monotonic(), connections)
        if own >= _USED.unpack_from(self.memory)[0]:  # if two write at once the larger one writes again next time
            _USED.pack_into(self.memory, 0, own + 1)

    def ahead(self, place: int, connections: int) -> bool:
        """Whether the worker holds clearly more than the others do on average."""
        others = self.others(place)
        return bool(others) and connections > 1.125 * sum(others) / len(others) + SLACK

    def lead(self, place: int, connections: int) -> int:
        """How many connections would have to go elsewhere for an even share; 0 where they are about even."""
        others = self.others(place)
        if not others or connections <= 1.25 * (mean := sum(others) / len(others)) + CLEAR_SLACK:
            return 0
        return int((connections - mean) * len(others) / (len(others) + 1))

    def others(self, place: int) -> list[int]:
        """The connections of each of the others that is heard of."""
        since, own = monotonic() - STALE, place % _PLACES
        end = _USED.size + _USED.unpack_from(self.memory)[0] * _ENTRY.size
        entries = enumerate(_ENTRY.iter_unpack(self.memory[_USED.size : end]))
        return [count for number, (written, count) in entries if written > since and number != own]
