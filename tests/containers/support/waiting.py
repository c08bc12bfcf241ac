"""Waiting for a condition: polled to a deadline, given up early when the container has died."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from generator.containers.command import EngineError
from generator.containers.container import Container, NotInTime

POLL_SECONDS = 0.1
# Asking costs a docker process each time, on machines with two cores that also run the servers under test.
LIFE_CHECK_SECONDS = 0.5

T = TypeVar("T")


class ContainerDied(EngineError):
    """A container ended while something waited for something else."""


def wait_until(
    predicate: Callable[[], T],
    deadline_seconds: float,
    container: Container | None = None,
    *,
    what: str = "the condition",
    ignoring: tuple[type[Exception], ...] = (OSError,),
    interval: float = POLL_SECONDS,
) -> T:
    """The predicate's first true value; an exception of `ignoring` (no connection yet) counts as not yet."""
    end = time.monotonic() + deadline_seconds
    next_life_check = time.monotonic() + LIFE_CHECK_SECONDS
    while True:
        value, last_error = _attempt(predicate, ignoring)
        if value:
            return value
        now = time.monotonic()
        if now >= end:
            break
        if container is not None and now >= next_life_check:
            next_life_check = now + LIFE_CHECK_SECONDS
            if not container.running():
                # What it waits for may be the container's last words, printed since the last look.
                value, last_error = _attempt(predicate, ignoring)
                if value:
                    return value
                raise ContainerDied(f"ended while waiting for {what}: {container.describe()}") from last_error
        time.sleep(interval)
    message = f"{what} did not come true within {deadline_seconds:g} s"
    if last_error is not None:
        message += f" (last error: {last_error!r})"
    if container is not None:
        message += f"\n{container.describe()}"
    raise NotInTime(message) from last_error


def _attempt(predicate: Callable[[], T], ignoring: tuple[type[Exception], ...]) -> tuple[T | None, Exception | None]:
    try:
        return predicate(), None
    except ignoring as error:
        return None, error
