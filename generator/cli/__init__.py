"""The command line: arguments, printing and exit codes."""

from __future__ import annotations

import io
import signal
import sys


def main() -> None:
    """Run the command line of this process and end it with an exit code (see ``exits``)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without UTF-8 must not end a run halfway through its output
            stream.reconfigure(errors="backslashreplace")
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # `nohup` and `&` ignore it
    if interruptible:  # nothing to undo yet: die of it, instead of showing where in an import it came
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .commands import commands

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    commands()
