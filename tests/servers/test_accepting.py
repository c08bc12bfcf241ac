"""How many connections each worker of the kit accepts at a time."""

from __future__ import annotations

import socket
from typing import Any
from unittest.mock import Mock

import pytest

from generator.runtime.pywsgi.worker import Server
from generator.runtime.workers import accepting
from generator.runtime.workers.gevent_server import FairServer
from generator.runtime.workers.gthread import FairThreadWorker

HELD = pytest.mark.parametrize(("held", "accepted"), [(0, 1), (80, 11), (10_000, accepting.MAX_BATCH)])


def test_few_while_few_are_held_then_more_up_to_a_limit() -> None:
    assert [accepting.batch(held) for held in (0, 7, 8, 80)] == [1, 1, 2, 11]
    assert accepting.batch(504) == accepting.batch(10_000) == accepting.MAX_BATCH


@HELD
def test_gevent(held: int, accepted: int) -> None:
    server: Any = FairServer.__new__(FairServer)
    server.worker, server.draining = Mock(clients=range(held), worker_connections=300), False
    assert server.max_accept == accepted
    server.draining = True
    assert server.max_accept == 300


@HELD
def test_pywsgi(held: int, accepted: int) -> None:
    server: Any = Server.__new__(Server)
    server.pool = range(held)
    server.set_max_accept()
    assert server.max_accept == accepted


@HELD
def test_gthread(held: int, accepted: int) -> None:
    worker: Any = FairThreadWorker.__new__(FairThreadWorker)
    worker.cfg, worker.nr_conns, worker.worker_connections = Mock(keepalive=75), held, 20_000
    worker.head_bytes, worker.lean, worker.wait_for_first_byte, listener = 65536, False, Mock(), Mock()
    listener.accept.side_effect = lambda: (socket.socket(), None)
    worker.accept(listener)
    assert worker.wait_for_first_byte.call_count == accepted
