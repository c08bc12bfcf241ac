"""Whom the gevent worker gives a turn, and whom it needs to give none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest.mock import Mock, patch

import pytest

from generator.runtime.workers import gevent_server
from generator.runtime.workers.gevent_server import CROWD, TURNS_A_LOOK, Client, Turns


@pytest.fixture
def hub() -> Iterator[Mock]:
    with patch.object(gevent_server, "get_hub") as get_hub:
        yield get_hub.return_value


def filled(waiting: int) -> tuple[Any, list[int]]:
    turns, order = Turns(), []  # type: ignore[var-annotated]
    for number in range(waiting):
        turns.add(order.append, number)
    return turns, order


def test_turns_are_given_in_order_one_at_a_time(hub: Mock) -> None:
    turns, order = filled(3)
    for given in range(1, 4):
        assert hub.loop.run_callback.call_count == given  # one is due, never two
        turns.next()
    assert order == [0, 1, 2]
    assert hub.loop.run_callback.call_count == 3


def test_in_a_crowd_the_hub_looks_for_events(hub: Mock) -> None:
    turns, _ = filled(CROWD + 2 * TURNS_A_LOOK)
    for _ in range(2 * TURNS_A_LOOK - 1):
        turns.next()
    assert turns.look.start.call_count == 1
    for _ in range(CROWD):
        turns.next()
    assert turns.look.start.call_count == 1


def test_parking_takes_nobodys_turn(hub: Mock) -> None:
    client = Mock(spec=Client, worker=Mock(), _read_event=Mock(), waiter=(waiter := Mock()))
    client.resume = partial(Client.resume, client)
    Client.park(client)
    hub.loop.run_callback.assert_called_once_with(waiter.switch, None)
    client._read_event.stop.assert_called_once_with()
    assert client.parked and client.waiter is None
    assert not client.worker.turns.mock_calls


def test_waking_takes_a_turn(hub: Mock) -> None:
    client = Mock(spec=Client, worker=Mock(), _read_event=Mock(), waiter=(waiter := Mock()))
    client.resume = partial(Client.resume, client)
    Client.wake(client)
    client.worker.turns.add.assert_called_once_with(waiter.switch, None)
    client._read_event.stop.assert_called_once_with()
    assert client.waiter is None
