"""What gunicorn's own parser makes of the bytes of one connection: the reference of the hostile tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.http.parser import RequestParser

from tests.containers.support import hostile_app

PEER, ADDRESS = ("127.0.0.1", 40000), ("127.0.0.1", 8000)


@dataclass
class Reading:
    """The requests that reach the app, as digests of what it sees, and how the reading ends."""

    core: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    #: "closed" (as HTTP has it), "unfinished" (more bytes would be waited for), "truncated" (the last request's body
    #: ended early, and gunicorn hands the app the rest of it all the same), or the name of the parser's error.
    end: str = "closed"


@cache
def settings(peers: str = "127.0.0.1") -> Config:
    """gunicorn's defaults, but for headers that replace SCRIPT_NAME and PATH_INFO: the kit lets no proxy send them."""
    config = Config()
    config.set("forwarder_headers", "")
    config.set("http_parser", "python")
    config.set("forwarded_allow_ips", peers)
    return config


def gunicorn(pieces: Iterable[bytes], peers: str = "127.0.0.1") -> Reading:
    """Reads what comes in these pieces as gunicorn reads a connection; the app reads every body, and closes nothing."""
    reading = Reading()
    parser = RequestParser(settings(peers), iter(pieces), PEER)
    try:
        for request in parser:
            _, environ = wsgi.create(request, _Connection(), PEER, ADDRESS, settings(peers))
            body = request.body.read()
            reading.requests.append(hostile_app.target(environ))
            reading.core.append(hostile_app.digest(hostile_app.core(environ, body)))
            reading.whole.append(hostile_app.digest(hostile_app.whole(environ, body)))
            if len(body) < int(environ.get("CONTENT_LENGTH", 0)):
                reading.end = "truncated"
                break
    except (NoMoreData, StopIteration):
        reading.end = "unfinished"
    except Exception as error:
        reading.end = type(error).__name__
    return reading


class _Connection:
    """Takes what gunicorn says before the response ("100 Continue")."""

    def send(self, data: bytes) -> int:
        return len(data)
