"""Access log lines that a client cannot forge, that carry no query string, and that probes do not fill."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from generator.runtime.pywsgi import log as pywsgi_log
from generator.runtime.workers.access_log import JsonLogger, TextLogger
from generator.verify.files import configuration_problems
from tests.fast_support import HOSTILE_STRINGS, UNWRITABLE_STRINGS, plan_of

FORMAT = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(B)s %(D)s "%(a)s"'


class Log:
    """One of the kit's loggers, writing to memory."""

    def __init__(
        self, logger: type[TextLogger], quiet: frozenset[str] = frozenset(), on: bool = True, form: str = FORMAT
    ) -> None:
        config = Config()
        config.set("accesslog", "-" if on else None)
        config.set("access_log_format", form)
        self.stream = io.StringIO()
        self.logger = type("Logger", (logger,), {"quiet_paths": quiet})(config)
        self.logger.access_log.handlers = [handler := logging.StreamHandler(self.stream)]
        handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, path: str = "/", agent: str | None = "curl", status: str | None = "200 OK", **more: Any) -> str:
        environ = {
            "REMOTE_ADDR": "10.0.0.1",
            "REQUEST_METHOD": "GET",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "PATH_INFO": path,
            "RAW_URI": f"{path}?token=s3cr3t",
            "QUERY_STRING": "token=s3cr3t",
            **({} if agent is None else {"HTTP_USER_AGENT": agent}),
            **more,
        }
        headers = [("USER-AGENT", agent or "")]
        response = SimpleNamespace(status=status, sent=17, headers=[("Content-Type", "text/plain")])
        self.stream.seek(0)
        self.stream.truncate()
        request = SimpleNamespace(headers=headers)
        self.logger.access(response, request, environ, timedelta(milliseconds=12, microseconds=345))
        return self.stream.getvalue()


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """gunicorn's loggers are global: later tests of other servers must not write here."""
    names = ("gunicorn.error", "gunicorn.access")
    before = [(list(logging.getLogger(name).handlers), logging.getLogger(name).propagate) for name in names]
    yield
    for name, (handlers, propagate) in zip(names, before, strict=True):
        logging.getLogger(name).handlers, logging.getLogger(name).propagate = handlers, propagate


FORGED = [
    "/\n10.9.9.9 - forged",
    "/\r\nX",
    '/" 200 0 0 "x',
    "/\\",
    "/\x1b[2J",
    "/\x00",
    "/\x85\x9b",
    "/\xe2\x80\xa8",
    "/%(h)s%s",
    *(f"/{text}" for text in (*HOSTILE_STRINGS, *UNWRITABLE_STRINGS) if all(ord(c) < 256 for c in text)),
]


@pytest.mark.parametrize("text", FORGED, ids=lambda text: ascii(text)[:30])
@pytest.mark.parametrize("where", ["path", "agent", "address"])
def test_a_text_line_stays_one_line_with_its_fields_in_place(text: str, where: str) -> None:
    given = {"path": {"path": text}, "agent": {"agent": text}, "address": {"REMOTE_ADDR": text}}[where]
    line = Log(TextLogger).write(**given)
    assert line.endswith("\n")
    body = line[:-1]
    assert not [character for character in body if ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F]
    # Quotes and backslashes are escaped as \xNN: the four quotes that are left are the format's own.
    assert body.count('"') == 4
    assert body.replace("\\x", "").count("\\") == 0
    _, request, middle, agent, end = body.split('"')
    assert (middle.split()[:2], end) == (["200", "17"], "")
    assert request.startswith("GET /") and request.endswith(" HTTP/1.1")
    assert (agent == "curl") == (where != "agent")


@pytest.mark.parametrize("text", FORGED, ids=lambda text: ascii(text)[:30])
def test_a_json_line_is_one_object_that_gives_the_text_back(text: str) -> None:
    line = Log(JsonLogger).write(path=text, agent=text, HTTP_X_FORWARDED_FOR=text)
    assert line.count("\n") == 1
    assert line.isascii()
    found = json.loads(line)
    assert (found["user_agent"], found["forwarded_for"]) == (text, text)
    assert found["path"] == text.encode("latin-1").decode("utf-8", "replace")
    assert (found["status"], found["bytes"], found["duration_ms"], found["method"]) == (200, 17, 12.345, "GET")


def test_both_servers_write_the_same_fields() -> None:
    ours = json.loads(Log(JsonLogger).write(path="/a", HTTP_X_FORWARDED_FOR="10.9.9.9"))
    exchange = pywsgi_log.Exchange(
        "10.0.0.1", "GET /a?token=s3cr3t HTTP/1.1", "GET", "/a", 200, 17, 0.012345, 0.0, None, "curl", "10.9.9.9"
    )
    assert ours == json.loads(pywsgi_log.json_line(exchange))
    assert ours["pid"] == os.getpid()


def test_what_is_not_known_is_null_and_raises_nothing() -> None:
    log = Log(JsonLogger)
    for status in (None, "", "what"):
        entry = json.loads(log.write(status=status, agent=None, PATH_INFO=None))
        assert (entry["status"], entry["path"], entry["user_agent"]) == (None, None, None)
    assert json.loads(log.write(status=204))["status"] == 204  # type: ignore[arg-type]


@pytest.mark.parametrize("logger", [TextLogger, JsonLogger])
@pytest.mark.parametrize(("path", "lines"), [("/", 1), ("/probe", 0)])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", None])
def test_each_response_is_counted_where_statsd_is_set(
    logger: type[TextLogger], path: str, lines: int, status: str | None
) -> None:
    """A probe's too, which leaves no line, and one whose app never called start_response."""
    sent: list[bytes] = []
    log = Log(logger, frozenset({"/probe"}))
    log.logger.sock = SimpleNamespace(send=sent.append)
    assert log.write(path=path, status=status).count("\n") == (lines if status else 1)
    numbered = [f"gunicorn.request.status.{status[:3]}:1|c|@1.0".encode()] if status else []
    assert sent == [b"gunicorn.request.duration:12.345|ms", b"gunicorn.requests:1|c|@1.0", *numbered]


def test_a_path_beyond_ascii_is_readable_in_json() -> None:
    assert json.loads(Log(JsonLogger).write(path="/gr\u00c3\u00bc\u00c3\u009fe"))["path"] == "/grüße"


@pytest.mark.parametrize("logger", [TextLogger, JsonLogger])
def test_no_query_string_and_no_missing_header_breaks_a_line(logger: type[TextLogger]) -> None:
    line = Log(logger).write(agent=None)
    assert "s3cr3t" not in line
    assert "token" not in line
    assert line.count("\n") == 1


def test_no_secret_of_a_url_reaches_a_line_whatever_the_format() -> None:
    secret = "http://user:s3cr3t@host/a?token=s3cr3t#s3cr3t"
    form = '%(r)s "%(f)s" %(U)s %({referer}i)s %({http_referer}e)s %({raw_uri}e)s %({path_info}e)s'
    more = {"HTTP_REFERER": secret, "RAW_URI": secret}
    text = Log(TextLogger, form=form)
    line = text.write(path=secret.partition("?")[0], **more)
    shown = "http://host/a"
    assert line == f'GET {shown} HTTP/1.1 "{shown}" {shown} - {shown} {shown} {shown}\n'
    assert "/a?b" in text.write(path="/a?b"), "a decoded question mark is the path's own"
    entry = json.loads(Log(JsonLogger).write(path=secret.partition("?")[0], **more))
    assert entry["path"] == "http://host/a"


def test_what_a_terminal_or_a_reader_takes_for_a_line_end_is_escaped() -> None:
    agent = "a\x85b\u2028c\u2029d\x9be"
    assert Log(TextLogger).write(agent=agent).endswith('"a\\x85b\\u2028c\\u2029d\\x9be"\n')
    assert Log(JsonLogger).write(agent=agent).isascii()


@pytest.mark.parametrize("logger", [TextLogger, JsonLogger])
@pytest.mark.parametrize(
    ("path", "status", "lines"),
    [
        ("/healthz", "200 OK", 0),
        ("/healthz", "204 No Content", 0),
        ("/healthz", "302 Found", 1),
        ("/healthz", "404 Not Found", 1),
        ("/healthz", "503 Service Unavailable", 1),
        ("/healthz/", "200 OK", 1),
        ("/healthzz", "200 OK", 1),
        ("/", "200 OK", 1),
    ],
)
def test_probes_are_quiet_while_they_succeed(logger: type[TextLogger], path: str, status: str, lines: int) -> None:
    assert Log(logger, frozenset({"/healthz"})).write(path=path, status=status).count("\n") == lines


@pytest.mark.parametrize("logger", [TextLogger, JsonLogger])
def test_off_is_off(logger: type[TextLogger]) -> None:
    assert Log(logger, on=False).write() == ""


@pytest.mark.parametrize(
    ("given", "path_info"),
    [("/readyz", "/readyz"), ("/readyz?full=1", "/readyz"), ("/a%20b", "/a b"), ("/gr%C3%BC", "/gr\u00c3\u00bc")],
)
def test_the_quiet_paths_are_what_the_server_sees(given: str, path_info: str) -> None:
    plan = plan_of("access_log: text\n", f"health.readiness_path='{given}'")
    assert plan.texts.probe_paths == (path_info,)
    log = Log(TextLogger, frozenset(plan.texts.probe_paths))
    assert log.write(path=path_info) == ""


def test_the_format_here_is_the_configurations_own() -> None:
    from generator.render.render import render

    for mode in ("text", "json"):
        plan = plan_of(f"access_log: {mode}\n")
        text = render(plan)["docker/web/gunicorn.conf.py"]
        assert f"access_log_format = {FORMAT!r}" in text
        assert list(configuration_problems(text)) == []
