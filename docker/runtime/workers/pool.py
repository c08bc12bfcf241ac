"""Greenlets for the requests in progress; a connection that waits for its next request has none."""

from collections import deque
from typing import Any

from gevent import get_hub
from gevent.hub import Waiter

# A greenlet serves so many requests before the hub has its turn: switching to it and back takes 3 us each time.
BATCH = 16
# With so many connections ready, the hub looks for events (and at the listener) after each batch. By itself it looks
# after 50 calls, which are 800 requests: those that were accepted first had all the responses. On a machine that others
# load too, 458 to 8,403 of 10,000 connections never got one in 12 s with 1,000 here, and none went without with 64; of
# 1,200 the p99 was 1.5 to 3.0 s, and is 0.6 to 0.8.
CROWD = 64
# Greenlets that are kept without work; one that a burst leaves behind ends.
KEPT = 128


class Pool:
    """Requests start one after another, in the order in which they came.

    gunicorn reads a connection's next request at once: a client that is quick enough is served again and again while
    the others and the listener wait (1,200 connections: p99 5.1 s, half of them got one response in 5 s).
    """

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.loop = get_hub().loop
        self.ready: deque[Any] = deque()
        self.sleeping: list[Any] = []
        self.look = self.loop.timer(0.0)  # fires when the hub has looked for events
        self.due = False  # start is to be called

    def add(self, client: Any) -> None:
        """A connection whose next bytes have come."""
        self.ready.append(client)
        if not self.due:
            self.call()

    def call(self) -> None:
        self.due = True
        if len(self.ready) > CROWD:
            self.look.start(self.start)
        else:
            self.loop.run_callback(self.start)

    def start(self) -> None:
        """Wake a greenlet, or make one; called by the hub."""
        self.due = False
        if self.ready:
            if self.sleeping:
                self.sleeping.pop().switch(None)
            else:
                self.worker.group.spawn(self.work)

    def work(self) -> None:
        """Serve what is ready. Where a request waits, another greenlet takes those behind it."""
        while True:
            self.batch()
            if self.ready and not self.due:
                self.call()
            if len(self.sleeping) >= KEPT:
                return
            waiter = Waiter()
            self.sleeping.append(waiter)
            waiter.get()

    def batch(self) -> None:
        for _ in range(BATCH):
            if not self.ready:
                return
            client = self.ready.popleft()
            if self.ready and not self.due:
                self.call()
            self.worker.serve(client)
