"""Open-loop rates one after the other, and which of their requests had a response within a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .histogram import Histogram

#: So many rates in a row that fail end the run: one may have met a hiccup of the machine.
FAILED_IN_A_ROW = 2
#: A rate passes if this share of its requests had a response within the limit: its 99th percentile is below it.
WITHIN = 0.99
#: And if no more than this share of them, and one, was queued at its end beside what was at its beginning: else the
#: server is slower than the rate, and only the end of its time kept the queue below the limit.
QUEUED = 0.1
COUNTS = ("due", "responses", "within", "done", "failed", "lagged")


@dataclass
class Step:
    """One rate and what became of the requests that were due in its time."""

    rate: float  # requests a second
    due: int = 0
    responses: int = 0
    within: int = 0  # responses with 2xx within the limit
    done: int = 0  # responses while it ran, of whatever rate
    failed: int = 0  # failures of whatever kind while it ran
    lagged: int = 0  # sent late although a connection was free: the client's own lateness, not the server's
    rise: float = 0.0  # of the rate, what the one before did not have
    latency: Histogram = field(default_factory=Histogram)

    def passed(self) -> bool:
        return self.due > 0 and not self.failed and self.within >= WITHIN * self.due and self.kept_up()

    def kept_up(self) -> bool:
        """Whether what was outstanding grew by no more than a higher rate has in progress at the same latency."""
        grown = self.due - self.done - QUEUED * self.due - 1
        return grown <= 0 or grown <= self.rise * (self.latency.percentile(50) or 0) / 1000

    def merge(self, other: Step) -> None:
        """Add another process' share of the same rate."""
        self.rate += other.rate
        self.rise += other.rise
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latency.merge(other.latency)

    def report(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in COUNTS}
        p50, p99 = self.latency.percentile(50), self.latency.percentile(99)
        return {"rate": round(self.rate, 2), **counts, "passed": self.passed(), "p50_ms": p50, "p99_ms": p99}


class Steps:
    """The schedule: when the next request is due, and to which rate a response belongs."""

    def __init__(self, rates: tuple[float, ...], seconds: float, limit: float | None) -> None:
        """``seconds`` each rate lasts (infinite: one rate for the whole run); ``limit`` in seconds, or None."""
        self.steps = [Step(rate, rise=rate - before) for rate, before in zip(rates, (0.0, *rates), strict=False)]
        self.seconds, self.limit = seconds, limit
        self.current = 0  # the rate of the last request that was due

    def next_due(self, begin: float) -> float | None:
        """When the next request is due, if the run began at ``begin``; None once all rates are over."""
        for number in range(self.current, len(self.steps)):
            step = self.steps[number]
            after = step.due / step.rate
            if after < self.seconds:
                return begin + (number * self.seconds if number else 0.0) + after
        return None

    def sent(self, due: float, begin: float, lag: float | None) -> None:
        """A request was due; ``lag`` is how late it was sent, None where no connection was free for it."""
        self.current = self._number(due, begin)
        step = self.steps[self.current]
        step.due += 1
        if lag is not None and self.limit is not None and lag > self.limit / 2:
            step.lagged += 1

    def at(self, moment: float, begin: float) -> Step:
        """The rate that ran at the time."""
        return self.steps[self._number(moment, begin)]

    def _number(self, moment: float, begin: float) -> int:
        return min(max(self._place(moment, begin), 0), len(self.steps) - 1)

    def _place(self, moment: float, begin: float) -> int:
        """How many rates had run to their end by then, whether or not there are so many."""
        # A request due exactly where one rate ends belongs to the next, however the sum of floats was rounded.
        return 0 if self.seconds == float("inf") else int((moment - begin) / self.seconds + 1e-9)

    def responded(self, due: float, begin: float, latency: float, good: bool) -> None:
        step = self.at(due, begin)
        step.responses += 1
        step.latency.add(latency)
        step.within += good and (self.limit is None or latency <= self.limit)
        number = self._place(due + latency, begin)
        if number < len(self.steps):
            self.steps[number].done += 1

    def over(self, begin: float, now: float) -> bool:
        """Whether enough rates in a row have failed, each judged when its last request can no longer be in time."""
        if self.limit is None:
            return False
        judged = int((now - begin - self.limit) / self.seconds)
        last = self.steps[max(0, judged - FAILED_IN_A_ROW) : max(0, min(judged, len(self.steps)))]
        return len(last) == FAILED_IN_A_ROW and not any(step.passed() for step in last)

    def judged(self, begin: float, now: float) -> list[Step]:
        """The rates that had run to their end by then."""
        return self.steps[: max(0, self._place(now, begin))]
