"""What of a client's bytes may stand in a log line: nothing that forges one, and nothing that is a secret."""

from __future__ import annotations

import json
import os
import re

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\\u2028\u2029]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_USER_INFO = re.compile(r"//[^/?#\s]*@")
_BEHIND_THE_PATH = re.compile(r"[?#]\S*")
#: In a sentence about a refused request: a query, which may have spaces, so that its rest stands for the version, and a
#: header that has no colon.
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_VERSION = re.compile(r"(Invalid HTTP Version: ')(?!HTTP/).*", re.DOTALL)
_HEADER = re.compile(r"(Invalid HTTP Header: '[^\s:=\\]*)[\s:=\\].*", re.DOTALL)
_QUOTED_CHARACTERS = 200


def escape(value: str) -> str:
    """A path with a control character would otherwise start a log line of the client's own making."""
    return _UNSAFE.sub(_escaped, value)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def without_secrets(text: str) -> str:
    """A URL, or a line with one, without user, password, query and fragment: they carry tokens."""
    return _BEHIND_THE_PATH.sub("", _USER_INFO.sub("//", text, count=1), count=1)


def refused(sentence: str) -> str:
    """A parser's sentence about a request that it refused, without the secrets and control characters of what it
    quotes. A refused target may have spaces, so nothing behind its path is left; of a refused header its name."""
    quoted = _QUERY.sub("?...", _USER_INFO.sub("//", sentence))
    quoted = _HEADER.sub(r"\1...", _VERSION.sub(r"\1...", quoted))
    if len(quoted) > _QUOTED_CHARACTERS:
        quoted = quoted[:_QUOTED_CHARACTERS] + "..."
    return _CONTROL.sub(_escaped, quoted)


def json_line(
    *,
    remote_addr: str | None,
    forwarded_for: str | None,
    method: str | None,
    path: str | None,
    status: int | None,
    body_bytes: int | None,
    duration_seconds: float,
    user_agent: str | None,
) -> str:
    """One access line as a JSON object in ASCII, the same for every server; null is what is not known.

    ``path`` is WSGI's PATH_INFO, without the query, its bytes as Latin-1. A serialiser writes the line, since a format
    string breaks on a backslash.
    """
    if path is not None and not path.startswith("/"):  # an absolute URL: meinheld passes it on as it came
        path = without_secrets(path)
    return json.dumps(
        {
            "remote_addr": remote_addr,
            "forwarded_for": forwarded_for,
            "method": method,
            "path": None if path is None else path.encode("latin-1", "replace").decode("utf-8", "replace"),
            "status": status,
            "bytes": body_bytes,
            "duration_ms": round(duration_seconds * 1000, 3),
            "user_agent": user_agent,
            "pid": os.getpid(),
        },
        default=str,
    )
