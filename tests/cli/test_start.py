"""What a run costs beside what its libraries cost, in CPU time of the same minute: the machine is in both."""

from __future__ import annotations

import cProfile
import pstats
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from tests.fast_support import MINIMAL, ROOT

LIBRARIES = [sys.executable, "-c", "import jinja2, yaml, jsonschema_rs, click, packaging.requirements"]
ROUNDS = 25


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_run_costs_little_more_than_importing_its_libraries() -> None:
    command = [sys.executable, "-m", "generator", "check", "profiles/large.yaml"]
    ours = theirs = float("inf")
    for _ in range(ROUNDS):  # what another process adds is no cost of it: the least of each, over as many as it takes
        ours, theirs = min(ours, cpu_seconds(command)), min(theirs, cpu_seconds(LIBRARIES))
        if ours <= 2.5 * theirs:
            return
    raise AssertionError(f"{ours:.2f} s of CPU, its libraries alone {theirs:.2f} s")


def test_the_cost_is_linear_in_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in function calls, which no load of the machine changes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker/app").mkdir(parents=True)
    files = []
    for number in range(1, 25):
        files.append(f"w{number}.yaml")
        (tmp_path / files[-1]).write_text(MINIMAL.replace("name: web", f"name: w{number}"))

    def calls(count: int) -> int:
        profile = cProfile.Profile()
        profile.runcall(CliRunner().invoke, commands, files[:count])
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    calls(24)  # what is made once, and the files
    one, twelve, twentyfour = calls(1), calls(12), calls(24)
    assert twentyfour - twelve <= 1.1 * 12 / 11 * (twelve - one)
