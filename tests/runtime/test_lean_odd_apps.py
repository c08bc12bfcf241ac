"""What odd apps and hooks do has the outcome on the short way that it has with gunicorn, and ends with the request."""

from __future__ import annotations

import io
import logging
import random
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import Unreader

from generator.runtime.workers import gthread, lean, lean_response
from generator.runtime.workers.response import Response
from tests.runtime.test_lean import (
    CONFIGS,
    PEER,
    READERS,
    REQUEST,
    SERVER,
    Socket,
    by_exchange,
    by_gunicorn,
    by_stock,
    by_stock_threads,
    by_threads,
    comparable,
    config,
    hello,
    thread_worker,
    worker,
)


class Text(str):
    """Equal to an ordinary string, but written as another one."""

    def __str__(self) -> str:
        return "written"

    def __format__(self, spec: str) -> str:
        return "formatted"

    def strip(self, chars: str | None = None) -> Text:
        return self


class Unhashable(str):
    __hash__ = None  # type: ignore[assignment]


class Like:
    """No string, though it looks like one that is remembered."""

    def __eq__(self, other: object) -> bool:
        return other == "b"

    def __hash__(self) -> int:
        return hash("b")

    def __repr__(self) -> str:
        return "like b"


COMMON = [("X-A", "b"), ("X-A", " b\t"), ("Content-Length", "5"), ("content-length", " 5 "), ("Set-Cookie", "a=b")]
ODD_NAMES: list[Any] = [
    "x-a",
    "Connection",
    "Upgrade",
    "X A",
    "",
    "X-A\n",
    "\u0130",
    "X\xe4",
    None,
    1,
    b"X-A",
    ["X-A"],
    {},
]
ODD_NAMES += [Text("X-A"), Unhashable("X-A"), Text("Content-Length"), "Content-Length", "X" * 200]
ODD_VALUES: list[Any] = [
    "",
    "3",
    "+5",
    "-5",
    "1_0",
    "x",
    "\u0665",
    "9" * 5000,
    "\xa05",
    "00",
    "b\r\nX: y",
    "\x00",
    "\xff",
    "\u20ac",
]
ODD_VALUES += ["upgrade", "websocket", "a" * 300, None, 5, b"b", ["b"], Text("b"), Unhashable("b"), Like(), Text("5")]
FORMS: list[Callable[..., Any]] = [tuple, tuple, tuple, list, iter, type("T", (tuple,), {}), lambda pair: pair[:1], set]
FORMS += [lambda pair: (*pair, "c"), lambda pair: (part for part in pair), lambda pair: "ab", lambda pair: None]
LISTS: list[Callable[..., Any]] = [
    list,
    list,
    list,
    list,
    tuple,
    iter,
    type("L", (list,), {}),
    lambda all_of_them: None,
]
STATUSES: list[Any] = ["200 OK", "404 Not Found", "204 No Content", "304 Not Modified", "500 x"]
ODD_STATUSES: list[Any] = ["200", "000 x", "101 x", "20", "\u0662\u0660\u0660 OK", "200 a\r\nb", b"200 OK", None, 200]
ODD_STATUSES += [Text("200 OK"), Unhashable("200 OK"), "200 " + "x" * 300]


def generated_headers(rng: random.Random) -> Callable[[], Any]:
    """A function, since some of them can be read only once."""
    parts = []
    for _ in range(rng.randrange(5)):
        odd = rng.random() < 0.3
        pair = (rng.choice(ODD_NAMES), rng.choice(ODD_VALUES)) if odd else rng.choice(COMMON)
        parts.append((rng.choice(FORMS if odd or rng.random() < 0.1 else FORMS[:1]), pair))
    whole = rng.choice(LISTS)

    def made() -> Any:
        return whole([form(pair) for form, pair in parts])

    try:
        made()
    except TypeError:  # a set of what has no hash
        return list
    return made


Step = tuple[Any, ...]


def generated_steps(rng: random.Random) -> list[Step]:
    """What an app does with its start_response and write, errors of which it may swallow."""
    steps: list[Step] = []
    while not steps or rng.random() < 0.3:
        status = rng.choice(ODD_STATUSES if rng.random() < 0.1 else STATUSES)
        steps.append(("start", status, generated_headers(rng), rng.random() < (0.5 if steps else 0.1)))
    pieces: list[Any] = [b"hello", b"hello", b"", b"ab", b"x" * 70000, "text", bytearray(b"x")]
    steps += [("write", rng.choice(pieces)) for _ in range(rng.randrange(3))]
    if rng.random() < 0.2:
        steps.insert(rng.randrange(len(steps) + 1), ("start", "500 x", generated_headers(rng), True))
    return [*steps, ("close",), ("should_close",)]


def take(resp: Any, step: Step) -> Any:
    if step[0] != "start":
        return getattr(resp, step[0])(*step[1:])
    _, status, headers, again = step
    try:
        raise KeyError("as an app's")
    except KeyError:
        error = sys.exc_info()
    return callable(resp.start_response(status, headers(), error if again else None))


def taken(kind: type, request: Any, steps: list[Step]) -> Any:
    """What each step returns or raises, what the response is then, and what was sent at last."""
    sock, found = Socket(), []
    resp: Any = kind(request, sock, CONFIGS[0])
    with patch.object(util, "http_date", lambda: "now"):
        for step in steps:
            try:
                result = take(resp, step)
            except Exception as error:
                result = type(error), str(error).replace("LeanResponse", "Response")
            headers = [(type(name), str(name), type(value), str(value)) for name, value in resp.headers]
            state = resp.response_length, resp.chunked, resp.upgrade, resp.sent, resp.must_close, resp._omits_body
            found.append((result, headers, str(resp.status), getattr(resp, "status_code", None), state))
    return found, sock.sent


@pytest.mark.usefixtures("quiet")
def test_odd_arguments_of_start_response() -> None:
    """With what was remembered of responses before, and without."""
    requests = [
        READERS[0].read(f"{method} / HTTP/1.1\r\n\r\n".encode(), Socket(), PEER, SERVER) for method in ("GET", "HEAD")
    ]
    for seed in range(8_000):
        rng = random.Random(seed)
        steps, request = generated_steps(rng), rng.choice(requests)
        if seed % 100 == 0:
            lean_response.LeanResponse.known.clear()
            lean_response.LeanResponse.codes.clear()
        assert taken(lean_response.LeanResponse, request, steps) == taken(Response, request, steps), (seed, steps)


READS: list[tuple[Any, ...]] = [
    *((name, size) for name in ("read", "readline", "readlines") for size in (None, 0, 1, -1, 2**70, True, "x", 1.5)),
    *(("read",), ("readline",), ("readlines",), ("__next__",), ("next",), ("read", 1, 2), ("close",), ("seek", 0)),
]


def read(body: Body, how: tuple[Any, ...]) -> Any:
    name, *arguments = how
    try:
        return getattr(body, name)(*arguments)
    except Exception as error:
        return type(error), str(error).replace("NoBody", "Body")


def test_no_body_is_read_as_gunicorns() -> None:
    rng = random.Random(0)
    for _ in range(3_000):
        ours, theirs = lean.NoBody(), Body(LengthReader(Unreader(), 0))
        for how in rng.choices(READS, k=4):
            assert read(ours, how) == read(theirs, how), how
        assert (list(ours), ours.buf.getvalue(), ours.failed, ours.reader.length) == ([], b"", False, 0)


def test_what_an_app_changes_is_not_there_in_the_next_request() -> None:
    """As with gunicorn, which makes all of it anew; an app that closed wsgi.errors left it closed to all others."""
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        errors, body = environ["wsgi.errors"], environ["wsgi.input"]
        seen.append((comparable(environ), errors.closed, len(errors.streams), body.reader.length, vars(errors).keys()))
        errors.flush()
        errors.close()
        errors.streams.append(io.StringIO())
        errors.own = 1
        body.reader.length = 5
        body.buf.write(b"left")
        for key in list(environ):
            environ[key] = "changed"
        environ["wsgi.file_wrapper"] = wsgi.FileWrapper  # the worker asks for it
        environ["HTTP_OWN"] = "own"
        return hello(environ, start_response)

    outcomes = [by_exchange(worker(CONFIGS[0], app, True), REQUEST) for _ in range(2)]
    assert seen[0] == seen[1]
    assert [outcome[:2] for outcome in outcomes] == [by_stock(worker(CONFIGS[0], app, True), REQUEST)[:2]] * 2


@pytest.mark.parametrize("errorlog", ["-", "errors.txt"])
def test_errors_go_where_gunicorns_would(errorlog: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a log was opened anew too, and while an app has another stderr."""
    cfg, log = config(errorlog=errorlog), logging.getLogger("gunicorn.error")
    reader, none = lean.Reader(cfg), logging.NullHandler()
    first, opened_anew = logging.StreamHandler(io.StringIO()), logging.StreamHandler(io.StringIO())
    for handlers in ([first], [first, opened_anew], [none, opened_anew], [opened_anew, none]):
        monkeypatch.setattr(log, "handlers", handlers)
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        request = reader.read(REQUEST, Socket(), PEER, SERVER)
        assert request is not None
        ours, theirs = request.environ["wsgi.errors"], wsgi.WSGIErrorsWrapper(cfg)
        assert isinstance(ours, type(theirs)) and vars(ours) == vars(theirs)
        ours.write("written")
        assert all(stream.getvalue().endswith("written") for stream in theirs.streams)


def change_headers(worker: Any, req: Any) -> None:
    req.headers += [("X-REQUEST-ID", "1"), ("CONNECTION", "close")]


def change_request(worker: Any, req: Any) -> None:
    req.headers = [("HOST", "other")]
    req.method, req.path, req.query, req.scheme = "POST", "/other", "q", "https"


@pytest.mark.parametrize("hook", [change_headers, change_request])
def test_what_a_hook_changes_is_heeded(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """pre_request sees a request before its environ is made."""
    monkeypatch.setattr(gthread, "given_up", lambda sock: False)
    cfg, environs = config(pre_request=hook), list[Any]()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        environs.append(comparable(environ))
        return hello(environ, start_response)

    assert by_exchange(worker(cfg, app, True), REQUEST) == by_stock(worker(cfg, app, True), REQUEST)
    assert by_threads(thread_worker(cfg, app, True), REQUEST) == by_stock_threads(
        thread_worker(cfg, app, True), REQUEST
    )
    assert len(environs) == 4 and all(environ == environs[0] for environ in environs)


@pytest.mark.parametrize(("line", "fields", "size"), [(20, 1, 10), (60, 3, 40), (4094, 100, 8190), (0, 0, 0)])
@pytest.mark.parametrize("apart", [-1, 0, 1])
def test_limits_to_the_byte(line: int, fields: int, size: int, apart: int) -> None:
    cfg = config(limit_request_line=line, limit_request_fields=fields, limit_request_field_size=size)
    target = b"/" + b"a" * ((line or 4094) + apart - len("GET / HTTP/1.1"))
    lines = b"".join(b"A%d:\r\n" % number for number in range((fields or 100) + apart))
    long = b"A:" + b"v" * ((size or 8100) + apart - len("A:\r\n"))
    heads = [b"GET %b HTTP/1.1\r\n\r\n" % target, b"GET / HTTP/1.1\r\n%b\r\n" % lines]
    heads += [b"GET / HTTP/1.1\r\n%b\r\n\r\n" % long]
    for head in heads:
        # What fills the piece that was read is in the way of no limit.
        piece = (head[: lean.READ_BYTES - 2] + bytes(range(256)) * 8)[: lean.READ_BYTES]
        ours = lean.Reader(cfg).read(piece, Socket(), PEER, SERVER)
        assert (ours is not None) == (by_gunicorn(cfg, piece, PEER) is not None), head[:100]
