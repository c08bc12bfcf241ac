"""The load client's connections: each a small state machine over one epoll, each failure counted once."""

from __future__ import annotations

import errno
import select
import socket
from collections import deque
from time import monotonic

from .plan import Plan
from .tally import Tally
from .wire import BadResponse, Response

ACTIVE, IDLE, SLOW = range(3)
CLOSED, CONNECTING, READY, WAITING = range(4)
RETRY_DELAY = 0.1  # seconds before a connection that failed is opened again


class Slot:
    """One connection of the plan, over its reconnects."""

    __slots__ = (
        "address",
        "due",
        "ever_open",
        "let_go",
        "opened_at",
        "response",
        "responses",
        "role",
        "sent",
        "since",
        "sock",
        "state",
    )

    def __init__(self, role: int, address: tuple[str, int], has_body: bool) -> None:
        self.role, self.address, self.state = role, address, CLOSED
        self.responses, self.ever_open = 0, False
        self.let_go = False  # closed by announcement when nothing is sent any more: it would come back
        self.sock: socket.socket
        self.response = Response(has_body)
        self.opened_at = self.since = 0.0  # since: when the connect or the request began, for --timeout
        self.due = 0.0  # when the request should have gone out: the latency counts from here
        self.sent = 0  # bytes of the request that are out


class Connections:
    """What a connection does by itself; when it opens and sends is the engine's business."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.tally = plan, Tally()
        self.by_fd: dict[int, Slot] = {}
        self.poll = select.epoll()
        self.connecting: dict[Slot, None] = {}  # in the order of their start, as the next
        self.outstanding: dict[Slot, None] = {}
        self.retries: deque[tuple[float, Slot]] = deque()
        self.failed = 0
        self.stopping = False

    def ready(self, slot: Slot, now: float) -> None:
        raise NotImplementedError

    def open(self, slot: Slot, now: float) -> None:
        slot.since = slot.opened_at = now
        family = socket.AF_INET6 if ":" in slot.address[0] else socket.AF_INET
        try:
            slot.sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:  # no descriptor left
            self.fail(slot, "connect_other")
            return
        slot.state = CONNECTING
        self.by_fd[slot.sock.fileno()] = slot
        self.connecting[slot] = None
        self.poll.register(slot.sock.fileno(), select.EPOLLOUT)
        code = slot.sock.connect_ex(slot.address)
        if code not in (0, errno.EINPROGRESS):
            self.connect_failed(slot, code)

    def connect_failed(self, slot: Slot, code: int) -> None:
        refused = code in (errno.ECONNREFUSED, errno.ECONNRESET)
        timeout = code == errno.ETIMEDOUT
        self.fail(slot, "connect_refused" if refused else "connect_timeout" if timeout else "connect_other")

    def connected(self, slot: Slot) -> None:
        code = slot.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.connect_failed(slot, code)
            return
        now = monotonic()
        del self.connecting[slot]
        slot.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tally.opened += 1
        self.tally.connect.add(now - slot.since)
        self.tally.peak = max(self.tally.peak, len(self.by_fd) - len(self.connecting))
        slot.state, slot.ever_open = READY, True
        self.poll.modify(slot.sock.fileno(), select.EPOLLIN)
        self.ready(slot, now)

    def send_request(self, slot: Slot, due: float) -> None:
        slot.state, slot.due, slot.since, slot.sent = WAITING, due, monotonic(), 0
        slot.response.clear()
        if slot.role == SLOW:
            self.push(slot, 1)
        else:
            self.outstanding[slot] = None
            self.push(slot, len(self.plan.request))

    def push(self, slot: Slot, until: int) -> None:
        """Send the request up to that byte; if the socket is full, go on when it has room."""
        try:
            slot.sent += slot.sock.send(self.plan.request[slot.sent : until])
        except BlockingIOError:
            pass
        except OSError:
            self.lost(slot, "reset")
            return
        if slot.role != SLOW and until > len(self.plan.request) - 1 and slot.sent < until:
            self.poll.modify(slot.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def pushed_on(self, slot: Slot) -> None:
        self.poll.modify(slot.sock.fileno(), select.EPOLLIN)
        if slot.state == WAITING:
            self.push(slot, len(self.plan.request))

    def read(self, slot: Slot) -> None:
        try:
            data = slot.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self.lost(slot, "reset")
            return
        if data and slot.role == SLOW:
            return  # an error page; the close follows
        try:
            if not data and slot.state == WAITING and slot.response.ended():
                slot.response.closes = True
                self.responded(slot)
            elif not data:
                self.lost(slot, "closed_early")
            elif slot.state != WAITING:
                self.fail(slot, "bad_response")  # a response without a request
            elif slot.response.feed(data):
                self.responded(slot)
        except BadResponse:
            self.fail(slot, "bad_response")

    def lost(self, slot: Slot, failure: str) -> None:
        """The server closed or reset: a failure only if a request is outstanding."""
        if slot.role == SLOW:
            self.tally.slow_closed_after.append(round(monotonic() - slot.opened_at, 1))
            self.shut(slot)
        elif slot.state == WAITING:
            self.fail(slot, failure)
        else:
            self.tally.closed_idle += 1
            self.shut(slot)
            self.again(slot, 0.0)

    def responded(self, slot: Slot) -> None:
        now = monotonic()
        self.outstanding.pop(slot, None)
        self.tally.responses += 1
        self.tally.latency.add(now - slot.due)
        status = slot.response.status
        self.tally.statuses[status] = self.tally.statuses.get(status, 0) + 1
        if not 200 <= status < 300:
            self.count_failure("non_2xx")
        if not slot.responses:
            self.tally.first_response.add(now - slot.opened_at)
        slot.responses += 1
        slot.state = READY
        if slot.response.closes:
            self.tally.closed_announced += 1
            slot.let_go = self.stopping and self.plan.reconnect
            self.shut(slot)
            self.again(slot, 0.0)
        else:
            self.ready(slot, now)

    def fail(self, slot: Slot, failure: str) -> None:
        self.count_failure(failure)
        self.shut(slot)
        self.again(slot, RETRY_DELAY)

    def count_failure(self, failure: str) -> None:
        self.failed += 1
        self.tally.failures[failure] += 1

    def again(self, slot: Slot, delay: float) -> None:
        if self.plan.reconnect and slot.role == ACTIVE and not self.stopping:
            self.retries.append((monotonic() + delay, slot))

    def shut(self, slot: Slot) -> None:
        self.connecting.pop(slot, None)
        self.outstanding.pop(slot, None)
        if slot.state != CLOSED:
            self.by_fd.pop(slot.sock.fileno(), None)
            slot.sock.close()
            slot.state = CLOSED
