"""One HTTP connection: requests by gunicorn's parser, responses by gevent's handler; time limits, fair turns, a log."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from time import monotonic, time
from typing import Any

import gevent
from gevent import GreenletExit
from gevent.pywsgi import WSGIHandler
from gevent.socket import wait_read
from gunicorn.http.errors import NoMoreData, ParseException

from ..given_up import given_up
from ..log_text import escape, refused, without_secrets
from .log import Exchange, log
from .reader import Reader
from .request import BrokenBody, Head, Input, environ_of, refusal
from .response import checked, omits_body

#: What an idle connection need not keep of its last request, and a refused one must not be logged with.
_OF_ONE_REQUEST = (
    *("environ", "wsgi_input", "response_headers", "requestline", "command", "request_version", "path"),
    *("body_bytes", "status", "_orig_status", "code", "provided_content_length"),
)
#: A body that the app did not read is read away for so long, so that the connection can serve another request.
DISCARD_SECONDS = 30.0
#: After the last response the client gets so long to end the connection: a reset would lose that response.
LINGER_SECONDS = 2.0


class ClientGone(OSError):
    """The client left, or takes nothing any more; an OSError of the app's own is another matter."""


class Handler(WSGIHandler):  # type: ignore[misc]
    """Stock pywsgi has no time limits, never says Connection: close and lets one client send requests for ever."""

    close_connection: bool
    response_headers: Any
    served = 0
    body_bytes = 0
    code = 0
    status: Any
    closed_by_client = False
    #: Whether bytes that nobody reads may still be on their way.
    unread = False

    def __init__(self, sock: Any, address: Any, server: Any, rfile: Any = None) -> None:
        self.reader = Reader(sock, server.heads, server.cfg.client_body_timeout)
        super().__init__(sock, address, server, rfile or self.reader)
        self.accepted = monotonic()

    def handle(self) -> None:
        try:
            while self.handle_one_request():
                pass
            if self.unread and not self.closed_by_client:
                self._linger()
        finally:
            with contextlib.suppress(OSError):
                self.socket.close()
            for name in ("socket", "rfile", "reader", "wsgi_input"):
                self.__dict__.pop(name, None)

    def handle_one_request(self) -> bool:
        """Whether the connection can serve another request."""
        if self.served:
            for name in _OF_ONE_REQUEST:
                self.__dict__.pop(name, None)
            # Without this turn a client that sends its next request at once is served before all others, for ever.
            gevent.sleep(0)
        if not self._request_begins():
            self.closed_by_client = True
            return False
        self.time_start = time()
        begun = monotonic() if self.served else self.accepted
        self.reader.begin_head(begun + self.server.cfg.header_timeout)
        try:
            head = Head(self.reader, self.client_address, self.server.peers, self.served + 1)
            self.wsgi_input = Input(head, self.socket)
            self.environ = self._environ(head)
        except (StopIteration, NoMoreData, OSError):
            self.closed_by_client = True  # or too slow
            return False
        except Exception as error:
            self._refuse(error)
            return False
        finally:
            self.reader.end_head()
        if given_up(self.socket):
            self.closed_by_client = True
            return False
        self.handle_one_response()
        return not self.close_connection

    def _request_begins(self) -> bool:
        """Whether bytes of a request are here; False when the client left or kept silent for too long."""
        try:
            with contextlib.suppress(BlockingIOError):
                return self.reader.begun()
            self.server.waiting[self] = None
            try:
                # Not inside a recv() with a timeout, whose frames every idle connection would keep on its stack.
                with contextlib.suppress(TimeoutError):
                    wait_read(self.socket.fileno(), self.server.patience(first=not self.served))
            finally:
                self.server.waiting.pop(self, None)
            # Also after the limit: a loop that lags sees the timer before it sees the bytes.
            return self.reader.begun()
        except OSError:
            return False

    def hang_up(self) -> None:
        """End a connection that waits for a request; one whose bytes are already here still gets its response."""
        # The inner socket: gevent's own shutdown() would wake the reader with an error before the bytes.
        with contextlib.suppress(OSError):
            self.socket._sock.shutdown(socket.SHUT_RD)

    def _environ(self, head: Head) -> dict[str, Any]:
        self.command, self.path = head.method, head.uri
        self.request_version = f"HTTP/{head.version[0]}.{head.version[1]}"
        self.requestline = f"{head.method} {head.uri} {self.request_version}"
        self.close_connection = head.should_close()
        address = self.server.environ["SERVER_NAME"], self.server.environ["SERVER_PORT"]
        environ = environ_of(head, self.wsgi_input, self.client_address, address)
        environ.update(self.server.of_every_request)
        return environ

    def _refuse(self, error: Exception) -> None:
        """Respond to a head that is no request; the connection ends, since where the next one begins is unknown."""
        if isinstance(error, ParseException):
            log.info("Invalid request from %s: %s", self.remote_addr, refused(str(error)) or type(error).__name__)
        else:
            log.exception("The parser failed on a request from %s", self.remote_addr)
        self.unread = True
        self.status = refusal(error)
        self.time_finish = time()
        with contextlib.suppress(OSError):
            self._send(f"HTTP/1.1 {self.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        self.log_request()

    @property
    def remote_addr(self) -> str:
        return str(self.client_address[0])

    # --- the response ---

    def handle_one_response(self) -> None:
        self.headers_sent = self.response_use_chunked = self.connection_upgraded = False
        self.status = self.result = None
        self.response_length = self.body_bytes = 0
        self.application = self.server.application
        try:
            self.run_application()
            if not (self.headers_sent or self.wsgi_input.detached):
                raise AssertionError("the app has not called start_response")
        except ClientGone:
            self.closed_by_client = self.close_connection = True
        except BrokenBody as error:
            log.info("Invalid body from %s: %s", self.remote_addr, refused(str(error)))
            self._fail(error.status)
        except BaseException as error:
            if not isinstance(error, GreenletExit):
                log.error(
                    "Error handling request %s", escape(without_secrets(self.path or "-")), exc_info=sys.exc_info()
                )
            self._fail("500 Internal Server Error")
        finally:
            if self.wsgi_input.detached:
                self._orig_status, self.close_connection = "101 Switching Protocols", True
            self.time_finish = time()
            self.log_request()
        if not self.close_connection:
            self.close_connection = not (self._is_whole() and self._body_is_over())
        self.unread = self.close_connection and not self.wsgi_input.over
        self.served += 1
        self.server.count_request()

    def _fail(self, status: str) -> None:
        """Respond instead of the app, if nothing of its response has gone out; in both cases the connection ends."""
        self.close_connection = True
        if self.headers_sent or self.wsgi_input.detached:
            return
        self.response_use_chunked, self.body_bytes, self.result = False, 0, None
        body = status.partition(" ")[2].encode()
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        try:
            self.start_response(status, headers, exc_info=(None, None, None))
            self.write(body)
        except ClientGone:
            self.closed_by_client = True

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        """gevent's, with gunicorn's checks; without exc_info it may be called once (PEP 3333)."""
        try:
            if exc_info and self.headers_sent:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            replaces, exc_info = bool(exc_info), None
        if self.status is not None and not replaces:
            raise AssertionError("start_response was called before")
        code, kept, length, closes = checked(status, headers)
        self.code, self._orig_status, self.status = code, status, status.encode("latin-1")
        self.response_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
        self.provided_content_length = length
        self.provided_date = next((value for name, value in kept if name.lower() == "date"), None)
        self.close_connection = self.close_connection or closes
        return self.write

    def finalize_headers(self) -> None:
        """gevent's length, coding and date; then whether the connection goes on."""
        super().finalize_headers()
        if self.connection_upgraded:
            self.close_connection = True  # what follows is not HTTP
            return
        if omits_body(self.command, self.code):
            kept = [(name, value) for name, value in self.response_headers if name != b"Transfer-Encoding"]
            self.response_headers, self.response_use_chunked = kept, False
        elif not self.response_use_chunked and not self._promised():
            self.close_connection = True  # HTTP/1.0 and no length: the end of the connection ends the body
        self.close_connection = self.close_connection or self.server.wants_close()
        # A body that the client holds back until it hears "100 Continue", or a broken one, is never read away.
        self.close_connection = self.close_connection or self.wsgi_input.awaited or self.wsgi_input.failed
        if self.close_connection:
            self.response_headers.append((b"Connection", b"close"))
        elif self.request_version == "HTTP/1.0":
            self.response_headers.append((b"Connection", b"keep-alive"))

    def _promised(self) -> bool:
        return any(name.lower() == b"content-length" for name, _ in self.response_headers)

    def write(self, data: bytes) -> None:
        """Nothing beyond Content-Length or after the headers of a response without body: it would begin the next."""
        if not isinstance(data, bytes):
            raise TypeError(f"a piece of the body is no bytes but {type(data).__name__}")
        if self.status is not None and omits_body(self.command, self.code):
            data = b""
        elif self.provided_content_length is not None:
            data = data[: int(self.provided_content_length) - self.body_bytes]
        self.body_bytes += len(data)
        if self.headers_sent:
            self._write(data)
        else:
            self._write_with_headers(data)

    def _sendall(self, data: bytes) -> None:
        if self.wsgi_input.detached:  # frames, not HTTP; what the app returns in the end is nobody's
            return
        if self.closed_by_client:
            raise ClientGone(errno.EPIPE, "the client has gone")
        try:
            self._send(data)
        except OSError as error:
            self.closed_by_client = True
            raise ClientGone(*error.args) from error
        self.response_length += len(data)

    def _send(self, data: bytes) -> None:
        """sendall(), whose one timeout would be for all of it: a steady reader of a large file is none too slow."""
        self.socket.settimeout(self.server.cfg.send_timeout or None)
        left = memoryview(data)
        while left:
            left = left[self.socket.send(left) :]

    # --- what follows it ---

    def _is_whole(self) -> bool:
        """Whether the client got all that Content-Length promised: else it takes the next response for the rest."""
        promised = self.provided_content_length
        return promised is None or omits_body(self.command, self.code) or int(promised) == self.body_bytes

    def _body_is_over(self) -> bool:
        """Read away what the app left of the request's body; False where that fails or takes too long."""
        if self.wsgi_input.failed or self.wsgi_input.awaited:
            return False
        end = monotonic() + DISCARD_SECONDS
        try:
            while self.wsgi_input.read(65536):
                if monotonic() > end:
                    return False
        except BrokenBody:
            return False
        return True

    def _linger(self) -> None:
        """Say that nothing more comes, and read away what the client still sends, for a moment."""
        with contextlib.suppress(OSError):
            self.socket._sock.shutdown(socket.SHUT_WR)
            end = monotonic() + LINGER_SECONDS
            while (left := end - monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(65536):
                    return

    def log_request(self) -> None:
        if self.server.access is None:
            return
        environ = self.environ or {}
        self.server.access(
            Exchange(
                remote_addr=self.remote_addr,
                requestline=self.requestline or "-",
                method=self.command,
                path=environ.get("PATH_INFO"),
                status=int((self._orig_status or self.status or "0").split()[0]),
                body_bytes=self.body_bytes,
                duration_seconds=self.time_finish - self.time_start,
                finished=self.time_finish,
                referer=environ.get("HTTP_REFERER"),
                user_agent=environ.get("HTTP_USER_AGENT"),
                forwarded_for=environ.get("HTTP_X_FORWARDED_FOR"),
                authorization=environ.get("HTTP_AUTHORIZATION"),
            )
        )
