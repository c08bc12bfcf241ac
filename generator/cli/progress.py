"""What is going on, told on stderr."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds that a step may take before a terminal is told of it.
AFTER = 1.0
#: What a plan takes: of a large project that is a while.
READING = "reading profiles and the app"


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Of an experiment: a line that moves on a terminal, else one line a step."""
    from rich.console import Console

    console, began = Console(stderr=True, highlight=False, markup=False), time.monotonic()
    if not console.is_terminal:
        yield lambda step: console.print(_text(began, step))
        return
    with console.status("") as status:
        yield lambda step: status.update(_text(began, step))


@contextmanager
def waiting(step: str) -> Iterator[None]:
    """Of a step that takes a moment as a rule: the same line on a terminal once it takes longer, elsewhere nothing."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    # No signal may reach this thread: the main one holds them back while it writes files (output/lock.py).
    thread = threading.Thread(target=_show, args=(step, over, time.monotonic()), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(step: str, over: threading.Event, began: float) -> None:
    if AFTER and over.wait(AFTER):
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    class Shown(Console):
        def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 (rich's signature)
            """Leave it there: whom a signal ends in the middle would be left without one."""
            return False

    console = Shown(stderr=True, highlight=False, markup=False)
    options: dict[str, Any] = {"redirect_stdout": False, "redirect_stderr": False, "transient": True}
    with Live(spinner := Spinner("dots", _text(began, step)), console=console, **options):
        while not over.wait(0.5):
            spinner.update(text=_text(began, step))


def _text(began: float, step: str) -> str:
    return f"{time.monotonic() - began:4.0f} s  {step}"
