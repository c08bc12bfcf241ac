"""SIGHUP and SIGTERM while requests are in flight."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import wait

from ..plan.times import EXIT_SECONDS
from . import judge, loads
from .claim import Claim
from .walk import FEW, Walk


def reload(on: Walk) -> Iterator[Claim]:
    """SIGHUP under load: new workers, and no request dropped."""
    if on.plan.server.family == "development":
        return
    before = on.last_sample()
    few = min(FEW, on.connections)
    running = on.stage.begin(*on.client(few, on.pace.signal + 2, rate=2 * few))
    wait([running], timeout=1.5)
    on.server.kill("HUP")
    result = loads.of_client(running.result())
    after, deadline = on.last_sample(), time.monotonic() + _grace(on)
    # An old worker finishes its requests first, and where CPU is short the last sample is older than the signal.
    while before and after and set(before["workers"]) & set(after["workers"]) and time.monotonic() < deadline:
        time.sleep(0.25)
        after = on.last_sample()
    yield judge.judge_reload(result, *(sample["workers"] if sample else None for sample in (before, after)))


def stop(on: Walk) -> Iterator[Claim]:
    """Last of all, since no server is left afterwards; slow responses, so that many are in flight."""
    if on.plan.server.family == "development":
        return
    # Without keep-alive each connection sends one request: a new one would wait in a queue that nobody empties.
    milliseconds = 500 if on.plan.server.honours("keepalive") else 3000
    request = on.slow_request(milliseconds) if on.requests_sample_page else on.request
    few = min(FEW, on.connections)
    running = on.stage.begin(*on.client(few, on.pace.signal + 10, request=request, no_reconnect=True))
    wait([running], timeout=1.5)
    grace = _grace(on)
    on.stage.stop_watching()
    began = time.monotonic()
    on.server.kill("TERM")
    code = on.server.wait(timeout=grace + 60)
    seconds = time.monotonic() - began
    yield judge.judge_stop(loads.of_client(running.result()), code, seconds, grace)


def _grace(on: Walk) -> int:
    """Seconds in which whoever is told to stop must have ended."""
    return on.plan.times.graceful_timeout.value + EXIT_SECONDS
