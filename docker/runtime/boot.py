"""Check the environment, then become the server: ``exec`` makes it PID 1, so that signals reach it directly.

Arguments that begin with ``-`` are the server's. Anything else is a command that runs in its place, as the same user
and with the same environment: ``docker run IMAGE flask db upgrade``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

#: Where the image keeps each server's configuration; a pod mounts its ConfigMap over the file.
CONFIGURATION = Path("/etc/kit")

#: For the server under a wrapper: the process that it must have become.
WRAPPED = "KIT_WRAPPED"
_BIN = Path(sys.prefix) / "bin"
#: A module of the runtime as a program; -P keeps the app's folder from shadowing what it imports.
_MODULE = (str(_BIN / "python"), "-P", "-m")
#: What each server is started by; its configuration has the same name.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "gunicorn": (str(_BIN / "gunicorn"),),
    "pywsgi": (*_MODULE, "kit_runtime.pywsgi.server"),
    "flask": (*_MODULE, "kit_runtime.development.flask_server"),
}


class BootError(Exception):
    """The environment is wrong; the message is one line that says what to write instead."""


def positive_int(environ: Mapping[str, str], name: str) -> int | None:
    """A variable that must be a whole number of at least 1, or None where it is not set.

    gunicorn itself crashes with a traceback at import on ``WEB_CONCURRENCY=abc`` and starts no worker on 0.
    Raises BootError.
    """
    text = environ.get(name)
    if text is None:
        return None
    # Nine digits at most: int() itself raises beyond 4,300 of them.
    if text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0:
        return int(text)
    raise BootError(f"{name}={text[:60]!r} is not a whole number of at least 1; correct it or unset it")


def listening_port(environ: Mapping[str, str], default: int) -> int:
    """The port to listen on: PORT, as Heroku, Render and Cloud Run set it, or else the configuration's.

    Raises BootError: ``tcp://10.0.0.1:80`` is what links between containers put into variables of such names.
    """
    text = environ.get("PORT")
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535:
        return int(text)
    link = "; it looks like the address of another container" if "://" in text else ""
    raise BootError(f"PORT={text[:60]!r} is not a port from 1 to 65535{link}; correct it or unset it")


def check(environ: Mapping[str, str]) -> None:
    """Raise BootError for a variable that no server could start with."""
    for name in ("WEB_CONCURRENCY", "KIT_CPU_MILLICORES", "KIT_MEMORY_BYTES"):
        positive_int(environ, name)
    listening_port(environ, 1)


def fail(message: str) -> NoReturn:
    """One clear line on stderr and exit code 2, never a traceback: nothing of ours is broken."""
    print(f"kit: {message}", file=sys.stderr, flush=True)
    raise SystemExit(2)


def main(argv: Sequence[str], execvp: Callable[[str, list[str]], object] = os.execvp) -> None:
    """Replace this process by the server, or by the command behind its name; words before it wrap the server."""
    place = next((place for place, word in enumerate(argv) if word in PROGRAMS), None)
    if place is None:
        fail(f"an argument must be one of: {', '.join(sorted(PROGRAMS))}")
    wrapper, name, arguments = argv[:place], argv[place], list(argv[place + 1 :])
    if arguments and not arguments[0].startswith("-"):
        become(arguments, execvp)
        return
    try:
        check(os.environ)
    except BootError as error:
        fail(str(error))
    # gunicorn takes SENDFILE from the environment, and any value of it turns sendfile off.
    os.environ.pop("SENDFILE", None)
    if wrapper:
        os.environ[WRAPPED] = str(os.getpid())
    become([*wrapper, *PROGRAMS[name], "--config", str(CONFIGURATION / f"{name}.conf.py"), *arguments], execvp)


def become(command: list[str], execvp: Callable[[str, list[str]], object]) -> None:
    """Run the command in place of this process; a shell's exit codes where that is not possible."""
    try:
        execvp(command[0], command)
    except (OSError, ValueError) as error:  # ValueError: an argument with a NUL
        reason = getattr(error, "strerror", None) or error
        print(f"kit: cannot run {command[0][:200]!r}: {reason}", file=sys.stderr, flush=True)
        raise SystemExit(127 if isinstance(error, FileNotFoundError) else 126) from None
