"""What an app may say in a response: gunicorn's checks, since bytes past them would be another response's."""

from __future__ import annotations

from typing import Any

from gunicorn.http.message import TOKEN_RE
from gunicorn.http.wsgi import HEADER_VALUE_RE, STATUS_RE

#: What concerns the connection is the server's to say; an app's Transfer-Encoding would break the framing.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade")
)


def checked(status: Any, headers: Any) -> tuple[int, list[tuple[str, str]], str | None, bool]:
    """Code, headers to send, Content-Length, and whether the app closes. Raises TypeError, ValueError.

    A message names no value: it may be a secret.
    """
    if not isinstance(status, str):
        raise TypeError(f"the status is no string but {type(status).__name__}")
    if not STATUS_RE.fullmatch(status):
        raise ValueError("the status is not three digits and a reason without control characters")
    code = int(status[:3])
    kept, length, closes = [], None, False
    for name, given in headers:
        value = _checked_value(name, given)
        lower = name.lower()
        if lower == "content-length":
            if length is not None or not (value.isascii() and value.isdigit()):
                raise ValueError("Content-Length must be one number")
            length = value
            if code == 204 or code < 200:  # RFC 9110, 8.6: such a response must not have it
                continue
        elif lower == "connection" and value.lower() == "close":
            closes = True
        if lower not in _HOP_BY_HOP or code == 101:  # an upgrade is the app's own
            kept.append((name, value))
    return code, kept, length, closes


def _checked_value(name: Any, value: Any) -> str:
    if not (isinstance(name, str) and isinstance(value, str)):
        raise TypeError(f"a header's name and value must be strings: {name!r}")
    if not TOKEN_RE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    if not HEADER_VALUE_RE.fullmatch(value):
        raise ValueError(f"the value of {name} has a control character or is not Latin-1")
    return value.strip(" \t")


def omits_body(method: str | None, code: int) -> bool:
    """Whether the client takes the next byte after the headers for the next response."""
    return method == "HEAD" or code in (204, 304) or (100 <= code < 200 and code != 101)
