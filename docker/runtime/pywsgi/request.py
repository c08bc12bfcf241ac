"""Requests by gunicorn's own parser, so that this server reads nothing that gunicorn would refuse.

The alternatives were measured on 585 hostile connections (tests/containers/hostile_cases.py): http.client, which
gevent's handler uses, ends lines at a bare CR; h11 accepted more than gunicorn in 92 of them, llhttp (by
httptools) on 52. gunicorn's takes 20 us more for each request than http.client's, and is pure Python for every image.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

from gevent.lock import BoundedSemaphore
from gevent.pywsgi import _InvalidClientInput
from gunicorn.config import Config
from gunicorn.http import errors, wsgi
from gunicorn.http.body import LengthReader
from gunicorn.http.message import Request

from ..http_limits import HEAD_BYTES
from .configuration import Network, trusts
from .reader import Reader

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@cache
def parser_settings() -> SimpleNamespace:
    """gunicorn's defaults, as its workers get them here. A Config looks each value up by name, ten times a request."""
    values = {name: setting.get() for name, setting in Config().settings.items()}
    # The same verdicts in every image: gunicorn takes a C parser where one happens to be installed.
    # Nor may a trusted proxy choose SCRIPT_NAME and PATH_INFO by headers: many pass on their client's.
    return SimpleNamespace(**{**values, "http_parser": "python", "forwarder_headers": []}, is_ssl=False)


class Head(Request):  # type: ignore[misc]
    """A request as gunicorn parses it, with the kit's reading of who is a trusted proxy."""

    def __init__(self, reader: Reader, peer: tuple[str, int], peers: tuple[Network, ...] | None, number: int) -> None:
        """Read one head. Raises ParseException, NoMoreData, StopIteration (nothing came), OSError."""
        self._peers = peers
        super().__init__(parser_settings(), reader, peer, number)

    def _peer_is_trusted_proxy(self) -> bool:
        return trusts(self._peers, self.peer_addr[0])

    def set_body_reader(self) -> None:
        super().set_body_reader()
        if hasattr(self.body.reader, "limit_trailer_section"):
            self.body.reader.limit_trailer_section = HEAD_BYTES


def refusal(error: Exception) -> str:
    """Status line of the response to a request that gunicorn's parser refuses, as gunicorn's workers have it."""
    for kind, status in (
        (errors.LimitRequestLine, "414 URI Too Long"),
        (errors.LimitRequestHeaders, "431 Request Header Fields Too Large"),
        (errors.ExpectationFailed, "417 Expectation Failed"),
        (errors.UnsupportedTransferCoding, "501 Not Implemented"),
        (errors.ConfigurationProblem, "500 Internal Server Error"),
        (TimeoutError, "408 Request Timeout"),
    ):
        if isinstance(error, kind):
            return status
    return "400 Bad Request"


class BrokenBody(_InvalidClientInput):  # type: ignore[misc]
    """The body ended early, came too slowly or is no body; an OSError, as frameworks expect it of a lost client."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.status = refusal(cause)


class WebSocket:
    """The connection, as a WebSocket library has it: no limit for silence, and what it sends is sent whole.

    simple-websocket takes ``send`` for one that blocks until all is sent, which gevent's does not (its issues 34, 45).
    """

    def __init__(self, sock: Any) -> None:
        self._sock, self._writing = sock, BoundedSemaphore(1)
        sock.settimeout(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def send(self, data: Any, flags: int = 0) -> int:
        with self._writing:
            self._sock.sendall(data, flags)
        return len(data)

    def dup(self) -> WebSocket:
        """The same: the handler reads and writes no more, and closes it when the app is done."""
        return self


class Input:
    """wsgi.input. Once it has failed, where the next request begins is unknown, and the connection must end."""

    def __init__(self, head: Head, sock: Any) -> None:
        self._body, self._sock = head.body, sock
        #: The client waits for "100 Continue" before it sends the body.
        self.awaited = head._expected_100_continue
        self.failed = False
        #: Whether the app has taken the connection over, so that nothing of HTTP may follow on it.
        self.detached = False

    @property
    def raw(self) -> Any:
        """Where simple-websocket finds the connection (``wsgi.input.raw._sock``) on gevent's server."""
        self.detached = True
        return SimpleNamespace(_sock=WebSocket(self._sock))

    @property
    def over(self) -> bool:
        """Whether the whole body has been read."""
        reader = self._body.reader
        return bool(not reader.length if isinstance(reader, LengthReader) else reader.parser is None)

    def _guarded(self, read: Any, size: int | None) -> Any:
        try:
            if self.awaited:
                self.awaited = False
                self._sock.sendall(_CONTINUE)
            return read(size)
        except (errors.ParseException, OSError, EOFError) as error:
            self.failed = True
            raise BrokenBody(error) from error

    def read(self, size: int | None = None) -> bytes:
        return bytes(self._guarded(self._body.read, size))

    def readline(self, size: int | None = None) -> bytes:
        return bytes(self._guarded(self._body.readline, size))

    def readlines(self, hint: int | None = None) -> list[bytes]:
        return list(self._guarded(self._body.readlines, hint))

    def __iter__(self) -> Input:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line


def environ_of(head: Head, body: Input, client: tuple[str, int], address: tuple[str, int]) -> dict[str, Any]:
    """gunicorn's environ, without what only its own workers keep. Raises ConfigurationProblem (SCRIPT_NAME)."""
    head._expected_100_continue = False  # Input says it when the app reads; gunicorn would here, whatever the app does.
    environ: dict[str, Any] = wsgi.create(head, None, client, address, head.cfg, response_class=_no_response)[1]
    for name in ("gunicorn.socket", "wsgi.early_hints"):
        del environ[name]
    environ["wsgi.input"] = body
    return environ


def _no_response(*_: Any) -> None:
    """gevent's handler writes the response."""
