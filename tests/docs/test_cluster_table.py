"""The table of requests in docs/kubernetes.md is what was recorded on a cluster, row for row."""

from __future__ import annotations

import json

from tests.cluster.table import FILE, RUNS, newest, written


def test_the_table_is_the_record() -> None:
    lines = RUNS.read_text().splitlines()
    runs = newest(lines)
    assert len(runs) == len(lines) > 20, "each scenario of each profile once"
    assert written(FILE.read_text(), runs) == FILE.read_text()
    for run in runs:
        kinds = run["kinds"].values()
        assert run["sent"] == sum(kind["sent"] for kind in kinds), run
        assert run["failed"] == sum(sum(kind["failed"].values()) for kind in kinds), run
        assert run["sent"] == run["failed"] + sum(kind["ok"] for kind in kinds), run


def test_the_newest_run_of_a_scenario_stands_where_the_first_did() -> None:
    def run(day: int, scenario: str, sent: int) -> str:
        return json.dumps({"at": f"2026-01-{day:02}T00:00:00", "profile": "a", "scenario": scenario, "sent": sent})

    found = newest([run(2, "restart", 1), run(1, "delete", 2), run(3, "restart", 3), run(1, "restart", 4)])
    assert [(each["scenario"], each["sent"]) for each in found] == [("restart", 3), ("delete", 2)]
