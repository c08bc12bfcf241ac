"""Raw HTTP/1.x for the hostile tests: what one client sends on one connection, at least 300 times different.

No verdict stands here: gunicorn's own parser gives it, on the same bytes (hostile_reference.py). Behind each case
follows a whole request that asks to close, so that a server that lost the framing shows it by its responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Follows each case: the connection then ends by itself, and a request that was smuggled shows.
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLED_REQUEST = "GET /smuggled"
HOST = b"Host: x\r\n"
#: What has a meaning in a head or a chunk, and bytes that some parser somewhere takes for one of these: to fuzz with.
TOKENS = (
    *(bytes((byte,)) for byte in b"\r\n \t:\0\x0b\x85\xa0;,05-+_"),
    b"\r\n",
    b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Host: y\r\n",
    b"GET /b HTTP/1.1\r\n",
    b"0\r\n\r\n",
)


@dataclass(frozen=True)
class Case:
    """Where it strikes, what it sends; the name is made of both."""

    part: str
    sent: bytes

    @property
    def name(self) -> str:
        shown = ascii(self.sent.removesuffix(LAST).decode("latin-1"))[1:-1].replace("Host: x\\r\\n", "")
        return f"{self.part}: {shown[:80]}{f'... ({len(self.sent)} bytes)' if len(shown) > 80 else ''}"

    @property
    def whole(self) -> bytes:
        return self.sent + LAST


def _fragments() -> dict[str, list[bytes]]:
    """The sections of hostile_cases.txt."""
    found: dict[str, list[bytes]] = {}
    for line in Path(__file__).with_suffix(".txt").read_text("ascii").splitlines():
        if line.startswith("["):
            found[line[1:-1]] = section = []
        elif line and not line.startswith("#"):
            repeated = re.sub(r"\{([^{}]*)\*(\d+)\}", lambda match: match[1] * int(match[2]), line)
            data = repeated.removeprefix("\\e").encode().decode("unicode_escape").encode("latin-1")
            section.append(data.replace(b"SMUGGLED", SMUGGLED))
    return found


def _with(head: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    return head + b"\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _all() -> Iterator[Case]:
    get, post, of = b"GET /a HTTP/1.1", b"POST /a HTTP/1.1", _fragments()
    chunked, coded = b"5\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"
    yield from (Case("request line", _with(line)) for line in of["request line"])
    yield from (Case("before the request line", before + _with(get)) for before in of["before the request line"])
    yield from (Case("header", _with(get, line)) for line in of["header"])
    yield from (Case("header", _with(get, *(b"X-%d: a" % n for n in range(count)))) for count in (50, 98, 99, 100, 200))
    yield from (Case("header", _with(get, *(b"X-%d: %1000d" % (n, n) for n in range(count)))) for count in (30, 60, 90))
    yield from (Case("length", _with(post, b"Content-Length:" + it, body=b"hello")) for it in of["content-length"])
    yield from (Case("length", _with(post, lines, body=b"hello")) for lines in of["content-length header"])
    yield from (Case("coding", _with(post, b"Transfer-Encoding:" + it, body=chunked)) for it in of["transfer coding"])
    yield from (Case("coding", _with(post, lines, body=chunked)) for lines in of["transfer coding header"])
    yield from (Case("chunk", _with(post, coded, body=chunks)) for chunks in of["chunk"])
    for other in (
        b"GET /a HTTP/1.1",
        b"HEAD /a HTTP/1.1",
        b"POST /a HTTP/1.0",
        b"POST /a HTTP/1.2",
        b"DELETE /a HTTP/1.1",
    ):
        yield Case("body", _with(other, coded, body=chunked))
        yield Case("body", _with(other, b"Content-Length: 5", body=b"hello"))
        yield Case("body", _with(other, b"Connection: keep-alive", coded, body=chunked))
        yield Case("body", _with(other, b"Connection: keep-alive", b"Content-Length: 5", body=b"hello"))
        yield Case("body", _with(other, body=SMUGGLED))
    for ends in (b"\n", b"\r", b"\n\r", b"\r\r\n", b"\x0b", b"\x85", b"\x1c", b"\0\r\n"):
        yield Case("line ends", get + ends + b"Host: x" + ends + ends)
        yield Case("line ends", get + b"\r\nHost: x" + ends + b"\r\n")
        yield Case("line ends", get + b"\r\nHost: x" + ends + ends)
        yield Case("line ends", get + b"\r\nHost: x\r\n" + ends)
        yield Case("line ends", get + ends + b"Host: x\r\n\r\n")
    # Without Host, and with requests behind one another.
    yield from (Case("host", line + b"\r\n\r\n") for line in (get, b"GET /a HTTP/1.0", b"GET http://x/a HTTP/1.1"))
    yield Case("pipeline", _with(get) * 5)
    yield Case("pipeline", _with(post, b"Content-Length: 5", body=b"hello") * 3)
    yield Case("pipeline", _with(post, coded, body=chunked) * 3)
    yield Case("pipeline", _with(post, b"Content-Length: 5", body=b"hello\r\n") * 2)
    yield Case("pipeline", _with(get, b"Connection: close") + SMUGGLED)
    yield Case("pipeline", _with(b"GET /a HTTP/1.0") + SMUGGLED)
    yield Case("pipeline", _with(b"CONNECT x:80 HTTP/1.1") + SMUGGLED)
    yield Case("pipeline", _with(get, b"X: " + b"\x00") + SMUGGLED)
    yield Case("pipeline", _with(post, b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED))
    # Not HTTP at all.
    yield from (
        Case("not HTTP", junk)
        for junk in (b"\0" * 300, b"\xff" * 300, b"PROXY TCP4 6.6.6.6 1.1.1.1 1 80\r\n" + _with(get))
    )
    yield Case("not HTTP", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")


CASES = tuple({case.sent: case for case in _all()}.values())
