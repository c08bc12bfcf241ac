"""In which order requests start in a gevent worker, and on which greenlets; how workers share connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock, patch

import gevent.event
import pytest
from gevent.pool import Group

from generator.runtime.workers import balance, pool
from generator.runtime.workers.balance import Balance
from generator.runtime.workers.pool import BATCH, CROWD, KEPT, Pool
from tests.servers.started import Gunicorn, connections, until, whole_answer


class Worker:
    """Serves by noting the client; one that is a number of seconds waits for so long."""

    def __init__(self) -> None:
        self.group, self.served = Group(), []  # type: ignore[var-annotated]
        self.pool = Pool(self)

    def serve(self, client: Any) -> None:
        if isinstance(client, float):
            gevent.sleep(client)
        self.served.append(client)


@pytest.fixture
def worker() -> Iterator[Worker]:
    found = Worker()
    yield found
    found.group.kill()


def test_requests_start_in_order_on_one_greenlet(worker: Worker) -> None:
    for number in range(3 * BATCH):
        worker.pool.add(number)
    gevent.sleep(0.01)
    assert worker.served == list(range(3 * BATCH))
    assert len(worker.group) == 1


def test_what_is_behind_a_request_that_waits_goes_on_elsewhere(worker: Worker) -> None:
    for client in (0.05, 1, 2):
        worker.pool.add(client)
    gevent.sleep(0.02)
    assert worker.served == [1, 2]
    gevent.sleep(0.1)
    assert worker.served == [1, 2, 0.05]
    worker.pool.add(3)
    gevent.sleep(0.01)
    assert worker.served[-1] == 3 and len(worker.group) == 2, "sleeping greenlets are used again"


def test_a_burst_leaves_few_greenlets_behind(worker: Worker) -> None:
    waiting = gevent.event.Event()
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


def test_a_worker_that_says_nothing_does_not_count() -> None:
    found = Balance()
    with patch.object(balance, "monotonic", return_value=100.0):
        found.write(1, 0)
    with patch.object(balance, "monotonic", return_value=100.0 + 2 * balance.STALE):
        assert not found.ahead(2, 100)


@pytest.mark.parametrize("clients", [50, 200])
def test_two_workers_share_their_clients(gunicorn: Callable[..., Gunicorn], clients: int) -> None:
    server = gunicorn("gevent", workers=2)
    until(lambda: len({server.asks() for _ in range(20)}) == 2)
    with connections(server, clients) as conns:
        pids = [whole_answer(conn, "/")[1] for conn in conns]
    shares = [pids.count(pid) for pid in set(pids)]
    assert max(shares) <= 0.65 * clients, shares
