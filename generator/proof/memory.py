"""What measured memory means: a connection's share, whether the limit holds all of them, and which limit would."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..plan.plan import Plan
from ..runtime.sizing import MIB, USABLE_MEMORY_PERCENT, Demand
from .claim import NOTED, Claim, judged


def memory_needed(demand: Demand, at_rest: int, peak: int, held: int) -> int:
    """The limit that holds the profile's connections, from what was measured; whole mebibytes."""
    each = max(0, peak - at_rest) / max(1, held)
    used = at_rest + each * demand.connections
    return math.ceil(used * 100 / USABLE_MEMORY_PERCENT / MIB)


def judge_memory(plan: Plan, rest: Mapping[str, Any] | None, peak: Mapping[str, Any] | None, held: int) -> Claim:
    """Memory at rest and with all connections open, from two samples of the watcher."""
    limit = plan.profile.resources.memory
    promised = f"{held} idle connections stay below the limit of {plan.texts.memory_text}"
    if not rest or not peak or (peak["pss_bytes"] is None and peak["cgroup_bytes"] is None):
        return Claim("idle memory", promised, "this engine shows no memory of a container", NOTED)
    kind = "cgroup_bytes" if peak["cgroup_bytes"] is not None else "pss_bytes"
    each = max(0, peak[kind] - rest[kind]) / max(1, held)
    source = f"{peak['kind']} without page cache" if kind == "cgroup_bytes" else "PSS of all processes"
    measured = f"{rest[kind] / MIB:.0f} MiB at rest, {peak[kind] / MIB:.0f} MiB with {held}, "
    measured += f"{each / 1024:.1f} KiB a connection ({source})"
    if kind == "cgroup_bytes" and peak["pss_bytes"]:
        per = max(0, peak["pss_bytes"] - (rest["pss_bytes"] or 0)) / max(1, held) / 1024
        measured += f"; PSS {peak['pss_bytes'] / MIB:.0f} MiB, {per:.1f} KiB a connection"
    needed = memory_needed(plan.numbers.demand, rest[kind], peak[kind], held)
    faults = {}
    if peak[kind] > limit or (peak.get("oom_kills") or 0) > (rest.get("oom_kills") or 0):
        faults["it does not fit"] = f"Set resources.memory to {needed}Mi or more."
    elif needed * MIB > limit:
        faults[f"less than {100 - USABLE_MEMORY_PERCENT} % is left"] = f"Set resources.memory to {needed}Mi or more."
    return judged("idle memory", promised, measured, faults, rest=rest, peak=peak, needed_bytes=needed * MIB)


def worker_bytes(samples: Sequence[Mapping[str, Any]], connection_memory_bytes: int) -> int | None:
    """What one worker needs beside its connections: the most it had to itself, less the formula's share of them.

    At rest that is all it has; under load it is what requests leave behind. The share is that of the most connections
    that these workers have held: Python keeps their memory when they are closed (22 MiB were measured of pywsgi after
    1,200 connections, 14 before). None where nobody could look.
    """
    rest = min((sample["descriptors"] for sample in samples), default=0)
    found, workers, held = [], None, 0
    for sample in samples:
        if sample["workers"] != workers:
            workers, held = sample["workers"], 0
        held = max(held, sample["descriptors"] - rest)
        if sample.get("worker_bytes"):
            found.append(sample["worker_bytes"] - held * connection_memory_bytes / max(1, len(sample["workers"])))
    return math.ceil(max(found)) if found else None


def connection_bytes(samples: Sequence[Mapping[str, Any]]) -> int | None:
    """Memory of a connection that has a request: the growth up to the most that were open, by their number."""
    seen = [sample for sample in samples if sample["pss_bytes"]]
    if not seen:
        return None
    first, peak = seen[0], max(seen, key=lambda sample: sample["descriptors"])
    held = peak["descriptors"] - first["descriptors"]
    return math.ceil(max(0, peak["pss_bytes"] - first["pss_bytes"]) / held) if held > 0 else None


def judge_worker(plan: Plan, samples: Sequence[Mapping[str, Any]]) -> Claim:
    """The figure that sizing counts a worker with, against what one had to itself during the whole proof."""
    given = plan.numbers.demand.worker_memory_bytes
    who = "the profile's" if plan.profile.resources.worker_memory is not None else f"{plan.server.name}'s default"
    name, promised = "memory of a worker", f"a worker needs at most {given / MIB:.0f} MiB of its own ({who} figure)"
    found = worker_bytes(samples, plan.numbers.demand.connection_memory_bytes)
    if found is None:
        seen = any(sample["pss_bytes"] for sample in samples)
        return Claim(name, promised, "no worker ran" if seen else "this engine shows no memory of a process", NOTED)
    measured = f"{found / MIB:.0f} MiB of its own, beside its connections"
    right = math.ceil(found * 1.1 / MIB)
    faults = {}
    if found > given * 1.1:
        faults["the figure is too low"] = f"Set resources.worker_memory to {right}Mi: workers and the limit follow it."
    elif 2 * found < given and plan.profile.resources.worker_memory is not None:
        measured += f"; the figure is more than twice that: {right}Mi would do"
    return judged(name, promised, measured, faults, worker_bytes=found, figure_bytes=given)
