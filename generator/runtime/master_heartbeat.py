"""The heartbeat of the master: a file whose times say when the master last looked, and when a worker last beat.

A saturated worker responds to no probe in time, and neither does a hung one. The master serves nothing, so that its
heartbeat tells both apart from outside, without a request: see ``kit_runtime.health``.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Iterable
from time import monotonic

# Without pathlib: importing it takes 14 ms, as long as all else that a probe does.
#: Memory in every container; gunicorn's own heartbeat files lie there too.
PATH = "/dev/shm/kit-master"


class MasterHeartbeat:
    """What the master writes. Made before the first fork; a path that cannot be written raises OSError."""

    def __init__(self, path: str = PATH) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.beat([])
        atexit.register(_remove, path, os.getpid())

    def beat(self, workers: Iterable[float]) -> None:
        """Note that the master looked now, and the newest of its workers' heartbeats, in monotonic seconds.

        A time in the future is no heartbeat: gunicorn's file has the wall clock's until a worker has booted.
        """
        now = monotonic()
        newest = max((beat for beat in workers if beat <= now), default=0.0)
        os.utime(self._file, (newest, now))


def _remove(path: str, master: int) -> None:
    if os.getpid() == master:  # not a worker, which inherits what runs at exit
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108


def ages(path: str = PATH) -> tuple[float, float] | None:
    """Seconds since a worker beat and since the master looked, or None where no master has written."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    now = monotonic()
    return now - found.st_atime, now - found.st_mtime
