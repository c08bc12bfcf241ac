"""The tables of `make bench`: each a piece of work, and who does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generator.proof.request import Request
from tests.load import others
from tests.load.rivals import (
    LARGE,
    SMALL,
    Rival,
    as_large,
    copied_rule,
    kit,
    kits,
    peers,
    plan_of,
    seed,
    stock,
    threads,
    tiangolo,
)
from tests.load.works import ACTIVE, IO, JSON, Work, at, full, idle, moderate, rest

SLASH, MODERATE = Request(), 1000  # requests a second in all


@dataclass(frozen=True)
class Goal:
    """One table."""

    title: str
    work: Work
    rivals: list[Rival]


def beside_gunicorn() -> Iterator[Goal]:
    """The copied configuration, gunicorn's own workers, and the rules of others for them; all in the kit's images."""
    big, little = (plan_of(profile).profile.connections for profile in (LARGE, SMALL))
    large, old = kit(LARGE), seed(LARGE)
    siblings, legacy = kits("meinheld pywsgi gthread", *as_large()), kits("eventlet", *as_large())
    everyone = [large, *siblings, *legacy, copied_rule(LARGE), old, stock(LARGE), *peers(LARGE), tiangolo(*as_large())]
    yield Goal(f"{big:,} connections at once, `/`", full(big, SLASH), everyone)
    yield Goal(f"{big:,} connections at once, `/io` (50 ms)", full(big, IO), everyone)
    yield Goal(
        f"{big:,} connections, {MODERATE:,} requests/s, `/io`", moderate(big, MODERATE, IO), [large, *siblings, old]
    )
    yield Goal(f"{ACTIVE} active among {big - ACTIVE:,} idle, `/`", idle(big, SLASH), [large, *siblings, stock(LARGE)])
    for number in (50, 200, 1200):
        yield Goal(f"{number:,} connections, `/`", at(number, SLASH), [large, old, stock(LARGE)])
    yield Goal("200 connections, 1 KB of JSON", at(200, JSON), [large, siblings[0], old])
    yield Goal("200 connections, `/`, meinheld", at(200, SLASH), [large, siblings[0], old])
    ours = [kit(SMALL), *kits("meinheld pywsgi gthread eventlet"), seed(SMALL), *peers(SMALL)]
    yield Goal(f"small: {little:,} connections at once, `/`", full(little, SLASH), ours)
    yield Goal(f"small: {little:,} connections at once, `/io` (50 ms)", full(little, IO), ours)
    four = ("workers=4", *as_large())
    resting = [kit(LARGE, *four), *kits("meinheld pywsgi gthread", *four), stock(LARGE, *four)]
    yield Goal("boot to the first 200, and memory at rest with 4 workers", rest, resting)


def beside_others() -> Iterator[Goal]:
    """Other servers. wrk is fast enough for them, but does not show who starves: the kit's client does, at 10,000."""
    big = plan_of(LARGE).profile.connections
    ours, crowd = [kit(LARGE), *kits("meinheld gthread", *as_large())], threads(128, *as_large())
    for number in (200, 1200):
        yield Goal(f"`/`, {number:,} connections, wrk", at(number, SLASH), [*ours, *others.computing()])
    for number in (200, 1200):
        yield Goal(f"`/io` (50 ms), {number:,} connections, wrk", at(number, IO), [*ours, crowd, *others.waiting()])
    yield Goal(f"`/`, {big:,} connections, all accounted for", full(big, SLASH), [*ours, *others.computing()])
    waiting = [*ours, stock(LARGE), *others.waiting()]
    yield Goal(f"`/io` (50 ms), {big:,} connections, all accounted for", full(big, IO), waiting)


#: By the names that --group and the marks in docs/measurements.md have.
GROUPS = {"gunicorn": beside_gunicorn, "others": beside_others}
