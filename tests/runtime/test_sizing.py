"""Every derived number, with the bound that decided it and the sentence that says so: one row a case."""

from __future__ import annotations

from typing import Any

import pytest

from generator.plan import numbers
from generator.runtime.sizing import MIB, Demand, Limits, Rule, cpus, derive, memory_cap, memory_needed, workers
from generator.servers import SERVERS
from tests.fast_support import plan_of

SEED = "workers: {per_cpu: 2, plus: 1}\nthreads: {per_cpu: 2}\n"


@pytest.mark.parametrize(
    ("limits", "value", "decided_by", "reason"),
    [
        (Limits(4, quota_millicores=500), 1, "quota", "CPU quota of 0.5, rounded up"),
        (Limits(4, quota_millicores=1000), 1, "quota", "CPU quota of 1, rounded up"),
        (Limits(4, quota_millicores=1001), 2, "quota", "CPU quota of 1.001, rounded up"),
        (Limits(4, quota_millicores=1500), 2, "quota", "CPU quota of 1.5, rounded up"),
        (Limits(2, quota_millicores=2000), 2, "quota", "CPU quota of 2, rounded up"),
        (Limits(1, quota_millicores=2000), 1, "affinity", "affinity mask of 1 CPU, below the quota of 2"),
        (Limits(64, quota_millicores=64000), 64, "quota", "CPU quota of 64, rounded up"),
        (Limits(64, request_millicores=250), 1, "request", "CPU request of 0.25, rounded up"),
        (Limits(64, request_millicores=1500), 2, "request", "CPU request of 1.5, rounded up"),
        (Limits(2, request_millicores=3000), 2, "affinity", "affinity mask of 2 CPU, below the request of 3"),
        (Limits(64, 2000, 8000), 2, "quota", "CPU quota of 2, rounded up"),
        (Limits(3), 3, "affinity", "affinity mask of 3 CPU; no CPU quota and no request known"),
        (Limits(), 1, "affinity", "affinity mask of 1 CPU; no CPU quota and no request known"),
    ],
)
def test_cpus(limits: Limits, value: int, decided_by: str, reason: str) -> None:
    assert cpus(limits).as_dict() == {"value": value, "decided_by": decided_by, "reason": reason}


@pytest.mark.parametrize(
    ("server", "cpu", "expected"),
    [
        # (workers, decided by), threads, worker_connections, descriptors
        ("gevent", "0.5", ((1, "rule", "1 x 1 CPU = 1"), None, 1560, 3248)),
        ("gevent", "1", ((1, "rule", "1 x 1 CPU = 1"), None, 1560, 3248)),
        ("gevent", "1.5", ((2, "rule", "1 x 2 CPU = 2"), None, 780, 1688)),
        ("gevent", "2", ((2, "rule", "1 x 2 CPU = 2"), None, 780, 1688)),
        ("gevent", "64", ((64, "rule", "1 x 64 CPU = 64"), None, 25, 178)),
        ("gthread", "0.5", ((2, "at_least", "1 x 1 CPU = 1, raised to at_least 2"), 16, 780, 1688)),
        ("gthread", "1", ((2, "at_least", "1 x 1 CPU = 1, raised to at_least 2"), 16, 780, 1688)),
        ("gthread", "1.5", ((2, "rule", "1 x 2 CPU = 2"), 32, 780, 1688)),
        ("gthread", "2", ((2, "rule", "1 x 2 CPU = 2"), 32, 780, 1688)),
        # 1.3 x 1200 / 64 = 25, no more than its threads: raised, since gthread keeps the rest for idle connections.
        ("gthread", "64", ((64, "rule", "1 x 64 CPU = 64"), 64, 65, 258)),
    ],
)
def test_servers_own_rules(server: str, cpu: str, expected: tuple[tuple[int, str, str], int | None, int, int]) -> None:
    numbers = plan_of("", f"server={server}", f"resources.cpu={cpu}", "resources.memory=8Gi").numbers
    found = numbers.workers
    threads = numbers.threads.value if numbers.threads else None
    assert (
        (found.value, found.decided_by, found.reason),
        threads,
        numbers.worker_connections and numbers.worker_connections.value,
        numbers.descriptors.value,
    ) == expected
    assert numbers.warnings == ()


@pytest.mark.parametrize(
    ("cpu", "worker_count", "threads"),
    [("0.5", 3, 2), ("1", 3, 2), ("1.5", 5, 4), ("2", 5, 4), ("64", 129, 128)],
)
def test_the_seeds_rules(cpu: str, worker_count: int, threads: int) -> None:
    numbers = plan_of(
        SEED,
        "server=gthread",
        f"resources.cpu={cpu}",
        "resources.memory=64Gi",
    ).numbers
    assert numbers.threads is not None
    count = numbers.cpus.value
    assert (numbers.workers.value, numbers.workers.reason) == (worker_count, f"2 x {count} CPU + 1 = {worker_count}")
    assert (numbers.threads.value, numbers.threads.reason) == (threads, f"2 x {count} CPU = {threads}")


RULE = Rule(per_cpu=2, plus=1)
#: 100 connections of 1 MiB, 28 MiB for the master, 32 MiB a worker: 0.8 x 400 MiB hold (320 - 100 - 28) / 32 = 6.
NEEDS: dict[str, Any] = {
    "master_memory_bytes": 28 * MIB,
    "worker_memory_bytes": 32 * MIB,
    "connection_memory_bytes": MIB,
}
CAP_6 = "(0.8 x 400 MiB - 100 connections x 1024 KiB - 28 MiB master) / 32 MiB a worker = 6"
TOO_MANY = f"are more than the memory limit holds: {CAP_6}"
CAP_0 = "(0.8 x 120 MiB - 100 connections x 1024 KiB - 28 MiB master) / 32 MiB a worker = 0"


@pytest.mark.parametrize(
    ("setting", "cpu", "memory", "fixed", "value", "decided_by", "reason", "warning"),
    [
        (RULE, 2, 400, {}, 5, "rule", "2 x 2 CPU + 1 = 5", None),
        (RULE, 64, 400, {}, 6, "memory", f"2 x 64 CPU + 1 = 129, capped by memory: {CAP_6}", None),
        (RULE, 64, None, {}, 129, "rule", "2 x 64 CPU + 1 = 129", None),
        (Rule(2, 1, 1, 4), 64, 400, {}, 4, "at_most", "2 x 64 CPU + 1 = 129, capped by at_most 4", None),
        (Rule(2, 1, 1, 9), 64, 400, {}, 6, "memory", f"capped by at_most 9, capped by memory: {CAP_6}", None),
        (Rule(1, 0, 3), 1, 400, {}, 3, "at_least", "1 x 1 CPU = 1, raised to at_least 3", None),
        (Rule(0), 64, 400, {}, 1, "at_least", "0 x 64 CPU = 0, raised to at_least 1", None),
        (Rule(2, 0, 8), 8, 400, {}, 8, "at_least", f"but at_least 8: {CAP_6}", "8 workers (at_least)"),
        (Rule(1), 8, 120, {}, 1, "at_least", f"but at_least 1: {CAP_0}", "1 workers (at_least)"),
        (3, 64, 400, {}, 3, "profile", "fixed at 3 by profile", None),
        (7, 1, 400, {}, 7, "profile", "fixed at 7 by profile", f"7 workers (profile) {TOO_MANY}"),
        (7, 1, None, {}, 7, "profile", "fixed at 7 by profile", None),
        (RULE, 2, 400, {"WEB_CONCURRENCY": 6}, 6, "WEB_CONCURRENCY", "fixed at 6 by WEB_CONCURRENCY", None),
        (3, 2, 400, {"WEB_CONCURRENCY": 9}, 9, "WEB_CONCURRENCY", "fixed", f"9 workers (WEB_CONCURRENCY) {TOO_MANY}"),
        (3, 2, 400, {"command line": 2, "WEB_CONCURRENCY": 9}, 2, "command line", "fixed at 2 by command line", None),
    ],
)  # fmt: skip
def test_workers(
    setting: int | Rule,
    cpu: int,
    memory: int | None,
    fixed: dict[str, int],
    value: int,
    decided_by: str,
    reason: str,
    warning: str | None,
) -> None:
    demand = Demand(connections=100, workers=setting, **NEEDS)
    limits = Limits(64, cpu * 1000, memory_bytes=None if memory is None else memory * MIB)
    number, warnings = workers(demand, limits, fixed)
    assert (number.value, number.decided_by) == (value, decided_by)
    assert reason in number.reason
    assert len(warnings) == (warning is not None)
    assert all(found.startswith(warning or "") for found in warnings)


@pytest.mark.parametrize(
    ("demand", "fixed", "value", "decided_by", "reason"),
    [
        (Demand(10_000, 2), None, 6500, "connections", "1.3 x 10000 connections / 2 workers, rounded up"),
        (Demand(10_000, 3), None, 4334, "connections", "1.3 x 10000 connections / 3 workers, rounded up"),
        (Demand(1, 64), None, 1, "connections", "1.3 x 1 connections / 64 workers, rounded up"),
        (Demand(10_000, 4, worker_connections=2600), None, 2600, "profile", "fixed at 2600 by profile"),
        (Demand(10_000, 4, worker_connections=2600), {"command line": 9}, 9, "command line",
         "fixed at 9 by command line"),
        (Demand(1000, 4, shares_connections=False), None, 1300, "connections",
         "1.3 x 1000 connections: one worker may get them all"),
        (Demand(130, 2, threads=84), None, 85, "connections", "1.3 x 130 connections / 2 workers, rounded up"),
        (Demand(130, 2, threads=85), None, 86, "threads",
         "1.3 x 130 connections / 2 workers, rounded up, is 85; raised to threads + 1"),
        (Demand(130, 2, threads=85, worker_connections=80), None, 80, "profile", "fixed at 80 by profile"),
    ],
)  # fmt: skip
def test_worker_connections_and_descriptors(
    demand: Demand, fixed: dict[str, int] | None, value: int, decided_by: str, reason: str
) -> None:
    numbers = derive(demand, Limits(64), fixed_worker_connections=fixed)
    found = numbers.worker_connections
    assert found is not None
    assert (found.value, found.decided_by, found.reason) == (value, decided_by, reason)
    assert numbers.descriptors.value == 2 * value + 128
    assert f"2 x {value} worker_connections" in numbers.descriptors.reason


def test_a_fixed_worker_number_changes_the_share_of_each() -> None:
    numbers = derive(Demand(10_000, Rule(1)), Limits(4, 2000), fixed_workers={"command line": 3})
    assert (numbers.workers.value, numbers.descriptors.value) == (3, 2 * 4334 + 128)


@pytest.mark.parametrize("setting", [Rule(16), 7, None])
def test_threads_fixed_outside_win_where_there_are_any(setting: int | Rule | None) -> None:
    outside = {"command line": 5, "GUNICORN_CMD_ARGS": 6}
    threads = derive(Demand(10_000, 1, threads=setting), Limits(4), fixed_threads=outside).threads
    expected = None if setting is None else ("command line", 5, "fixed at 5 by command line")
    assert (threads and (threads.decided_by, threads.value, threads.reason)) == expected


@pytest.mark.parametrize("server", sorted(SERVERS))
@pytest.mark.parametrize("connections", [1, 1200, 10_000, 999_999])
@pytest.mark.parametrize("count", [1, 7])
def test_the_memory_needed_is_the_least_that_the_cap_allows(server: str, connections: int, count: int) -> None:
    demand = numbers.demand(plan_of("", "resources.memory=64Gi").profile, SERVERS[server])
    demand = Demand(
        connections,
        count,
        master_memory_bytes=demand.master_memory_bytes,
        worker_memory_bytes=demand.worker_memory_bytes,
        connection_memory_bytes=demand.connection_memory_bytes + 1,
    )
    needed = memory_needed(demand, count)
    enough, short = memory_cap(demand, needed), memory_cap(demand, needed - 2)
    assert enough is not None
    assert short is not None
    assert (enough.value, short.value) == (count, count - 1)


def test_without_a_cpu_limit_the_request_decides() -> None:
    numbers = plan_of("kubernetes: {cpu_limit: none}\n", "resources.cpu=1.5").numbers
    assert (numbers.cpus.value, numbers.cpus.decided_by) == (2, "request")
    assert numbers.workers.value == 2
