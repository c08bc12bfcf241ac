"""How many pods hold what is promised, what the autoscaler aims at, and what they all open to a backend."""

from __future__ import annotations

from ..profile.schema import Profile
from ..runtime.sizing import Number, Numbers, ceil_div
from ..servers.server import Server
from .texts import cpu_text

#: Two, so that one may be replaced, drained or lost while the other answers.
LEAST_REPLICAS = 2
#: How many pods a rollout may add for a while; none of the old ones goes before a new one is ready.
MAX_SURGE = 1


def pods_needed(profile: Profile) -> int:
    """Pods that hold all the promised connections, if none is missing."""
    return ceil_div(profile.kubernetes.connections or profile.connections, profile.connections)


def replica_range(profile: Profile) -> tuple[Number, Number]:
    """Fewest and most pods of the autoscaler, each as the profile gives it or from the promised connections."""
    wanted = profile.kubernetes
    total = wanted.connections or profile.connections
    needed = pods_needed(profile)
    formula = f"{total} connections / {profile.connections} a pod = {needed}"
    if wanted.min_replicas is not None:
        least = Number(wanted.min_replicas, "profile", f"fixed at {wanted.min_replicas} by profile; {formula} needed")
    elif needed + 1 > LEAST_REPLICAS:
        least = Number(needed + 1, "connections", f"{formula}, and one that may be missing")
    else:
        least = Number(LEAST_REPLICAS, "availability", f"{formula}, raised to 2: one may be missing")
    percent = wanted.headroom_percent
    roomy = ceil_div(needed * (100 + percent), 100)
    reason = f"{needed} needed + {percent} % head-room, rounded up = {roomy}"
    if wanted.max_replicas is not None:
        most = Number(wanted.max_replicas, "profile", f"fixed at {wanted.max_replicas} by profile; {formula} needed")
    elif roomy > least.value:
        most = Number(roomy, "headroom_percent", reason)
    else:
        most = Number(least.value + 1, "min_replicas", f"{reason}, raised to one above the minimum of {least.value}")
    return least, most


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
    percent = profile.kubernetes.target_cpu_percent
    busy = profile.resources.cpu * percent / 100_000
    spare = 100 - percent
    reason = (
        f"percent of the request of {cpu_text(profile.resources.cpu)} CPU: a pod is added when the average one "
        f"uses more than {busy:g} CPU; the other {spare} % carry the load while a new one starts"
    )
    return Number(percent, "target_cpu_percent", reason)
