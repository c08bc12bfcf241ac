"""The experiment: images, candidates, search, and the facts behind the profile's figures, in a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..containers.command import EngineError
from ..containers.docker import Docker
from ..errors import KitError
from ..plan.plan import Plan
from ..proof import images
from ..proof.before_start import run_before_start
from ..proof.booted import boot_report, why_no_report
from ..proof.claim import FAILED, QUICK
from ..proof.env_file import Given, hide
from ..proof.log import last_traceback
from ..proof.needs import judge_needs
from ..proof.request import Request
from ..proof.stage import Stage
from .candidates import COPIED, Candidate, Field
from .facts import Blocking, Facts, blocking, measure
from .search import Entry, Verdict, search
from .trial import MAX_LIMIT, Bench, Trial

#: Part of the time that is kept for the facts; at least and at most so many seconds.
FACTS_SHARE, FACTS_MIN_SECONDS, FACTS_MAX_SECONDS = 0.15, 12, 45
#: The limit of the 99th percentile: so many times the median of a request on its own.
TIMES_ALONE = 10
#: The load container ends by itself after an hour.
MAX_MINUTES = 45
T = TypeVar("T")


@dataclass
class Findings:
    """What is known so far."""

    machine: dict[str, Any] = field(default_factory=dict)
    #: Milliseconds: of a request on its own, and what 99 % of them may take under load.
    alone_ms: float = 0.0
    limit_ms: float = 0.0
    verdict: Verdict = field(default_factory=lambda: Verdict(None, (), (), "nothing was measured"))
    trials: list[tuple[str, Trial]] = field(default_factory=list)
    facts: Facts | None = None
    blocking: Blocking | None = None
    #: Of the command, where the profile has one.
    before_start: str = ""
    #: What could not be measured beside the search, with the reason.
    not_measured: dict[str, str] = field(default_factory=dict)
    #: By candidate: of the last container that did not serve, or answered errors.
    logs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    root: Path
    request: Request
    minutes: float
    p99_ms: float | None
    base_image: str | None
    compare: bool
    #: For containers of the app.
    given: Given


def run_tune(found_field: Field, order: Order, begin: Callable[[str], None], found: Findings) -> None:
    """Measure the candidates and choose; ``found`` holds what is known so far, ``begin`` is called with each step.

    Raises KitError where this machine cannot hold the load, EngineError for an engine that fails.
    """
    own = found_field.candidates[0]
    base = images.base_image(own.plan, order.base_image)
    begin("load image")
    client, buildkit = images.find_client(bool(own.plan.install.secrets))
    docker = Docker(client, label=images.LABEL)
    load = images.build_load_image(docker, base, buildkit)
    with Stage(docker, own.plan, "", load.id, order.given) as stage:
        found.machine = stage.inside("machine")
        needs = judge_needs(own.plan, found.machine, QUICK)
        if needs.verdict == FAILED:
            raise KitError(f"this machine cannot hold the load: {needs.measured}. {needs.advice}")
        built: dict[str, str] = {}
        for plan in _one_of_each_server(found_field.candidates):
            begin(f"image for {plan.server.name}")
            name = plan.server.name
            built[name] = images.build_profile_image(docker, plan, order.root, base, buildkit, f"-{name}").id
        bench = Bench(stage, order.request, own.plan.profile.connections, built)
        if own.plan.before_start.command:
            begin("app.before_start")
            found.before_start = _prepared(stage, built[own.plan.server.name])
        end = time.monotonic() + 60 * order.minutes
        begin("a request on its own")
        set_limit(bench, own.plan, order.p99_ms, found)
        facts = min(FACTS_MAX_SECONDS, max(FACTS_MIN_SECONDS, FACTS_SHARE * 60 * order.minutes))
        found.trials, found.logs = bench.trials, bench.logs
        found.verdict = _search(bench, found_field.candidates, order.compare, end - facts, begin)
        begin("what the profile assumes")
        chosen = candidate_of(found_field.candidates, found.verdict) or own
        found.facts = or_why_not(
            found, "what the profile assumes", lambda: measure(bench, chosen.plan, facts / 3), order.given.secrets
        )
        patched = _patched(found_field.candidates)
        if patched is not None:
            begin("does it block an event loop?")
            found.blocking = or_why_not(
                found,
                "whether it blocks an event loop",
                lambda: blocking(bench, patched, facts / 3),
                order.given.secrets,
            )


def _prepared(stage: Stage, image: str) -> str:
    """What all candidates have of app.before_start. Raises KitError where it fails."""
    ran = run_before_start(stage, image)
    if ran.exit_code:
        raise KitError(f"app.before_start: exit code {ran.exit_code}; its last words:\n{ran.last_words}")
    return ran.what


def or_why_not(found: Findings, what: str, look: Callable[[], T | None], secrets: Collection[str]) -> T | None:
    """What ``look`` finds; what keeps it from that must not take along what the search has found in minutes."""
    try:
        return look()
    except EngineError as error:
        found.not_measured[what] = hide(str(error), secrets)
        return None


def candidate_of(candidates: Sequence[Candidate], verdict: Verdict) -> Candidate | None:
    """The one that was chosen, if any."""
    name = verdict.chosen.entry.name if verdict.chosen else None
    return next((one for one in candidates if one.entry.name == name), None)


def _one_of_each_server(candidates: Sequence[Candidate]) -> list[Plan]:
    by_name: dict[str, Plan] = {}
    for one in candidates:
        by_name.setdefault(one.plan.server.name, one.plan)
    return list(by_name.values())


def _patched(candidates: Sequence[Candidate]) -> Plan | None:
    """One that runs the app under gevent, the profile's own first."""
    return next((one.plan for one in candidates if one.plan.server.patched_by == "gevent"), None)


def set_limit(bench: Bench, plan: Plan, p99_ms: float | None, found: Findings) -> None:
    """By one connection alone. Raises KitError where it says nothing about the profile's server, or is too slow."""
    with bench.booted(plan) as (container, _):
        alone = bench.run(plan.profile.port, 1, 2)
        logs = container.logs()
        if boot_report(logs.stdout) is None:
            answers = bench.stage.answers(bench.request)
            raise KitError(f"the server printed no boot report. {why_no_report(plan, answers, is_built=True)}")
    if alone["failed"] or not alone["responses"]:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in alone["failures"].items() if count) or "no response"
        statuses = ", ".join(alone["statuses"])
        raised = last_traceback(logs)
        raise KitError(
            f"--path {bench.request.path}: {kinds} from one connection alone{f' ({statuses})' if statuses else ''}; "
            "choose a request that gets 2xx and whose response ends, with --path, --header or --request"
            + (f". The app's last traceback:\n{raised}" if raised else "")
        )
    found.alone_ms = bench.alone_ms = alone["latency_ms"]["p50"]
    found.limit_ms = p99_ms or TIMES_ALONE * found.alone_ms
    if found.limit_ms > 1000 * MAX_LIMIT:
        raise KitError(
            f"99 % of the requests in {found.limit_ms / 1000:.0f} s (one alone takes {found.alone_ms / 1000:.1f} s) "
            f"needs minutes for each rate; give --p99 of at most {1000 * MAX_LIMIT:.0f}"
        )
    bench.limit = found.limit_ms / 1000


def _search(
    bench: Bench, candidates: Sequence[Candidate], compare: bool, end: float, begin: Callable[[str], None]
) -> Verdict:
    plans: dict[str, Plan | None] = {one.entry.name: one.plan for one in candidates}
    entries = [one.entry for one in candidates]
    own = candidates[0].plan
    if compare and "gevent" in bench.images:
        plans[COPIED] = None
        entries.append(Entry(COPIED, (99,), eligible=False))

    def trial(name: str, seconds: float) -> float:
        begin(f"{name}, measure {sum(other == name for other, _ in bench.trials) + 1}")
        return bench.measure(name, plans[name], own, seconds).rate

    return search(entries, trial, lambda: end - time.monotonic())
