"""Whether a request came by http or https, as gunicorn reads it from the headers of a trusted proxy."""

from __future__ import annotations

from typing import Any

from gunicorn.http.message import _ip_in_allow_list


class SchemeReader:
    """``secure_scheme_headers`` and ``forwarded_allow_ips`` of one configuration, asked for each request."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.keys = [
            (f"HTTP_{name.replace('-', '_')}", value)
            for name, value in cfg.secure_scheme_headers.items()
            if name.isupper() and "_" not in name  # gunicorn compares names in upper case
        ]
        self.names = frozenset(key for key, _ in self.keys)

    def read(self, environ: dict[str, Any], peer: str) -> str | None:
        """http or https, as the proxy at the address ``peer`` says; None where its headers contradict each other."""
        if environ.keys().isdisjoint(self.names):  # looks for three names, not through all of the environ
            return "http"
        secure = [value == environ[key] for key, value in self.keys if key in environ]
        if not _ip_in_allow_list(peer, self.cfg.forwarded_allow_ips, self.cfg.forwarded_allow_networks()):
            return "http"
        if len(set(secure)) > 1:
            return None
        return "https" if secure[0] else "http"
