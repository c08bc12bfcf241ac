"""Access log lines that cannot be forged: no raw control characters, no query strings (they carry tokens)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gunicorn.glogging import Logger, SafeAtoms

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\]')


class EscapedAtoms(SafeAtoms):  # type: ignore[misc]
    """gunicorn escapes quotes only: a path with %0A would start a log line of the client's own making."""

    def __init__(self, atoms: Mapping[str, Any]) -> None:
        dict.__init__(self, {key: _escape(value) for key, value in atoms.items()})


def _escape(value: Any) -> Any:
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", value) if isinstance(value, str) else value


class TextLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger with escaped values; answers of 2xx to the probes' paths are left out."""

    atoms_wrapper_class = EscapedAtoms
    #: Set by the configuration: the probes ask every few seconds and would be most of a quiet app's log.
    quiet_paths: frozenset[str] = frozenset()

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        if environ.get("PATH_INFO") in self.quiet_paths and str(resp.status).startswith("2"):
            return
        self.write_access(resp, req, environ, request_time)

    def write_access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        super().access(resp, req, environ, request_time)


class JsonLogger(TextLogger):
    """One JSON object a request; built by a serialiser, since a format string breaks on a backslash."""

    def write_access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        if not self.access_log_enabled:
            return
        atoms = self.atoms(resp, req, environ, request_time)
        fields = {
            "remote_addr": atoms["h"],
            "forwarded_for": environ.get("HTTP_X_FORWARDED_FOR"),
            "method": atoms["m"],
            # WSGI carries the path's bytes as Latin-1.
            "path": str(atoms["U"]).encode("latin-1", "replace").decode("utf-8", "replace"),
            "status": int(str(atoms["s"])[:3]),
            "bytes": atoms["B"],
            "duration_ms": int(atoms["D"]) / 1000,
            "user_agent": atoms["a"],
            "pid": atoms["p"],
        }
        self.access_log.info("%s", json.dumps(fields, default=str))
