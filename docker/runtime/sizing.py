"""Pure arithmetic: how many workers, threads, connections and descriptors fit a container's limits.

The generator calls it with the profile's own limits (``--explain``), the image at boot with the limits that it
finds (the boot report), so the two cannot differ. Nothing here reads a file, the environment or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MIB = 1024 * 1024
#: A worker's slots, of its even share of the connections: the kernel does not share them out evenly.
HEADROOM_PERCENT = 130
#: The same as the factor that formulas show.
HEADROOM = f"{HEADROOM_PERCENT / 100:g}"
#: Workers may use this part of the memory limit; the rest is for the page cache, /tmp and the kernel's buffers.
USABLE_MEMORY_PERCENT = 80
#: Descriptors that a worker needs beside its connections: listeners, pipes, log streams, modules being imported.
SPARE_DESCRIPTORS = 128


def ceil_div(numerator: int, denominator: int) -> int:
    """The quotient, rounded up."""
    return -(-numerator // denominator)


@dataclass(frozen=True)
class Number:
    """One derived value, the formula with its inputs, and which bound decided it."""

    value: int
    decided_by: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"value": self.value, "decided_by": self.decided_by, "reason": self.reason}


@dataclass(frozen=True)
class Rule:
    """A CPU rule: ``per_cpu`` x CPUs + ``plus``, at least ``at_least``, at most ``at_most``."""

    per_cpu: int
    plus: int = 0
    at_least: int = 1
    at_most: int | None = None

    def apply(self, cpus: int) -> Number:
        """The number for so many CPUs, and which bound decided it."""
        raw = self.per_cpu * cpus + self.plus
        formula = f"{self.per_cpu} x {cpus} CPU" + (f" + {self.plus}" if self.plus else "") + f" = {raw}"
        if raw < self.at_least:
            return Number(self.at_least, "at_least", f"{formula}, raised to at_least {self.at_least}")
        if self.at_most is not None and raw > self.at_most:
            return Number(self.at_most, "at_most", f"{formula}, capped by at_most {self.at_most}")
        return Number(raw, "rule", formula)


@dataclass(frozen=True)
class Limits:
    """What a container may use; None where nothing limits it.

    ``affinity`` is the number of CPUs in the scheduler's mask, ``quota_millicores`` the cgroup's CPU quota,
    ``request_millicores`` a pod's CPU request (``KIT_CPU_MILLICORES``), ``memory_bytes`` the cgroup's memory limit, or
    ``KIT_MEMORY_BYTES`` where that is less.
    """

    affinity: int | None = None
    quota_millicores: int | None = None
    request_millicores: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Demand:
    """What the profile demands, with the server's measured needs; a plain number is never multiplied."""

    connections: int
    workers: int | Rule
    threads: int | Rule | None = None
    worker_connections: int | None = None
    backlog: int = 2048
    #: The kernel hands connections out unevenly to servers that never stop accepting: each worker must fit them all.
    shares_connections: bool = True
    #: Whether the server has the setting worker_connections at all.
    counts_connections: bool = True
    master_memory_bytes: int = 0
    worker_memory_bytes: int = 0
    connection_memory_bytes: int = 0


@dataclass(frozen=True)
class Numbers:
    """Every number that depends on the machine, each with its reason; ``warnings`` are complete sentences."""

    #: What the profile demands.
    demand: Demand
    cpus: Number
    workers: Number
    threads: Number | None
    worker_connections: Number | None
    descriptors: Number
    backlog: Number
    warnings: tuple[str, ...] = field(default=())

    def by_name(self) -> dict[str, Number]:
        """The numbers that there are, by the names that the boot report gives them."""
        names = ("cpus", "workers", "threads", "worker_connections", "descriptors", "backlog")
        return {name: number for name in names if (number := getattr(self, name)) is not None}


def cpus(limits: Limits) -> Number:
    """CPUs to count with: quota, else request, else affinity; rounded up before anything multiplies them."""
    for millicores, name in ((limits.quota_millicores, "quota"), (limits.request_millicores, "request")):
        if millicores is None:
            continue
        rounded = max(1, ceil_div(millicores, 1000))
        if limits.affinity is not None and limits.affinity < rounded:
            reason = f"affinity mask of {limits.affinity} CPU, below the {name} of {millicores / 1000:g}"
            return Number(limits.affinity, "affinity", reason)
        return Number(rounded, name, f"CPU {name} of {millicores / 1000:g}, rounded up")
    affinity = limits.affinity or 1
    return Number(affinity, "affinity", f"affinity mask of {affinity} CPU; no CPU quota and no request known")


def memory_needed(demand: Demand, workers: int) -> int:
    """Bytes that the memory limit must have for this many workers: the cap's formula solved for the limit."""
    used = (
        demand.connections * demand.connection_memory_bytes
        + demand.master_memory_bytes
        + workers * demand.worker_memory_bytes
    )
    return ceil_div(used * 100, USABLE_MEMORY_PERCENT)


def memory_cap(demand: Demand, memory_bytes: int | None) -> Number | None:
    """Most workers that fit the memory limit: (usable part of it - connections x bytes each - master) / worker."""
    if memory_bytes is None or not demand.worker_memory_bytes:
        return None
    usable = memory_bytes * USABLE_MEMORY_PERCENT // 100
    held = demand.connections * demand.connection_memory_bytes
    value = max(0, (usable - held - demand.master_memory_bytes) // demand.worker_memory_bytes)
    reason = (
        f"({USABLE_MEMORY_PERCENT / 100:g} x {memory_bytes / MIB:.0f} MiB - {demand.connections} connections x "
        f"{demand.connection_memory_bytes / 1024:g} KiB - {demand.master_memory_bytes / MIB:g} MiB master) / "
        f"{demand.worker_memory_bytes / MIB:g} MiB a worker = {value}"
    )
    return Number(value, "memory", reason)


def _fixed(outside: Mapping[str, int] | None, profile: int | None = None) -> Number | None:
    """The strongest of those who fixed a number, or None: ``outside`` maps each to it, strongest first."""
    both = {**(outside or {}), **({} if profile is None else {"profile": profile})}
    return next((Number(value, name, f"fixed at {value} by {name}") for name, value in both.items()), None)


def workers(demand: Demand, limits: Limits, fixed: Mapping[str, int]) -> tuple[Number, tuple[str, ...]]:
    """Worker processes. ``fixed`` maps who fixed the number ("command line", "WEB_CONCURRENCY") to it, strongest first.

    A fixed number is neither multiplied nor capped; above the memory cap it earns one warning.
    """
    cap = memory_cap(demand, limits.memory_bytes)
    decided = _fixed(fixed, demand.workers if isinstance(demand.workers, int) else None)
    if decided is not None:
        if cap is None or decided.value <= cap.value:
            return decided, ()
        who = f"{decided.value} workers ({decided.decided_by})"
        return decided, (f"{who} are more than the memory limit holds: {cap.reason}",)
    assert isinstance(demand.workers, Rule)
    number = demand.workers.apply(cpus(limits).value)
    if cap is not None and cap.value < number.value:
        minimum = max(1, demand.workers.at_least)
        if cap.value < minimum:
            reason = f"{number.reason}; memory holds fewer, but at_least {minimum}: {cap.reason}"
            short = (f"{minimum} workers (at_least) are more than the memory limit holds: {cap.reason}",)
            return Number(minimum, "at_least", reason), short
        return Number(cap.value, "memory", f"{number.reason}, capped by memory: {cap.reason}"), ()
    return number, ()


def worker_connections(
    demand: Demand, worker_count: int, threads: int = 0, fixed: Mapping[str, int] | None = None
) -> Number | None:
    """Connections one worker must have room for: HEADROOM times its share of all of them.

    More than ``threads``, since gthread keeps the difference for idle connections, and warns when there is none.
    """
    if not demand.counts_connections:
        return None
    if (number := _fixed(fixed, demand.worker_connections)) is not None:
        return number
    if not demand.shares_connections:
        value = ceil_div(demand.connections * HEADROOM_PERCENT, 100)
        reason = f"{HEADROOM} x {demand.connections} connections: one worker may get them all"
        return Number(value, "connections", reason)
    value = ceil_div(demand.connections * HEADROOM_PERCENT, 100 * worker_count)
    reason = f"{HEADROOM} x {demand.connections} connections / {worker_count} workers, rounded up"
    if value <= threads:
        return Number(threads + 1, "threads", f"{reason}, is {value}; raised to threads + 1")
    return Number(value, "connections", reason)


def _descriptors(slots: Number | None, demand: Demand) -> Number:
    held, name = (demand.connections, "connections") if slots is None else (slots.value, "worker_connections")
    reason = f"2 x {held} {name} (the client's socket and one to a backend) + {SPARE_DESCRIPTORS}"
    return Number(2 * held + SPARE_DESCRIPTORS, name, reason)


def derive(
    demand: Demand,
    limits: Limits,
    fixed_workers: Mapping[str, int] | None = None,
    fixed_threads: Mapping[str, int] | None = None,
    fixed_worker_connections: Mapping[str, int] | None = None,
) -> Numbers:
    """All machine-dependent numbers of one container; ``fixed_…`` maps who fixed one outside the profile to it."""
    cpu_count = cpus(limits)
    worker_count, warnings = workers(demand, limits, fixed_workers or {})
    threads = None
    if isinstance(demand.threads, Rule):
        threads = _fixed(fixed_threads) or demand.threads.apply(cpu_count.value)
    elif demand.threads is not None:
        threads = _fixed(fixed_threads, demand.threads)
    slots = worker_connections(demand, worker_count.value, threads.value if threads else 0, fixed_worker_connections)
    descriptors = _descriptors(slots, demand)
    backlog = Number(demand.backlog, "profile", "connections that may wait for accept(); at most net.core.somaxconn")
    return Numbers(demand, cpu_count, worker_count, threads, slots, descriptors, backlog, warnings)
