"""What the experiment says: the settings to write, the capacity of a pod, the JSON report, the tables on stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import printable
from ..plan.plan import Plan
from ..plan.replicas import MINIMUM_REPLICAS, pods_needed
from ..profile.formats import memory_text
from ..proof.log import KEPT
from ..proof.request import Request
from ..runtime.sizing import MIB
from .candidates import Candidate, Field
from .facts import Facts, startup_seconds, worker_memory
from .search import Standing, Verdict
from .trial import Trial
from .tune import Findings, candidate_of
from .write import Setting

SCHEMA_VERSION = 1


def settings(own: Plan, chosen: Candidate | None, verdict: Verdict, facts: Facts | None) -> list[Setting]:
    """What --write puts into the profile, each with its figure; without a choice only what was measured of the app."""
    made = []
    if chosen is not None and verdict.chosen is not None:
        figure = f"{verdict.chosen.median:.0f} requests/s with {chosen.entry.name}"
        if chosen.plan.server.name != own.server.name:
            made.append(Setting("server", chosen.plan.server.name, figure))
        made.append(Setting("workers", chosen.workers, figure))
        made.append(Setting("threads", chosen.threads, figure if chosen.threads else ""))
    if facts is None:
        return made
    if (memory := worker_memory(facts)) is not None and facts.worker_bytes is not None:
        why = f"{facts.worker_bytes / MIB:.0f} MiB measured after load, and a tenth"
        made.append(Setting("resources.worker_memory", memory_text(memory), why))
    shared = shared_memory(own, chosen.plan if chosen else own, facts)
    if shared is not None:
        why = f"{(facts.shared_bytes or 0) / MIB:.0f} MiB measured in the master and shared by the workers"
        # Both are in the sum that sizing counts with, so the server's own may not stand in the profile once more.
        if own_bytes := (chosen.plan if chosen else own).server.master_memory_bytes:
            why += f", {own_bytes / MIB:.0f} of them the server's own, which the kit counts by itself"
        made.append(Setting("resources.shared_memory", memory_text(shared), why))
    why = f"ready after {facts.ready_seconds:.1f} s here, five times that, at least 10"
    made.append(Setting("health.startup_seconds", startup_seconds(facts), why))
    return made


def shared_memory(own: Plan, chosen: Plan, facts: Facts) -> int | None:
    """What preloading shares beyond the server's own master, where that is more than the profile says."""
    if facts.shared_bytes is None or not chosen.preload_app:
        return None
    beyond = math.ceil((facts.shared_bytes - chosen.server.master_memory_bytes) / MIB) * MIB
    return beyond if beyond > (own.profile.resources.shared_memory or 0) else None


def capacity(plan: Plan, rate: float, totals: Sequence[float] = ()) -> list[dict[str, Any]]:
    """Pods for totals of requests a second, at the load that the autoscaler lets an average pod carry."""
    share = plan.profile.kubernetes.target_cpu_percent / 100
    rows = []
    for total in totals or _round_totals(rate):
        pods = max(MINIMUM_REPLICAS, pods_needed(plan.profile), math.ceil(total / (rate * share)))
        rows.append({"requests": total, "pods": pods, "connections": pods * plan.profile.connections})
    return rows


def _round_totals(rate: float) -> list[float]:
    """Five round numbers from the capacity of a pod upwards."""
    size = 10 ** math.floor(math.log10(rate))
    steps = [size * factor * 10**power for power in range(4) for factor in (1, 2, 5)]
    return [step for step in steps if step >= rate][:5]


def make_report(own: Plan, field: Field, request: Request, found: Findings, about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was measured; figures hold for this machine at that time."""
    chosen = candidate_of(field.candidates, found.verdict)
    rate = found.verdict.chosen.median if found.verdict.chosen else 0.0
    plan = chosen.plan if chosen else own
    return {
        "schema": SCHEMA_VERSION,
        "profile": own.name,
        **about,
        "machine": found.machine,
        "request": asdict(request),
        "limits": {"cpus": own.profile.resources.cpu / 1000, "memory_bytes": own.profile.resources.memory},
        "connections": own.profile.connections,
        "alone_ms": found.alone_ms,
        "p99_limit_ms": found.limit_ms,
        "chosen": found.verdict.chosen and found.verdict.chosen.entry.name,
        "undecided": too_strict(found) or found.verdict.undecided,
        "equals": [one.entry.name for one in found.verdict.equals],
        "candidates": [_row(one, found) for one in found.verdict.standings],
        "left_out": dict(field.left_out),
        "trials": [{"candidate": name, **asdict(trial)} for name, trial in found.trials],
        "facts": asdict(found.facts) if found.facts else None,
        "blocking": asdict(found.blocking) if found.blocking else None,
        "not_measured": found.not_measured,
        "before_start": found.before_start,
        "capacity": {"requests": rate, "connections": own.profile.connections, "pods": capacity(plan, rate)}
        if rate
        else None,
        "settings": [asdict(setting) for setting in settings(own, chosen, found.verdict, found.facts)],
    }


def too_strict(found: Findings) -> str:
    """Where no rate of anybody was within the limit, although nobody failed: what was measured, and a limit to give.

    Twice the median of the 99th percentiles at the lowest rate, since they differ from measure to measure: from 12 to
    160 ms, of an app that takes 0.2 ms alone, on 1 CPU that the load client shares.
    """
    lowest = [trial.steps[0] for _, trial in found.trials if trial.steps]
    slow = [step for step in lowest if step["p99_ms"] and step["p99_ms"] > found.limit_ms and not step["failed"]]
    if any(trial.rate for _, trial in found.trials) or not slow or len(slow) < len(lowest):
        return ""
    rate = min(step["rate"] for step in slow)
    p99 = median(step["p99_ms"] for step in slow if step["rate"] == rate)
    return (
        f"no candidate keeps the limit of {found.limit_ms:.1f} ms at any rate: at the lowest, {rate:,.0f} requests/s, "
        f"99 % of the requests took {p99:.1f} ms; give --p99 {round_up(2 * p99)}"
    )


def round_up(milliseconds: float) -> int:
    """To one digit and noughts."""
    size: int = 10 ** max(0, math.floor(math.log10(milliseconds)))
    return math.ceil(milliseconds / size) * size


def _row(one: Standing, found: Findings) -> dict[str, Any]:
    trials = [trial for name, trial in found.trials if name == one.entry.name]
    faults = [trial.fault for trial in trials if trial.fault]
    return {
        "name": one.entry.name,
        "own": one.entry.own,
        "eligible": one.entry.eligible,
        "median": one.median,
        "spread": round(one.spread, 3),
        "figures": list(one.figures),
        "p99_ms": _p99(trials),
        "client_late": any(trial.client_late for trial in trials),
        "all_passed": bool(trials) and trials[-1].all_passed,
        "fault": faults[-1] if faults else "",
        "errors": trials[-1].errors if trials else "",
    }


def _p99(trials: Sequence[Trial]) -> float | None:
    """At the highest rate that passed, in the last run that had one."""
    for trial in reversed(trials):
        passed = [step for step in trial.steps if step["passed"]]
        if passed:
            return float(passed[-1]["p99_ms"])
    return None


def write_report(report: Mapping[str, Any], root: Path) -> Path:
    """build/proof/tune-<profile>.json below the output root."""
    folder = root / "build" / "proof"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tune-{report['profile']}.json"
    path.write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")
    return path


def print_report(report: Mapping[str, Any]) -> None:
    """On stdout; plain where that is no terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False, markup=False, emoji=False)
    title = f"{report['profile']}: requests/s with 99 % within {report['p99_limit_ms']:.1f} ms and no failure, "
    title += f"{report['connections']} connections (one request alone: {report['alone_ms']:.1f} ms)"
    table = Table(title=title, title_justify="left")
    for column in ("candidate", "requests/s", "from", "to", "measures", "p99 ms", "note"):
        table.add_column(column, overflow="fold", justify="left" if column in ("candidate", "note") else "right")
    for row in report["candidates"]:
        figures = settled(row)
        if not figures:
            table.add_row(row["name"], "", "", "", "0", "", "no time was left for it")
            continue
        cells = (row["median"], min(figures), max(figures))
        p99 = "" if row["p99_ms"] is None else f"{row['p99_ms']:.1f}"
        style = "bold green" if row["name"] == report["chosen"] else ""
        table.add_row(row["name"], *(f"{v:.0f}" for v in cells), str(len(figures)), p99, note(row, report), style=style)
    console.print(table)
    for line in [*sentences(report), *capacity_lines(report)]:
        console.print(printable(line), soft_wrap=True)


def settled(row: Mapping[str, Any]) -> list[float]:
    """The measures that count: all but the first, which the rates were sought by; it alone where there is no other."""
    return list(row["figures"][1:] or row["figures"])


def note(row: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """What is to be said of a candidate beside its figures."""
    notes = ["chosen"] if row["name"] == report["chosen"] else []
    notes += ["the profile's own"] if row["own"] else []
    notes += ["for comparison"] if not row["eligible"] else []
    equal = row["name"] in report["equals"] and len(report["equals"]) > 1 and row["name"] != report["chosen"]
    notes += ["equal within the spread"] if equal else []
    notes += ["the load client was the limit: it may do more"] if row["client_late"] and row["median"] else []
    notes += ["every rate passed: it may do more"] if row["all_passed"] else []
    notes += [printable(_short(row["fault"]))] if row["fault"] else []
    notes += [row["errors"][:200]] if row["errors"] else []
    return "; ".join(notes)


def _short(fault: str) -> str:
    """The first line, and the last one: of what a server prints before it ends."""
    first, _, more = fault.partition("\n")
    return first[:100] + (f" … {more.rpartition(chr(10))[2][:150]}" if more else "")


def log_text(logs: Mapping[str, str]) -> str:
    """One after the other; as much of each as there is room for."""
    return "\n\n".join(f"=== {name}\n{log[-2 * KEPT // len(logs) :]}" for name, log in logs.items())


def sentences(report: Mapping[str, Any]) -> list[str]:
    """What follows from the table, a line each, but for the capacity, a table of its own."""
    lines = [f"left out: {name}: {why}" for name, why in report["left_out"].items()]
    lines += [f"app.before_start: {report['before_start']}"] if report["before_start"] else []
    if report["chosen"]:
        lines.append(f"chosen: {report['chosen']}{_against_own(report)}")
    else:
        lines.append(f"nothing chosen: {report['undecided']}")
    lines += _facts(report["facts"]) if report["facts"] else []
    lines += [f"not measured: {what}: {why}" for what, why in report["not_measured"].items()]
    if report["blocking"]:
        lines.append(_blocking(report["blocking"]))
    return lines


def capacity_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """What one pod takes, and the pods for larger rates; nothing where it is not known."""
    if found := report["capacity"]:
        yield f"one pod: {found['requests']:,.0f} requests/s over {found['connections']:,} connections; pods for"
        for row in found["pods"]:
            yield f"  {row['requests']:,.0f} requests/s: {row['pods']} ({row['connections']:,} connections)"


def _against_own(report: Mapping[str, Any]) -> str:
    own = next((row for row in report["candidates"] if row["own"]), None)
    if own is None or own["name"] == report["chosen"]:
        return ", as the profile has it"
    if own["name"] in report["equals"]:
        return "; the profile's own is equal within the spread"
    if not own["median"]:
        return "; the profile's own does not keep the limit at any rate"
    best = next(row for row in report["candidates"] if row["name"] == report["chosen"])
    return f": {best['median'] / own['median']:.1f} times the profile's own"


def _facts(facts: Mapping[str, Any]) -> list[str]:
    shown = {
        "memory of a worker": [
            ("worker_cold_bytes", "{:.0f} MiB cold", MIB),
            ("worker_bytes", "{:.0f} MiB after load", MIB),
            ("shared_bytes", "{:.0f} MiB shared by all, once", MIB),
            ("connection_bytes", "{:.1f} KiB a connection", 1024),
        ],
        "time": [
            ("import_seconds", "{:.2f} s to import", 1),
            ("ready_seconds", "{:.2f} s until ready", 1),
            ("alone_ms", "{:.1f} ms a request alone", 1),
            ("cpu_ms", "{:.2f} ms of it CPU", 1),
        ],
    }
    lines = []
    for name, parts in shown.items():
        known = [text.format(facts[key] / unit) for key, text, unit in parts if facts[key] is not None]
        lines += [f"{name}: {', '.join(known)}"] if known else []
    return lines


def _blocking(found: Mapping[str, Any]) -> str:
    if not found["blocks"]:
        return "event loop: requests of one gevent worker do not wait for each other's waiting"
    cpu = f" of which {found['cpu_ms']:.1f} ms are CPU" if found["cpu_ms"] is not None else ""
    seen = (
        f"One gevent worker serves {found['beside_rps']:.0f} requests/s over several connections, each taking "
        f"{found['alone_ms']:.1f} ms alone{cpu}"
    )
    if found["blocked_in"]:
        return (
            f"event loop: the app BLOCKS it: {found['blocked_in']}. {seen}: that line waits without gevent's "
            "knowledge, in a C driver perhaps. Use gthread, or a driver that gevent can patch"
        )
    return (
        f"event loop: requests wait for each other. {seen}: a lock or a pool of one connection that they share, or a C "
        "driver that waits without gevent's knowledge, for which gthread is the remedy"
    )
