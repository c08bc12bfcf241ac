"""gevent's look-up of names, without a thread for a host that is an address already.

gevent uses one of ten threads, which all wait for the interpreter's lock while the loop is busy. With
create_connection(("127.0.0.1", ...)) in each request and 10,000 clients, nearly all requests then stood there at once:
278 MiB instead of 212 (gunicorn), 320 instead of 209 (pywsgi).
"""

import _socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent


def install() -> None:
    """For the hub of this thread."""
    resolver = gevent.get_hub().resolver
    resolver.getaddrinfo = numeric_at_once(resolver.getaddrinfo)


def numeric_at_once(lookup: Callable[..., Any]) -> Callable[..., Any]:
    """The lookup, without a thread of the pool where the host is an address already."""

    def getaddrinfo(host: Any, port: Any, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0) -> Any:
        if host and (port is None or isinstance(port, int)):
            with suppress(OSError, UnicodeError):  # a name
                number = host.encode("ascii") if isinstance(host, str) else host  # or it goes through Python's idna
                return _socket.getaddrinfo(number, port, family, kind, proto, flags | _socket.AI_NUMERICHOST)
        return lookup(host, port, family, kind, proto, flags)

    return getaddrinfo
