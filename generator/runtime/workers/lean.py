"""The short way of an ordinary request: one pattern reads its head, and its response is written with less work.

gunicorn parses a head line by line and builds a reader, a parser and an environ for each request: 40 of the 95 us that
a request costs above Flask itself. Here a request whose head one strict pattern recognises as a whole becomes the same
``Request`` and the same environ without that work. Then exchange.py calls the app with it, as gunicorn's
``handle_request`` does. What the pattern does not recognise (a head in pieces, Transfer-Encoding, Expect, Upgrade, a
repeated header, an underscore in a name, any fault) is parsed by gunicorn from the same bytes, so nothing is accepted
here that gunicorn refuses.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from gunicorn import SERVER, util
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
from .scheme import SchemeReader

#: Bytes read at a time, as gunicorn's: a longer head is in pieces, which gunicorn puts together.
READ_BYTES = 8192
_FIELD_NAME = rb"[!#$%&'*+.^`|~0-9A-Za-z-]+"  # RFC 9110 5.6.2 without the underscore, for which gunicorn has a policy
_VALUE = rb"[\t -~\x80-\xff]*"  # RFC 9110 5.5
#: Method, target in origin form without a fragment, and the header lines. HTTP/1.1 only.
_HEAD = re.compile(rb'([A-Z]{3,20}) (/(?!/)[!"$-~]*) HTTP/1\.1\r\n((?:%s:%s\r\n)*)\r\n' % (_FIELD_NAME, _VALUE))
_NAME, _TEXT = re.compile(wsgi.TOKEN_RE.pattern).fullmatch, wsgi.HEADER_VALUE_RE.fullmatch
#: Their meaning reaches past the head: gunicorn's parser reads them.
_LEFT_TO_GUNICORN = frozenset(("EXPECT", "TRANSFER-ENCODING", "UPGRADE"))
#: Header names that are remembered; clients choose names, so there must be an end.
_REMEMBERED = 1024


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
        self.close_requested = environ.get("HTTP_CONNECTION", "").lower() == "close"
        self.lines = lines
        self.trailers: list[tuple[str, str]] = []

    @property
    def headers(self) -> list[tuple[str, str]]:
        """As gunicorn keeps them; only hooks and log formats with header names need it."""
        split = (line.partition(":") for line in self.lines)
        return [(name.upper(), value.strip(" \t")) for name, _, value in split]

    def should_close(self) -> bool:
        return self.must_close or self.close_requested


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
        self.keys: dict[str, str] = {}
        self.scheme = SchemeReader(cfg)
        self.no_body = Unreader()
        self.renew()

    def renew(self) -> None:
        """What gunicorn makes for each request anew, though only a reopened log changes it."""
        self.base = {
            **wsgi.base_environ(self.cfg),
            "wsgi.multithread": True,  # set by both workers that read requests here
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SCRIPT_NAME": self.script_name,
        }

    def read(self, data: bytes, sock: Any, peer: Any, server: Any) -> LeanRequest | None:
        """The request at the start of ``data``, and None where gunicorn has to look at it.

        ``sock.unread`` becomes what follows the head; a body of known length is read from there and from ``sock``.
        """
        head = _HEAD.match(data)
        # A client of a unix socket has no address and port.
        if head is None or head.start(3) > self.line_bytes + 2 or peer.__class__ is not tuple:
            return None
        method, target, block = head[1].decode(), head[2].decode(), head[3].decode("latin-1")
        lines = block.split("\r\n")
        lines.pop()
        environ = self.environ(lines, len(block))
        path, _, query = target.partition("?")
        if environ is None or method == "CONNECT" or not path.startswith(self.script_name):
            return None
        length = environ.get("CONTENT_LENGTH", "0")
        scheme = self.scheme.read(environ, peer[0])
        if scheme is None or not (length.isascii() and length.isdigit() and len(length) < 16):
            return None
        request = LeanRequest(environ, lines)
        request.cfg, request.peer_addr, request.remote_addr = self.cfg, peer, peer
        request.method, request.uri, request.path, request.query = method, target, path, query
        request.scheme = environ["wsgi.url_scheme"] = scheme
        environ["REQUEST_METHOD"], environ["RAW_URI"], environ["QUERY_STRING"] = method, target, query
        path = path[len(self.script_name) :]
        environ["PATH_INFO"] = unquote_to_wsgi_str(path) if "%" in path else path
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = peer[0], str(peer[1])
        environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
        environ["gunicorn.socket"] = sock
        sock.unread, request.unreader = data[head.end() :], self.no_body
        if length != "0":
            request.unreader = SocketUnreader(sock)
            request.unreader.unread(sock.unread)
            sock.unread = b""
        request.body = environ["wsgi.input"] = Body(LengthReader(request.unreader, int(length)))
        return request

    def environ(self, lines: list[str], size: int) -> dict[str, Any] | None:
        """The header lines in WSGI's words; None where one is too long, repeated or gunicorn's to read."""
        if len(lines) > self.fields or (size > self.field_bytes and max(map(len, lines)) + 2 > self.field_bytes):
            return None
        environ = self.base.copy()
        keys = self.keys
        for line in lines:
            name, _, value = line.partition(":")
            key = keys.get(name)
            if key is None:
                key = self.key(name)
            if not key or key in environ:
                return None
            environ[key] = value.strip(" \t")
        return environ

    def key(self, name: str) -> str:
        """The environ's name of a header; empty for one that gunicorn must read."""
        upper = name.upper()
        if upper in _LEFT_TO_GUNICORN:
            key = ""
        elif upper in ("CONTENT-LENGTH", "CONTENT-TYPE"):
            key = upper.replace("-", "_")
        else:
            key = f"HTTP_{upper.replace('-', '_')}"
        if len(self.keys) < _REMEMBERED:
            self.keys[name] = key
        return key


def fits(cfg: Any) -> bool:
    """Whether requests may take the short way: with these a connection's parser remembers, or reads ahead, what a new
    one would not know."""
    return bool(cfg.proxy_protocol == "off" and cfg.http2_cleartext == "off" and cfg.protocol == "http")


def has_whole_body(request: LeanRequest) -> bool:
    """Whether no more of the body has to be read from the connection."""
    return bool(request.body.reader.length <= len(request.unreader.buf.getvalue()))


def finish_body(request: LeanRequest, sock: Any) -> bool:
    """Discard what the app left of the body, as gunicorn does before the next request; whether that was possible."""
    if request.unreader.__class__ is Unreader:
        return True
    body = request.body
    if body.failed:
        return False
    while body.read(1024):
        pass
    sock.unread = request.unreader.take_buffered()
    return bool(body.reader.length == 0)


class LeanResponse(response.Response):
    """The same response with less work for ordinary headers and a body of known length."""

    #: Header names that were checked: whether they are ordinary.
    names: ClassVar[dict[str, bool]] = {}
    #: Status lines that were checked, of responses that may have a body.
    codes: ClassVar[dict[str, int]] = {}
    # What gunicorn sets for each response.
    version = SERVER
    status: str | None = None
    status_code: int | None
    response_length: int | None = None
    headers_sent = chunked = must_close = upgrade = _omits_body = _omits_body_warned = False
    sent = 0

    def __init__(self, req: Any, sock: Any, cfg: Any) -> None:
        self.req, self.sock, self.cfg = req, sock, cfg
        self.headers: list[tuple[str, str]] = []

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        code = self.codes.get(status) if status.__class__ is str else None
        if code is None or exc_info or self.status is not None or self.req.method == "HEAD":
            write = super().start_response(status, headers, exc_info)
            if code is None and not self._omits_body and len(self.codes) < _REMEMBERED:
                self.codes[status] = int(self.status_code or 0)
            return write
        self.status, self.status_code = status, code
        self.process_headers(headers)
        self.chunked = self.response_length is None
        return self.write

    def process_headers(self, headers: Sequence[tuple[str, str]]) -> None:
        if type(headers) is not list:
            super().process_headers(headers)
            return
        names, kept = self.names, []
        length: int | None = None
        for name, value in headers:
            known = names.get(name)
            if known is None:
                known = self.look_at(name)
            if not known or type(value) is not str or not _TEXT(value):
                super().process_headers(headers)
                return
            if len(name) == 14 and name.lower() == "content-length":
                length = int(value.strip(" \t"))
            kept.append((name, value.strip(" \t")))
        self.headers += kept
        if length is not None:
            self.response_length = length

    def look_at(self, name: Any) -> bool:
        """Whether a name is a token that gunicorn keeps as it is; anything else takes gunicorn's own way."""
        ordinary = type(name) is str and _NAME(name) is not None and not util.is_hoppish(name)
        if len(self.names) < _REMEMBERED:
            self.names[name] = ordinary
        return ordinary

    def send_headers(self) -> None:
        if self.headers_sent or self.held:
            return
        if self.upgrade:
            super().send_headers()
            return
        self.held = self.head()
        if self.direct or self._omits_body or self.response_length == 0:
            self.flush()

    def head(self) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        connection = "close" if self.should_close() else "keep-alive"
        coding = "Transfer-Encoding: chunked\r\n" if self.chunked else ""
        text = (
            f"HTTP/1.1 {self.status}\r\nServer: {SERVER}\r\nDate: {util.http_date()}\r\n"
            f"Connection: {connection}\r\n{coding}{lines}\r\n"
        )
        return text.encode("latin-1")

    def write(self, arg: Any) -> None:
        if self.headers_sent or self.held or self.upgrade or self._omits_body or arg.__class__ is not bytes:
            super().write(arg)
        elif len(arg) == self.response_length and 0 < len(arg) <= response.COPIED:  # the whole body
            head = self.head()
            self.headers_sent, self.sent = True, len(arg)
            self.sock.sendall(head + arg)
        else:
            super().write(arg)

    def _emit_body(self, data: bytes) -> None:
        if self.held and not self.chunked and len(data) <= response.COPIED:
            held, self.held, self.headers_sent = self.held, b"", True
            self.sock.sendall(held + data)
        else:
            super()._emit_body(data)

    def close(self) -> None:
        if self.chunked or not self.headers_sent:
            super().close()
        elif self.sent != self.response_length and self.is_short():
            self.must_close = True


_create: Callable[..., Any] = wsgi.create


def create(req: Any, sock: Any, client: Any, server: Any, cfg: Any, *args: Any, **options: Any) -> Any:
    """gunicorn's pair of response and environ; a LeanRequest brings its environ along."""
    if req.__class__ is not LeanRequest:
        return _create(req, sock, client, server, cfg, *args, **options)
    resp, environ = LeanResponse(req, sock, cfg), req.environ
    del req.environ  # the callback refers to the request: a circle would be left to the garbage collector
    environ["wsgi.early_hints"] = wsgi._make_early_hints_callback(req, sock, resp)
    return resp, environ


def install() -> None:
    """For each request of this process: gunicorn makes them by this name."""
    response.install()
    wsgi.create = create
