"""What the profile assumes of its app, measured: memory of a worker and of a connection, import, CPU, what blocks."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..plan.plan import Plan
from ..proof.memory import connection_bytes, worker_bytes
from ..proof.stage import server_options
from ..runtime.sizing import MIB
from .trial import Bench

#: Connections of the closed loop that tells whether requests wait beside each other.
BESIDE_EACH_OTHER = 8
#: gevent's own monitor reports a hub that has not turned for so many seconds, with the stack that keeps it.
MONITOR = {"GEVENT_MONITOR_THREAD_ENABLE": "true", "GEVENT_MAX_BLOCKING_TIME": "0.02"}
#: A request that spends more of its time than this on the CPU is computing: no server lets others run meanwhile.
COMPUTES = 0.5
_IMPORT = """
import importlib, json, sys, time
sys.path[:0] = ["."]
began = time.perf_counter()
importlib.import_module(sys.argv[1])
print(json.dumps(time.perf_counter() - began))
"""


@dataclass(frozen=True)
class Facts:
    """None where this machine, or this server, cannot show it."""

    ready_seconds: float
    import_seconds: float | None = None
    worker_cold_bytes: int | None = None
    worker_bytes: int | None = None
    #: What the master and all workers share beyond one worker's own, once.
    shared_bytes: int | None = None
    connection_bytes: int | None = None
    cpu_ms: float | None = None
    alone_ms: float | None = None
    blocks: bool | None = None
    #: The app's own line that keeps the loop, as gevent's monitor saw it.
    blocked_in: str = ""


def measure(bench: Bench, plan: Plan, seconds: float) -> Facts:
    """Boot the plan once more and look at it; the load is the declared connections, each with a request."""
    with bench.booted(plan) as (server, ready):
        bench.stage.watch(server)
        cold = _sample(bench)
        one = bench.run(plan.profile.port, 1, seconds / 4)
        after_one = _sample(bench)
        bench.run(plan.profile.port, bench.connections, seconds / 2, timeout=30, finish=10)
        samples = bench.stage.samples()
        bench.stage.unwatch()
    own = worker_bytes(samples, plan.numbers.demand.connection_memory_bytes)
    shared = None
    if cold and own is not None and cold["worker_bytes"] and cold["pss_bytes"]:
        shared = max(0, cold["pss_bytes"] - len(cold["workers"]) * cold["worker_bytes"])
    return Facts(
        ready_seconds=ready,
        import_seconds=import_seconds(bench, plan),
        worker_cold_bytes=cold["worker_bytes"] if cold else None,
        worker_bytes=own,
        shared_bytes=shared,
        connection_bytes=connection_bytes(samples),
        cpu_ms=cpu_ms(cold, after_one, one["responses"]),
        alone_ms=one["latency_ms"]["p50"],
    )


def _sample(bench: Bench) -> dict[str, Any] | None:
    """One from now on: what the watcher has printed already is from before."""
    now, deadline = time.time(), time.monotonic() + 10
    while bench.stage.watcher and time.monotonic() < deadline:
        found = bench.stage.samples(last=1)
        if found and found[0]["at"] >= now and found[0]["workers"]:
            return found[0]
        time.sleep(0.1)
    return None


def cpu_ms(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, responses: int) -> float | None:
    """CPU time of a request, the server's own included; the clock counts in hundredths of a second."""
    if not before or not after or not responses:
        return None
    return 1000 * float(after["cpu_seconds"] - before["cpu_seconds"]) / responses


def import_seconds(bench: Bench, plan: Plan) -> float | None:
    """Importing the app's module in the image, alone and under the same limits; None where that does not work."""
    module = plan.profile.app.module.partition(":")[0]
    image, command = bench.images[plan.server.name], ("python", "-c", _IMPORT, module)
    with bench.stage.run_app(image, *command, **server_options(plan)) as ran:
        if ran.wait(timeout=plan.startup_seconds + 60) != 0:
            return None
        lines = ran.logs().stdout.splitlines()
    return float(json.loads(lines[-1])) if lines else None


@dataclass(frozen=True)
class Blocking:
    """Whether requests of one gevent worker wait for each other although the CPU has nothing to do."""

    blocks: bool
    cpu_ms: float | None
    #: The mean of requests one after the other.
    alone_ms: float
    beside_rps: float
    blocked_in: str = ""


def blocking(bench: Bench, plan: Plan, seconds: float) -> Blocking | None:
    """One gevent worker under requests of one connection, then of several; None where the app does not respond."""
    environment = {**MONITOR, "WEB_CONCURRENCY": "1"}
    with bench.booted(plan, environment) as (server, _):
        bench.stage.watch(server)
        before = _sample(bench)
        alone = bench.run(plan.profile.port, 1, seconds / 2)
        after = _sample(bench)
        beside = bench.run(plan.profile.port, BESIDE_EACH_OTHER, seconds / 2)
        log = server.logs().stderr
        bench.stage.unwatch()
    if not alone["rps"]:
        return None
    # The mean: under a quota most requests are quick and some wait for the next period, so a median says little.
    cpu, alone_ms = cpu_ms(before, after, alone["responses"]), 1000 / alone["rps"]
    blocks = is_blocking(alone_ms, cpu, beside["rps"], plan.profile.resources.cpu / 1000)
    where = blocked_in(log, "/app/") if blocks else ""
    return Blocking(blocks, cpu, alone_ms, beside["rps"], where)


def is_blocking(alone_ms: float, cpu: float | None, beside_rps: float, cpus: float) -> bool:
    """It waits for most of a request's time, yet eight connections get hardly more than one does.

    With less than one CPU a request that computes takes longer than its CPU time, and waits for nothing else.
    """
    waits = cpu is not None and cpu / min(1.0, cpus) < COMPUTES * alone_ms
    return waits and beside_rps < 2 * 1000 / alone_ms


def blocked_in(log: str, folder: str) -> str:
    """Of the stacks that gevent's monitor printed: the app's own innermost line, the most frequent one."""
    seen: dict[str, int] = {}
    for report in re.split(r"^.*appears to be blocked", log, flags=re.MULTILINE)[1:]:
        frames = re.findall(r'^\W*File "([^"]+)", line (\d+), in (\S+)', report, re.MULTILINE)
        own = [frame for frame in frames if frame[0].startswith(folder)]
        if own:
            path, line, name = own[-1]
            text = f"{path.removeprefix(folder)}:{line} ({name})"
            seen[text] = seen.get(text, 0) + 1
    return max(seen, key=lambda text: seen[text], default="")


def worker_memory(facts: Facts) -> int | None:
    """What to write as resources.worker_memory: the measured bytes and a tenth, in whole mebibytes."""
    if facts.worker_bytes is None:
        return None
    return math.ceil(facts.worker_bytes * 1.1 / MIB) * MIB


def startup_seconds(facts: Facts) -> int:
    """What to write as health.startup_seconds: five times what it took here, since a node may be busy or cold."""
    return max(10, math.ceil(5 * facts.ready_seconds))
