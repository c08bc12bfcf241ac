"""The standalone server's log: access lines that a client cannot forge, errors in gunicorn's format."""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .. import log_text
from ..log_text import escape, without_secrets

log = logging.getLogger("kit.pywsgi")


@dataclass(slots=True)
class Exchange:
    """One request and its response, as the access log sees them; text is Latin-1, as WSGI carries bytes."""

    remote_addr: str
    requestline: str
    method: str | None
    path: str | None
    status: int
    body_bytes: int
    duration_seconds: float
    finished: float
    referer: str | None = None
    user_agent: str | None = None
    forwarded_for: str | None = None
    authorization: str | None = None


def set_up(level: str) -> None:
    """Errors, starts and stops go to stderr in gunicorn's format; the app's own loggers are left alone."""
    handler = logging.StreamHandler(sys.stderr)
    form = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
    handler.setFormatter(logging.Formatter(form, "[%Y-%m-%d %H:%M:%S %z]"))
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(level.upper())


def access_writer(as_json: bool, quiet_paths: tuple[str, ...]) -> Callable[[Exchange], None]:
    """What writes one access line to stdout; responses of 2xx to the probes' paths are left out."""
    line = json_line if as_json else text_line

    def write(exchange: Exchange) -> None:
        if exchange.path in quiet_paths and 200 <= exchange.status < 300:
            return
        # One write a line: lines of several processes do not mix up to a pipe's atomic 4 KiB.
        # When nobody reads the log any more, the response matters more than its line.
        with contextlib.suppress(OSError):
            os.write(1, (line(exchange) + "\n").encode("utf-8", "backslashreplace"))

    return write


def text_line(exchange: Exchange) -> str:
    """gunicorn's default access format, but without query strings and user info of the target and the Referer."""
    request = escape(without_secrets(exchange.requestline))
    return (
        f"{exchange.remote_addr} - {escape(_user(exchange.authorization))} {_clock(int(exchange.finished))} "
        f'"{request}" {exchange.status} {exchange.body_bytes} '
        f'"{escape(without_secrets(exchange.referer or "-"))}" "{escape(exchange.user_agent or "-")}"'
    )


def json_line(exchange: Exchange) -> str:
    """The same fields as the kit's gunicorn logger writes."""
    return log_text.json_line(
        remote_addr=exchange.remote_addr,
        forwarded_for=exchange.forwarded_for,
        method=exchange.method,
        path=exchange.path,
        status=exchange.status,
        body_bytes=exchange.body_bytes,
        duration_seconds=exchange.duration_seconds,
        user_agent=exchange.user_agent,
    )


@lru_cache(maxsize=2)
def _clock(second: int) -> str:
    return time.strftime("[%d/%b/%Y:%H:%M:%S %z]", time.localtime(second))


def _user(authorization: str | None) -> str:
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return "-"
    try:
        return base64.b64decode(credentials).partition(b":")[0].decode("latin-1") or "-"
    except (binascii.Error, ValueError):
        return "-"
