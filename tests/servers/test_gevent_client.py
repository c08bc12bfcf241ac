"""How much of unfinished heads a gevent worker keeps."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from gunicorn.http.errors import LimitRequestHeaders

from generator.runtime.http_limits import FEW_HEAD_BYTES, HEAD_BYTES, UNFINISHED_HEADS_BYTES
from generator.runtime.workers.gevent_client import Client


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
