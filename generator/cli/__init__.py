"""The command line: arguments, printing and exit codes."""

from __future__ import annotations

import atexit
import gc
import sys


def main() -> None:
    """Run the command line of this process and end it with an exit code (see ``exits``)."""
    from . import interrupts

    interrupts.end_the_process()
    _collect_seldom()
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without UTF-8 must not end a run halfway through its output
            stream.reconfigure(errors="backslashreplace")
    from .commands import commands

    commands()


def _collect_seldom() -> None:
    """Modules and schemas live until the end of a run: to search them for garbage, at exit too, took a tenth."""
    gc.set_threshold(20_000)
    atexit.register(gc.freeze)
