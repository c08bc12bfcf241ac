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

ARCHIVE = {"archive_info": {"hashes": {"sha256": "aa"}}}
REQUIRES = ["x>=2", "y; extra == 'z'"]
PIP = {
    "install": [
        {"metadata": {"name": name, "version": "1", "requires_dist": REQUIRES}, "download_info": ARCHIVE}
        for name in ("Flask", "gevent")
    ]
}
_WITH_PACKAGES = {server.lock for server in lock.every_server()}
EVERY = {*_WITH_PACKAGES, *(f"{name}-constraints" for name in _WITH_PACKAGES), *lock.TOOLS}


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
    assert "sync-gunicorn-26.2.0" in EVERY
    assert {path.name for path in places.iterdir()} == {f"{name}.txt" for name in EVERY} | {"settings.json"}
    assert (places / "gevent.txt").read_text().splitlines()[1:3] == ["flask==1 \\", "    --hash=sha256:aa"]
    pins = [f"{name}=={version}" for name, version in SERVERS["gevent"].pins.items()]
    assert (places / "gevent-constraints.txt").read_text().splitlines()[1:] == sorted([*pins, "x>=2"])
    assert json.loads((places / "settings.json").read_text()) == known_settings()


def test_a_range_that_depends_on_the_python_says_so() -> None:
    requires = ("x>=2 ; python_version < '3.13'", "x>=3 ; python_version >= '3.13'", "y>=1")
    text = lock.constraints(SERVERS["gthread"], [lock.Locked("gunicorn", "27.0.1", "aa", requires)])
    assert set(text.splitlines()) > {
        'x>=2 ; python_version == "3.12"',
        'x>=3 ; python_version == "3.13"',
        "y>=1",
    }


def test_what_pip_cannot_find_ends_with_2(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, ""))
    result = CliRunner().invoke(commands, ["locks"])
    assert (result.exit_code, list(places.iterdir())) == (2, [])
    assert "pip finds none for 3.11 on x86_64" in result.stderr


def test_the_places_are_those_that_are_read() -> None:
    assert {path.stem for path in lock.LOCKS.glob("*.txt")} == EVERY
    for server in lock.every_server():
        first, *packages = (lock.LOCKS / f"{server.lock}.txt").read_text().splitlines()
        assert first.endswith(f"; Python {', '.join(server.pythons)} on x86_64 and aarch64.")
        assert {f"{one} \\" for one in server.packages} <= set(packages)
    assert json.loads(lock.SETTINGS.read_text()) == known_settings()
