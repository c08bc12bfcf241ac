"""The load client's engine: when connections open, when they send requests, when it ends."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from time import monotonic

from .connections import ACTIVE, CLOSED, CONNECTING, IDLE, READY, SLOW, WAITING, Connections, Slot
from .plan import Plan
from .steps import Steps
from .tally import Tally

OPENS_PER_TURN = 256  # so that responses are read, and timed, while connections are still being opened


def run(plan: Plan, meet: Callable[[], None] | None = None) -> Tally:
    """Run one process' plan to its end and return its counts; ``meet`` waits for the others before the active begin."""
    engine = Engine(plan)
    engine.meet = meet
    return engine.run()


class Engine(Connections):
    """One thread over epoll that opens, sends, reads and counts."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        roles = [IDLE] * plan.idle + [SLOW] * plan.slow + [ACTIVE] * plan.connections
        count = len(plan.addresses)
        self.slots = [Slot(role, plan.addresses[i % count], plan.has_body) for i, role in enumerate(roles)]
        self.quiet = self.slots[: plan.idle + plan.slow]
        self.unopened = deque(self.quiet or self.slots)
        # When the active ones begin; rates do when their connections are open, which is not what they measure.
        self.begin: float | None = None if self.quiet or plan.rates else monotonic()
        self.meet: Callable[[], None] | None = None
        self.opened = 0  # since opened_from, for the ramp
        self.opened_from = self.next_slow = self.start = monotonic()
        self.free: deque[Slot] = deque()  # open loop: connections without a request
        self.backlog: deque[float] = deque()  # open loop: due times that found no free connection
        rates = plan.rates or ((plan.rate,) if plan.rate else ())
        self.steps = Steps(rates, plan.step_seconds if plan.rates else float("inf"), plan.limit)
        self.due_requests = 0  # requests of the active ones; open loop: those that were due

    def run(self) -> Tally:
        self.start = monotonic()
        rows, responses, failed = 0, 0, 0
        while not self.over(now := monotonic()):
            self.turn(now)
            while now - self.start >= rows + 1:
                row = [len(self.by_fd), self.tally.responses - responses, self.failed - failed]
                self.tally.timeline[rows] = row
                rows, responses, failed = rows + 1, self.tally.responses, self.failed
        self.tally.seconds = monotonic() - (self.begin or self.start)
        self.tally.in_time = self.tally.responses
        end = monotonic()
        self.finish()
        if self.plan.rates and self.begin is not None:
            self.tally.steps = self.steps.judged(self.begin, end)
        return self.tally

    def over(self, now: float) -> bool:
        if self.begin is None:
            settled = not (self.unopened or self.connecting or self.outstanding or self.retries)
            if settled or now - self.start > self.plan.settle:
                if self.meet:
                    self.meet()
                self.begin_active(monotonic())
            return False
        nothing_left = not (self.by_fd or self.unopened or self.retries)
        if self.plan.rates and self.steps.over(self.begin, now):
            return True
        return nothing_left or (self.all_sent() and not self.outstanding) or now - self.begin > self.plan.duration

    def all_sent(self) -> bool:
        return self.plan.requests is not None and self.due_requests >= self.plan.requests

    def begin_active(self, now: float) -> None:
        """From here on it is measured: the latencies and responses of the idle ones do not count."""
        fresh = Tally()
        self.tally.latency, self.tally.responses = fresh.latency, 0
        self.begin = self.opened_from = now
        self.opened = 0
        if self.quiet:
            self.unopened.extend(slot for slot in self.slots if slot.role == ACTIVE)

    def turn(self, now: float) -> None:
        self.open_due(now)
        self.send_due(now)
        self.expire(now)
        if self.plan.slow and now >= self.next_slow:
            self.next_slow = now + 1
            for slot in self.quiet:
                if slot.role == SLOW and slot.state == WAITING and slot.sent < len(self.plan.request) - 1:
                    self.push(slot, slot.sent + 1)
        for fd, event in self.poll.poll(0.001 if self.plan.is_open_loop or self.unopened else 0.02, 4096):
            found = self.by_fd.get(fd)
            if found is None:
                continue  # closed earlier in this turn
            if found.state == CONNECTING:
                self.connected(found)
            elif event == select.EPOLLOUT:
                self.pushed_on(found)
            else:
                self.read(found)

    def open_due(self, now: float) -> None:
        budget = OPENS_PER_TURN
        if self.plan.ramp is not None:
            budget = min(budget, int((now - self.opened_from) * self.plan.ramp) + 1 - self.opened)
        while budget > 0 and self.unopened:
            self.open(self.unopened.popleft(), now)
            self.opened += 1
            budget -= 1
        while self.retries and self.retries[0][0] <= now:
            self.open(self.retries.popleft()[1], now)

    def ready(self, slot: Slot, now: float) -> None:
        if slot.role == SLOW or (slot.role == IDLE and not slot.responses):
            self.send_request(slot, now)
        elif slot.role == ACTIVE and self.backlog:
            self.send_request(slot, self.backlog.popleft())
        elif slot.role == IDLE or self.stopping or self.all_sent():
            pass
        elif not self.plan.is_open_loop:
            self.due_requests += 1
            self.send_request(slot, now)
        else:
            self.free.append(slot)

    def send_due(self, now: float) -> None:
        """Open loop: a request is due whether or not a connection is free; its latency counts from there."""
        if not self.plan.is_open_loop or self.begin is None or self.stopping:
            return
        while not self.all_sent() and (due := self.steps.next_due(self.begin)) is not None and due <= now:
            self.due_requests += 1
            slot = self.free_slot()
            self.steps.sent(due, self.begin, None if slot is None else now - due)
            if slot is None:
                self.backlog.append(due)
            else:
                self.send_request(slot, due)

    def free_slot(self) -> Slot | None:
        """A connection without a request; those that the server has closed meanwhile are passed over."""
        while self.free:
            slot = self.free.popleft()
            if slot.state == READY:
                return slot
        return None

    def responded(self, slot: Slot) -> None:
        if self.plan.rates and self.begin is not None and slot.role == ACTIVE:
            good = 200 <= slot.response.status < 300
            self.steps.responded(slot.due, self.begin, monotonic() - slot.due, good)
        super().responded(slot)

    def count_failure(self, failure: str) -> None:
        if self.plan.rates and self.begin is not None:
            self.steps.at(monotonic(), self.begin).failed += 1
        super().count_failure(failure)

    def expire(self, now: float) -> None:
        while self.connecting and (slot := next(iter(self.connecting))).since < now - self.plan.timeout:
            self.fail(slot, "connect_timeout")
        while self.outstanding and (slot := next(iter(self.outstanding))).since < now - self.plan.timeout:
            self.fail(slot, "timeout")

    def finish(self) -> None:
        """Send no more; give what is outstanding a little time; then count what is left."""
        self.stopping = True
        self.unopened.clear()
        self.retries.clear()
        end = monotonic() + self.plan.finish
        while (self.outstanding or self.backlog) and (now := monotonic()) < end:
            self.turn(now)
        tally = self.tally
        tally.unfinished = len(self.outstanding) + len(self.backlog)
        if self.plan.rates and self.begin is not None:
            for due in (*(slot.due for slot in self.outstanding), *self.backlog):
                self.steps.at(due, self.begin).failed += 1
        for slot in self.slots:
            up = slot.let_go or slot.state not in (CLOSED, CONNECTING)
            tally.held += up
            tally.never_connected += not slot.ever_open
            if slot.role == ACTIVE:
                tally.per_connection.append(slot.responses)
            elif slot.role == IDLE:
                tally.idle_held += up
            else:
                tally.slow_held += up
            self.shut(slot)
        tally.idle_requested, tally.slow_requested = self.plan.idle, self.plan.slow
        self.poll.close()
