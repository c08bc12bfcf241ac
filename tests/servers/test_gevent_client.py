"""What a gevent worker keeps of requests that wait for their turn, and of unfinished heads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import gevent
import pytest
from gunicorn.http.errors import LimitRequestHeaders

from generator.runtime.http_limits import FEW_HEAD_BYTES, HEAD_BYTES, UNFINISHED_HEADS_BYTES
from generator.runtime.workers.gevent_client import WAITING_BYTES, Client


def reading(worker: Any, head: int) -> Any:
    return Mock(spec=Client, server=Mock(worker=worker), head=head)


def test_large_heads_are_refused_and_small_ones_even_in_a_flood() -> None:
    worker = Mock(head_bytes=HEAD_BYTES, unfinished_bytes=0)
    alone = reading(worker, 0)
    Client.count_head(alone, HEAD_BYTES)
    with pytest.raises(LimitRequestHeaders):
        Client.count_head(alone, 1)
    Client.end_head(alone)
    assert worker.unfinished_bytes == 0
    flood = [reading(worker, 0) for _ in range(UNFINISHED_HEADS_BYTES // HEAD_BYTES)]
    for client in flood:
        Client.count_head(client, HEAD_BYTES)
    small = reading(worker, 0)
    Client.count_head(small, FEW_HEAD_BYTES)
    with pytest.raises(LimitRequestHeaders):
        Client.count_head(small, 1)
    for client in (*flood, small):
        Client.end_head(client)
        Client.end_head(client)  # closed, after its request began
    assert worker.unfinished_bytes == 0


@pytest.fixture
def connected() -> Iterator[tuple[Client, socket.socket]]:
    """A connection of a worker that only keeps who is ready, and its other end."""
    theirs, ours = socket.socketpair()
    worker = Mock(header_timeout=10.0, transfer_timeout=10.0, waiting_bytes=0, unfinished_bytes=0)
    ours.setblocking(False)
    client = Client(Mock(worker=worker, family=socket.AF_UNIX, loop=gevent.get_hub().loop), None, ours.detach())
    client.wait()
    with theirs:
        yield client, theirs
    client.close()


def ready(client: Client) -> bool:
    return bool(client.server.worker.pool.add.called)


def test_what_has_come_is_read_at_once(connected: tuple[Client, socket.socket]) -> None:
    client, theirs = connected
    theirs.sendall(b"first")
    client.readable()
    assert ready(client) and client.server.worker.waiting_bytes == 5
    theirs.sendall(b"more")
    client.readable()  # it waits for its turn: what comes meanwhile stays in the kernel
    assert not client.watched
    assert client.take_first() == b"first" and client.server.worker.waiting_bytes == 0
    assert client.take_first() == b"more"


def test_an_end_is_seen_at_once(connected: tuple[Client, socket.socket]) -> None:
    client, theirs = connected
    theirs.close()
    client.readable()
    assert ready(client) and client.take_first() == b""


def test_an_event_without_bytes_is_none(connected: tuple[Client, socket.socket]) -> None:
    client, _ = connected
    client.readable()
    assert not ready(client) and not client.busy and client.watched


def test_where_much_waits_the_bytes_stay_in_the_kernel(connected: tuple[Client, socket.socket]) -> None:
    client, theirs = connected
    client.server.worker.waiting_bytes = WAITING_BYTES
    theirs.sendall(b"first")
    client.readable()
    assert ready(client) and client.first is None and client.server.worker.waiting_bytes == WAITING_BYTES
    assert client.take_first() == b"first" and client.server.worker.waiting_bytes == WAITING_BYTES


def test_a_body_that_is_cut_off_has_no_end(connected: tuple[Client, socket.socket]) -> None:
    client, _ = connected
    client.hang_up()
    with pytest.raises(ConnectionResetError):
        client.recv_body(10)


def test_a_body_that_the_client_ends_ends(connected: tuple[Client, socket.socket]) -> None:
    client, theirs = connected
    theirs.sendall(b"some")
    theirs.close()
    assert (client.recv_body(10), client.recv_body(10)) == (b"some", b"")


def test_past_its_time_a_body_is_cut_off(connected: tuple[Client, socket.socket]) -> None:
    client, theirs = connected
    theirs.sendall(b"late")
    client.deadline = 0.0
    with pytest.raises(ConnectionResetError):
        client.recv_body(10)
