"""Ctrl-C, at whatever moment: no traceback, and what can be undone is undone.

While a command runs, SIGINT raises KeyboardInterrupt: files are put back, containers removed. Before, after and during
imports nothing has to be undone, and the process dies of the signal: Python would print where it came, and within an
import may drop it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

_RAISE, _END = signal.default_int_handler, signal.SIG_DFL


def end_the_process() -> None:
    """From here SIGINT ends the process; `nohup` and `&`, which ignore it, are heeded."""
    if signal.getsignal(signal.SIGINT) is _RAISE:
        signal.signal(signal.SIGINT, _END)


def die() -> NoReturn:
    """Of SIGINT, at once; the next run repairs what was not undone."""
    signal.signal(signal.SIGINT, _END)
    signal.raise_signal(signal.SIGINT)
    raise SystemExit(128 + signal.SIGINT)  # blocked meanwhile


def raised() -> AbstractContextManager[None]:
    """A block in which SIGINT raises KeyboardInterrupt, where it would end the process."""
    return _meanwhile(_END, _RAISE)


def fatal() -> AbstractContextManager[None]:
    """A block in which SIGINT ends the process, where it would raise KeyboardInterrupt."""
    return _meanwhile(_RAISE, _END)


@contextmanager
def _meanwhile(usual: Any, other: Any) -> Iterator[None]:
    if signal.getsignal(signal.SIGINT) is not usual:
        yield
        return
    try:
        signal.signal(signal.SIGINT, other)
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
