"""What measured memory means: a connection's share, whether the limit holds all of them, and which limit would."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
