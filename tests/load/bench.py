"""`make bench`: the goals of the profiles side by side with what others do, as Markdown on stdout.

No test: it measures times, and they are the machine's as much as the server's. Rounds are interleaved, so that what
else the machine does hits all alike; each figure is the median, with the least and the most behind it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from generator.engine.docker import Docker
from generator.plan import Plan
from generator.proof import images, loads
from generator.proof.request import Request
from generator.proof.stage import Stage
from generator.read import read_plans
from tests.containers.kit import ROOT
from tests.load.rivals import Rival, rivals

BOOT = "Boot, and memory at rest"
IO = Request("/io?ms=50")
Figures = dict[str, float | None]
Work = Callable[[Stage, Rival, Plan, float], Figures]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ask(
    stage: Stage, rival: Rival, request: Request, connections: int, seconds: float, **more: float
) -> dict[str, Any]:
    return loads.of_client(stage.ask(*loads.client(rival.port, request, connections, seconds, **more)))


def counts(found: dict[str, Any]) -> Figures:
    times = found["latency_ms"]
    known = {"failed": found["failed"], "unanswered": found["unanswered"], "requests/s": found["rps"]}
    return {**known, "p50 ms": times["p50"], "p99 ms": times["p99"]}


def full(request: Request) -> Work:
    def work(stage: Stage, rival: Rival, plan: Plan, seconds: float) -> Figures:
        found = counts(ask(stage, rival, request, plan.profile.connections, 3 * seconds))
        pss = [sample["pss_bytes"] for sample in stage.samples() if sample["pss_bytes"]]
        return {**found, "memory MiB": max(pss, default=0) / 2**20}

    return work


def moderate(stage: Stage, rival: Rival, plan: Plan, seconds: float) -> Figures:
    number = plan.profile.connections
    ramp = number / 1000
    return counts(ask(stage, rival, IO, number, ramp + 2 * seconds, rate=number / 10, ramp=1000))


def idle(stage: Stage, rival: Rival, plan: Plan, seconds: float) -> Figures:
    rest = stage.samples(last=1)
    alone = ask(stage, rival, Request(), 200, seconds, rate=400)
    found = ask(stage, rival, Request(), 200, seconds, rate=400, idle=plan.profile.connections - 200)
    peak = max((sample["pss_bytes"] or 0 for sample in stage.samples()), default=0)
    known: Figures = {"failed": found["failed"], "idle held": found["idle"]["held"]}
    known["p99 ms alone"], known["p99 ms among"] = alone["latency_ms"]["p99"], found["latency_ms"]["p99"]
    if rest and rest[0]["pss_bytes"]:
        known["KiB an idle connection"] = (peak - rest[0]["pss_bytes"]) / plan.profile.connections / 1024
    return known


def at(count: int) -> Work:
    def work(stage: Stage, rival: Rival, plan: Plan, seconds: float) -> Figures:
        stage.put("/tmp/request.lua", Request().wrk_script())
        found = loads.of_wrk(stage.ask(*loads.wrk(rival.port, Request(), count, seconds)), count, seconds)
        times = found["latency_ms"]
        known: Figures = {"failed": found["failed"], "requests/s": found["rps"]}
        return {**known, "p50 ms": times.get("p50"), "p99 ms": times.get("p99")}

    return work


def rest(stage: Stage, rival: Rival, plan: Plan, seconds: float) -> Figures:
    """Memory after the first few requests; how long booting took is added to every figure of it."""
    ask(stage, rival, Request(), 4, 1)
    return {"memory MiB": (stage.samples(last=1) or [{}])[0].get("pss_bytes", 0) / 2**20}


def works(plan: Plan) -> dict[str, Work]:
    number = f"{plan.profile.connections:,}"
    found: dict[str, Work] = {
        BOOT: rest,
        f"{number} at once, /": full(Request()),
        f"{number} at once, /io (50 ms)": full(IO),
    }
    if plan.profile.connections > 2000:
        found |= {f"{number}, a tenth asks each second, /io": moderate, "200 active, the others idle, /": idle}
        found |= {"200 connections, /": at(200), "1,200 connections, /": at(1200)}
    return found


@contextmanager
def booted(stage: Stage, rival: Rival) -> Iterator[float | None]:
    """The rival's server, watched, and how long it took to answer; nothing of it is left afterwards."""
    options = {**rival.options, "network": f"container:{stage.beside.id}"}
    with stage.docker.run_detached(stage.image, *rival.command, timeout=60, **options) as server:
        ready = stage.inside("wait", str(rival.port), "20", "/healthz")["ready_at"]
        if ready is not None:
            stage.watch(server)
        started = datetime.fromisoformat(server.state()["StartedAt"][:26].rstrip("Z") + "+00:00").timestamp()
        yield None if ready is None else ready - started
        if stage.watcher:
            stage.watcher.remove()
            stage.watcher = None


def measure(stage: Stage, plan: Plan, rounds: int, seconds: float) -> dict[str, dict[str, list[Figures]]]:
    """Work -> rival -> figures of each round; every piece of work gets a fresh server."""
    found: dict[str, dict[str, list[Figures]]] = {}
    for number in range(rounds):
        for name, work in works(plan).items():
            for rival in rivals(plan):
                say(f"{plan.name}, round {number + 1} of {rounds}: {name}: {rival.name}")
                with booted(stage, rival) as ready:
                    figures: Figures = {"did not boot": 1}
                    if ready is not None:
                        figures = work(stage, rival, plan, seconds)
                    if ready is not None and name == BOOT:
                        figures["boot ms"] = 1000 * ready
                    found.setdefault(name, {}).setdefault(rival.name, []).append(figures)
    return found


def markdown(found: dict[str, dict[str, list[Figures]]]) -> Iterator[str]:
    for work, by_rival in found.items():
        columns = list(dict.fromkeys(name for rounds in by_rival.values() for figures in rounds for name in figures))
        yield f"\n### {work}\n"
        yield "| | " + " | ".join(columns) + " |"
        yield "|---" * (len(columns) + 1) + "|"
        for rival, rounds in by_rival.items():
            cells = [cell([figures.get(column) for figures in rounds]) for column in columns]
            yield f"| {rival} | " + " | ".join(cells) + " |"


def cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, middle, high = (f"{value:,.0f}" for value in (min(known), statistics.median(known), max(known)))
    return middle if low == high else f"{middle} ({low} to {high})"


def size(docker: Docker, tag: str) -> int:
    return int(docker.call("image", "inspect", "--format", "{{.Size}}", tag).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("profiles", nargs="*", default=["profiles/large.yaml", "profiles/small.yaml"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=5, help="of the short pieces of work; others take 3 times that"
    )
    options = parser.parse_args()
    client, buildkit = images.find_client()
    docker = Docker(client, label=images.LABEL)
    for plan in read_plans(tuple(options.profiles), ()):
        base = images.base_image(plan, None)
        load = images.build_load_image(docker, base, buildkit)
        image = images.build_profile_image(docker, plan, ROOT, base, buildkit)
        with Stage(docker, plan, image.tag, load.id) as stage:
            machine = stage.inside("machine")
            found = measure(stage, plan, options.rounds, options.seconds)
        print(f"\n## {plan.name}: {plan.words.cpu_text} CPU, {plan.words.memory_text}\n")
        print(
            f"{datetime.now(UTC):%Y-%m-%d}, {options.rounds} rounds, median (least to most). {machine['cpus']} CPU "
            f"shared by server, client and upstream, {machine['memory_bytes'] // 2**30} GiB, kernel "
            f"{machine['kernel']}, Python {machine['python']}, {', '.join(plan.server.packages)}; {machine['wrk']}. "
            f"The image is {(size(docker, image.tag) - size(docker, base)) / 1e6:.0f} MB over its base."
        )
        print("\n".join(markdown(found)), flush=True)


if __name__ == "__main__":
    main()
