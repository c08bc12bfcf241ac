"""The report for people: one HTML file that needs nothing else, charts drawn as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..profile.formats import memory_text
from ..render.render import TEMPLATES
from . import charts
from .against import NAME


def page(report: Mapping[str, Any]) -> str:
    """The page's text; everything from the report is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "proof"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        report=report,
        memory=memory_text(report["limits"]["memory_bytes"]),
        charts=charts.charts_of(report),
        frame=charts,
        rivals=_rivals(report),
    )


def _rivals(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """This profile and the copied configuration side by side, each bar as a share of the larger one."""
    found = next((claim["data"] for claim in report["claims"] if claim["name"] == NAME and claim["data"]), None)
    if found is None:
        return []
    rows = {
        "connections with a response": [
            r["connections"]["requested"] - r["no_response"] for r in (found["ours"], found["theirs"])
        ],
        "requests a second": [r["rps"] for r in (found["ours"], found["theirs"])],
        "failed": [r["failed"] for r in (found["ours"], found["theirs"])],
        "p99 in ms": [r["latency_ms"]["p99"] or 0 for r in (found["ours"], found["theirs"])],
    }
    return [
        {"name": name, "values": [{"value": value, "share": 100 * value / max(1, *values)} for value in values]}
        for name, values in rows.items()
    ]
