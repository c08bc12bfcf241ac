"""What each rival is measured with: pieces of work, each on a fresh server, with the figures it yields."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from generator.proof import loads
from generator.proof.request import Request
from generator.proof.stage import BESIDE, Stage
from tests.load.rivals import Rival

IO, JSON = Request("/io?ms=50"), Request("/json")
ACTIVE = 200
OPENED = 1000  # connections a second, where they are not all opened at once
#: Of 10,000 connections each needs this long to get one response; in less a fair server seems to starve some.
MANY, MIN_SECONDS = 5000, 12
RATE, CPU = "requests/s", "CPU us a request"  # the latter of the server's cgroup: accepting and the kernel are in it
Figures = dict[str, float | None]
Work = Callable[[Stage, Rival, float], Figures]


def full(connections: int, request: Request) -> Work:
    """All connections opened as fast as the client can, each sending its next request at the response."""

    def work(stage: Stage, rival: Rival, seconds: float) -> Figures:
        lasts = MIN_SECONDS if connections > MANY else seconds
        before = _cpu(stage)
        found = _load(stage, rival, request, connections, lasts)
        used = _a_request(before, _cpu(stage), found["responses"])
        return {**counts(found), CPU: used, "memory MiB": _mebibytes(stage)}

    return work


def moderate(connections: int, rate: float, request: Request) -> Work:
    """Opened at 1,000 a second; each sends a request now and then, once at least: in turn."""

    def work(stage: Stage, rival: Rival, seconds: float) -> Figures:
        lasts = connections / OPENED + connections / rate + seconds
        return counts(_load(stage, rival, request, connections, lasts, rate=rate, ramp=OPENED))

    return work


def idle(connections: int, request: Request) -> Work:
    """Few are active while the others have sent one request and stay."""

    def work(stage: Stage, rival: Rival, seconds: float) -> Figures:
        alone = _load(stage, rival, request, ACTIVE, seconds, rate=2 * ACTIVE)
        found = _load(stage, rival, request, ACTIVE, seconds, rate=2 * ACTIVE, idle=connections - ACTIVE)
        rest, *_ = samples = stage.samples()
        known: Figures = {"idle held": found["idle"]["held"], "failed": found["failed"]}
        known["p99 ms alone"], known["p99 ms among"] = alone["latency_ms"]["p99"], found["latency_ms"]["p99"]
        # The last one with all of them: while they were opened, each was busy for a moment, and needed more.
        all_held = max(samples, key=lambda sample: (sample["descriptors"], sample["at"]))
        known["KiB a connection"] = (all_held["pss_bytes"] - rest["pss_bytes"]) / connections / 1024
        return known

    return work


def at(connections: int, request: Request) -> Work:
    """wrk, for latency."""

    def work(stage: Stage, rival: Rival, seconds: float) -> Figures:
        stage.put("/tmp/request.lua", request.wrk_script())
        before = _cpu(stage)
        output = stage.exec(*loads.wrk(rival.port, request, connections, seconds))
        found = loads.of_wrk(output, connections, seconds)
        used = _a_request(before, _cpu(stage), found["responses"])
        times = found["latency_ms"]
        known: Figures = {"failed": found["failed"], RATE: found["rps"]}
        return {**known, "p50 ms": times.get("p50"), "p99 ms": times.get("p99"), CPU: used}

    return work


def rest(stage: Stage, rival: Rival, seconds: float) -> Figures:
    """Memory after a few requests; how long booting took is added by who booted it."""
    _load(stage, rival, Request(), 4, 1)
    return {"memory MiB": (stage.samples(last=1) or [{}])[0].get("pss_bytes", 0) / 2**20}


def counts(found: dict[str, Any]) -> Figures:
    times = found["latency_ms"]
    known = {"no response": found["no_response"], "failed": found["failed"], RATE: found["rps"]}
    return {**known, "p50 ms": times["p50"], "p99 ms": times["p99"]}


def _load(
    stage: Stage, rival: Rival, request: Request, connections: int, seconds: float, **more: float
) -> dict[str, Any]:
    return loads.of_client(stage.exec(*loads.client(rival.port, request, connections, seconds, **more)))


def _mebibytes(stage: Stage) -> float:
    return max((sample["pss_bytes"] or 0 for sample in stage.samples()), default=0) / 2**20


def _cpu(stage: Stage) -> float | None:
    """Read from beside, so that reading costs the server nothing."""
    if stage.watcher is None:
        return None
    found: float | None = json.loads(stage.watcher.exec(*BESIDE, "cpu").stdout)
    return found


def _a_request(before: float | None, after: float | None, responses: int) -> float | None:
    return None if before is None or after is None or not responses else (after - before) / responses
