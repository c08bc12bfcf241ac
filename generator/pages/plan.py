"""What a page shows of a plan: its picture, the timeouts and the memory to scale, what the server makes of settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ..plan.explain import command_line, every_number, explanation
from ..plan.plan import Plan
from ..plan.times import EXIT_SECONDS
from ..runtime.sizing import MIB, USABLE_MEMORY_PERCENT
from . import charts
from .parts import Chart, Page, Section, Table
from .picture import picture


def report_page(plan: Plan) -> Page:
    """The plan without a measurement."""
    return Page(
        f"{plan.name}: plan",
        f"{plan.name}: the plan",
        [summary(plan), "Nothing was measured for this page: prove does, and shows it beside these numbers."],
        plan_sections(plan),
    )


def summary(plan: Plan) -> str:
    """The promise in one sentence."""
    limits = f"{plan.texts.cpu_text} CPU and {plan.texts.memory_text}"
    return f"{plan.profile.connections:,} connections on {limits}, served by {plan.server.name}."


def moment(began: str) -> str:
    """A report's time, ISO 8601 in UTC, as a reader has it: to the minute."""
    return datetime.fromisoformat(began).strftime("%Y-%m-%d %H:%M UTC")


def plan_sections(plan: Plan) -> list[Section]:
    """The sections that every page about a profile has."""
    return [
        Section(
            "The plan",
            lines=explanation(plan)["warnings"],
            charts=[picture(plan), timeouts(plan), memory(plan)],
            folded={"Every number and setting": _numbers(plan)},
        ),
        _server(plan),
    ]


def _numbers(plan: Plan) -> Table:
    found = explanation(plan)
    numbers = every_number(found)
    rows = [(name, str(one["value"]), one["decided_by"], one["reason"]) for name, one in numbers.items()]
    settings = {name: value for name, value in found["settings"].items() if value is not None and name not in numbers}
    rows += [(name, str(value), "", "") for name, value in settings.items()]
    return Table(("number", "value", "decided by", "formula"), rows, numeric=(1,))


def timeouts(plan: Plan) -> Chart:
    """Every time limit of a request, of a stop and of the probes, on one scale."""
    rows = list(_spans(plan))
    off = [name for name in ("timeout", "keepalive") if not plan.explained.get(name) and plan.server.honours(name)]
    note = "All on one scale, each counted from the beginning of what it limits."
    note += f" Off: {', '.join(off)}." if off else ""
    cells = [(row["name"], row["series"], f"{row['start']:g}", f"{row['end']:g}", row["why"]) for row in rows]
    return Chart(
        "Timeouts",
        note,
        lambda frame: charts.spans(frame, rows, "seconds"),
        Table(("limit", "of", "from s", "to s", "meaning"), cells, numeric=(2, 3)),
        full=True,
    )


def _spans(plan: Plan) -> Iterator[dict[str, Any]]:
    profile, server = plan.profile, plan.server
    request, stop, probes = "a request", "stopping a pod", "probes"
    if plan.header_timeout:
        yield _span("header_timeout", request, 0, plan.header_timeout, "a request's headers must have arrived")
    if profile.timeout and server.honours("timeout"):
        yield _span("timeout", request, 0, profile.timeout, plan.texts.timeout_note)
    keepalive = plan.explained.get("keepalive")
    if keepalive and server.honours("keepalive"):
        yield _span("keepalive", request, 0, keepalive, "an idle connection stays open for the next request")
    if not server.production:
        return
    waits = {"request_timeout": plan.times.request_timeout, "route_seconds": plan.times.route_seconds}
    if profile.kubernetes.proxy:
        waits["proxy_read_timeout"] = plan.proxy.read_timeout
    for name, number in waits.items():
        if number is not None:
            yield _span(name, request, 0, number.value, number.reason)
    before, grace = profile.kubernetes.pre_stop_seconds, plan.times.graceful_timeout.value
    if before:
        yield _span("preStop", stop, 0, before, "the pod leaves its Service before the server stops accepting")
    yield _span("graceful_timeout", stop, before, before + grace, "requests in progress are completed")
    yield _span("exit", stop, before + grace, before + grace + EXIT_SECONDS, "the processes end")
    whole = plan.stop_seconds
    yield _span("terminationGracePeriodSeconds", stop, 0, whole.value, f"{whole.reason}; then SIGKILL")
    start = f"starting may take so long, asked every {plan.probes.startup_period_seconds} s"
    yield _span("startupProbe", probes, 0, plan.startup_seconds, start)
    unready, restart = plan.probes.unready_after_seconds, plan.probes.restart_after_seconds
    yield _span("readinessProbe", probes, 0, unready.value, f"a hung server is out of the Service: {unready.reason}")
    yield _span("livenessProbe", probes, 0, restart.value, f"a frozen server is restarted: {restart.reason}")


def _span(name: str, group: str, start: float, end: float, why: str) -> dict[str, Any]:
    label = f"{end - start:g} s"
    when = f"from {start:g} to {end:g} s, " if start else ""
    return {
        "name": name,
        "series": group,
        "start": start,
        "end": end,
        "label": label,
        "why": why,
        "text": f"{name} ({group}): {when}{label}. {why}",
    }


def memory(plan: Plan) -> Chart:
    """What sizing counts with, to the scale of the limit."""
    demand, workers = plan.numbers.demand, plan.numbers.workers.value
    limit = plan.profile.resources.memory
    parts = [
        ("master", demand.master_memory_bytes, "the first process, and what preloading shares"),
        (
            f"{workers} workers" if workers > 1 else "1 worker",
            workers * demand.worker_memory_bytes,
            f"{demand.worker_memory_bytes / MIB:g} MiB each",
        ),
        (
            f"{demand.connections:,} connections",
            demand.connections * demand.connection_memory_bytes,
            f"{demand.connection_memory_bytes / 1024:g} KiB each",
        ),
    ]
    rows, start = [], 0.0
    for name, size, why in parts:
        rows.append(_part(name, "counted", start, start + size / MIB, why))
        start += size / MIB
    usable = limit * USABLE_MEMORY_PERCENT / 100 / MIB
    rows.append(_part("usable by them", "limit", 0, usable, f"{USABLE_MEMORY_PERCENT} % of the limit"))
    rest = "the rest is for the page cache, /tmp and the kernel's buffers"
    rows.append(_part("resources.memory", "limit", 0, limit / MIB, rest))
    cells = [(row["name"], f"{row['start']:.1f}", f"{row['end']:.1f}", row["why"]) for row in rows]
    return Chart(
        "Memory of one container, as sized",
        "What the formula counts, one part behind the other, on the scale of the limit.",
        lambda frame: charts.spans(frame, rows, "MiB"),
        Table(("part", "from MiB", "to MiB", "of it"), cells, numeric=(1, 2)),
        full=True,
    )


def _part(name: str, group: str, start: float, end: float, why: str) -> dict[str, Any]:
    label = f"{end - start:.1f} MiB" if end - start < 100 else f"{end - start:.0f} MiB"
    text = f"{name}: {label}. {why}"
    return {"name": name, "series": group, "start": start, "end": end, "label": label, "why": why, "text": text}


def _server(plan: Plan) -> Section:
    """The chosen server's row of the capability table."""
    server = plan.server
    given = {**plan.explained, **plan.settings, **{name: one.value for name, one in plan.numbers.by_name().items()}}
    rows = []
    for name, cell in sorted(server.settings.items(), key=lambda item: given.get(item[0]) is None):
        value = given.get(name)
        limit = f"at most {cell.at_most}" if cell.at_most is not None else ""
        why = "; ".join(part for part in (cell.why, limit) if part)
        rows.append((name, "" if value is None else str(value), why, cell.verdict))
    verdicts = ["passed" if row[-1] == "honoured" else "failed" if row[-1] == "harmful" else "" for row in rows]
    lines = [
        f"Worker class: {server.worker_class}: {plan.texts.worker_class_why}" if server.worker_class else "",
        f"On stop it {server.graceful_stop}.",
        f"timeout: {plan.texts.timeout_note}",
        plan.texts.proxy_note,
        f"Versions: {', '.join(server.packages)}",
        f"Without the kit: {command_line(plan)}",
    ]
    return Section(
        f"What {server.name} makes of each setting",
        server.summary,
        Table(("setting", "here", "why", "verdict"), rows, verdicts),
        lines=[line for line in lines if line],
    )
