"""Who takes part: servers, workers and threads that can hold the profile's connections in the profile's own limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ProfileError
from ..pipeline import plan_profile
from ..plan.plan import Plan
from ..runtime.sizing import MIB, ceil_div, memory_needed
from ..servers import SERVERS
from ..servers.server import Server
from .search import Entry

#: The configuration that people copy, for comparison; it runs where gunicorn's gevent worker is installed.
COPIED = "the copied configuration"
#: Not tried unless asked for: nobody takes up a server without a maintainer because it was quick in an experiment.
UNMAINTAINED = ("meinheld", "eventlet")
_MIN_THREADS = 4


@dataclass(frozen=True)
class Candidate:
    """A profile with other numbers: its plan, and what tells it from the others."""

    entry: Entry
    plan: Plan

    @property
    def workers(self) -> int:
        return self.plan.numbers.workers.value

    @property
    def threads(self) -> int | None:
        return self.plan.numbers.threads.value if self.plan.numbers.threads else None


@dataclass(frozen=True)
class Field:
    """All candidates, and why what might have been one is not."""

    candidates: tuple[Candidate, ...]
    #: By "server" or "server, N workers": the reason.
    left_out: Mapping[str, str] = field(default_factory=dict)


def find(text: str, file: str, overrides: Sequence[str], root: Path, servers: Sequence[str]) -> Field:
    """The candidates of a profile; ``servers`` are the names to try, or none for all that fit.

    Raises ProfileError where the profile itself has faults.
    """
    own = plan_profile(text, file, overrides, root)
    found, left_out = [_candidate(own, own)], {}
    names = servers or [name for name, one in SERVERS.items() if one.production and name not in UNMAINTAINED]
    for server in (SERVERS[name] for name in names):
        for numbers in _grid(server, own):
            try:
                plan = plan_profile(text, file, (*overrides, *_settings(server, numbers)), root)
            except ProfileError as error:
                left_out[server.name] = f"{error.faults[0].path}: {error.faults[0].allowed}"
                break
            candidate = _candidate(plan, own)
            needed = memory_needed(plan.numbers.demand, candidate.workers)
            if needed > plan.profile.resources.memory:
                left_out[candidate.entry.name] = f"needs {ceil_div(needed, MIB)} MiB of memory"
            elif all(candidate.entry.name != one.entry.name for one in found):
                found.append(candidate)
    return Field(tuple(found), left_out)


def _settings(server: Server, numbers: tuple[int, int | None]) -> Iterator[str]:
    """As --set takes them; what this server has no threads for must not name any."""
    workers, threads = numbers
    yield from (f"server={server.name}", f"workers={workers}")
    yield "threads=null" if threads is None else f"threads={threads}"


def _grid(server: Server, own: Plan) -> Iterator[tuple[int, int | None]]:
    """Workers from one a CPU to twice that and one; threads from a quarter of the server's rule to its limit."""
    cpus = own.numbers.cpus.value
    low, high = max(cpus, server.workers.at_least), 2 * cpus + 1
    threads: list[int | None] = [None]
    if server.threads is not None:
        default = server.threads.apply(cpus).value
        threads = [*sorted({max(_MIN_THREADS, default // 4), default, server.threads.at_most or default})]
    for workers in sorted({low, (low + high) // 2, max(low, high)}):
        yield from ((workers, count) for count in threads)


def _candidate(plan: Plan, own: Plan) -> Candidate:
    """Simplest is what changes no server; then fewer processes, then fewer threads."""
    numbers = plan.numbers
    threads = numbers.threads.value if numbers.threads else 0
    name = f"{plan.server.name}, {numbers.workers.value} worker{'s' * (numbers.workers.value > 1)}"
    name += f" of {threads} threads" if threads else ""
    order = list(SERVERS).index(plan.server.name)
    simplicity = (int(plan.server.name != own.server.name), numbers.workers.value, threads, order)
    return Candidate(Entry(name, simplicity, own=plan is own), plan)
