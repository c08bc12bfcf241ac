"""`make bench`: the goals of the profiles side by side with what others do, as Markdown on stdout.

No test: it measures times, and they are the machine's as much as the server's. Rounds are interleaved, so that what
else the machine does hits all alike; each figure is the median, with the minimum and the maximum behind it.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from generator.containers.docker import Docker
from generator.pages.parts import Section
from generator.proof import images
from generator.proof.stage import Stage
from tests.containers.kit import ROOT
from tests.load import others, page, tables
from tests.load.goals import GROUPS, Goal
from tests.load.rivals import LARGE, Rival, plan_of
from tests.load.works import Figures, rest


@contextmanager
def booted(stage: Stage, rival: Rival, image: str) -> Iterator[float | None]:
    """The rival's server, watched, and how long it took to its first response; nothing of it is left afterwards."""
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

    def image(self, rival: Rival) -> str:
        """Its id: plans that differ in a number only share a tag."""
        if (key := "" if rival.other else repr(rival.plan.profile)) not in self.built:
            if rival.other:
                image = others.build_image(self.docker, self.base, self.buildkit)
            else:
                image = images.build_profile_image(self.docker, rival.plan, ROOT, self.base, self.buildkit)
            self.built[key] = image.id
        return self.built[key]

    def size(self, image: str) -> int:
        return int(self.docker.call("image", "inspect", "--format", "{{.Size}}", image).stdout)

    def measure(self, goal: Goal, rounds: int, seconds: float) -> tuple[list[str], Section]:
        """Round after round of all rivals, each on a fresh server; then its table, as Markdown and for the page."""
        found: dict[str, list[Figures]] = {}
        with Stage(self.docker, plan_of(LARGE), "", self.load.id) as stage:
            for number in range(rounds):
                for rival in goal.rivals:
                    say(f"{goal.title}, round {number + 1} of {rounds}: {rival.name}")
                    figures = once(stage, goal, rival, self.image(rival), seconds)
                    say(
                        "  " + ", ".join(f"{name} {value:,.1f}" for name, value in figures.items() if value is not None)
                    )
                    found.setdefault(rival.name, []).append(figures)
        compared = list(tables.compared(found))
        return [*tables.table(goal.title, found), *compared], page.section(goal.title, found, compared)

    def about(self, rivals: list[Rival], rounds: int, seconds: float) -> str:
        with Stage(self.docker, plan_of(LARGE), "", self.load.id) as stage:
            machine = stage.inside("machine")
        image = self.image(others.granian(1))
        flask = statistics.median(others.flask_alone(self.docker, image) for _ in range(rounds))
        base = self.size(self.base)
        sizes = {r.plan.server.name: (self.size(self.image(r)) - base) / 1e6 for r in rivals}
        return (
            f"Measured {datetime.now(UTC):%Y-%m-%d}, {rounds} interleaved rounds of {seconds:g} s or more: the median "
            f"(minimum to maximum). {machine['cpus']} CPU shared by server, client and upstream, "
            f"{machine['memory_bytes'] // 2**30} GiB, kernel {machine['kernel']}, Python {machine['python']}, "
            f"{', '.join(plan_of(LARGE).server.packages)}; {machine['wrk']}. "
            f"Flask alone takes {flask:.0f} us of CPU for `/`. The images add to their base: "
            + ", ".join(f"{name} {size:.0f} MB" for name, size in sizes.items())
        )


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--group", choices=tuple(GROUPS), action="append", help="which tables (default: all)")
    parser.add_argument("--only", default="", metavar="REGEX", help="tables whose title it matches")
    parser.add_argument("--rivals", default="", metavar="REGEX", help="rivals whose name it matches")
    parser.add_argument("--docs", action="store_true", help="put the group's tables into docs/measurements.md too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of the short pieces of work; others take longer")
    options = parser.parse_args()
    bench, about, sections = Bench(), list[str](), list[Section]()
    for group in options.group or GROUPS:
        found = [goal for goal in GROUPS[group]() if re.search(options.only, goal.title)]
        goals = [replace(goal, rivals=[r for r in goal.rivals if re.search(options.rivals, r.name)]) for goal in found]
        ours = {rival.plan.server.name: rival for goal in goals for rival in goal.rivals if not rival.command}
        lines = [bench.about(list(ours.values()), options.rounds, options.seconds) + "."]
        about.append(lines[0])
        print(lines[0], flush=True)
        for goal in goals:
            new, section = bench.measure(goal, options.rounds, options.seconds)
            lines += new
            sections.append(section)
            print("\n".join(new), flush=True)
            page.write(about, sections)  # what is known so far: it takes an hour and a half
        if options.docs:
            tables.into_docs(group, lines)


if __name__ == "__main__":
    main()
