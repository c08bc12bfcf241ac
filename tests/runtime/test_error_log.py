"""What gunicorn's error log says of a request: no secret of it, and no line of the client's own making."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.base import Worker

from generator.runtime.log_text import refused
from generator.runtime.workers.error_log import hide_secrets

REFUSED = [
    b"GET /a?token=s3cr3t HTTP/9.9\r\n\r\n",
    b"GET /a?token=s3cr3t\x1b[2J\x85 x HTTP/1.1\r\n\r\n",
    b"GET /a?x y=s3cr3t HTTP/1.1\r\n\r\n",
    b"GET http://user:s3cr3t@host/a\x7f HTTP/1.1\r\n\r\n",
    b"GET /a?x s3cr3t HTTP/1.1\r\n\r\n",
    b"GET a#s3cr3t HTTP/1.1\r\n\r\n",
    b"GET?s3cr3t / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nAuthorization Basic s3cr3t\r\n\r\n",
    b"GET / HTTP/1.1\r\nCookie session=s3cr3t\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-Token\x00s3cr3t\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-Url: http://a/?s3cr3t\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\n?a=s3cr3t: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked?s3cr3t\r\n\r\n",
]


@pytest.fixture
def written() -> Iterator[tuple[Logger, io.StringIO]]:
    logger = logging.getLogger("gunicorn.error")
    before = list(logger.handlers), list(logger.filters), logger.propagate, logger.level
    stream, config = io.StringIO(), Config()
    config.set("loglevel", "debug")
    log = Logger(config)
    logger.handlers = [logging.StreamHandler(stream)]
    hide_secrets()
    yield log, stream
    logger.handlers, logger.filters, logger.propagate = before[:3]
    logger.setLevel(before[3])


@pytest.mark.parametrize("head", REFUSED, ids=ascii)
def test_a_refused_request_is_logged_escaped_and_without_its_secrets(
    head: bytes, written: tuple[Logger, io.StringIO]
) -> None:
    log, stream = written
    with pytest.raises(ParseException) as raised:
        Request(Config(), IterUnreader(iter([head])), ("10.0.0.1", 1))
    worker = SimpleNamespace(log=log, cfg=Config())
    client, server = socket.socketpair()
    with client, server:
        Worker.handle_error(worker, None, server, ("10.0.0.1", 1), raised.value)
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("Invalid request from ip=10.0.0.1: ")
    assert len(line) > len("Invalid request from ip=10.0.0.1: ")
    assert "s3cr3t" not in line
    assert line.isprintable()


def test_so_is_one_whose_app_failed_or_that_ended_early(written: tuple[Logger, io.StringIO]) -> None:
    log, stream = written
    log.error("Error handling request %s %s", "GET", "/a\x1b?token=s3cr3t")
    log.debug("Ignored premature client disconnection. %s", "No more data after: b'GET /?s3cr3t'")
    log.info("Parent changed, shutting down: %s", "what? is not a request's")
    assert stream.getvalue().splitlines() == [
        "Error handling request GET /a\\x1b?...",
        "Ignored premature client disconnection. No more data after: b'GET /?...",
        "Parent changed, shutting down: what? is not a request's",
    ]


def test_a_long_line_is_cut() -> None:
    assert refused("Invalid HTTP request line: '" + "a" * 8000) == "Invalid HTTP request line: '" + "a" * 172 + "..."
