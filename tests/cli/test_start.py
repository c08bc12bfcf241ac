"""What many profiles cost, counted in function calls."""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from tests.fast_support import MINIMAL


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
