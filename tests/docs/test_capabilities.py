"""The capability table: each cell has a test that shows it or a reason why none does; each refusal is a refusal."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from generator.errors import ProfileError
from generator.pipeline import plan_profile
from generator.profile.gunicorn_settings import CHOICES, known_settings
from generator.profile.schema import SERVED, SETTINGS
from generator.servers import SERVERS

ROOT = Path(__file__).resolve().parents[2]
REFUSED = [(s.name, name) for s in SERVERS.values() for name, cell in s.settings.items() if cell.verdict != "honoured"]
SAMPLES = {"int": "3", "bool": "true", "str": "x", "list": "[x]", "dict": "{x: y}"}


def container_tests() -> dict[str, str]:
    """Every test function that boots containers, with its source."""
    found = {}
    for path in (ROOT / "tests/containers").glob("test_*.py"):
        text = path.read_text()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = ast.get_source_segment(text, node) or ""
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_every_cell_names_what_shows_it(name: str) -> None:
    tests = container_tests()
    for setting, cell in SERVERS[name].settings.items():
        place = f"{name}, {setting}: {cell.shown_by!r}"
        if cell.verdict != "honoured":
            assert cell.why and cell.shown_by == "test_every_refused_setting", place
        elif cell.shown_by.startswith("unprobed: "):
            assert len(cell.shown_by) > 20, place
        else:
            assert cell.shown_by in tests, place


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_honours_or_refuses_each_setting_that_servers_see(name: str) -> None:
    assert not set(SERVED) - SERVERS[name].settings.keys()
    assert len(SERVED) > 12


@pytest.mark.parametrize(("server", "setting"), REFUSED)
def test_every_refused_setting(server: str, setting: str) -> None:
    profile = (ROOT / f"profiles/servers/{server}.yaml").read_text() if server != "gevent" else ""
    profile = profile or (ROOT / "profiles/small.yaml").read_text()
    if setting in known_settings() and setting not in SETTINGS:
        value = next(iter(CHOICES.get(setting, ())), SAMPLES[known_settings()[setting]["type"]])
        override, path = f"gunicorn={{{setting}: {value}}}", f"gunicorn.{setting}"
    else:
        override, path = f"{setting}={SETTINGS[setting].type.example}", setting
    with pytest.raises(ProfileError) as raised:
        plan_profile(profile, "profile.yaml", (override,))
    cell = SERVERS[server].settings[setting]
    assert [fault.path for fault in raised.value.faults if cell.why in fault.allowed] == [path]


def test_servers_are_shipped_with_a_profile_each() -> None:
    shipped = {path.stem for path in (ROOT / "profiles/servers").glob("*.yaml")}
    assert shipped | {"gevent"} == set(SERVERS)
