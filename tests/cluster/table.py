"""``python -m tests.cluster.table``: the table in docs/kubernetes.md, of what the last runs on a cluster lost."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable

from tests.containers import kit

from .scenarios import RECORD

FILE = kit.ROOT / "docs" / "kubernetes.md"
BEGIN, END = "<!-- make test-cluster writes from here -->", "<!-- to here -->"
_HEAD = "| Profile | Served by | What happened meanwhile | Requests sent | Failed | How |\n|---|---|---|--:|--:|---|"


def table(lines: Iterable[str]) -> str:
    """The newest run of each scenario of each profile, in the order in which they first came."""
    newest = {(run["profile"], run["scenario"]): run for run in map(json.loads, lines)}
    return "\n".join([_HEAD, *map(_row, newest.values())])


def _row(run: dict[str, object]) -> str:
    kinds = run["kinds"]
    assert isinstance(kinds, dict)
    causes: dict[str, int] = {}
    for kind in kinds.values():
        for cause, count in kind["failed"].items():
            causes[cause] = causes.get(cause, 0) + count
    how = ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))
    cells = (run["profile"], run["server"], run["scenario"], f"{run['sent']:,}", f"{run['failed']:,}", how)
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    if not RECORD.exists():
        sys.exit("no run on a cluster is recorded: make cluster && make test-cluster")
    text = FILE.read_text()
    written = f"{BEGIN}\n{table(RECORD.read_text().splitlines())}\n{END}"
    FILE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: written, text, flags=re.S))
