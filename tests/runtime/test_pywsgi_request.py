"""The kit's layer around gunicorn's parser, fuzzed against gunicorn's own reading of the same bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData, ParseException

from generator.runtime.http_limits import HEAD_BYTES, UNFINISHED_HEADS_BYTES
from generator.runtime.pywsgi import reader as pywsgi_reader
from generator.runtime.pywsgi.configuration import peers_of
from generator.runtime.pywsgi.reader import Reader, UnfinishedHeads
from generator.runtime.pywsgi.request import BrokenBody, Head, Input, environ_of
from tests import fuzz
from tests.containers import hostile_reference
from tests.containers.hostile_cases import CASES, TOKENS
from tests.containers.support import hostile_app


class Connection:
    """A connection on which these pieces come, and then the end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = iter(pieces)
        self._sock = self

    def recv(self, count: int) -> bytes:
        return next(self.pieces, b"")

    def settimeout(self, seconds: float | None) -> None:
        pass

    def sendall(self, data: bytes) -> None:
        pass

    def shutdown(self, how: int) -> None:
        self.pieces = iter(())


def conversation(rng: random.Random) -> list[bytes]:
    """A case with a few changes, in pieces as the network may cut it."""
    sent = fuzz.mutated(rng, rng.choice(CASES).whole[:6000], TOKENS)
    cuts = sorted({0, len(sent), *(rng.randint(0, len(sent)) for _ in range(rng.randint(0, 6)))})
    return [sent[a:b] for a, b in pairwise(cuts)]


def ours(pieces: list[bytes]) -> Iterator[str]:
    """The requests that reach the app, as the handler reads them."""
    connection = Connection(pieces)
    reader = Reader(connection, UnfinishedHeads(), 1)
    for number in range(1, 100):
        reader.begin_head(float("inf"))
        try:
            head = Head(reader, hostile_reference.PEER, peers_of("127.0.0.1"), number)
            body = Input(head, connection)
            environ = environ_of(head, body, hostile_reference.PEER, hostile_reference.ADDRESS)
            reader.end_head()
            yield hostile_app.digest(hostile_app.whole(environ, body.read()))
        except (ParseException, NoMoreData, StopIteration, BrokenBody):
            return
        assert body.over and not body.failed
        if head.should_close():
            return


def expected(pieces: list[bytes]) -> list[str]:
    """gunicorn's requests, but for one whose body ended early: pywsgi does not pass it on as whole."""
    reading = hostile_reference.gunicorn(pieces)
    return reading.whole[:-1] if reading.end == "truncated" else reading.whole


def test_the_app_sees_what_gunicorn_would_show_it() -> None:
    """No crash, nothing more lenient, and the same environ."""
    for rng in fuzz.cases("pywsgi's heads", 6000):
        pieces = conversation(rng)
        assert list(ours(pieces)) == expected(pieces), pieces


def test_every_case_in_one_piece_and_byte_by_byte() -> None:
    for case in CASES:
        if len(case.whole) < HEAD_BYTES // 4:
            assert list(ours([case.whole])) == expected([case.whole]), case.name
        if len(case.whole) < 400:
            pieces = [case.whole[at : at + 1] for at in range(len(case.whole))]
            assert list(ours(pieces)) == expected(pieces), case.name


def head_of(count: int, heads: UnfinishedHeads, name: str = "X") -> Reader:
    """A reader that has taken that much of a head and waits for more."""
    pieces = [b"GET / HTTP/1.1\r\n", *[f"{name}: {'a' * 1000}\r\n".encode()] * (count // 1000)]
    reader = Reader(Connection(pieces), heads, 1)
    reader.begin_head(float("inf"))
    for _ in pieces:
        reader.chunk()
    return reader


def test_a_head_over_the_limit_is_refused() -> None:
    heads = UnfinishedHeads()
    with pytest.raises(LimitRequestHeaders):
        head_of(HEAD_BYTES + 2000, heads)


def test_of_all_unfinished_heads_the_largest_go() -> None:
    heads = UnfinishedHeads()
    small = [head_of(3000, heads) for _ in range(20)]
    large = [head_of(60_000, heads) for _ in range(2 * UNFINISHED_HEADS_BYTES // 60_000)]
    refused: list[Any] = []
    for reader in (*small, *large):
        try:
            assert reader.chunk() == b""
        except LimitRequestHeaders:
            refused.append(reader)
    assert not set(small) & set(refused)
    assert len(large) // 3 < len(refused) < len(large)
    assert heads._total <= UNFINISHED_HEADS_BYTES


def test_what_is_finished_is_not_counted() -> None:
    heads = UnfinishedHeads()
    for _ in range(10 * UNFINISHED_HEADS_BYTES // 60_000):
        head_of(60_000, heads).end_head()
    assert heads._total == 0 and not heads._held


def test_a_head_in_time_is_no_late_one() -> None:
    reader = Reader(Connection([b"GET "]), UnfinishedHeads(), 1)
    reader.begin_head(0.0)
    with pytest.raises(TimeoutError):
        reader.chunk()


def test_the_size_of_a_read_is_bounded() -> None:
    sizes: list[int] = []

    class Recording(Connection):
        def recv(self, count: int) -> bytes:
            sizes.append(count)
            return b"x"

    reader = Reader(Recording([]), UnfinishedHeads(), 1)
    reader.chunk(10**12)
    reader.chunk(1)
    assert sizes == [pywsgi_reader.BODY_READ_BYTES, pywsgi_reader.READ_BYTES]
