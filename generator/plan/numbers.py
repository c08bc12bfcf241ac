"""The sizing rules applied to one profile at its own limits: done once, before the rules and the plan."""

from __future__ import annotations

from ..profile.schema import CpuRule, Profile
from ..runtime.sizing import Demand, Limits, Numbers, Rule, derive
from ..servers.server import Server


def size(profile: Profile, server: Server) -> Numbers:
    """Workers, threads, connections and descriptors, each with its reason, as boot finds them at the same limits."""
    limited = profile.kubernetes.cpu_limit != "none"
    limits = Limits(
        quota_millicores=profile.resources.cpu if limited else None,
        request_millicores=profile.resources.cpu,
        memory_bytes=profile.resources.memory,
    )
    return derive(demand(profile, server), limits)


def demand(profile: Profile, server: Server) -> Demand:
    """What the profile demands of the sizing rules, with the server's measured needs."""
    worker_memory = profile.resources.worker_memory
    websocket_memory = server.websocket_memory_bytes if profile.websocket else None
    return Demand(
        connections=profile.connections,
        workers=_count(profile.workers, server.workers) or server.workers,
        threads=None if server.threads is None else _count(profile.threads, _threads_rule(profile, server)),
        worker_connections=profile.worker_connections,
        backlog=profile.backlog,
        shares_connections=server.shares_connections,
        counts_connections=server.honours("worker_connections"),
        # Preloading loads it in the master, whose pages the workers share.
        master_memory_bytes=server.master_memory_bytes + (profile.resources.shared_memory or 0),
        worker_memory_bytes=server.worker_memory_bytes if worker_memory is None else worker_memory,
        connection_memory_bytes=websocket_memory or server.connection_memory_bytes,
    )


def _threads_rule(profile: Profile, server: Server) -> Rule | None:
    # Flask's own server takes threads or processes: with processes, each has one thread.
    return server.threads if server.production or profile.workers is None else Rule(per_cpu=0, plus=1)


def _count(setting: int | CpuRule | None, default: Rule | None) -> int | Rule | None:
    if isinstance(setting, CpuRule):
        return Rule(setting.per_cpu, setting.plus, setting.at_least, setting.at_most)
    return default if setting is None else setting
