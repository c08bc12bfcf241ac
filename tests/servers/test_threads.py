"""Threads that take connections from epoll, and the loop that closes the silent ones under their feet."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from generator.runtime.workers.gthread import InOrder
from generator.runtime.workers.threads import Threads
from tests.servers.started import Gunicorn, closed_after, connections, read_response, send, until


class Conn(SimpleNamespace):
    """``sock`` and its ``descriptor``; each is equal to itself only, as the worker's."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


@pytest.fixture
def pairs() -> Iterator[Callable[[], tuple[Conn, socket.socket]]]:
    """A connection and its client's end."""
    with ExitStack() as open_ones:

        def pair() -> tuple[Conn, socket.socket]:
            ours, theirs = socket.socketpair()
            open_ones.enter_context(ours)
            open_ones.enter_context(theirs)
            return Conn(sock=ours, descriptor=ours.fileno()), theirs

        yield pair


def started(count: int, serve: Callable[[Any], None], respond: Callable[[Any], None] = lambda conn: None) -> Threads:
    threads = Threads(count, serve, respond)
    threads.start()
    return threads


def test_one_thread_at_a_time_has_a_connection(pairs: Callable[[], tuple[Conn, socket.socket]]) -> None:
    """And what comes meanwhile is reported when it waits again."""
    got: list[bytes] = []
    inside, together = [0], [0]
    may_go = threading.Event()

    def serve(conn: Conn) -> None:
        inside[0] += 1
        together[0] = max(together[0], inside[0])
        may_go.wait()
        with suppress(OSError):  # closed: the test is over
            got.append(conn.sock.recv(1))
        inside[0] -= 1
        threads.wait(conn)

    threads = started(4, serve)
    conn, client = pairs()
    threads.add(conn)
    client.sendall(b"abc")
    until(lambda: inside[0])
    may_go.set()
    until(lambda: got == [b"a", b"b", b"c"])
    threads.forget(conn)
    assert together == [1]


def test_as_many_at_once_as_threads_and_the_others_in_their_order(
    pairs: Callable[[], tuple[Conn, socket.socket]],
) -> None:
    begun: list[Conn] = []
    turns = threading.Semaphore(0)

    def serve(conn: Conn) -> None:
        begun.append(conn)
        turns.acquire()

    threads = started(2, serve)
    made = [pairs() for _ in range(5)]
    for conn, client in made:
        threads.add(conn)
        client.sendall(b"x")
    until(lambda: len(begun) == 2)
    for count in (3, 4, 5):
        turns.release()
        until(lambda count=count: len(begun) == count)  # type: ignore[misc]
    assert begun[2:] == [conn for conn, _ in made[2:]]
    turns.release(2)


def test_pipelined_requests_take_turns_with_other_connections(
    pairs: Callable[[], tuple[Conn, socket.socket]],
) -> None:
    order: list[str] = []
    first, ready = threading.Event(), threading.Event()

    def serve(conn: Conn) -> None:
        order.append(f"{conn.name} came")
        if conn.name == "pipelining":
            first.set()
            ready.wait()
            threads.serve_next(conn)

    def respond(conn: Conn) -> None:
        order.append(f"{conn.name} again")
        if len(order) < 5:
            threads.serve_next(conn)

    threads = started(1, serve, respond)
    (pipelining, one), (other, two) = pairs(), pairs()
    pipelining.name, other.name = "pipelining", "other"
    threads.add(pipelining)
    threads.add(other)
    one.sendall(b"x")
    assert first.wait(30)
    two.sendall(b"x")
    ready.set()
    until(lambda: len(order) == 5)
    assert order[:4] == ["pipelining came", "pipelining again", "other came", "pipelining again"]


def test_pipelined_requests_go_on_while_another_thread_waits(pairs: Callable[[], tuple[Conn, socket.socket]]) -> None:
    served: list[Conn] = []

    def serve(conn: Conn) -> None:
        served.append(conn)
        if len(served) < 20:
            threads.serve_next(conn)

    threads = started(2, serve, serve)
    conn, client = pairs()
    threads.add(conn)
    client.sendall(b"x")
    until(lambda: len(served) == 20)
    until(threads.turn.locked)  # the other one, in epoll


def test_a_connection_that_is_forgotten_is_not_waited_for(pairs: Callable[[], tuple[Conn, socket.socket]]) -> None:
    served: list[Conn] = []
    threads = started(1, served.append)
    (closed, client), (other, witness) = pairs(), pairs()
    threads.add(closed)
    threads.add(other)
    duplicate = closed.sock.dup()  # as an app may have one
    threads.forget(closed)
    closed.sock.close()
    assert not threads.wait(closed)
    client.sendall(b"x")
    witness.sendall(b"x")
    until(lambda: served)
    assert served == [other]
    duplicate.close()
    late = Conn(sock=None, descriptor=closed.descriptor)
    threads.conns[late.descriptor] = late  # closed by somebody else: known here, gone in the kernel
    assert not threads.wait(late)


def test_who_waits_is_taken_once() -> None:
    """By a thread that serves it, or by the loop that closes it."""
    waiting, conns = InOrder(), [Conn() for _ in range(2000)]
    taken: list[int] = [0] * 4
    for conn in conns:
        waiting.append(conn)

    def take(number: int) -> None:
        while waiting:
            conn = waiting[0]
            if conn is InOrder.GONE:
                continue
            taken[number] += waiting.take(conn)

    takers = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sum(taken) == len(conns)
    assert waiting[0] is InOrder.GONE


def test_idle_connections_end_while_others_are_served(gunicorn: Callable[..., Gunicorn]) -> None:
    """Each at its time, at the edge of which its next request may come: it is served whole, or not at all."""
    server = gunicorn("gthread", workers=1, keepalive=1, worker_connections=500)
    pid = int(server.get())
    with connections(server, 60) as conns:
        ended = [False] * len(conns)

        def use(number: int) -> None:
            for _ in range(4):
                try:
                    read_response(conns[number], "/")
                except (AssertionError, OSError):  # it was closed just before
                    ended[number] = True
                    return
                threading.Event().wait(0.97 + number % 6 * 0.01)

        users = [threading.Thread(target=use, args=(number,)) for number in range(len(conns))]
        for user in users:
            user.start()
        for user in users:
            user.join()
        for conn, over in zip(conns, ended, strict=True):
            if not over:
                assert closed_after(conn, 0) >= 0
    assert int(server.get()) == pid
    assert "Traceback" not in server.log.read_text()


def test_an_app_that_calls_exit_ends_its_connection_only(gunicorn: Callable[..., Gunicorn]) -> None:
    """gunicorn's thread worker ends, and with it all its other requests."""
    server = gunicorn("gthread", workers=1, app="import sys\n\ndef app(environ, start_response):\n"
                      "    if environ['PATH_INFO'] == '/exit':\n        sys.exit(3)\n"
                      "    start_response('200 OK', [('Content-Length', '1')])\n    return [b'x']\n")  # fmt: skip
    workers = server.workers()
    with server.connect() as leaving:
        send(leaving, "/exit")
        assert closed_after(leaving, 0) >= 0
    assert server.get() == b"x"
    assert server.workers() == workers
    assert "SystemExit: 3" in server.log.read_text()
    server.log.write_text("")  # of the traceback, which no other test wants to see


def test_a_stop_ends_although_a_request_never_does(gunicorn: Callable[..., Gunicorn]) -> None:
    server = gunicorn("gthread", workers=1, graceful_timeout=1)
    with server.connect() as hanging, server.connect() as other:
        send(hanging, "/sleep/300")
        read_response(other, "/")
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.ended_within()
