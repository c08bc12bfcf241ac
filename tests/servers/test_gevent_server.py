"""When a gevent worker accepts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, patch

import gevent
import pytest

from generator.runtime.workers.gevent import ACCEPT_EACH, FairGeventWorker
from generator.runtime.workers.gevent_server import FairServer


@pytest.fixture
def server() -> Iterator[Any]:
    worker = Mock(clients=set(), worker_connections=100, transfer_timeout=60.0, header_timeout=10.0)
    worker.is_ahead.return_value = False
    worker.unfinished_bytes = 0
    worker.group.spawn = gevent.spawn  # not a mock, which gevent would ask whether it is full
    listener = gevent.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    found = FairServer(worker, listener)
    worker.servers = [found]
    found.start()
    yield found
    for client in list(worker.clients):
        found.do_close(client)
    found.close()


@pytest.fixture
def client(server: Any) -> Iterator[socket.socket]:
    with socket.create_connection(server.socket.getsockname()) as found:
        yield found


@pytest.mark.usefixtures("client")
def test_accepts_between_requests_without_the_hub(server: Any) -> None:
    server.accept_meanwhile()
    assert len(server.worker.clients) == 1
    server.accept_meanwhile()
    assert len(server.worker.clients) == 1


@pytest.mark.usefixtures("client")
def test_leaves_a_connection_to_others_until_they_hold_as_many(server: Any) -> None:
    server.worker.is_ahead.return_value = True
    server.accept_meanwhile()
    server._do_read()  # the hub's: the listener is readable
    server.accept_meanwhile()
    assert not server.worker.clients
    server.worker.is_ahead.return_value = False
    server.accept_meanwhile()
    assert len(server.worker.clients) == 1


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("reason", ["full", "pausing", "draining", "closed while it leaves to others"])
def test_accepts_nothing_between_requests(server: Any, reason: str) -> None:
    if reason == "full":
        server.worker.worker_connections = 0
    elif reason == "draining":
        server.draining = True
    else:
        server.worker.is_ahead.return_value = True
        server._do_read()
        server.worker.is_ahead.return_value = False
        if reason == "pausing":
            server.pause(OSError(24, "Too many open files"))
        else:
            server.close()
    with patch.object(server, "do_read") as accepted:
        server.accept_meanwhile()
    accepted.assert_not_called()


def test_a_worker_accepts_after_so_many_requests() -> None:
    worker: Any = FairGeventWorker.__new__(FairGeventWorker)
    worker.begun, worker.beaten, worker.servers = 0, float("inf"), [Mock(), Mock()]
    for _ in range(3 * ACCEPT_EACH):
        worker.beat()
    assert [server.accept_meanwhile.call_count for server in worker.servers] == [3, 3]
