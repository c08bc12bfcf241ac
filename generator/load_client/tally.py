"""What the load client counts: every connection and every failure, latencies, and each rate of a series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .histogram import Histogram
from .steps import Step

#: Each failure is counted once, under one of these names.
FAILURES = (
    "connect_refused",  # refused or reset while connecting
    "connect_timeout",  # no connection within --timeout
    "connect_other",  # any other error of connect, for example no free port
    "reset",  # connection reset with a request outstanding
    "closed_early",  # closed with a request outstanding and no whole response
    "timeout",  # no whole response within --timeout
    "bad_response",  # what came is not HTTP
    "non_2xx",  # a whole response with another status
)


@dataclass
class Tally:
    """The counts of one process; those of several are merged."""

    seconds: float = 0.0
    opened: int = 0
    peak: int = 0
    held: int = 0  # open when the run ended
    responses: int = 0
    in_time: int = 0  # those before the end of the measured time
    unfinished: int = 0  # requests outstanding, or waiting for a free connection, when the run ended
    closed_announced: int = 0  # closed after a response with Connection: close
    closed_idle: int = 0  # closed by the server with no request outstanding
    idle_requested: int = 0
    idle_held: int = 0
    slow_requested: int = 0
    slow_held: int = 0
    slow_closed_after: list[float] = field(default_factory=list)
    never_connected: int = 0
    per_connection: list[int] = field(default_factory=list)  # of each active connection, over its reconnects
    failures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAILURES, 0))
    statuses: dict[int, int] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)
    connect: Histogram = field(default_factory=Histogram)
    first_response: Histogram = field(default_factory=Histogram)
    timeline: dict[int, list[int]] = field(default_factory=dict)  # second: open, responses, failed
    steps: list[Step] = field(default_factory=list)  # the rates that ran to their end

    def merge(self, other: Tally) -> None:
        for name, mine in vars(self).items():
            theirs = getattr(other, name)
            if name == "seconds":
                self.seconds = max(mine, theirs)
            elif isinstance(mine, Histogram):
                mine.merge(theirs)
            elif name == "steps":
                for own, their in zip(mine, theirs, strict=False):
                    own.merge(their)
                del mine[len(theirs) :]  # a rate counts where all processes have run it
            elif name == "timeline":
                for second, row in theirs.items():
                    mine[second] = [a + b for a, b in zip(mine.get(second, [0, 0, 0]), row, strict=True)]
            elif isinstance(mine, dict):
                for key, count in theirs.items():
                    mine[key] = mine.get(key, 0) + count
            else:
                setattr(self, name, mine + theirs)

    def report(self) -> dict[str, Any]:
        counts = sorted(self.per_connection)
        return {
            "seconds": round(self.seconds, 3),
            "rps": round(self.in_time / self.seconds, 1) if self.seconds else 0.0,
            "responses": self.responses,
            "failed": sum(self.failures.values()),
            "no_response": counts.count(0),
            "unfinished": self.unfinished,
            "failures": self.failures,
            "statuses": {str(status): self.statuses[status] for status in sorted(self.statuses)},
            "connections": {
                "requested": len(counts),
                "opened": self.opened,
                "peak": self.peak,
                "held": self.held,
                "never_connected": self.never_connected,
                "closed_announced": self.closed_announced,
                "closed_idle": self.closed_idle,
                "responses_min": counts[0] if counts else 0,
                "responses_median": counts[len(counts) // 2] if counts else 0,
                "responses_max": counts[-1] if counts else 0,
            },
            "idle": {"requested": self.idle_requested, "held": self.idle_held},
            "slow": {
                "requested": self.slow_requested,
                "held": self.slow_held,
                "closed_after": sorted(self.slow_closed_after),
            },
            "latency_ms": self.latency.report(),
            "connect_ms": self.connect.report(),
            "first_response_ms": self.first_response.report(),
            "histogram_ms": self.latency.rows(),
            "timeline": [[second, *self.timeline[second]] for second in sorted(self.timeline)],
            **({"steps": [step.report() for step in self.steps]} if self.steps else {}),
        }
