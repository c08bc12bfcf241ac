"""Every way in which a command can end, and its exit code, in one place.

0 good, 1 what the command looks for (drift, a failed claim), 2 the user's input or machine, 3 the kit's own fault,
130 and 141 as a shell reports SIGINT and SIGPIPE.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from ..errors import FAULTS_SHOWN, KitError, ProfileError, printable
from .excerpt import excerpt

_PACKAGE = Path(__file__).resolve().parents[1]


def exit_code(error: BaseException, debug: bool, as_json: bool = False) -> int:
    """Print what ended the command, on stderr, and return its exit code.

    With ``as_json`` the kit's own errors go to stdout, one JSON object a line and fault.
    """
    with suppress(OSError):  # stderr may be full or closed too; the code still tells
        if isinstance(error, click.ClickException):
            error.show()
            return error.exit_code
        if isinstance(error, click.Abort):  # click's word for Ctrl-C
            click.echo("interrupted", err=True)
            return 128 + signal.SIGINT
        if isinstance(error, KitError):
            if as_json:
                click.echo("\n".join(json.dumps(fault) for fault in error.as_json()))
            else:
                text = _faults(error) if isinstance(error, ProfileError) else f"error[{error.code}]: {error}"
                click.echo(text, err=True)
            return error.exit_code
        if debug:
            import traceback

            traceback.print_exception(error)
        if isinstance(error, OSError) and not _is_ours(error):
            where = error.filename or "standard output"
            click.echo(printable(f"error: {where}: {error.strerror or error}"), err=True)
            _discard_output()
            return 2
        click.echo(printable(f"internal error: {type(error).__name__}: {error}; --debug shows where"), err=True)
        return 3
    return getattr(error, "exit_code", 2 if isinstance(error, OSError) else 3)


def pipe_closed() -> int:
    """The exit code of a command whose reader has gone (`... | head -1`): quiet, and what a shell calls SIGPIPE."""
    _discard_output()
    return 128 + signal.SIGPIPE


def _faults(error: ProfileError) -> str:
    """Every fault; on a terminal each with its line and a caret, but for lines whose value must not be shown."""
    if not sys.stderr.isatty():
        return str(error)
    shown = []
    for fault in error.faults[:FAULTS_SHOWN]:
        first, *rest = str(fault).split("\n")
        file = Path(fault.mark.file)
        hidden = "value not shown" in fault.given or not file.is_file()
        line = "" if hidden else excerpt(file.read_text(encoding="utf-8", errors="replace"), fault.mark)
        shown += [first, *([line] if line else []), *rest]
    return "\n".join([*shown, *str(error).split("\n")[-1:]] if len(error.faults) > FAULTS_SHOWN else shown)


def _is_ours(error: OSError) -> bool:
    """Whether a file of the kit is missing or unreadable: no fault of the user's."""
    return isinstance(error.filename, str | Path) and Path(error.filename).is_relative_to(_PACKAGE)


def _discard_output() -> None:
    """Send what is still buffered for stdout nowhere: else Python tries again at exit, and exits with 120."""
    with suppress(OSError, ValueError):  # ValueError: a stream of a test, without a descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
