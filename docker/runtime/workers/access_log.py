"""Access log lines that cannot be forged: no raw control characters, no query strings (they carry tokens).

gunicorn has one logger, and sends to statsd from one of its own: these count as that one does where statsd_host is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger, SafeAtoms
from gunicorn.instrument.statsd import Statsd

from ..log_text import escape, json_line, without_secrets

#: Atoms with a URL in them, in the format of an argument: the request line, its target, the Referer.
_URLS = frozenset(("r", "f", "{referer}i", "{http_referer}e", "{raw_uri}e"))
#: A decoded path, in which a question mark is its own; of meinheld it may be an absolute URL.
_PATHS = frozenset(("U", "{path_info}e"))


class EscapedAtoms(SafeAtoms):  # type: ignore[misc]
    """gunicorn escapes quotes only: a path with %0A would start a log line of the client's own making."""

    def __init__(self, atoms: Mapping[str, Any]) -> None:
        dict.__init__(self, {key: _safe(key, atom) if isinstance(atom, str) else atom for key, atom in atoms.items()})


def _safe(key: str, atom: str) -> str:
    is_url = key in _URLS or (key in _PATHS and not atom.startswith("/"))
    return escape(without_secrets(atom) if is_url else atom)


class TextLogger(Statsd):  # type: ignore[misc]
    """gunicorn's logger with escaped values; 2xx responses to the probes' paths are counted, but leave no line."""

    atoms_wrapper_class = EscapedAtoms
    #: Set by the configuration: the probes come every few seconds and would be most of a quiet app's log.
    quiet_paths: frozenset[str] = frozenset()

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Log one response, unless it is a probe's, and count it. Must not raise: gunicorn closes the app's response
        only after it. An app that never called start_response has no status, a refused request no path."""
        status = str(resp.status or "")[:3]
        if environ.get("PATH_INFO") not in self.quiet_paths or not status.startswith("2"):
            self.write_access(resp, req, environ, request_time)
        if self.sock is not None:
            self.count(status, request_time)

    def count(self, status: str, request_time: timedelta) -> None:
        """Send what Statsd.access sends, which raises where there is no status and would write gunicorn's line too."""
        self.timer("gunicorn.request.duration", request_time.total_seconds() * 1000)
        self.increment("gunicorn.requests", 1)
        if status.isdecimal():
            self.increment(f"gunicorn.request.status.{status}", 1)

    def write_access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write the line, by gunicorn's access_log_format."""
        Logger.access(self, resp, req, environ, request_time)


class JsonLogger(TextLogger):
    """One JSON object a request."""

    def write_access(self, resp: Any, _req: Any, environ: Any, request_time: Any) -> None:
        """Write the line, of what is known."""
        if not self.access_log_enabled:
            return
        status = str(resp.status or "")[:3]
        line = json_line(
            remote_addr=environ.get("REMOTE_ADDR"),
            forwarded_for=environ.get("HTTP_X_FORWARDED_FOR"),
            method=environ.get("REQUEST_METHOD"),
            path=environ.get("PATH_INFO"),
            status=int(status) if status.isdecimal() else None,
            body_bytes=getattr(resp, "sent", None),
            duration_seconds=request_time.total_seconds(),
            user_agent=environ.get("HTTP_USER_AGENT"),
        )
        self.access_log.info("%s", line)


def records_access(log: Any) -> bool:
    """Whether ``log.access`` does anything, so that it must be called for each response.

    Of a class that is not known here it may: gunicorn's own for statsd counts where no line is written.
    """
    if type(log) is Logger:
        return bool(log.access_log_enabled)
    return type(log) not in (TextLogger, JsonLogger) or log.access_log_enabled or log.sock is not None
