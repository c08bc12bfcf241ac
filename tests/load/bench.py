"""`make bench`: the goals of the profiles side by side with what others do, as Markdown on stdout.

No test: it measures times, and they are the machine's as much as the server's. Rounds are interleaved, so that what
else the machine does hits all alike; each figure is the median, with the least and the most behind it.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from generator.containers.docker import Docker
from generator.plan.plan import Plan
from generator.proof import images
from generator.proof.request import Request
from generator.proof.stage import Stage
from tests.containers.kit import ROOT
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
    tiangolo,
)
from tests.load.works import ACTIVE, IO, JSON, Figures, Work, at, full, idle, moderate, rest

SLASH, MODERATE = Request(), 1000  # requests a second in all


@dataclass(frozen=True)
class Goal:
    """One table: a piece of work, and who does it."""

    title: str
    work: Work
    rivals: list[Rival]


def goals() -> Iterator[Goal]:
    big, little = (plan_of(profile).profile.connections for profile in (LARGE, SMALL))
    large, old = kit(LARGE), seed(LARGE)
    others, legacy = kits("meinheld pywsgi gthread", *as_large()), kits("eventlet", *as_large())
    everyone = [large, *others, *legacy, copied_rule(LARGE), old, stock(LARGE), *peers(LARGE), tiangolo(*as_large())]
    yield Goal(f"{big:,} connections at once, `/`", full(big, SLASH), everyone)
    yield Goal(f"{big:,} connections at once, `/io` (50 ms)", full(big, IO), everyone)
    yield Goal(
        f"{big:,} connections, {MODERATE:,} requests/s, `/io`", moderate(big, MODERATE, IO), [large, *others, old]
    )
    yield Goal(f"{ACTIVE} active among {big - ACTIVE:,} idle, `/`", idle(big, SLASH), [large, *others, stock(LARGE)])
    for number in (50, 200, 1200):
        yield Goal(f"{number:,} connections, `/`", at(number, SLASH), [large, old, stock(LARGE)])
    yield Goal("200 connections, 1 KB of JSON", at(200, JSON), [large, others[0], old])
    yield Goal("200 connections, `/`, meinheld", at(200, SLASH), [large, others[0], old])
    ours = [kit(SMALL), *kits("meinheld pywsgi gthread eventlet"), seed(SMALL), *peers(SMALL)]
    yield Goal(f"small: {little:,} connections at once, `/`", full(little, SLASH), ours)
    yield Goal(f"small: {little:,} connections at once, `/io` (50 ms)", full(little, IO), ours)
    four = ("workers=4", *as_large())
    resting = [kit(LARGE, *four), *kits("meinheld pywsgi gthread", *four), stock(LARGE, *four)]
    yield Goal("boot to the first 200, and memory at rest with 4 workers", rest, resting)


@contextmanager
def booted(stage: Stage, rival: Rival, image: str) -> Iterator[float | None]:
    """The rival's server, watched, and how long it took to answer; nothing of it is left afterwards."""
    options = {**rival.options, "network": f"container:{stage.beside.id}"}
    with stage.docker.run_detached(image, *rival.command, timeout=60, **options) as server:
        ready = stage.inside("wait", str(rival.port), "20", "/healthz")["ready_at"]
        if ready is not None:
            stage.watch(server)
        started = datetime.fromisoformat(server.state()["StartedAt"][:26].rstrip("Z") + "+00:00").timestamp()
        yield None if ready is None else ready - started
        if stage.watcher:
            stage.watcher.remove()
            stage.watcher = None


def once(stage: Stage, goal: Goal, rival: Rival, image: str, seconds: float) -> Figures:
    with booted(stage, rival, image) as ready:
        if ready is None:
            return {"did not boot": 1}
        figures = goal.work(stage, rival, seconds)
        return {**figures, "boot ms": 1000 * ready} if goal.work is rest else figures


class Bench:
    """The images, and the rounds."""

    def __init__(self) -> None:
        client, self.buildkit = images.find_client()
        self.docker = Docker(client, label=images.LABEL)
        self.base = images.base_image(plan_of(LARGE), None)
        self.load = images.build_load_image(self.docker, self.base, self.buildkit)
        self.built: dict[str, str] = {}

    def image(self, plan: Plan) -> str:
        """Its id: plans that differ in a number only share a tag."""
        if (key := repr(plan.profile)) not in self.built:
            image = images.build_profile_image(self.docker, plan, ROOT, self.base, self.buildkit)
            self.built[key] = image.id
        return self.built[key]

    def size(self, image: str) -> int:
        return int(self.docker.call("image", "inspect", "--format", "{{.Size}}", image).stdout)

    def measure(self, goal: Goal, rounds: int, seconds: float) -> Iterator[str]:
        """Round after round of all rivals, each on a fresh server; then its table."""
        found: dict[str, list[Figures]] = {}
        with Stage(self.docker, plan_of(LARGE), "", self.load.id) as stage:
            for number in range(rounds):
                for rival in goal.rivals:
                    say(f"{goal.title}, round {number + 1} of {rounds}: {rival.name}")
                    figures = once(stage, goal, rival, self.image(rival.plan), seconds)
                    say(
                        "  " + ", ".join(f"{name} {value:,.1f}" for name, value in figures.items() if value is not None)
                    )
                    found.setdefault(rival.name, []).append(figures)
        yield from markdown(goal.title, found)

    def about(self, rivals: list[Rival], rounds: int, seconds: float) -> str:
        with Stage(self.docker, plan_of(LARGE), "", self.load.id) as stage:
            machine = stage.inside("machine")
        base = self.size(self.base)
        sizes = {r.plan.server.name: (self.size(self.image(r.plan)) - base) / 1e6 for r in rivals}
        return (
            f"Measured {datetime.now(UTC):%Y-%m-%d}, {rounds} interleaved rounds of {seconds:g} s or more: the median "
            f"(least to most). {machine['cpus']} CPU shared by server, client and upstream, "
            f"{machine['memory_bytes'] // 2**30} GiB, kernel {machine['kernel']}, Python {machine['python']}, "
            f"{', '.join(plan_of(LARGE).server.packages)}; {machine['wrk']}. The images add to their base: "
            + ", ".join(f"{name} {size:.0f} MB" for name, size in sizes.items())
        )


def markdown(title: str, found: dict[str, list[Figures]]) -> Iterator[str]:
    columns = list(dict.fromkeys(name for rounds in found.values() for figures in rounds for name in figures))
    yield f"\n| {title} | " + " | ".join(columns) + " |"
    yield "| --- " * (len(columns) + 1) + "|"
    for rival, rounds in found.items():
        cells = [cell([figures.get(column) for figures in rounds]) for column in columns]
        yield f"| {rival} | " + " | ".join(cells) + " |"


def cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, middle, high = (f"{value:,.0f}" for value in (min(known), statistics.median(known), max(known)))
    return middle if low == high else f"{middle} ({low} to {high})"


def into_docs(tables: str) -> None:
    file = ROOT / "docs/measurements.md"
    head, begin, rest = file.read_text().partition("<!-- measured: make bench -->\n")
    _, end, tail = rest.partition("<!-- end -->")
    file.write_text(f"{head}{begin}{tables}\n{end}{tail}")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", metavar="REGEX", help="tables whose title it matches")
    parser.add_argument("--rivals", default="", metavar="REGEX", help="rivals whose name it matches")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/measurements.md too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of the short pieces of work; others take longer")
    options = parser.parse_args()
    bench, table = Bench(), [goal for goal in goals() if re.search(options.only, goal.title)]
    table = [replace(goal, rivals=[r for r in goal.rivals if re.search(options.rivals, r.name)]) for goal in table]
    ours = {rival.plan.server.name: rival for goal in table for rival in goal.rivals if not rival.command}
    lines = [bench.about(list(ours.values()), options.rounds, options.seconds) + "."]
    print(lines[0], flush=True)
    for goal in table:
        lines += (new := list(bench.measure(goal, options.rounds, options.seconds)))
        print("\n".join(new), flush=True)
    if options.docs:
        into_docs("\n".join(lines))


if __name__ == "__main__":
    main()
