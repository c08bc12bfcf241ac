"""Starts and stops one dockerd, and remembers which process it was."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from generator.containers.command import EngineError
from tests.containers.support import host

LOG_FILE = host.BUILD_DIR / "dockerd.log"
RECORD_FILE = host.BUILD_DIR / "dockerd.json"
# dockerd gives its containers 15 s to end before it goes itself.
STOP_SECONDS = 60


@dataclass(frozen=True)
class Daemon:
    """A process by its number and the clock tick it began at, so that a reused number is not taken for it."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> Daemon | None:
        """The live process of that number."""
        try:
            # The name in parentheses may hold spaces, so the fields are counted from behind it.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return Daemon.of(self.pid) == self


def running() -> list[Daemon]:
    """Every dockerd of this machine's process table."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text(encoding="utf-8").strip() == "dockerd":
                daemon = Daemon.of(int(entry.name))
                found += [daemon] if daemon else []
    return found


def start(argv: Sequence[str], log_file: Path = LOG_FILE) -> Daemon:
    """Start dockerd in the background, in a session of its own: Ctrl-C in the tests must not end it."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        process = subprocess.Popen(list(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    daemon = Daemon.of(process.pid)
    process.returncode = 0  # it outlives this object: `Daemon.alive` collects it, not subprocess's own clean-up
    if daemon is None:
        raise EngineError(f"{argv[0]} ended at once:\n{log_tail(log_file)}")
    return daemon


def stop(daemon: Daemon, timeout: float = STOP_SECONDS) -> None:
    """End exactly this process and wait until it has gone."""
    if not daemon.alive():
        return
    os.kill(daemon.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while daemon.alive():
        if time.monotonic() > deadline:
            raise EngineError(f"dockerd (pid {daemon.pid}) did not end within {timeout:g} s of SIGTERM")
        time.sleep(0.05)


def log_tail(log_file: Path = LOG_FILE, lines: int = 20) -> str:
    """The end of the daemon's log."""
    try:
        return "\n".join(log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def remember(daemon: Daemon, record_file: Path = RECORD_FILE) -> None:
    """Write down the daemon this checkout has started, for a `down` in another process."""
    record_file.parent.mkdir(parents=True, exist_ok=True)
    record_file.write_text(json.dumps(asdict(daemon)) + "\n", encoding="utf-8")


def remembered(record_file: Path = RECORD_FILE) -> Daemon | None:
    """The daemon written down, if that very process still runs."""
    try:
        daemon = Daemon(**json.loads(record_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return daemon if daemon.alive() else None


def forget(record_file: Path = RECORD_FILE) -> None:
    record_file.unlink(missing_ok=True)
