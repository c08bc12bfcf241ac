"""What the kit adds to gunicorn's master, under a real gunicorn."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import pytest

from generator.runtime.oom import WORKER_ADJUSTMENT
from generator.runtime.workers.master import move_heartbeats
from tests.servers.started import WORKERS, Gunicorn, until


def score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.parametrize("worker", WORKERS)
def test_a_frozen_container_loses_no_worker(gunicorn: Callable[..., Gunicorn], worker: str) -> None:
    # A heart beats each half of it: with 2 s, the second below would be all that is left on a busy machine.
    server = gunicorn(worker, timeout=6)
    pids = [int(server.get()), server.process.pid]
    assert score(pids[0]) == min(1000, score(pids[1]) + WORKER_ADJUSTMENT)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        frozen = monotonic()
        until(lambda: monotonic() > frozen + 12)  # twice its timeout
    finally:
        os.kill(pids[1], signal.SIGCONT)
        sleep(1)  # the master sees the old heartbeat before the worker can renew it
        os.kill(pids[0], signal.SIGCONT)
    for _ in range(20):
        assert int(server.get()) == pids[0]
    assert "TIMEOUT" not in server.log.read_text()


@pytest.mark.parametrize("worker", WORKERS)
def test_a_hung_worker_is_still_replaced(gunicorn: Callable[..., Gunicorn], worker: str) -> None:
    server = gunicorn(worker, timeout=2)
    hung = int(server.get())
    os.kill(hung, signal.SIGSTOP)
    until(lambda: "WORKER TIMEOUT" in server.log.read_text())
    assert int(until(server.get)) != hung


class Beats:
    """A worker whose heartbeat has a time."""

    def __init__(self, folder: Path, last: float) -> None:
        self._file = (folder / str(last)).open("w")
        self.fileno = self._file.fileno
        os.utime(self.fileno(), (last, last))

    def last_update(self) -> float:
        return os.fstat(self.fileno()).st_mtime


@pytest.mark.parametrize(
    ("last", "moved"),
    [(90.0, 130.0), (99.0, 139.0), (140.5, 141.0), (141.0, 141.0), (1e9, 1e9)],
    ids=["hung for 10 s", "well", "beaten since", "just now", "not booted: the file's own time"],
)
def test_heartbeats_move_by_the_time_lost(tmp_path: Path, last: float, moved: float) -> None:
    worker: Any = SimpleNamespace(tmp=Beats(tmp_path, last))
    move_heartbeats([worker], 40.0, 141.0)
    assert worker.tmp.last_update() == moved


def test_a_worker_whose_file_is_closed_is_left_alone(tmp_path: Path) -> None:
    beats = Beats(tmp_path, 90.0)
    beats._file.close()
    worker: Any = SimpleNamespace(tmp=beats)
    move_heartbeats([worker], 40.0, 141.0)
