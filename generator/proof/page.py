"""The page of a proof: its claims and what was measured as charts, then the plan that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..pages.parts import Page, Section, Table
from ..pages.plan import moment, plan_sections
from ..plan.plan import Plan
from ..profile.formats import memory_text
from . import page_charts

#: What each chart is drawn from, in the order of the page.
_CHARTS = (
    page_charts.busy_latency,
    page_charts.against_copied,
    page_charts.connections,
    page_charts.responses,
    page_charts.memory,
    page_charts.throughput,
    page_charts.other_latency,
)


def proof_page(report: Mapping[str, Any], plan: Plan) -> Page:
    """Of a report as it is written to JSON, and the plan that was proved."""
    holds = "every claim holds" if report["passed"] else "a claim does not hold"
    return Page(
        f"{report['profile']}: proof",
        f"{report['profile']}: {holds}",
        list(_lead(report)),
        [_claims(report["claims"]), *_measured(report, plan), *plan_sections(plan)],
        "passed" if report["passed"] else "failed",
    )


def _lead(report: Mapping[str, Any]) -> Iterator[str]:
    limits, versions, machine = report["limits"], report["versions"], report["machine"]
    cpus = f"{limits['cpus']:g} CPU and {memory_text(limits['memory_bytes'])}"
    packages = ", ".join(versions["packages"])
    yield f"{report['connections']:,} connections on {cpus}, served by {versions['server']} ({packages})."
    quick = " (quick)" if report["quick"] else ""
    where = f"{report['engine']}, kernel {machine['kernel']}, {machine['cpus']:g} CPU"
    at = moment(report["began"])
    yield f"Measured {at} in {report['seconds']:g} s{quick}, on {where}, shared by all that took part."
    yield "Figures hold for that machine at that time. The JSON file beside this page has what every tool printed."


def _claims(claims: Sequence[Mapping[str, Any]]) -> Section:
    rows = [
        (
            claim["name"],
            claim["promised"],
            f"{claim['measured']}. {claim['advice']}" if claim["advice"] else claim["measured"],
            claim["verdict"],
        )
        for claim in claims
    ]
    columns = ("claim", "promised", "measured", "verdict")
    return Section("Claims", table=Table(columns, rows, [claim["verdict"] for claim in claims]))


def _measured(report: Mapping[str, Any], plan: Plan) -> list[Section]:
    charts = [chart for make in _CHARTS if (chart := make(report, plan)) is not None]
    return [Section("What was measured", charts=charts)] if charts else []
