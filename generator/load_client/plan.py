"""What one process of the load client does."""

from __future__ import annotations

from dataclasses import dataclass

#: In one run, over all its processes.
MAX_CONNECTIONS = 100_000


@dataclass(frozen=True)
class Plan:
    """What one process opens and sends, and when it ends; times in seconds."""

    addresses: tuple[tuple[str, int], ...]  # destinations, used in turn
    request: bytes
    has_body: bool = True  # false for HEAD
    connections: int = 1  # active ones
    idle: int = 0  # one request each, then held; opened before the active ones
    slow: int = 0  # one byte of the header a second; opened before the active ones
    rate: float | None = None  # requests a second in all (open loop); None: closed loop
    rates: tuple[float, ...] = ()  # open loop: rates in all, one after the other, each for step_seconds
    step_seconds: float = 1.0
    limit: float | None = None  # with rates: seconds within which 99 % of a rate's requests must have their responses
    ramp: float | None = None  # connections opened a second; None: as fast as possible
    duration: float = 10.0  # seconds, from the first active connection
    finish: float = 2.0  # seconds more for what is outstanding then
    settle: float = 30.0  # seconds at most for opening the idle and slow ones
    timeout: float = 10.0  # seconds for a connect, and for a response
    requests: int | None = None  # stop after so many responses
    reconnect: bool = True

    @property
    def is_open_loop(self) -> bool:
        """Whether requests are due at fixed times, whatever becomes of the earlier ones."""
        return self.rate is not None or bool(self.rates)
