"""The report of a proof: one JSON object, described by report.schema.json, and the table at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import printable
from ..plan.explain import explanation
from ..plan.plan import Plan
from .claim import FAILED, Claim
from .request import Request

SCHEMA_VERSION = 2
STYLES = {"passed": "green", "failed": "bold red", "noted": "cyan"}


@dataclass(frozen=True)
class About:
    """What a reader must know to judge the figures."""

    began: str
    seconds: float
    quick: bool
    image: str
    image_bytes: int | None
    engine: str
    machine: Mapping[str, Any]


def make_report(
    plan: Plan,
    request: Request,
    about: About,
    claims: Sequence[Claim],
    samples: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Everything that was promised and measured; figures hold for this machine at that time."""
    return {
        "schema": SCHEMA_VERSION,
        "profile": plan.name,
        "passed": all(claim.verdict != FAILED for claim in claims),
        **asdict(about),
        "request": asdict(request),
        "versions": {
            "runtime": plan.runtime_version,
            "server": plan.server.name,
            "packages": list(plan.server.packages),
        },
        "limits": {"cpus": plan.profile.resources.cpu / 1000, "memory_bytes": plan.profile.resources.memory},
        "connections": plan.profile.connections,
        "claims": [asdict(claim) for claim in claims],
        "samples": timeline(samples),
        "plan": explanation(plan),
    }


def timeline(samples: Sequence[Mapping[str, Any]]) -> list[list[float | None]]:
    """Rows of seconds since the first sample, open connections by the server's descriptors, cgroup and PSS bytes.

    Connections are the descriptors above those at rest: the fewest that the first workers had, since the first sample
    may have met a connection that was just closing (1,199 of 1,200 were counted so).
    """
    if not samples:
        return []
    first = samples[0]
    at_rest = min(sample["descriptors"] for sample in samples if sample["workers"] == first["workers"])
    return [
        [
            round(sample["at"] - first["at"], 1),
            max(0, sample["descriptors"] - at_rest),
            sample["cgroup_bytes"],
            sample["pss_bytes"],
        ]
        for sample in samples
    ]


def write_report(report: Mapping[str, Any], root: Path, suffix: str = "") -> Path:
    """build/proof/<profile><suffix>.json below the output root; the page is written beside it."""
    folder = root / "build" / "proof"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report['profile']}{suffix}.json"
    path.write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")
    return path


def print_table(claims: Sequence[Claim], title: str) -> None:
    """On stdout; plain where that is no terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False, emoji=False)
    table = Table(title=title, title_justify="left", show_lines=True)
    for column in ("claim", "promised", "measured", "verdict"):
        table.add_column(column, overflow="fold")
    for claim in claims:
        words = (printable(word, "\n") for word in (claim.name, claim.promised, claim.measured, claim.verdict))
        table.add_row(*words, style=STYLES[claim.verdict])
    console.print(table)
    for claim in claims:
        if claim.verdict == FAILED:
            # The advice may end with the app's last words.
            text = f"{claim.name}: {claim.measured}\n    do: {claim.advice}"
            console.print(printable(text, "\n"), soft_wrap=True)
