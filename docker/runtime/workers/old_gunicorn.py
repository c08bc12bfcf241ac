"""What gunicorn 27 refuses and gunicorn 25 lets through, for the last gunicorn with an eventlet worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gunicorn import version_info
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidChunkSize, InvalidHeader, InvalidHeaderName, InvalidRequestLine, NoMoreData
from gunicorn.http.message import Message, Request
from gunicorn.http.wsgi import Response

_NO_TARGET = re.compile(r"[^\x21-\x7e]")
_STATUS = re.compile(r"[0-9]{3}(?: [ \t\x21-\x7e\x80-\xff]*)?")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SINGLE = ("HOST", "CONTENT-TYPE")
_NOT_IN_TRAILERS = frozenset(("HOST", "CONTENT-LENGTH", "TRANSFER-ENCODING", "TRAILER", "AUTHORIZATION", "TE"))
_LINE_BYTES = 8190
# RFC 9112, 7.1.1.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_EXTENSION = re.compile(rb"(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED))


def tighten_if_old() -> None:
    """``tighten`` where the profile's server_packages name a gunicorn before 27."""
    if version_info < (27,):
        tighten()


def tighten() -> None:
    """For each request of this process and its children. The hostile tests compare it with gunicorn 27's parser."""
    Request.parse_request_line = _request_line(Request.parse_request_line)
    Message.parse_headers = _headers(Message.parse_headers)
    Message.set_body_reader = _body_reader(Message.set_body_reader)
    Message.should_close = _should_close(Message.should_close)
    ChunkedReader.parse_chunk_size = _chunk_size(ChunkedReader.parse_chunk_size)
    Response.start_response = _start_response(Response.start_response)


def _request_line(stock: Callable[..., Any]) -> Callable[..., Any]:
    def parse_request_line(self: Any, line: bytes) -> None:
        stock(self, line)
        uri = self.uri
        known = uri.startswith("/") or "://" in uri or (uri == "*" and self.method == "OPTIONS")
        connects = self.method == "CONNECT" and uri != "*"
        if _NO_TARGET.search(uri) or not (known or connects):
            raise InvalidRequestLine(line.decode("latin-1"))

    return parse_request_line


def _headers(stock: Callable[..., Any]) -> Callable[..., Any]:
    def parse_headers(self: Any, data: bytes, from_trailer: bool = False) -> Any:
        if _CONTROL.search(data):
            raise InvalidHeader("control character")
        headers = stock(self, data, from_trailer)
        names = [name for name, _ in headers]
        for name in _SINGLE:
            if names.count(name) > 1:
                raise InvalidHeader(name, req=self)
        if from_trailer and not _NOT_IN_TRAILERS.isdisjoint(names):
            raise InvalidHeaderName("a trailer that would change the request")
        return headers

    return parse_headers


def _body_reader(stock: Callable[..., Any]) -> Callable[..., Any]:
    def set_body_reader(self: Any) -> None:
        stock(self)
        codings = [value for name, value in self.headers if name == "TRANSFER-ENCODING"]
        # isascii: stock strips whatever Unicode counts as space.
        if codings and not (isinstance(self.body.reader, ChunkedReader) and all(map(str.isascii, codings))):
            raise InvalidHeader("TRANSFER-ENCODING", req=self)

    return set_body_reader


def _should_close(stock: Callable[..., Any]) -> Callable[..., Any]:
    def should_close(self: Any) -> bool:
        # What follows a CONNECT is no HTTP, whatever the app says.
        return getattr(self, "method", None) == "CONNECT" or bool(stock(self))

    return should_close


def _chunk_size(stock: Callable[..., Any]) -> Callable[..., Any]:
    def parse_chunk_size(self: Any, unreader: Any, data: bytes | None = None) -> Any:
        buf = bytearray(data or b"")
        while (end := buf.find(b"\r\n")) < 0:
            more = b"" if len(buf) > _LINE_BYTES else unreader.read()
            if not more:
                raise InvalidChunkSize(b"no end of the line") if buf else NoMoreData()
            buf += more
        _, semicolon, extension = bytes(buf[:end]).partition(b";")
        if not _EXTENSION.fullmatch(semicolon + extension):
            raise InvalidChunkSize(b"invalid chunk extension")
        return stock(self, unreader, data=bytes(buf))

    return parse_chunk_size


def _start_response(stock: Callable[..., Any]) -> Callable[..., Any]:
    def start_response(self: Any, status: str, headers: Any, exc_info: Any = None) -> Any:
        if isinstance(status, str) and not _STATUS.fullmatch(status):
            raise ValueError(f"invalid status {status!r}")  # a line end in it would begin a header
        return stock(self, status, headers, exc_info)

    return start_response
