"""The short way of an ordinary request: one pattern reads its head. lean_response.py writes the response.

gunicorn parses a head line by line and builds a reader, a parser and an environ for each request: 40 of the 95 us that
a request costs above Flask itself. Here a request whose head one strict pattern recognises as a whole becomes the same
``Request`` and the same environ without that work. Then exchange.py calls the app with it, as gunicorn's
``handle_request`` does. What the pattern does not recognise (a head in pieces, Transfer-Encoding, Expect, Upgrade, a
repeated header, an underscore in a name, any fault) is parsed by gunicorn from the same bytes, so nothing is accepted
here that gunicorn refuses.
"""

import logging
import os
import re
import sys
from collections.abc import Callable
from functools import cached_property
from io import BytesIO, RawIOBase
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import (
    DEFAULT_MAX_HEADERFIELD_SIZE,
    MAX_HEADERS,
    MAX_REQUEST_LINE,
    Request,
)
from gunicorn.http.unreader import SocketUnreader, Unreader
from gunicorn.util import unquote_to_wsgi_str

from . import response
from .framing import is_length
from .lean_response import LeanResponse
from .remembered import Remembered, is_credential
from .scheme import SchemeReader

#: Bytes read at a time, as gunicorn's: a longer head is in pieces, which gunicorn puts together.
READ_BYTES = 8192
_FIELD_NAME = r"[!#$%&'*+.^`|~0-9A-Za-z-]+"  # RFC 9110 5.6.2 without the underscore, for which gunicorn has a policy
_VALUE = r"[\t -~\x80-\xff]*"  # RFC 9110 5.5
#: Method, target in origin form without a fragment, and the header lines. HTTP/1.1 only.
_HEAD = re.compile(rf'([A-Z]{{3,20}}) (/(?!/)[!"$-~]*) HTTP/1\.1\r\n((?:{_FIELD_NAME}:{_VALUE}\r\n)*)\r\n')
#: Their meaning reaches past the head: gunicorn's parser reads them.
_LEFT_TO_GUNICORN = frozenset(("EXPECT", "TRANSFER-ENCODING", "UPGRADE"))
#: Set for each request.
_EACH_REQUEST = (
    *("REQUEST_METHOD", "RAW_URI", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_PORT"),
    *("wsgi.input", "wsgi.errors", "wsgi.url_scheme", "wsgi.early_hints", "gunicorn.socket"),
)
#: A longer line (a cookie, a token) is unlikely to come again from another client.
_LINE_REMEMBERED = 160


class _ForGunicornError(Exception):
    """gunicorn has to read this line."""


class Lines(Remembered[str, tuple[str, str]]):
    """Header lines as keys and values of the environ. Most lines come again with every request of most clients."""

    __slots__ = ()

    def __missing__(self, line: str) -> tuple[str, str]:
        name, _, value = line.partition(":")
        upper = name.upper()
        if upper in _LEFT_TO_GUNICORN:
            raise _ForGunicornError
        key = upper.replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = f"HTTP_{key}"
        pair = key, value.strip(" \t")
        if len(line) <= _LINE_REMEMBERED and not is_credential(name):
            self.keep(line, pair)
        return pair


class LeanRequest(Request):  # type: ignore[misc]
    """gunicorn's request, its attributes set instead of parsed."""

    version = (1, 1)
    fragment = ""
    must_close = False
    req_number = 1
    _expected_100_continue = False
    proxy_protocol_info: Any = None

    def __init__(self, environ: dict[str, Any], lines: list[str]) -> None:
        self.environ = environ
        connection = environ.get("HTTP_CONNECTION")
        self.close_requested = connection is not None and connection.lower() == "close"
        self.lines = lines
        self.trailers: list[tuple[str, str]] = []

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """As gunicorn keeps them; only hooks and log formats with header names need it."""
        split = (line.partition(":") for line in self.lines)
        return [(name.upper(), value.strip(" \t")) for name, _, value in split]

    @cached_property
    def unreader(self) -> Unreader:
        """Of a request without a body."""
        return Unreader()

    def should_close(self) -> bool:
        return self.must_close or self.close_requested


class NoBody(Body):  # type: ignore[misc]
    """Of a request without one; what it reads from is made for the few apps that do."""

    failed = False
    __init__ = object.__init__  # nothing of its own

    @cached_property
    def buf(self) -> BytesIO:
        return BytesIO()

    @cached_property
    def reader(self) -> LengthReader:
        return LengthReader(Unreader(), 0)


class Errors(wsgi.WSGIErrorsWrapper):  # type: ignore[misc]
    """gunicorn's ``wsgi.errors`` with less looking up. Each request has its own, since an app may close it."""

    streams: list[Any]
    __init__ = RawIOBase.__init__


class Reader:
    """Reads heads for one worker; what does not change between its requests is kept here."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        line, fields, size = cfg.limit_request_line, cfg.limit_request_fields, cfg.limit_request_field_size
        # As gunicorn reads them: 0 is no limit for the line, and the largest one for fields and their size.
        self.line_bytes = MAX_REQUEST_LINE if line < 0 else min(line or READ_BYTES, MAX_REQUEST_LINE)
        self.fields = fields if 0 < fields <= MAX_HEADERS else MAX_HEADERS
        self.field_bytes = size if size > 0 else DEFAULT_MAX_HEADERFIELD_SIZE
        self.script_name = os.environ.get("SCRIPT_NAME", "")
        self.lines = Lines()
        self.scheme = SchemeReader(cfg)
        self.bases: dict[Any, dict[str, Any]] = {}  # one for each address that the worker listens on
        self.error_log, self.logs_to_stderr = logging.getLogger("gunicorn.error"), cfg.errorlog == "-"

    def base(self, server: Any) -> dict[str, Any]:
        """What is the same for all requests to the address ``server``, with room for what each request has anew: a
        dict that is copied keeps its size, one that grows is made twice."""
        base = self.bases[server] = {
            **wsgi.base_environ(self.cfg),
            **dict.fromkeys(_EACH_REQUEST),
            "wsgi.multithread": True,  # set by both workers that read requests here
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SCRIPT_NAME": self.script_name,
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
        }
        return base

    def read(self, data: bytes, sock: Any, peer: Any, server: Any) -> LeanRequest | None:
        """The request at the start of ``data``, and None where gunicorn has to look at it.

        ``sock.unread`` becomes what follows the head; a body of known length is read from there and from ``sock``.
        """
        head = _HEAD.match(data.decode("latin-1"))
        # A client of a unix socket has no address and port.
        if head is None or head.start(3) > self.line_bytes + 2 or peer.__class__ is not tuple:
            return None
        method, target, block = head.groups()
        lines = block.split("\r\n")
        lines.pop()
        environ = self.environ(lines, len(block), server)
        path, _, query = target.partition("?")
        if environ is None or method == "CONNECT" or not path.startswith(self.script_name):
            return None
        length = environ.get("CONTENT_LENGTH", "0")
        scheme = self.scheme.read(environ, peer[0])
        if scheme is None or not (length == "0" or is_length(length)):
            return None
        request = LeanRequest(environ, lines)
        request.cfg, request.peer_addr, request.remote_addr = self.cfg, peer, peer
        request.method, request.uri, request.path, request.query = method, target, path, query
        request.scheme = environ["wsgi.url_scheme"] = scheme
        environ["REQUEST_METHOD"], environ["RAW_URI"], environ["QUERY_STRING"] = method, target, query
        path = path[len(self.script_name) :]
        environ["PATH_INFO"] = unquote_to_wsgi_str(path) if "%" in path else path
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = peer[0], str(peer[1])
        environ["gunicorn.socket"] = sock
        end = head.end()
        sock.unread = data[end:] if end < len(data) else b""
        if length == "0":
            request.body = NoBody()
        else:
            request.unreader = SocketUnreader(sock)
            request.unreader.unread(sock.unread)
            sock.unread = b""
            request.body = Body(LengthReader(request.unreader, int(length)))
        environ["wsgi.input"], environ["wsgi.errors"] = request.body, self.errors()
        return request

    def errors(self) -> Errors:
        """With the streams that gunicorn's would have now: logs are opened anew, and an app may replace sys.stderr."""
        errors: Errors = Errors()
        if self.logs_to_stderr and len(self.error_log.handlers) < 2:
            errors.streams = [sys.stderr]
        else:
            errors.streams = wsgi.WSGIErrorsWrapper(self.cfg).streams
        return errors

    def environ(self, lines: list[str], size: int, server: Any) -> dict[str, Any] | None:
        """The header lines in WSGI's words; None where one is too long, repeated or gunicorn's to read."""
        if len(lines) > self.fields or (size > self.field_bytes and max(map(len, lines)) + 2 > self.field_bytes):
            return None
        base = self.bases.get(server) or self.base(server)
        environ = base.copy()
        try:
            environ.update(map(self.lines.__getitem__, lines))
        except _ForGunicornError:
            return None
        return environ if len(environ) == len(base) + len(lines) else None


def fits(cfg: Any) -> bool:
    """Whether requests may take the short way: with these a connection's parser remembers, or reads ahead, what a new
    one would not know."""
    return bool(cfg.proxy_protocol == "off" and cfg.http2_cleartext == "off" and cfg.protocol == "http")


def has_whole_body(request: LeanRequest) -> bool:
    """Whether no more of the body has to be read from the connection."""
    if request.body.__class__ is NoBody:
        return True
    return bool(request.body.reader.length <= len(request.unreader.buf.getvalue()))


def finish_body(request: LeanRequest, sock: Any) -> bool:
    """Discard what the app left of the body, as gunicorn does before the next request; whether that was possible."""
    body = request.body
    if body.__class__ is NoBody:
        return True
    if body.failed:
        return False
    while body.read(1024):
        pass
    sock.unread = request.unreader.take_buffered()
    return bool(body.reader.length == 0)


_create: Callable[..., Any] = wsgi.create


def create(req: Any, sock: Any, client: Any, server: Any, cfg: Any, *args: Any, **options: Any) -> Any:
    """gunicorn's pair of response and environ; a LeanRequest brings its environ along."""
    if req.__class__ is not LeanRequest:
        return _create(req, sock, client, server, cfg, *args, **options)
    resp, environ = LeanResponse(req, sock, cfg), req.environ
    del req.environ  # the callback refers to the request: a circle would be left to the garbage collector
    environ["wsgi.early_hints"] = wsgi._make_early_hints_callback(req, sock, resp)
    return resp, environ


def create_anew(req: LeanRequest, sock: Any, cfg: Any) -> Any:
    """gunicorn's pair for a request that a pre_request hook has seen: whatever it changed there, gunicorn heeds."""
    server = req.environ["SERVER_NAME"], req.environ["SERVER_PORT"]
    req.close_requested = Request.should_close(req)
    resp, environ = _create(req, sock, req.peer_addr, server, cfg)
    environ["wsgi.multithread"] = True
    return resp, environ


def install() -> None:
    """For each request of this process: gunicorn makes them by this name."""
    response.install()
    wsgi.create = create
