"""Capability cells that several servers share: which family honours a setting stands with the setting itself."""

from __future__ import annotations

from collections.abc import Mapping

from ..profile.records import Family
from ..profile.schema import SERVED, SETTINGS
from .server import Cell, harmful, honoured, ignored

TLS = harmful("probes and HEALTHCHECK speak plain HTTP to the container: end TLS in the proxy or the ingress")
#: gunicorn's own settings, written in the section `gunicorn`, for all worker classes that use its request parser.
_PARSER = honoured("unprobed: gunicorn's own parser, the same code as limit_request_line")
_OF_GUNICORN = {
    "limit_request_line": honoured("test_gunicorn_mapping_reaches_the_server"),
    "limit_request_fields": _PARSER,
    "limit_request_field_size": _PARSER,
    "proxy_protocol": honoured("unprobed: gunicorn's own parser; needs a proxy that speaks it"),
    "statsd_host": honoured("test_access_log"),
    **dict.fromkeys(("certfile", "keyfile", "ca_certs", "ciphers"), TLS),
    **dict.fromkeys(
        ("asgi_loop", "asgi_lifespan", "asgi_disconnect_grace_period", "websocket_max_message_size", "root_path"),
        ignored("only gunicorn's asgi worker reads it"),
    ),
}
HANG = (
    "Seconds without a heartbeat after which a worker counts as hung and is replaced. It does not limit a request: "
    "the event loop or another thread keeps the heartbeat going."
)


def cells(family: Family, own: Mapping[str, Cell], otherwise: Cell | None = None) -> dict[str, Cell]:
    """The cells of a server: those of its family, as each setting says, and its ``own``, which win.

    ``otherwise`` is for what the family does not honour; without it the server has to name each of those itself.
    """
    found = dict(_OF_GUNICORN) if family == "gunicorn" else {}
    for path in SERVED:
        one = SETTINGS[path]
        if family in (one.honoured_by or ()):
            found[path] = honoured(one.shown_by)
        elif otherwise is not None:
            found[path] = otherwise
    return found | dict(own)
