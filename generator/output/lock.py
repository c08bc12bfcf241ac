"""One run at a time below an output root; signals that would end it in the middle wait, or end it tidily."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ..errors import TargetError
from . import journal

#: A run takes about a second; whoever holds the lock for longer is stopped or stuck.
WAIT_SECONDS = 30
_STOPS = (signal.SIGTERM, signal.SIGHUP)
#: Some network file systems lock nothing, or no folder: two runs at once are the user's to avoid there.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)


class _Stopped(BaseException):
    """SIGTERM or SIGHUP, as an exception, so that what was begun is put back."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def locked(root: Path, writing: bool = True) -> Iterator[None]:
    """Hold ``root``: alone, after repair of what an interrupted run left, or with other readers.

    The lock is on the folder itself, so it leaves no file and ends with the process. Another run is waited for.
    SIGTERM and SIGHUP end the process as ever, but after everything was put back. Raises TargetError.
    """
    try:
        if writing:
            root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise TargetError(f"{root}: {error.strerror}; see --output") from error
    try:
        _acquire(descriptor, fcntl.LOCK_EX if writing else fcntl.LOCK_SH, root)
        if not writing:
            yield
            return
        with _stops_raised():
            with signals_held():
                journal.recover(root)
            yield
    finally:
        os.close(descriptor)


@contextmanager
def signals_held() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP come after this block. Any thread; it holds back its own only."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *_STOPS))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _stops_raised() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    # Not where the parent had them ignored, as nohup does.
    numbers = [number for number in _STOPS if signal.getsignal(number) is signal.SIG_DFL]
    received = None
    try:
        for number in numbers:
            signal.signal(number, _raise_stopped)
        yield
    except _Stopped as stopped:
        received = stopped.number
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
    if received is not None:
        os.kill(os.getpid(), received)


def _raise_stopped(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


def _acquire(descriptor: int, kind: int, root: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TargetError(
                    f"{root}: another run has been writing here for {WAIT_SECONDS} s; end it, then run again"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return
            raise
