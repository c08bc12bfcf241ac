"""The charts of a proof, each from the report; None where the report has nothing for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..pages import charts, measures
from ..pages.parts import Chart, Table
from ..plan.plan import Plan
from ..runtime.sizing import MIB, USABLE_MEMORY_PERCENT, memory_needed
from .against import NAME

COPIED = "the copied configuration"
Report = Mapping[str, Any]


def _loads(report: Report) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every load of the kit's own client that has a histogram, by the name of its claim, the heavy ones first."""
    found: dict[str, Mapping[str, Any]] = {}
    for claim in report["claims"]:
        for key in ("load", "among", "theirs"):
            load = claim["data"].get(key)
            if load and load.get("histogram_ms"):
                found[COPIED if key == "theirs" else claim["name"]] = load
    yield from sorted(found.items(), key=lambda item: not _is_heavy(item[0]))


def _is_heavy(name: str) -> bool:
    """Whether all connections were busy."""
    return name.startswith(("holds", "over")) or name == COPIED


def busy_latency(report: Report, _: Plan) -> Chart | None:
    """Percentiles while all connections were busy."""
    heavy = {name: load["histogram_ms"] for name, load in _loads(report) if _is_heavy(name)}
    return measures.latency("Latency while all connections are busy", heavy)


def other_latency(report: Report, _: Plan) -> Chart | None:
    """Percentiles of the other loads with more than one response."""
    loads = {name: load["histogram_ms"] for name, load in _loads(report) if not _is_heavy(name)}
    several = {name: rows for name, rows in loads.items() if sum(row[1] for row in rows) > 1}
    return measures.latency("Latency of fewer connections", several)


def _heavy(report: Report) -> dict[str, list[list[float]]]:
    return {name: load["timeline"] for name, load in _loads(report) if _is_heavy(name) and load["timeline"]}


def connections(report: Report, _: Plan) -> Chart | None:
    """Connections open in each second of the heavy loads."""
    series = {name: [(row[0], row[1]) for row in rows] for name, rows in _heavy(report).items()}
    note = f"Open at once, while all were busy; the profile declares {report['connections']:,}."
    return measures.courses("Connections held", note, "seconds", "connections", series, "s")


def responses(report: Report, _: Plan) -> Chart | None:
    """Responses and failed requests of each second, and connections that never got one."""
    series: dict[str, list[tuple[float, float]]] = {}
    for name, rows in _heavy(report).items():
        series[name] = [(row[0], row[2]) for row in rows]
        if any(row[3] for row in rows):
            series[f"failed requests: {name}"] = [(row[0], row[3]) for row in rows]
    starved = [
        f"{load['no_response']:,} ({name})" for name, load in _loads(report) if _is_heavy(name) and load["no_response"]
    ]
    note = f"Responses in each second. Connections that never got a response: {', '.join(starved) or 'none'}."
    return measures.courses("Responses", note, "seconds", "a second", series, "s")


def memory(report: Report, plan: Plan) -> Chart | None:
    """Samples by their connections (within 1 % and 1 MiB they are alike), beside what sizing counts for as many."""
    rows = []
    peak = max((row[1] for row in report["samples"]), default=0)
    for name, column in (("cgroup without page cache", 2), ("PSS of all processes", 3)):
        alike = {
            (round(100 * row[1] / max(1, peak)), round(row[column] / MIB)): row
            for row in reversed(report["samples"])
            if row[column] is not None
        }
        for row in alike.values():
            words = f"{row[1]:,} connections, {row[column] / MIB:.1f} MiB, after {row[0]:g} s"
            rows.append(_point(name, row[1], row[column] / MIB, words))
    if not rows:
        return None
    demand, workers = plan.numbers.demand, plan.numbers.workers.value
    for count in sorted({0, plan.profile.connections, max(peak, plan.profile.connections)}):
        needed = memory_needed(replace(demand, connections=count), workers)
        counted = needed * USABLE_MEMORY_PERCENT / 100 / MIB
        words = f"{count:,} connections, {counted:.1f} MiB counted"
        rows.append({**_point("the formula", count, counted, words), "joined": True})
    limit = report["limits"]["memory_bytes"] / MIB
    levels = {f"limit {limit:.0f} MiB": limit, f"{USABLE_MEMORY_PERCENT} % of it": limit * USABLE_MEMORY_PERCENT / 100}
    cells = [(row["series"], f"{row['x']:,}", f"{row['y']:.1f}") for row in rows]
    y = {"title": "MiB", "scale": {"domainMin": 0}}
    return Chart(
        "Memory over connections",
        "Each point is a sample, those that are alike one point; the line is what sizing counts with.",
        lambda frame: charts.lines(frame, rows, {"title": "connections open"}, y, levels),
        Table(("of", "connections", "MiB"), cells, numeric=(1, 2)),
    )


def _point(name: str, count: float, size: float, words: str) -> dict[str, Any]:
    return {"series": name, "x": count, "y": round(size, 2), "text": f"{name}: {words}", "joined": False}


def throughput(report: Report, _: Plan) -> Chart | None:
    """Requests a second at several numbers of connections."""
    series: dict[str, list[tuple[float, float]]] = {}
    for claim in report["claims"]:
        if "runs" in claim["data"]:
            name = claim["name"].removeprefix("throughput on ")
            series[name] = [(run["connections"], run["rps"]) for run in claim["data"]["runs"]]
        if "theirs" in claim["data"]:
            theirs = claim["data"]["theirs"]
            series[COPIED] = [(theirs["connections"]["requested"], theirs["rps"])]
    note = "At several numbers of connections, each sending its next request at once."
    return measures.courses("Throughput", note, "connections", "requests/s", series, "connections")


def against_copied(report: Report, _: Plan) -> Chart | None:
    """The same load on the profile's configuration and on the one that people copy."""
    data = next((claim["data"] for claim in report["claims"] if claim["name"] == NAME), None)
    if not data:
        return None
    loads = {"this profile": data["ours"], COPIED: data["theirs"]}

    def of(value: Any) -> dict[str, float]:
        # A latency is None where no request got a response.
        return {name: found for name, load in loads.items() if (found := value(load)) is not None}

    table = {
        "connections that got a response": of(lambda load: load["connections"]["requested"] - load["no_response"]),
        "connections that never got one": of(lambda load: load["no_response"]),
        "requests a second": of(lambda load: load["rps"]),
        "failed requests": of(lambda load: load["failed"]),
        "p50, ms": of(lambda load: load["latency_ms"]["p50"]),
        "p99, ms": of(lambda load: load["latency_ms"]["p99"]),
    }
    note = "The same load, image, CPU and memory. Times are of the requests that got a response."
    return measures.side_by_side("Beside the copied configuration", note, table)
