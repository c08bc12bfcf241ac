"""The command line: arguments, printing and exit codes."""

from __future__ import annotations

import sys
from typing import Any

_excepthook, _unraisablehook = sys.excepthook, sys.unraisablehook


def _without_interrupts(kind: type[BaseException], error: BaseException, where: Any) -> None:
    """Show an exception that nothing caught; of Ctrl-C Python dies by the signal, which says enough."""
    if not issubclass(kind, KeyboardInterrupt):
        _excepthook(kind, error, where)


def _die_of_interrupts(dropped: Any) -> None:
    """Show an exception that Python drops, since a callback cannot raise; Ctrl-C ends the process all the same."""
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        from .interrupts import die

        die()
    _unraisablehook(dropped)


# At import, not in main: Ctrl-C may come during the imports, before any other code of this package runs.
sys.excepthook, sys.unraisablehook = _without_interrupts, _die_of_interrupts


def main() -> None:
    """Run the command line of this process and end it with an exit code (see ``exits``)."""
    import io

    from . import interrupts

    interrupts.end_the_process()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without UTF-8 must not end a run halfway through its output
            stream.reconfigure(errors="backslashreplace")
    from .commands import commands

    commands()
