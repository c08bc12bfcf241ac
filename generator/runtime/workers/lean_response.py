"""The response to a request that lean.py has read: gunicorn's, with less work for ordinary headers and bodies."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from gunicorn import SERVER, util
from gunicorn.http import wsgi

from . import response
from .framing import is_length
from .remembered import Remembered, is_credential

_NAME, _TEXT = re.compile(wsgi.TOKEN_RE.pattern).fullmatch, wsgi.HEADER_VALUE_RE.fullmatch
#: Characters of a header or a status that is remembered: a longer one is unlikely to come again.
_HEADER_REMEMBERED = 120


class LeanResponse(response.Response):
    """The same response with less work for ordinary headers and a body of known length."""

    #: Headers that were checked: how gunicorn keeps them, and the length that one gives.
    known: ClassVar[Remembered[tuple[str, str], tuple[tuple[str, str], int | None]]] = Remembered()
    #: Status lines that were checked, of responses that may have a body.
    codes: ClassVar[Remembered[str, int]] = Remembered()
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
            if code is None and status.__class__ is str and not self.bodiless and len(status) <= _HEADER_REMEMBERED:
                self.codes.keep(status, int(self.status_code or 0))
            return write
        self.status, self.status_code = status, code
        self.process_headers(headers)
        self.chunked = self.response_length is None
        return self.write

    def process_headers(self, headers: Sequence[tuple[str, str]]) -> None:
        if type(headers) is not list:
            super().process_headers(headers)
            return
        kept, length, remembered = [], self.response_length, self.known
        for header in headers:
            known = None
            # Other classes, those derived from str too, may compare, or be written, as they like.
            if type(header) is tuple and len(header) == 2 and type(header[0]) is type(header[1]) is str:
                known = remembered.get(header) or self.look_at(header)
            if known is None:
                super().process_headers(headers)
                return
            if known[1] is not None:
                length = known[1]
            kept.append(known[0])
        self.headers += kept
        self.response_length = length

    def look_at(self, header: tuple[str, str]) -> tuple[tuple[str, str], int | None] | None:
        """A header as gunicorn keeps it, and the length that it gives. None where it takes gunicorn's own way: the
        name is no token or is one that gunicorn reads, the value no legal one."""
        name, value = header
        if not _NAME(name) or util.is_hoppish(name) or not _TEXT(value):
            return None
        kept, length = (name, value.strip(" \t")), None
        if name.lower() == "content-length":
            if not is_length(kept[1]):
                return None
            length = int(kept[1])
        if len(name) + len(value) <= _HEADER_REMEMBERED and not is_credential(name):
            self.known.keep(header, (kept, length))
        return kept, length

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
        lines = "".join([f"{name!s}: {value!s}\r\n" for name, value in self.headers])
        connection = "close" if self.should_close() else "keep-alive"
        coding = "Transfer-Encoding: chunked\r\n" if self.chunked else ""
        text = (
            f"HTTP/1.1 {self.status!s}\r\nServer: {SERVER}\r\nDate: {util.http_date()}\r\n"
            f"Connection: {connection}\r\n{coding}{lines}\r\n"
        )
        return text.encode("latin-1")

    def write(self, arg: Any) -> None:
        if self.headers_sent or self.held or self.upgrade or self._omits_body or arg.__class__ is not bytes:
            super().write(arg)
        elif len(arg) == self.response_length and 0 < len(arg) <= response.COPIED and not self.chunked:  # all of it
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
