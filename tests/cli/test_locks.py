"""`locks`: which files it renews, without asking a registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.profile.gunicorn_settings import known_settings
from generator.servers import SERVERS, lock

PIP = {
    "install": [
        {"metadata": {"name": "Flask", "version": "1"}, "download_info": {"archive_info": {"hashes": {"sha256": "aa"}}}}
    ]
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "LOCKS", tmp_path)
    monkeypatch.setattr(lock, "SETTINGS", tmp_path / "settings.json")
    return tmp_path


def test_every_lock_and_the_settings_are_renewed(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, json.dumps(PIP))

    monkeypatch.setattr(subprocess, "run", pip)
    result = CliRunner().invoke(commands, ["locks"])
    assert result.exit_code == 0, result.output
    expected = {f"{server.name}.txt" for server in SERVERS.values() if server.packages}
    assert {path.name for path in places.iterdir()} == expected | {"settings.json"}
    assert (places / "gevent.txt").read_text().splitlines()[1:] == ["flask==1 \\", "    --hash=sha256:aa"]
    assert json.loads((places / "settings.json").read_text()) == known_settings()


def test_what_pip_cannot_find_ends_with_2(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, ""))
    result = CliRunner().invoke(commands, ["locks"])
    assert (result.exit_code, list(places.iterdir())) == (2, [])
    assert "pip finds no packages for x86_64" in result.stderr


def test_the_places_are_those_that_are_read() -> None:
    assert {path.stem for path in lock.LOCKS.glob("*.txt")} == {s.name for s in SERVERS.values() if s.packages}
    assert json.loads(lock.SETTINGS.read_text()) == known_settings()
