"""The walk of the claims: each one runs something on the stage and hands the results to its judge."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any

from ..containers.command import Completed
from ..plan.explain import explanation
from ..plan.plan import Plan
from . import judge, loads
from .against import against
from .before_start import judge_before_start, run_before_start
from .booted import NOT_IMPORTED, boot_report, why_no_report
from .claim import FAILED, Claim, judged
from .log import last_words
from .memory import judge_memory
from .request import Request
from .signals import reload, stop
from .stage import BESIDE
from .walk import ACTIVE, FEW, LATE, Walk


def walk(on: Walk, begin: Callable[[str], None]) -> Iterator[Claim]:
    """All claims in their order; ends early where a migration fails or the server does not boot."""
    if on.plan.before_start.command:
        begin("app.before_start")
        yield (found := judge_before_start(run_before_start(on.stage, on.stage.image)))
        if found.verdict == FAILED:
            return
    begin("boots")
    yield (found := boots(on))
    if found.verdict == FAILED:
        return
    begin("plan equals reality")
    yield (found := reality(on))
    if on.is_built and "report" not in found.data:
        return  # another server's figures say nothing about the profile
    steps: list[tuple[str, Callable[[Walk], Iterator[Claim]]]] = [
        ("idle connections", idle),
        ("holds its connections", holds),
        ("throughput", sweep),
        *([("over capacity", over)] if on.pace.over else []),
        ("SIGHUP", reload),
        ("SIGTERM", stop),
    ]
    for name, step in steps:
        begin(name)
        if not on.server.running():
            yield _died(on, f"before: {name}")
            return
        on.settle()
        yield from step(on)
    if on.pace.seed and on.plan.server.name == "gevent":
        begin("the copied configuration")
        yield against(on)


def _probe_words(plan: Plan) -> tuple[str, ...]:
    """The path and the host of the profile's own probes, as far as it has them."""
    return (plan.probes.readiness_path or "-", *((plan.probes.host,) if plan.probes.host else ()))


def _died(on: Walk, when: str) -> Claim:
    """The whole container ended although nobody stopped it."""
    state, log = on.server.state(), on.server.logs()
    killed = ", killed for memory" if state["OOMKilled"] else ""
    advice = "Raise resources.memory." if killed else f"Its last words:\n{last_words(log)}"
    measured = f"ended with exit code {state['ExitCode']}{killed}"
    return judged("keeps running", "the container lives", measured, {f"not running {when}": advice}, log=log.text)


def boots(on: Walk) -> Claim:
    """Booted under the profile's limits, read-only and without capabilities, ready in time, and the app responds."""
    plan, began = on.plan, time.time()
    seconds = plan.startup_seconds
    waiting = on.stage.begin(*BESIDE, "wait", str(plan.profile.port), str(seconds), *_probe_words(plan))
    on.server = on.stage.start_server()
    while not wait([waiting], timeout=0.5).done and on.server.running():
        continue
    promised = f"ready within {seconds} s, and {on.request.method} {on.request.path} responds with 2xx"
    if not waiting.done():
        return replace(_died(on, "while it booted"), name="boots", promised=promised)
    found = json.loads(waiting.result().stdout)
    if found["ready_at"] is None:
        log = on.server.logs()
        advice = "Correct health.readiness_path, or raise health.startup_seconds."
        if boot_report(log.stdout) is None and on.is_built:
            advice = NOT_IMPORTED
        advice += f" Its last words:\n{last_words(log)}"
        return judged("boots", promised, found["message"], {"not ready": advice})
    started = on.server.started_at()
    on.at_rest = (on.first_sample() or {"descriptors": 0})["descriptors"]
    result = on.run(1, 10, requests=1)
    took = found["ready_at"] - (started if started > began - 60 else began)
    measured = f"{found['message']} after {took:.2f} s"
    return judged("boots", promised, measured, judge.alone(result), load=result, ready_seconds=took)


def reality(on: Walk) -> Claim:
    """The plan equals what the booted container reports."""
    report, needed = boot_report(on.server.logs().stdout), on.plan.numbers.descriptors.value
    why_none = "" if report else why_no_report(on.plan, on.stage.answers(on.request), on.is_built)
    return judge.judge_report(explanation(on.plan), report, needed, why_none)


def idle(on: Walk) -> Iterator[Claim]:
    """Before any heavy load: memory that an allocator keeps from it would hide what idle connections need."""
    if not on.plan.server.honours("keepalive"):
        return  # it closes after every response: there are no idle connections
    active = max(1, min(ACTIVE, on.connections // 10))
    rest = on.first_sample()
    alone = on.run(active, on.pace.idle, rate=2 * active)
    began, earlier = time.time(), on.recycled()
    among = on.run(active, on.pace.idle, rate=2 * active, idle=on.connections - active)
    seen = [sample for sample in on.stage.samples() if sample["at"] >= began]
    peak = max(seen, key=lambda sample: (sample["descriptors"], sample["at"]), default=None)
    yield judge_memory(on.plan, rest, peak, on.connections)
    yield judge.judge_active(on.plan, alone, among, len(on.recycled() - earlier))


def holds(on: Walk) -> Iterator[Claim]:
    """All connections at once, each sending the next request at each response; meanwhile the image's own probe."""
    for request in on.paths():
        on.settle()
        hold = on.pace.hold if request == on.request else on.pace.hold / 3
        before, earlier = on.last_sample(), on.recycled()
        running = on.stage.begin(*on.client(on.connections, hold, request=request, timeout=LATE, finish=LATE))
        codes, seconds = _probe(on, running)
        result = loads.of_client(running.result())
        on.held[request.path] = result
        lost = on.workers_lost(before)
        claim = judge.judge_hold(on.plan, result, lost, len(on.recycled() - earlier))
        yield claim if request == on.request else replace(claim, name=f"{claim.name} on {request.path}")
        if request == on.request and codes:
            yield judge.judge_probes(codes, seconds, on.plan.probes.failures, on.pace.judges_probes)


def _probe(on: Walk, load: Future[Completed]) -> tuple[list[int], list[float]]:
    """The image's HEALTHCHECK command again and again, until the load is over."""
    image = on.stage.docker.call("image", "inspect", "--format", "{{json .Config.Healthcheck}}", on.stage.image)
    kind, *command = (json.loads(image.stdout) or {}).get("Test") or ["NONE"]
    words = ["/bin/sh", "-c", *command] if kind == "CMD-SHELL" else command
    codes: list[int] = []
    seconds: list[float] = []
    period = on.pace.probe or on.plan.probes.period_seconds
    took = 0.0
    while not wait([load], timeout=max(1, period - took)).done:
        if words:
            began = time.monotonic()
            code = on.server.exec(*words, check=False).returncode
            if not load.done():  # one that ran into the end of the load says nothing
                codes.append(code)
                seconds.append(took := round(time.monotonic() - began, 2))
    return codes, seconds


def sweep(on: Walk) -> Iterator[Claim]:
    """Throughput at several numbers of connections; failures are judged, times only noted."""
    for request in on.paths():
        on.stage.put("/tmp/request.lua", request.wrk_script())
        on.stage.put("/tmp/body", request.body)
        runs = [_at(on, request, count) for count in on.pace.counts if count < on.connections]
        if on.pace.every_path:
            runs.append(_at(on, request, on.connections))
        else:
            runs.append({"connections": on.connections, **_without(on.held[request.path], "connections")})
        yield judge.judge_sweep(request.path, runs)


def _at(on: Walk, request: Request, count: int) -> dict[str, Any]:
    port, seconds = on.plan.profile.port, on.pace.sweep
    on.settle()
    if not on.plan.server.honours("keepalive"):  # wrk and h2load count its closing as errors
        result = loads.of_client(on.stage.exec(*on.client(count, seconds, request=request)))
        return {"connections": count, **_without(result, "connections")}
    if count > max(on.pace.counts):
        return loads.of_h2load(on.stage.exec(*loads.h2load(port, request, count, 2 * seconds)), count)
    return loads.of_wrk(on.stage.exec(*loads.wrk(port, request, count, seconds)), count, seconds)


def _without(result: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != name}


def over(on: Walk) -> Iterator[Claim]:
    """More connections than declared, then recovery."""
    for factor in on.pace.over:
        before = on.last_sample()
        result = on.run(math.ceil(on.connections * factor), on.pace.over_seconds, timeout=LATE)
        on.stage.inside("wait", str(on.plan.profile.port), "30", *_probe_words(on.plan))
        after = on.run(min(FEW, on.connections), 2)
        yield judge.judge_over(on.plan, factor, result, after, on.workers_lost(before))
