"""What of gunicorn's responses leaves when, and the date, made once a second."""

from __future__ import annotations

import io
import sys
import tempfile
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn import util
from gunicorn.http.wsgi import FileWrapper

from generator.runtime.workers import response as gunicorn_response


class Wire:
    """A connection that keeps what it is to send, call by call."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(bytes(data))

    def sendfile(self, file: Any, offset: int, count: int) -> None:
        self.sent.append(b"the file")


class Broken(io.BytesIO):
    def fileno(self) -> int:
        raise io.UnsupportedOperation

    def read(self, *_: Any) -> bytes:
        raise OSError("as if a backend had gone")


def response(status: str = "200 OK", length: int | None = None, method: str = "GET") -> tuple[Any, list[bytes]]:
    wire = Wire()
    request = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    found = gunicorn_response.Response(request, wire, SimpleNamespace(protocol="http", is_ssl=False, sendfile=None))
    found.start_response(status, [] if length is None else [("Content-Length", str(length))])
    return found, wire.sent


def test_header_and_first_piece_leave_together() -> None:
    found, sent = response(length=4)
    found.write(b"ab")
    assert len(sent) == 1 and sent[0].startswith(b"HTTP/1.1 200 OK\r\n") and sent[0].endswith(b"\r\n\r\nab")
    found.write(b"cd")
    found.close()
    assert sent[1:] == [b"cd"]


def test_header_and_first_chunk_leave_together() -> None:
    found, sent = response()
    found.write(b"")
    assert sent == [], "as PEP 3333 has it: no header before a piece that is not empty"
    found.write(b"ab")
    found.close()
    assert sent[0].endswith(b"\r\n\r\n2\r\nab\r\n") and sent[1:] == [b"0\r\n\r\n"]


def test_a_large_piece_is_not_copied() -> None:
    found, sent = response(length=100_000)
    found.write(b"x" * 100_000)
    assert sent[0].endswith(b"\r\n\r\n") and sent[1:] == [b"x" * 100_000]


@pytest.mark.parametrize(
    ("status", "length", "method"),
    [("200 OK", 5, "HEAD"), ("200 OK", None, "HEAD"), ("204 No Content", None, "GET"), ("200 OK", 0, "GET"),
     ("101 Switching Protocols", None, "GET")],
)  # fmt: skip
def test_a_header_that_no_body_follows_leaves_at_once(status: str, length: int | None, method: str) -> None:
    """Not when the app's iterable ends: that of a stream may take long."""
    found, sent = response(status, length, method)
    found.write(b"")
    assert len(sent) == 1 and sent[0].endswith(b"\r\n\r\n")
    found.close()
    assert len(sent) == 1


def test_an_empty_response_leaves_at_its_end() -> None:
    found, sent = response()
    found.close()
    assert b"".join(sent).endswith(b"\r\n\r\n0\r\n\r\n")


def test_a_file_follows_its_header() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"abc")
        file.seek(0)
        found, sent = response(length=3)
        found.write_file(FileWrapper(file))
    assert sent[0].endswith(b"\r\n\r\n") and sent[1:] == [b"the file"]
    found, sent = response(length=3)
    found.write_file(FileWrapper(io.BytesIO(b"abc")))
    assert len(sent) == 1 and sent[0].endswith(b"\r\n\r\nabc")


def test_a_file_that_cannot_be_read_sends_no_header() -> None:
    """So that gunicorn can still respond with 500."""
    found, sent = response(length=3)
    with pytest.raises(OSError, match="backend"):
        found.write_file(FileWrapper(Broken()))
    assert sent == [] and not found.headers_sent


def test_what_fails_before_anything_is_sent_still_gets_a_response() -> None:
    """gunicorn responds with 500 unless headers_sent; the app's own error page may replace the header until then."""
    found, sent = response()
    found.write(b"")
    with pytest.raises(TypeError):
        found.write(bytearray(b"x"))
    assert sent == [] and not found.headers_sent
    try:
        raise ValueError("the app's")
    except ValueError:
        found.start_response("500 Oh", [("Content-Length", "2"), ("X-Page", "error")], sys.exc_info())
    found.write(b"no")
    found.close()
    head, _, body = b"".join(sent).partition(b"\r\n\r\n")
    assert found.headers_sent and body == b"no"
    assert head.startswith(b"HTTP/1.1 500 Oh\r\n") and b"chunked" not in head and head.count(b"Content-Length") == 1
    with pytest.raises(ValueError, match="the app's"):
        found.start_response("500 Late", [], (ValueError, ValueError("the app's"), None))


def test_the_date_is_stocks_and_made_once_for_a_second() -> None:
    for second in (0, 1_700_000_000):
        assert gunicorn_response.http_date(second + 0.9) == util.http_date(second)
    before = gunicorn_response._stock_date.cache_info().misses
    assert gunicorn_response.http_date(1_700_000_000.1) == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert gunicorn_response._stock_date.cache_info().misses == before
    assert gunicorn_response.http_date() != gunicorn_response.http_date(0)
