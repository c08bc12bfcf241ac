"""Which process the kernel kills when a container reaches its memory limit: a worker, not the master."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

#: Thousandths of the memory limit that a worker counts on top of what it holds. Workers that share a preloaded app
#: with the master hold about as much as it does; without this, one worker's leak took PID 1 along in 3 of 6 runs.
#: Few, since the kernel compares a node's other containers by the same number.
WORKER_ADJUSTMENT = 100
MAX_ADJUSTMENT = 1000  # the kernel's own limit

_FILE = Path("/proc/self/oom_score_adj")


def prefer_this_process(file: Path = _FILE) -> None:
    """In a worker, after the fork: be chosen before the master. Raising it needs no privilege.

    Where the cgroup kills all its processes together (``memory.oom.group``, which Kubernetes sets on cgroup v2 unless
    the kubelet's ``singleProcessOOMKill`` says otherwise) it changes nothing.
    """
    with suppress(OSError, ValueError):  # a sandbox without the file
        file.write_text(str(min(MAX_ADJUSTMENT, int(file.read_text()) + WORKER_ADJUSTMENT)))
