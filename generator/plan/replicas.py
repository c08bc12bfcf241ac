"""How many pods hold what is promised, what the autoscaler aims at, and what they all open to a backend."""

from __future__ import annotations

from ..profile.schema import Profile
from ..runtime.sizing import Number, Numbers, ceil_div
from ..servers.server import Server
from .texts import cpu_text

#: Two, so that one serves while the other is replaced, drained or lost.
MINIMUM_REPLICAS = 2
#: How many pods a rollout may add for a while; none of the old ones goes before a new one is ready.
MAX_SURGE = 1


def pods_needed(profile: Profile) -> int:
    """Pods that hold all the promised connections, if none is missing."""
    return ceil_div(profile.kubernetes.connections or profile.connections, profile.connections)


def replica_range(profile: Profile) -> tuple[Number, Number]:
    """Fewest and most pods of the autoscaler, each as the profile gives it or from the promised connections."""
    section = profile.kubernetes
    needed = pods_needed(profile)
    formula = f"{section.connections or profile.connections} connections / {profile.connections} a pod = {needed}"
    if section.min_replicas is not None:
        minimum = Number(section.min_replicas, "profile", _fixed(section.min_replicas, formula))
    elif needed + 1 > MINIMUM_REPLICAS:
        minimum = Number(needed + 1, "connections", f"{formula}, and one that may be missing")
    else:
        raised = f"raised to {MINIMUM_REPLICAS}: one may be missing"
        minimum = Number(MINIMUM_REPLICAS, "availability", f"{formula}, {raised}")
    percent = section.headroom_percent
    with_headroom = ceil_div(needed * (100 + percent), 100)
    reason = f"{needed} needed + {percent} % head-room, rounded up = {with_headroom}"
    if section.max_replicas is not None:
        maximum = Number(section.max_replicas, "profile", _fixed(section.max_replicas, formula))
    elif with_headroom > minimum.value:
        maximum = Number(with_headroom, "headroom_percent", reason)
    else:
        raised = f"raised to one above the minimum of {minimum.value}"
        maximum = Number(minimum.value + 1, "min_replicas", f"{reason}, {raised}")
    return minimum, maximum


def _fixed(count: int, formula: str) -> str:
    return f"fixed at {count} by profile; {formula} needed"


def fixed_reason(profile: Profile) -> str:
    """What a fixed number of pods holds, in the terms of the promise."""
    count = profile.kubernetes.replicas or 0
    return f"fixed at {count} by profile; each holds {profile.connections} connections, {pods_needed(profile)} needed"


def connections_of_a_worker(profile: Profile, server: Server, numbers: Numbers) -> tuple[int, str]:
    """How many connections to a backend one worker may open at once, and the name of what bounds it."""
    if profile.kubernetes.backend_pool is not None:
        return profile.kubernetes.backend_pool, "backend_pool"
    if numbers.threads is not None:
        return numbers.threads.value, "threads"
    if server.holds_one_each or numbers.worker_connections is None:
        return 1, "request at a time"
    return numbers.worker_connections.value, "worker_connections"


def backend_connections(profile: Profile, server: Server, numbers: Numbers, pods: int) -> Number | None:
    """Workers x threads (or the pool) x most pods, against the backend's limit that the profile states."""
    limit = profile.kubernetes.backend_connections
    if limit is None:
        return None
    each, name = connections_of_a_worker(profile, server, numbers)
    workers = numbers.workers.value
    value = workers * each * pods
    rollout = f"a rollout adds {workers * each * MAX_SURGE} for a while"
    reason = f"{workers} workers x {each} {name} x {pods} pods = {value} of the {limit} allowed; {rollout}"
    return Number(value, "backend_connections", reason)


def target_cpu(profile: Profile) -> Number:
    """Share of its CPU request, in percent, that the autoscaler lets an average pod use."""
    percent = profile.kubernetes.target_cpu_percent
    request = profile.resources.cpu_request or profile.resources.cpu
    busy = request * percent / 100_000
    spare = 100 - percent
    reason = (
        f"percent of the request of {cpu_text(request)} CPU: a pod is added when the average one "
        f"uses more than {busy:g} CPU; the other {spare} % carry the load while a new one starts"
    )
    return Number(percent, "target_cpu_percent", reason)
