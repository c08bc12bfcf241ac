"""The short way of a request and gunicorn's own, side by side: the same environ, response and log, or handed over."""

from __future__ import annotations

import gc
import logging
import random
from collections.abc import Iterable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.gthread import ThreadWorker

from generator.runtime.workers import gthread, lean, lean_response, remembered, response
from generator.runtime.workers.access_log import JsonLogger, TextLogger
from generator.runtime.workers.app_errors import AppWithOwnErrors
from generator.runtime.workers.exchange import Exchange
from generator.runtime.workers.framing import Framed
from tests import fuzz

PEER, PROXY, SERVER = ("10.1.2.3", 40000), ("127.0.0.1", 40001), ("0.0.0.0", 8000)
#: At least; a quarter of them for each of four tests, so that they run on several cores.
REQUESTS = 100_000
METHODS = ["GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "PROPFIND"]
TARGETS = ["/", "/a/b?x=1&y=%20", "/%41%2f%ff", "/a?b?c", "/?", "/a;b=c"]
VERSIONS = ["HTTP/1.1"]
NAMES = ["Host", "host", "User-Agent", "Accept", "Cookie", "X-Forwarded-For", "Connection", "Keep-Alive", "TE", "X.y"]
VALUES = ["x", "", " padded\t", "a, b", "close", "keep-alive", "Close", "https"]
#: What is rare or wrong.
ODD_METHODS = ["CONNECT", "get", "GE", "G" * 21, "G T", "GET\t"]
ODD_TARGETS = ["//host/path", "*", "http://h/p?q", "/a#f", "", "/a b", "/\x7f", "/\xe4", "/a\\b", "/%", "/a:b", "/[x]"]
ODD_TARGETS += ["h:80", "/..//./x", "/" + "a" * 4100, "/?" + "q" * 4060]
ODD_VERSIONS = ["HTTP/1.1"] * 8 + [
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/2.0",
    "http/1.1",
    "HTTP/1.1 ",
    "HTTP/11",
    "HTTP/1.\xb2",
    "",
]
ODD_NAMES = [
    "Content-Type",
    "Content-Length",
    "CONTENT-LENGTH",
    "X-Forwarded-Proto",
    "X-Forwarded-Ssl",
    "X~",
    "Upgrade",
]
ODD_NAMES += ["X-Forwarded-Protocol", "Transfer-Encoding", "Expect", "Script-Name", "X_Y", "SCRIPT_NAME", "X Y", "X\t"]
ODD_NAMES += [" X", "", "X\xe4", "X:"]
ODD_VALUES = [
    "http",
    "on",
    "ssl",
    "0",
    "5",
    "05",
    "+5",
    "5 ",
    "\xb2",
    "1e1",
    "-1",
    "chunked",
    "100-continue",
    "websocket",
]
ODD_VALUES += ["\xe4\xff", "a\x00b", "a\x7f", "a\tb", "a\rb", "a\r\n b", "a\nX: y", "v" * 8180, "v" * 8190]
ODD_ENDS = ["\r\n"] * 12 + ["\n", "\r", "\r\n\r\n", ""]
BODIES = ["", "", "", "hello", "hello world", "5\r\nhello\r\n0\r\n\r\n", "GET /next HTTP/1.1\r\n\r\n", "\r\n", "\x00"]


class Socket:
    """What a worker asks of a connection; keeps what is sent."""

    def __init__(self, data: bytes = b"") -> None:
        self.unread = self.sent = b""
        self.data = data

    def recv(self, size: int) -> bytes:
        got, self.data = self.data[:size], self.data[size:]
        return got

    def sendall(self, data: bytes) -> None:
        self.sent += data

    send = sendall

    def shutdown(self, how: int) -> None:
        self.sent += b"<shut down>"

    def close(self) -> None:
        self.sent += b"<closed>"


def config(**settings: Any) -> Config:
    cfg = Config()
    for name, value in {"accesslog": "-", "workers": 2, "keepalive": 75, **settings}.items():
        cfg.set(name, value)
    return cfg


CONFIGS = [
    config(),
    config(forwarded_allow_ips="*", limit_request_line=200, limit_request_fields=3, limit_request_field_size=40),
    config(limit_request_line=0, limit_request_field_size=0, header_map="refuse", permit_obsolete_folding=True),
    config(permit_unconventional_http_method=True, casefold_http_method=True, strip_header_spaces=True),
    config(
        secure_scheme_headers={"X-FORWARDED-PROTO": "https", "X_Y": "on", "x-forwarded-ssl": "on"},
        header_map="dangerous",
    ),
]
READERS = [lean.Reader(cfg) for cfg in CONFIGS]


def generated(rng: random.Random) -> bytes:
    """Mostly good requests; a fault, or something rare, in about half of them."""
    rare = rng.random() < 0.5

    def pick(good: list[str], odd: list[str]) -> str:
        return rng.choice(odd if rare and rng.random() < 0.4 else good)

    lines = [f"{pick(METHODS, ODD_METHODS)} {pick(TARGETS, ODD_TARGETS)} {pick(VERSIONS, ODD_VERSIONS)}"]
    for _ in range(rng.randrange(6)):
        colon = rng.choice([" :", "", "::"]) if rare and rng.random() < 0.1 else rng.choice([":", ": ", ":\t"])
        lines.append(pick(NAMES, ODD_NAMES) + colon + pick(VALUES, ODD_VALUES))
    if rng.random() < 0.3:
        lines.append(f"Content-Length: {rng.choice(['0', '5', '11', '70000'])}")
    text = "".join(line + pick(["\r\n"], ODD_ENDS) for line in lines) + "\r\n" + rng.choice(BODIES)
    data = bytearray(text.encode("latin-1"))
    if rare and rng.random() < 0.3:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[:8192])


def by_gunicorn(cfg: Config, data: bytes, peer: Any) -> Any:
    """(request, environ, body, what follows), or None where gunicorn refuses it or reads it in pieces."""
    sock = Socket(data)
    parser = RequestParser(cfg, sock, peer)
    try:
        request = next(parser)
        _, environ = lean._create(request, sock, peer, SERVER, cfg)
        environ["wsgi.multithread"] = True  # as the workers do that read requests the short way
    except Exception:
        return None
    body = request.body.read()
    return request, environ, body, parser.unreader.take_buffered() + sock.data


def comparable(environ: dict[str, Any]) -> dict[str, Any]:
    apart = ("wsgi.input", "wsgi.errors", "wsgi.early_hints", "gunicorn.socket")
    return {name: value for name, value in environ.items() if name not in apart}


@pytest.mark.parametrize("part", range(4))
def test_reads_as_gunicorn_or_hands_over(part: int) -> None:
    lean_ones = 0
    for rng in fuzz.cases("lean heads", REQUESTS, 4):
        data, number, peer = generated(rng), rng.randrange(len(CONFIGS)), rng.choice([PEER, PROXY])
        cfg, reader = CONFIGS[number], READERS[number]
        sock = Socket()
        request = reader.read(data, sock, peer, SERVER)
        if request is None:
            continue
        lean_ones += 1
        reference = by_gunicorn(cfg, data, peer)
        assert reference is not None, data
        theirs, environ, body, following = reference
        _, ours = lean.create(request, sock, peer, SERVER, cfg)
        assert comparable(ours) == comparable(environ), data
        for name in ("method", "uri", "path", "query", "fragment", "version", "headers", "scheme", "trailers"):
            assert getattr(request, name) == getattr(theirs, name), (name, data)
        assert request.should_close() == theirs.should_close(), data
        assert request.body.read() == body
        assert lean.finish_body(request, sock) or len(body) < int(environ["CONTENT_LENGTH"])
        assert sock.unread == following, data
    assert lean_ones > REQUESTS // 4 // 4  # else this test compares nothing


class Log:
    """Notes what the worker tells its logger."""

    error_log = logging.getLogger("gunicorn.error")

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def access(self, resp: Any, req: Any, environ: Any, duration: Any) -> None:
        self.lines.append((resp.status, resp.headers, resp.sent, req.headers, req.uri, comparable(environ)))

    def exception(self, *args: Any) -> None:
        self.lines.append(("exception", args))

    def debug(self, *args: Any) -> None:
        if self.error_log.isEnabledFor(logging.DEBUG):
            self.lines.append(("debug", args))

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **_: self.lines.append((name, args))


def worker(cfg: Config, app: Any, alive: bool, max_requests: int = 10**6) -> Any:
    found = AsyncWorker.__new__(AsyncWorker)
    found.cfg, found.wsgi, found.log = cfg, AppWithOwnErrors(app), Log()
    found.nr, found.max_requests, found.alive = 0, max_requests, alive
    return found


def outcome(found: Any, sock: Socket, handle: Any) -> tuple[Any, ...]:
    """How handling a request ended, what was sent, what was logged, and what became of the worker."""
    with patch.object(util, "http_date", lambda: "now"):
        try:
            handle()
            end: Any = "kept"
        except StopIteration:
            end = "closed"
        except Exception as error:
            end = type(error)
    return end, sock.sent, found.log.lines, found.nr, found.alive


def by_stock(found: Any, data: bytes) -> tuple[Any, ...]:
    sock = Socket(data)
    request = next(RequestParser(found.cfg, sock, PEER))
    return outcome(found, sock, lambda: AsyncWorker.handle_request(found, SERVER, request, sock, PEER))


def by_exchange(found: Any, data: bytes) -> tuple[Any, ...]:
    request = READERS[0].read(data, sock := Socket(), PEER, SERVER)
    assert request is not None
    return outcome(found, sock, lambda: Exchange(found).handle(request, sock))


def thread_worker(cfg: Config, app: Any, alive: bool, idle: int = 0) -> Any:
    """gunicorn's; with so many idle connections."""
    found = worker(cfg, app, alive)
    found.__class__, found.keepalived_conns, found.max_keepalived = gthread.FairThreadWorker, range(idle), 5
    found.exchange = Exchange(found, util.close_graceful)
    return found


def by_stock_threads(found: Any, data: bytes) -> tuple[Any, ...]:
    sock = Socket(data)
    request, conn = next(RequestParser(found.cfg, sock, PEER)), SimpleNamespace(sock=sock, client=PEER, server=SERVER)
    return outcome(found, sock, lambda: closing(ThreadWorker.handle_request(found, request, conn)))


def by_threads(found: Any, data: bytes) -> tuple[Any, ...]:
    request = READERS[0].read(data, sock := Socket(), PEER, SERVER)
    assert request is not None
    conn = SimpleNamespace(sock=sock, client=PEER, server=SERVER)
    return outcome(found, sock, lambda: closing(found.handle_request(request, conn)))


def closing(keeps: bool) -> None:
    """gunicorn's thread worker says by its value what others say by StopIteration."""
    if not keeps:
        raise StopIteration


STATUSES = [
    "200 OK",
    "204 No Content",
    "304 Not Modified",
    "404 Not Found",
    "500 x y",
    "200",
    "101 Switching",
    "20",
    "200 a\r\nb",
]
HEADERS = [("Content-Type", "text/html"), ("X-A", " b\t"), ("Set-Cookie", "a=b; Path=/"), ("Set-Cookie", "c=d")]
BAD_HEADERS = [("X-A", "b\r\nX-B: c"), ("X A", "b"), ("", "b"), ("X-A", 1), (1, "b"), ("X-A", "\u20ac"), ("X-A:", "b")]
BAD_HEADERS += [
    ("Connection", "close"),
    ("Connection", "upgrade"),
    ("Upgrade", "websocket"),
    ("Date", "x"),
    ("Server", "x"),
]
BAD_HEADERS += [("Content-Length", "x"), ("content-length", "3"), ("Transfer-Encoding", "chunked"), ("X-A", b"b")]


def generated_app(rng: random.Random) -> tuple[Any, ...]:
    """(status, headers, pieces, whether it fails at the end, whether it writes)."""
    pieces: list[Any] = [rng.choice([b"", b"hello", b"x" * 70000, b"a"]) for _ in range(rng.randrange(4))]
    headers: list[Any] = rng.sample(HEADERS, rng.randrange(len(HEADERS)))
    length = sum(map(len, pieces)) + rng.choice([0, 0, 0, -1, 1])
    if rng.random() < 0.7:
        headers.append(("Content-Length", str(max(0, length))))
    if rng.random() < 0.3:
        headers.append(rng.choice(BAD_HEADERS))
    if rng.random() < 0.1:
        pieces.append(rng.choice(["text", bytearray(b"x"), None]))
    return (
        rng.choice(STATUSES[: 4 if rng.random() < 0.8 else 9]),
        headers,
        pieces,
        rng.random() < 0.1,
        rng.random() < 0.1,
    )


def app_of(plan: tuple[Any, ...]) -> Any:
    status, headers, pieces, fails, writes = plan

    def body() -> Iterable[Any]:
        yield from pieces
        if fails:
            raise ValueError("the app fails")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response(status, list(headers))
        if writes:
            write(b"written")
        return body() if fails else pieces

    return app


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", range(2))
def test_responds_as_gunicorn_does(seed: int) -> None:
    rng, cfg = random.Random(seed), CONFIGS[0]
    for _ in range(10_000):
        method, connection = (
            rng.choice(["GET", "HEAD", "POST"]),
            rng.choice(["", "Connection: close\r\n", "Connection: x\r\n"]),
        )
        data = f"{method} /a?b HTTP/1.1\r\nHost: h\r\n{connection}\r\n".encode()
        plan, alive = generated_app(rng), rng.random() < 0.9
        # Stock, but for the connection's end behind a body that is too short.
        with patch.object(wsgi, "create", lean._create), patch.object(wsgi, "Response", Framed):
            stock = by_stock(worker(cfg, app_of(plan), alive), data)
        found = by_exchange(worker(cfg, app_of(plan), alive), data)
        if stock[1].endswith(b"\r\n\r\n<shut down><closed>"):
            # The app failed between header and body: where the header waits for the body, it has not left yet.
            assert found == stock or found[1] == b"", (data, plan)
        else:
            assert found == stock, (data, plan)


@pytest.mark.usefixtures("quiet")
def test_threads_respond_as_gunicorns_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gthread, "given_up", lambda sock: False)
    rng, cfg = random.Random(0), CONFIGS[0]
    for _ in range(3_000):
        plan, alive, idle = generated_app(rng), rng.random() < 0.9, rng.choice([0, 4, 5, 6])
        with patch.object(wsgi, "create", lean._create), patch.object(wsgi, "Response", Framed):
            stock = by_stock_threads(thread_worker(cfg, app_of(plan), alive, idle), REQUEST)
        found = by_threads(thread_worker(cfg, app_of(plan), alive, idle), REQUEST)
        assert found == stock or (stock[1].endswith(b"\r\n\r\n<shut down><closed>") and found[1] == b""), plan


REQUEST = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def test_hooks_are_called_as_by_gunicorn() -> None:
    calls: list[Any] = []

    def pre_request(worker: Any, req: Any) -> None:
        calls.append(("pre", worker.nr, req.method, req.path, req.headers))

    def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
        calls.append(("post", worker.nr, req.path, comparable(environ), resp.status, resp.sent))
        raise ValueError("logged, no more")

    cfg = config(pre_request=pre_request, post_request=post_request)
    stock = by_stock(worker(cfg, hello, True), REQUEST)
    half = len(calls)
    assert by_exchange(worker(cfg, hello, True), REQUEST) == stock
    assert half == 2 and calls[:half] == calls[half:]
    assert ("exception", ("Exception in post_request hook",)) in stock[2]


def test_gunicorns_own_hooks_log_when_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Log, "error_log", Mock(isEnabledFor=lambda level: level >= logging.DEBUG))
    stock = by_stock(worker(CONFIGS[0], hello, True), REQUEST)
    assert by_exchange(worker(CONFIGS[0], hello, True), REQUEST) == stock
    assert ("debug", ("%s %s", "GET", "/a")) in stock[2]


def test_max_requests_ends_the_worker() -> None:
    stock = by_stock(worker(CONFIGS[0], hello, True, max_requests=1), REQUEST)
    assert by_exchange(worker(CONFIGS[0], hello, True, max_requests=1), REQUEST) == stock
    assert stock[0] == "closed" and b"Connection: close" in stock[1] and not stock[4]


def test_an_application_that_a_hook_has_put_in_place_is_called() -> None:
    found = worker(CONFIGS[0], hello, True)
    inner = found.wsgi

    def middleware(environ: dict[str, Any], start_response: Any) -> Any:
        return inner(environ, lambda status, headers: start_response("203 Changed", headers))

    exchange = Exchange(found)
    for place in ("after", "before"):
        found.wsgi = middleware
        request = READERS[0].read(REQUEST, sock := Socket(), PEER, SERVER)
        (Exchange(found) if place == "before" else exchange).handle(request, sock)  # type: ignore[arg-type]
        assert sock.sent.startswith(b"HTTP/1.1 203 Changed\r\n"), place


@pytest.mark.parametrize("logger", [Logger, TextLogger, JsonLogger])
@pytest.mark.parametrize("settings", [{"accesslog": "-"}, {}, {"statsd_host": "127.0.0.1:8125"}])
def test_a_logger_is_called_only_where_it_writes_or_counts(logger: Any, settings: dict[str, str]) -> None:
    cfg = config(**{"accesslog": None, **settings})
    found = worker(cfg, hello, True)
    found.log = logger(cfg)
    assert Exchange(found).logs == ("accesslog" in settings or ("statsd_host" in settings and logger is not Logger))
    found.log = Log()  # a class of its own, as gunicorn's for statsd: it may count where nothing is written
    assert Exchange(found).logs


def test_what_gunicorns_response_begins_with() -> None:
    stock, ours = wsgi.Response(None, None, CONFIGS[0]), lean_response.LeanResponse(None, None, CONFIGS[0])
    assert {name: getattr(ours, name) for name in vars(stock)} == vars(stock)


def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    found = worker(CONFIGS[0], hello, True)
    found.log = TextLogger(config(accesslog=None))
    exchange = Exchange(found)
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            request = READERS[0].read(REQUEST, sock := Socket(), PEER, SERVER)
            exchange.handle(request, sock)  # type: ignore[arg-type]
        assert gc.collect() < 100
    finally:
        gc.enable()


class Pieces(Socket):
    """A connection on which the bytes come in pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self.pieces = list(pieces)

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        got, rest = self.pieces[0][:size], self.pieces[0][size:]
        self.pieces[:1] = [rest] if rest else []
        return got


def exchange(parser: Any, sock: Socket, cfg: Config, peer: Any, sizes: list[int]) -> list[Any]:
    """What a thread worker gets from a connection's parser, request by request, and how that ends."""
    found: list[Any] = []
    for size in sizes:
        try:
            request = next(parser)
            _, environ = lean.create(request, sock, peer, SERVER, cfg)
            environ["wsgi.multithread"] = True
            body = request.body.read(size)
        except Exception as error:
            return [*found, (type(error), str(error))]
        found.append((comparable(environ), request.headers, request.should_close(), body))
        try:
            if request.should_close() or not parser.finish_body(deadline=float("inf")):
                return [*found, "closed"]
        except Exception as error:  # of a chunked body that the app did not read
            return [*found, (type(error), str(error))]
    return found


@pytest.mark.parametrize("part", range(2))
@patch.object(lean, "finish_body", wraps=lean.finish_body)
def test_a_threads_connection_is_read_as_gunicorn_reads_it(finish: Mock, part: int) -> None:
    """Requests one behind the other, in one piece or many, whose bodies the app reads or leaves."""
    for rng in fuzz.cases("a thread's connection", 20_000, 2):
        data = b"".join(generated(rng) for _ in range(rng.randrange(1, 4)))
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(3)))
        pieces = [data[start:end] for start, end in pairwise([0, *cuts, len(data)]) if start < end]
        number, peer = rng.randrange(len(CONFIGS)), rng.choice([PEER, PROXY])
        cfg, sizes = CONFIGS[number], [rng.choice([0, 3, 100_000]) for _ in range(4)]
        theirs, ours = Pieces(pieces), Pieces(pieces)
        conn: Any = SimpleNamespace(cfg=cfg, sock=ours, client=peer, server=SERVER)
        found = exchange(gthread.Parser(READERS[number], conn), ours, cfg, peer, sizes)
        assert found == exchange(RequestParser(cfg, theirs, peer), theirs, cfg, peer, sizes), pieces
        assert ours.pieces == theirs.pieces, pieces
    assert finish.call_count > 2000  # requests that came the short way


@pytest.mark.parametrize(
    "data", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\nGET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_whole_is_handed_over(data: bytes) -> None:
    assert READERS[0].read(data, Socket(), PEER, SERVER) is None


def test_what_clients_choose_does_not_fill_the_memory() -> None:
    reader = lean.Reader(CONFIGS[0])
    for number in range(2 * remembered.MOST):
        assert reader.read(f"GET / HTTP/1.1\r\nX-{number}: a\r\n\r\n".encode(), Socket(), PEER, SERVER)
        assert reader.read(f"GET / HTTP/1.1\r\nX: {number:0200}\r\n\r\n".encode(), Socket(), PEER, SERVER)
    assert 0 < len(reader.lines) <= remembered.MOST
    assert max(map(len, reader.lines)) < 200


def test_no_credential_is_remembered() -> None:
    """Neither those of a request nor a cookie that the app sets."""
    reader = lean.Reader(CONFIGS[0])
    names = ("Authorization", "authorization", "Cookie", "COOKIE", "Proxy-Authorization", "X-Api-Key", "x-auth-token")
    for name in names:
        head = f"GET / HTTP/1.1\r\nHost: a\r\n{name}: secret\r\n\r\n".encode()
        for _ in range(2):
            request = reader.read(head, Socket(), PEER, SERVER)
            assert request is not None
            assert request.environ[f"HTTP_{name.upper().replace('-', '_')}"] == "secret"
    assert list(reader.lines) == ["Host: a"]
    resp = lean_response.LeanResponse(request, Socket(), CONFIGS[0])
    resp.start_response(
        "200 OK", [("X-Kept", "a"), *((name, "secret") for name in ("Set-Cookie", "set-cookie", "X-Token"))]
    )
    assert [value for _, value in resp.known if value == "secret"] == []
    assert ("X-Kept", "a") in resp.known


def test_response_headers_do_not_fill_the_memory() -> None:
    request = READERS[0].read(b"GET / HTTP/1.1\r\n\r\n", Socket(), PEER, SERVER)
    for number in range(2 * remembered.MOST):
        resp = lean_response.LeanResponse(request, Socket(), CONFIGS[0])
        status = f"200 {number:0{200 * (number % 2)}}"
        resp.start_response(status, [("ETag", str(number)), ("X-Long", f"{number:0200}"), (f"X-{number:0200}", "a")])
    assert 0 < len(resp.known) <= remembered.MOST
    assert max(len(name) + len(value) for name, value in resp.known) < 200
    assert 0 < len(resp.codes) <= remembered.MOST
    assert max(map(len, resp.codes)) < 200


@pytest.mark.parametrize("header", [["Content-Length", "5"], ("content-length", " 5 ")])
def test_a_length_is_read_from_what_was_remembered_too(header: Any) -> None:
    """An app may give lists, though PEP 3333 has tuples."""
    request = READERS[0].read(b"GET / HTTP/1.1\r\n\r\n", Socket(), PEER, SERVER)
    for _ in range(2):
        resp = lean_response.LeanResponse(request, Socket(), CONFIGS[0])
        resp.start_response("200 OK", [header])
        assert (resp.response_length, resp.headers) == (5, [(header[0], "5")])


def test_script_name_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/tool")
    reader = lean.Reader(CONFIGS[0])
    assert reader.read(b"GET /other HTTP/1.1\r\n\r\n", Socket(), PEER, SERVER) is None
    request = reader.read(b"GET /tool/a HTTP/1.1\r\n\r\n", sock := Socket(), PEER, SERVER)
    assert request is not None
    _, ours = lean.create(request, sock, PEER, SERVER, CONFIGS[0])
    reference = by_gunicorn(CONFIGS[0], b"GET /tool/a HTTP/1.1\r\n\r\n", PEER)
    assert comparable(ours) == comparable(reference[1])
    assert (ours["SCRIPT_NAME"], ours["PATH_INFO"]) == ("/tool", "/a")


def test_install_replaces_what_gunicorn_calls() -> None:
    with patch.object(wsgi, "create"), patch.object(wsgi, "Response"), patch.object(util, "http_date"):
        lean.install()
        assert wsgi.create is lean.create and wsgi.Response is response.Response
