"""What a proof takes of the machine, found out before anything boots: what is missing, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..load_client.plan import MAX_CONNECTIONS
from ..plan.plan import Plan
from ..runtime.sizing import HEADROOM_PERCENT, MIB, SPARE_DESCRIPTORS, ceil_div
from .claim import Claim, Pace, judged


def judge_needs(plan: Plan, machine: Mapping[str, Any], pace: Pace) -> Claim:
    """Descriptors, memory and CPUs, against what a container of this engine may have."""
    faults = {**_descriptors(plan, machine), **_memory(plan, machine), **_cpus(plan, machine), **_client(plan, pace)}
    measured = f"{machine['descriptors']} descriptors a process, "
    measured += f"{machine['memory_available_bytes'] // MIB} MiB available, {machine['cpus']} CPU"
    promised = f"this machine can hold {plan.profile.connections} connections"
    return judged("machine", promised, measured, faults, machine=dict(machine))


def _descriptors(plan: Plan, machine: Mapping[str, Any]) -> dict[str, str]:
    needed, there = plan.numbers.descriptors.value, machine["descriptors"]
    if 0 <= there < needed:
        what = f"{needed - there} file descriptors are missing: a worker needs {needed}, a container has {there}"
        limit = max(1, (there - SPARE_DESCRIPTORS) // 2 * 100 // HEADROOM_PERCENT)
        workers = ceil_div(plan.profile.connections, limit)
        advice = (
            f"Raise the nofile limit of containers to {needed} (dockerd --default-ulimit, and its own hard limit), "
        )
        return {what: f"{advice}or share the connections out, where memory allows: --set workers={workers}."}
    return {}


def _memory(plan: Plan, machine: Mapping[str, Any]) -> dict[str, str]:
    demand = plan.numbers.demand
    needed = demand.connections * demand.connection_memory_bytes + demand.master_memory_bytes
    needed += plan.numbers.workers.value * demand.worker_memory_bytes
    short = needed - machine["memory_available_bytes"]
    if short <= 0:
        return {}
    return {
        f"{ceil_div(short, MIB)} MiB of memory are missing: {needed // MIB} are needed": "Prove it on a larger machine."
    }


def _cpus(plan: Plan, machine: Mapping[str, Any]) -> dict[str, str]:
    required = plan.profile.resources.cpu / 1000
    if machine["cpus"] >= required:
        return {}
    missing = f"{required - machine['cpus']:g} CPU are missing: the profile has {required:g}"
    return {missing: f"Prove it on a larger machine, or with --set resources.cpu={machine['cpus']}."}


def _client(plan: Plan, pace: Pace) -> dict[str, str]:
    highest = plan.profile.connections * max((1.0, *pace.over))
    if highest <= MAX_CONNECTIONS:
        return {}
    return {f"the load client opens {MAX_CONNECTIONS} connections at most": "Prove a part: --set connections=…"}
