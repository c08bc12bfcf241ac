"""``python -m tests.cluster.table``: the table in docs/kubernetes.md, of what the last runs on a cluster lost.

The newest run of each scenario of each profile is kept in RUNS, which is committed; the table has nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.containers import kit

from .scenarios import RECORD

FILE = kit.ROOT / "docs" / "kubernetes.md"
RUNS = Path(__file__).with_name("runs.jsonl")
BEGIN, END = "<!-- make test-cluster writes from here -->", "<!-- to here -->"
_HEAD = (
    "| Profile | Served by | What happened meanwhile | Date | Requests sent | Failed | What was seen |\n"
    "|---|---|---|---|--:|--:|---|"
)


def newest(lines: Iterable[str]) -> list[Any]:
    """The newest run of each scenario of each profile, in the order in which they first came."""
    found: dict[tuple[str, str], Any] = {}
    for run in map(json.loads, lines):
        key = run["profile"], run["scenario"]
        if key not in found or found[key]["at"] <= run["at"]:
            found[key] = run
    return list(found.values())


def written(text: str, runs: Iterable[Any]) -> str:
    """The page with the table of these runs in its place."""
    table = "\n".join([BEGIN, _HEAD, *map(_row, runs), END])
    return re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.S)


def _row(run: dict[str, Any]) -> str:
    causes: dict[str, int] = {}
    for kind in run["kinds"].values():
        for cause, count in kind["failed"].items():
            causes[cause] = causes.get(cause, 0) + count
    seen = [*([run["note"]] if run["note"] else []), *(f"{count} {cause}" for cause, count in sorted(causes.items()))]
    date, sent, failed = run["at"][:10], f"{run['sent']:,}", f"{run['failed']:,}"
    return f"| {' | '.join((run['profile'], run['server'], run['scenario'], date, sent, failed, ', '.join(seen)))} |"


def main() -> None:
    """Take up what was recorded since, and write both files."""
    lines = [line for file in (RUNS, RECORD) if file.exists() for line in file.read_text().splitlines()]
    runs = newest(lines)
    RUNS.write_text("".join(f"{json.dumps(run)}\n" for run in runs))
    FILE.write_text(written(FILE.read_text(), runs))


if __name__ == "__main__":
    main()
