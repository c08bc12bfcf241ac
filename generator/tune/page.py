"""The page of an experiment: candidates with their spread, latency over the rate, the capacity of a pod, the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..pages import charts, measures
from ..pages.parts import Chart, Page, Section, Table
from ..pages.plan import moment, plan_sections, summary
from ..plan.plan import Plan
from .report import note, sentences, settled

Report = Mapping[str, Any]
#: Candidates in a chart of lines: more are not told apart.
SHOWN = 6


def tune_page(report: Report, own: Plan) -> Page:
    """Of a report as it is written to JSON, and the plan of the profile as it was given."""
    chosen, at, cpus = report["chosen"], moment(report["began"]), report["machine"]["cpus"]
    return Page(
        f"{report['profile']}: tune",
        f"{report['profile']}: {chosen}" if chosen else f"{report['profile']}: nothing chosen",
        [
            summary(own),
            f"Measured {at} in {report['seconds']:g} s on {cpus:g} CPU, shared by server and load client. "
            "Figures hold for that machine at that time.",
        ],
        [
            _candidates(report),
            *_capacity(report),
            Section("What would be written", table=_settings(report)),
            *plan_sections(own),
        ],
        "passed" if chosen else "failed",
    )


def _candidates(report: Report) -> Section:
    limit = f"{report['p99_limit_ms']:,.1f} ms"
    found = [_ranges(report, limit), _latency(report), _rates(report)]
    return Section(
        "Candidates",
        f"Requests per second at which 99 % take at most {limit} and none fails, "
        f"over {report['connections']:,} connections.",
        charts=[chart for chart in found if chart is not None],
        lines=sentences(report),
    )


def _ranges(report: Report, limit: str) -> Chart | None:
    rows, cells = [], []
    for one in report["candidates"]:
        figures = settled(one)
        if not figures:
            cells.append((one["name"], "", "", "", "0", note(one, report)))
            continue
        low, middle, high = min(figures), one["median"], max(figures)
        role = "for comparison" if not one["eligible"] else "chosen" if one["name"] == report["chosen"] else "candidate"
        words = f"{one['name']}: {middle:,.0f} requests/s, {low:,.0f} to {high:,.0f} in {len(figures)} measures"
        rows.append(
            {
                "name": one["name"],
                "series": f"{role}, the profile's own" if one["own"] else role,
                "low": low,
                "middle": middle,
                "high": high,
                "label": f"{middle:,.0f}",
                "text": words,
            }
        )
        cells.append(
            (one["name"], f"{middle:,.0f}", f"{low:,.0f}", f"{high:,.0f}", str(len(figures)), note(one, report))
        )
    if not rows:
        return None
    return Chart(
        "Throughput of each candidate",
        f"The median with its spread, at a p99 of at most {limit}.",
        lambda frame: charts.ranges(frame, rows, "requests/s"),
        Table(("candidate", "requests/s", "from", "to", "measures", "note"), cells, numeric=(1, 2, 3, 4)),
        full=True,
    )


def _last_trials(report: Report) -> dict[str, list[Mapping[str, Any]]]:
    """The steps of each candidate's last trial that had some; of those that did best."""
    steps = {one["candidate"]: one["steps"] for one in report["trials"] if one["steps"]}
    best = sorted(report["candidates"], key=lambda one: -one["median"])[:SHOWN]
    return {one["name"]: steps[one["name"]] for one in best if one["name"] in steps}


def _latency(report: Report) -> Chart | None:
    rows = [
        {
            "series": name,
            "x": step["rate"],
            "y": step["p99_ms"],
            "text": f"{name}: p99 {step['p99_ms']:,.1f} ms at {step['rate']:,.0f} requests/s"
            + ("" if step["passed"] else f"; not passed, {step['failed']} failed"),
            "joined": True,
        }
        for name, steps in _last_trials(report).items()
        for step in steps
        if step["p99_ms"]
    ]
    if not rows:
        return None
    cells = [(row["series"], f"{row['x']:,.0f}", f"{row['y']:,.1f}") for row in rows]
    limit = report["p99_limit_ms"]
    y = charts.log("p99, milliseconds (log)", [row["y"] for row in rows])
    return Chart(
        "p99 over the rate",
        "The last measure of each of the best candidates: where a line crosses the limit its throughput ends.",
        lambda frame: charts.lines(frame, rows, {"title": "requests/s"}, y, {f"limit {limit:,.0f} ms": limit}),
        Table(("candidate", "requests/s", "p99 ms"), cells, numeric=(1, 2)),
    )


def _rates(report: Report) -> Chart | None:
    series = {
        one["name"]: list(enumerate(one["figures"], 1))
        for one in report["candidates"][:SHOWN]
        if len(one["figures"]) > 1
    }
    note = "In the order in which they were taken: what drifts is the machine, not the candidate."
    return measures.courses("Every measure", note, "measure", "requests/s", series, "measure")


def _capacity(report: Report) -> list[Section]:
    found = report["capacity"]
    if not found:
        return []
    rows = [(f"{one['requests']:,.0f}", str(one["pods"]), f"{one['connections']:,}") for one in found["pods"]]
    note = f"One pod: {found['requests']:,.0f} requests/s over {found['connections']:,} connections."
    return [Section("Capacity", note, Table(("requests/s", "pods", "connections"), rows, numeric=(1, 2)))]


def _settings(report: Report) -> Table:
    rows = [
        (one["path"], "unset" if one["value"] is None else str(one["value"]), one["why"]) for one in report["settings"]
    ]
    return Table(("setting", "value", "why"), rows)
