"""What the claims share: the stage, the request, and what earlier claims have found."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from ..containers.container import Container
from . import judge, loads
from .claim import Pace
from .recycling import recycled
from .request import Request
from .stage import Stage

#: Connections of the steps that need a few only: signals, recovery.
FEW = 50
ACTIVE = 200
#: Seconds after which a response counts as missing: long, since on a busy machine all is slow; see judge.starving.
LATE = 30
#: Seconds that a server gets to close what a load client has left.
SETTLE = 10


@dataclass
class Walk:
    """What the claims share: the stage, the request, and what earlier claims have found."""

    stage: Stage
    pace: Pace
    request: Request
    #: Whether it is the kit's own sample app, whose slow pages can be requested as well.
    sample_app: bool
    #: Whether the image was built just now, from this profile.
    is_built: bool
    server: Container = field(init=False)
    held: dict[str, Any] = field(default_factory=dict)
    #: Descriptors of the server before the first request.
    at_rest: int = 0

    def __post_init__(self) -> None:
        self.plan = self.stage.plan
        self.connections = self.plan.profile.connections
        self.mount = self.plan.profile.app.mount or ""

    def client(
        self, connections: int, seconds: float, *, request: Request | None = None, **options: float | bool
    ) -> list[str]:
        return loads.client(self.plan.profile.port, request or self.request, connections, seconds, **options)

    def run(self, connections: int, seconds: float, **options: float | bool) -> dict[str, Any]:
        return loads.of_client(self.stage.exec(*self.client(connections, seconds, request=None, **options)))

    def last_sample(self) -> dict[str, Any] | None:
        return next(iter(self.stage.samples(last=1)), None)

    def recycled(self) -> frozenset[int]:
        """The workers that max_requests has ended so far; a log is read only where it may have."""
        return recycled(self.server.logs()) if self.plan.profile.max_requests else frozenset()

    def workers_lost(self, before: dict[str, Any] | None) -> dict[str, str]:
        """Since that sample, in the words of the judge."""
        after = self.last_sample()
        return judge.workers_lost(before, after, self.recycled())

    def settle(self) -> None:
        """Until the server has closed the last claim's connections, so that the next one measures its own."""
        deadline = time.monotonic() + SETTLE
        while (
            (sample := self.last_sample())
            and sample["descriptors"] > self.at_rest + FEW
            and time.monotonic() < deadline
        ):
            time.sleep(0.25)

    def paths(self) -> list[Request]:
        """The requests to send; to the sample app also one for a page that waits 50 ms for its upstream."""
        return [self.request, *([self.slow_request(50)] if self.pace.every_path and self.requests_sample_page else [])]

    @property
    def requests_sample_page(self) -> bool:
        """Whether it is the sample app's first page that is requested, and nothing that the command line chose."""
        return self.sample_app and replace(self.request, host=None) == Request(f"{self.mount}/")

    def slow_request(self, milliseconds: int) -> Request:
        """A page of the sample app that waits so long for its upstream."""
        return replace(self.request, path=f"{self.mount}/io?ms={milliseconds}")

    def first_sample(self) -> dict[str, Any] | None:
        deadline = time.monotonic() + SETTLE
        while not (sample := self.last_sample()) and self.stage.watcher and time.monotonic() < deadline:
            time.sleep(0.2)
        return sample
