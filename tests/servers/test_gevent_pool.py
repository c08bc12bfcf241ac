"""In which order requests start in a gevent worker, and on which greenlets; how workers share connections."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock, patch

import gevent
import pytest
from gevent.event import Event
from gevent.pool import Group

from generator.runtime.workers import balance, pool
from generator.runtime.workers.balance import SLACK, Balance
from generator.runtime.workers.pool import BATCH, CROWD, KEPT, Pool
from tests.servers.started import Gunicorn, read_response, until


class Worker:
    """Serves by noting the client; one that is an event waits for it."""

    def __init__(self) -> None:
        self.group, self.served = Group(), []  # type: ignore[var-annotated]
        self.pool = Pool(self)

    def serve(self, client: Any) -> None:
        if isinstance(client, Event):
            client.wait()
        self.served.append(client)

    def has_served(self, *clients: Any) -> bool:
        """Waits until as many are served, then says whether it was these, in this order."""
        with gevent.Timeout(20):
            while len(self.served) < len(clients):
                gevent.sleep(0.001)
        return self.served == list(clients)


@pytest.fixture
def worker() -> Iterator[Worker]:
    found = Worker()
    yield found
    found.group.kill()


def test_requests_start_in_order_on_one_greenlet(worker: Worker) -> None:
    for number in range(3 * BATCH):
        worker.pool.add(number)
    assert worker.has_served(*range(3 * BATCH))
    assert len(worker.group) == 1


def test_what_is_behind_a_request_that_waits_goes_on_elsewhere(worker: Worker) -> None:
    slow = Event()
    for client in (slow, 1, 2):
        worker.pool.add(client)
    assert worker.has_served(1, 2)
    slow.set()
    assert worker.has_served(1, 2, slow)
    worker.pool.add(3)
    assert worker.has_served(1, 2, slow, 3)
    assert len(worker.group) == 2, "sleeping greenlets are used again"


def test_a_burst_leaves_few_greenlets_behind(worker: Worker) -> None:
    waiting = Event()
    with patch.object(worker, "serve", lambda _: waiting.wait()):
        for number in range(KEPT + 50):
            worker.pool.add(number)
        with gevent.Timeout(10):
            while len(worker.group) < KEPT + 50:
                gevent.sleep(0)
        waiting.set()
        with gevent.Timeout(10):
            while len(worker.group) > KEPT:
                gevent.sleep(0)
    assert len(worker.pool.sleeping) == KEPT


def test_in_a_crowd_the_hub_looks_for_events_after_each_batch() -> None:
    with patch.object(pool, "get_hub") as get_hub:
        waiting = Pool(Mock())
    for number in range(CROWD + 2):
        waiting.add(number)
    assert get_hub.return_value.loop.run_callback.call_count == 1
    waiting.due = False
    waiting.call()
    get_hub.return_value.loop.timer.return_value.start.assert_called_once_with(waiting.start)


@pytest.mark.parametrize(
    ("own", "others", "ahead"),
    [
        *[(50, [], False), (50, [50], False), (60, [50], False), (61, [50], True), (4, [0], False), (5, [0], True)],
        *[(100, [0, 200], False), (118, [0, 200], True)],
    ],
)
def test_who_is_ahead(own: int, others: list[int], ahead: bool) -> None:
    found = Balance()
    found.write(7, own)
    for place, count in enumerate(others, 8):
        found.write(place, count)
    assert found.ahead(7, own) is ahead


@pytest.mark.parametrize(
    ("own", "others", "lead"),
    [(50, [], 0), (31, [19], 0), (32, [19], 6), (8, [0], 0), (9, [0], 4), (90, [0, 0], 60), (600, [600, 540], 0)],
)
def test_how_many_are_too_many(own: int, others: list[int], lead: int) -> None:
    found = Balance()
    for place, count in enumerate(others, 8):
        found.write(place, count)
    assert found.lead(7, own) == lead


def test_a_worker_that_says_nothing_does_not_count() -> None:
    found = Balance()
    with patch.object(balance, "monotonic", return_value=100.0):
        found.write(1, 0)
    with patch.object(balance, "monotonic", return_value=100.0 + 2 * balance.STALE):
        assert not found.ahead(2, 100)


def test_every_age_is_heard_whoever_writes_first() -> None:
    found = Balance()
    ages = (255, 3, 256, 700)  # old workers are replaced by ever higher ones
    for count, age in enumerate(ages, 10):
        found.write(age, count)
        assert sorted(found.others(1000)) == [*range(10, count + 1)]
    assert sorted(found.others(256)) == [10, 11, 13]


@pytest.mark.parametrize("place", [0, 1])
def test_a_worker_that_is_behind_catches_up(gunicorn: Callable[..., Gunicorn], place: int) -> None:
    """Whichever the kernel prefers, and where none is preferred: then the other's lead of 100 would stay."""
    server, lead = gunicorn("gevent", workers=2), 100
    behind, ahead = sorted(until(lambda: len(found := server.workers()) == 2 and found), reverse=bool(place))
    os.kill(ahead, signal.SIGSTOP)
    assert int(server.get()) == behind, "it has started"
    os.kill(ahead, signal.SIGCONT)
    os.kill(behind, signal.SIGSTOP)
    with ExitStack() as stack:

        def accepted_by() -> int:
            while True:  # until it is one that stays: of so large a lead some are closed with their response
                header, pid = read_response(stack.enter_context(server.connect()), "/")
                if "Connection: close" not in header:
                    return int(pid)

        held = {ahead: sum(accepted_by() == ahead for _ in range(lead)), behind: 0}
        assert held[ahead] == lead
        os.kill(behind, signal.SIGCONT)
        while held[ahead] > 1.125 * held[behind] + SLACK:
            held[accepted_by()] += 1
            assert sum(held.values()) <= 5 * lead, held  # 201 at most, 284 with six busy loops beside


def test_a_lead_goes_over_without_a_lost_request(gunicorn: Callable[..., Gunicorn]) -> None:
    """All clients came while one of two workers was away: they keep their connections, and send more requests."""
    server, clients = gunicorn("gevent", workers=2), 50
    ahead, behind = until(lambda: len(found := server.workers()) == 2 and sorted(found))
    os.kill(ahead, signal.SIGSTOP)
    assert int(server.get()) == behind, "it has started"
    os.kill(ahead, signal.SIGCONT)
    os.kill(behind, signal.SIGSTOP)
    with ExitStack() as stack:
        conns = [stack.enter_context(server.connect()) for _ in range(clients)]
        held = [int(read_response(conn, "/")[1]) for conn in conns]
        assert held == [ahead] * clients
        os.kill(behind, signal.SIGCONT)

        def request_again() -> bool:
            for number, conn in enumerate(conns):
                header, pid = read_response(conn, "/")  # fails where one was closed without being told
                held[number] = int(pid)
                if "Connection: close" in header:
                    conns[number] = stack.enter_context(server.connect())
            return max(map(held.count, (ahead, behind))) <= 0.65 * clients

        until(request_again)
