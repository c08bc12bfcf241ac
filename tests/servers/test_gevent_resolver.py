"""Look-ups of what is an address already."""

from __future__ import annotations

import socket
from typing import Any

from generator.runtime.workers import gevent_resolver


def test_an_address_is_looked_up_without_a_thread() -> None:
    queries: list[tuple[Any, ...]] = []

    def lookup(*query: Any) -> list[str]:
        queries.append(query)
        return ["address"]

    getaddrinfo = gevent_resolver.numeric_at_once(lookup)
    assert getaddrinfo("127.0.0.1", 80, 0, socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
    assert getaddrinfo("::1", None)[0][0] == socket.AF_INET6
    assert getaddrinfo(b"127.0.0.1", 80)[0][4] == ("127.0.0.1", 80)
    assert queries == []
    assert getaddrinfo("d\xf6.example", 80) == ["address"]
    queries.clear()
    assert getaddrinfo("db.example", 80) == getaddrinfo("127.0.0.1", "http") == getaddrinfo(None, 80) == ["address"]
    assert [query[0] for query in queries] == ["db.example", "127.0.0.1", None]
