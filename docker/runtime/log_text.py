"""What of a client's bytes may stand in a log line: nothing that forges one, and nothing that is a secret."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\]')
_USER_INFO = re.compile(r"//[^/?#\s]*@")
_BEHIND_THE_PATH = re.compile(r"[?#]\S*")


def escape(value: str) -> str:
    """A path with a control character would otherwise start a log line of the client's own making."""
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", value)


def without_secrets(text: str) -> str:
    """A URL, or a line with one, without user, password, query and fragment: they carry tokens."""
    return _BEHIND_THE_PATH.sub("", _USER_INFO.sub("//", text, count=1), count=1)
