"""One HTTP connection on gevent's own parser: time limits, framing beyond doubt, fair turns, one log line."""

from __future__ import annotations

import contextlib
import socket
from time import monotonic
from typing import Any

import gevent
from gevent import GreenletExit, Timeout
from gevent.pywsgi import _BAD_REQUEST_RESPONSE, WSGIHandler
from gevent.socket import wait_read

from .configuration import trusts
from .log import Exchange, escape, log

#: The default of 8 KiB would be most of what an idle connection costs; longer headers take more reads.
BUFFER_BYTES = 2048
#: What an idle connection need not keep of its last request, and a refused one must not be logged with.
_OF_ONE_REQUEST = (
    *("environ", "headers", "wsgi_input", "response_headers"),
    *("requestline", "command", "path", "body_bytes", "status", "_orig_status"),
)


def refuse_ambiguous(headers: Any) -> None:
    """Raise ValueError for a head that a proxy in front could read otherwise: so requests are smuggled."""
    if headers.defects or headers.get_payload():
        raise ValueError("a header line is not NAME: VALUE")
    if any("\n" in value or "\r" in value or "\0" in value for value in headers.values()):
        raise ValueError("a header value is folded or holds a control character")
    lengths, codings = headers.get_all("content-length", []), headers.get_all("transfer-encoding", [])
    if len(lengths) + len(codings) > 1:
        raise ValueError("the body's length is given more than once")
    if lengths and not (lengths[0].isascii() and lengths[0].isdigit()):
        raise ValueError("Content-Length is not a number")
    if codings and codings[0].lower() != "chunked":
        raise ValueError("Transfer-Encoding is not chunked")
    if len(headers.get_all("host", [])) > 1:
        raise ValueError("Host is given more than once")


class Handler(WSGIHandler):  # type: ignore[misc]
    """Stock pywsgi has no time limits, never says Connection: close and lets one client ask for ever."""

    rfile: Any
    close_connection: bool
    response_headers: Any
    served = 0
    body_bytes = 0
    _deadline: Any = None

    def __init__(self, sock: Any, address: Any, server: Any, rfile: Any = None) -> None:
        super().__init__(sock, address, server, rfile or sock.makefile("rb", BUFFER_BYTES))
        self.accepted = monotonic()

    def handle_one_request(self) -> Any:
        if self.served:
            for name in _OF_ONE_REQUEST:
                self.__dict__.pop(name, None)
            # Without this turn a client that asks at once again is served before all others, for ever.
            gevent.sleep(0)
        head = self._first_bytes()
        if not head:
            return None
        if b"\r\n\r\n" not in head:
            spent = 0 if self.served else monotonic() - self.accepted
            self._deadline = Timeout.start_new(max(0.001, self.server.cfg.header_timeout - spent))
        try:
            return super().handle_one_request()
        except Timeout as fired:
            if fired is not self._deadline:
                raise
            return None
        finally:
            self._end_deadline()

    def _first_bytes(self) -> bytes:
        """What has arrived of the next request; empty when the client left or kept silent for too long."""
        self.socket.settimeout(0)
        try:
            if not self.rfile.peek(1):
                self.server.waiting.add(self)
                # Not inside a blocking peek(), whose C frames every idle connection would keep on its stack.
                with contextlib.suppress(TimeoutError):
                    wait_read(self.socket.fileno(), self.server.patience(first=not self.served))
            # Also after the limit: a loop that lags sees the timer before it sees the bytes.
            return bytes(self.rfile.peek(1))
        except OSError:
            return b""
        finally:
            self.server.waiting.discard(self)
            self.socket.settimeout(None)

    def hang_up(self) -> None:
        """End a connection that waits for a request; one whose bytes are already here is still answered."""
        # The inner socket: gevent's own shutdown() would wake the reader with an error before the bytes.
        with contextlib.suppress(OSError):
            self.socket._sock.shutdown(socket.SHUT_RD)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.close()
            self._deadline = None

    def MessageClass(self, *args: Any) -> Any:
        headers = super().MessageClass(*args)
        refuse_ambiguous(headers)
        return headers

    def read_request(self, raw_requestline: str) -> Any:
        understood = super().read_request(raw_requestline)
        self._end_deadline()
        if self.request_version == "HTTP/0.9":
            raise ValueError("no HTTP version")
        return understood

    def _handle_client_error(self, ex: Exception) -> Any:
        # Stock pywsgi prints a traceback when a client resets or sends 101 headers: that fills logs.
        if isinstance(ex, ConnectionError):
            return None
        log.info("Invalid request from %s: %s", self.remote_addr, escape(str(ex)) or type(ex).__name__)
        return "400", _BAD_REQUEST_RESPONSE

    @property
    def remote_addr(self) -> str:
        return self.client_address[0] if isinstance(self.client_address, tuple) else "-"

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["RAW_URI"] = self.path
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").lower()
        if scheme in ("http", "https") and trusts(self.server.peers, self.remote_addr):
            environ["wsgi.url_scheme"] = scheme
        return environ

    def finalize_headers(self) -> None:
        super().finalize_headers()
        if self.command == "HEAD":
            self.response_use_chunked = False
        if self.connection_upgraded:
            return
        self.close_connection = self.close_connection or self.server.wants_close()
        if self.close_connection:
            kept = [(name, value) for name, value in self.response_headers if name.lower() != b"connection"]
            self.response_headers = [*kept, (b"Connection", b"close")]

    def write(self, data: bytes) -> None:
        if self.command == "HEAD":
            data = b""
        self.body_bytes += len(data)
        super().write(data)

    def handle_one_response(self) -> None:
        self.body_bytes = 0
        super().handle_one_response()
        promised, bodiless = self.provided_content_length, self.command == "HEAD" or self.code == 304
        if promised is not None and not bodiless and int(promised) != self.body_bytes:
            # The client would take the next answer for the rest of this one.
            self.close_connection = True
        self.served += 1
        self.server.count_request()

    def _log_error(self, t: Any, v: Any, tb: Any) -> None:
        if not issubclass(t, GreenletExit):
            log.error("Error handling request %s", escape(self.path or "-"), exc_info=(t, v, tb))

    def log_request(self) -> None:
        if self.server.access is None:
            return
        headers = self.__dict__.get("headers") or {}
        self.server.access(
            Exchange(
                remote_addr=self.remote_addr,
                requestline=self.requestline or "-",
                method=self.command,
                path=(self.environ or {}).get("PATH_INFO"),
                status=abs(int((self._orig_status or self.status or "0").split()[0])),
                body_bytes=self.body_bytes,
                duration_seconds=self.time_finish - self.time_start,
                finished=self.time_finish,
                referer=headers.get("Referer"),
                user_agent=headers.get("User-Agent"),
                forwarded_for=headers.get("X-Forwarded-For"),
                authorization=headers.get("Authorization"),
            )
        )
