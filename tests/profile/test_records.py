"""One definition a setting: what else speaks of settings follows from it, or is compared with it here."""

from __future__ import annotations

import ast
import dataclasses
import json
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from generator.errors import FAULTS_SHOWN, Mark, ProfileError
from generator.profile import field_types, gunicorn_settings
from generator.profile.document import parse_value
from generator.profile.load import read_profile
from generator.profile.records import Record, Setting, settings
from generator.profile.schema import EXPLAINED, GUNICORN_NAMES, REPORTED, SERVED, SETTINGS, Profile
from generator.render.render import render
from generator.runtime.pywsgi.server import Settings
from generator.runtime.workers import configuration
from tests.fast_support import MINIMAL, ROOT, SHIPPED, faults_of, plan_of

#: Editors read YAML 1.2, in which `off` is text.
EDITOR = YAML(typ="safe", pure=True)
SCHEMA = json.loads((ROOT / "profiles/schema.json").read_text())


def every_setting(record: type[Record] = Profile, above: str = "") -> list[tuple[str, Setting]]:
    """All of them, with sections and with what stands in the items of lists."""
    found = []
    for name, one in settings(record).items():
        found.append((f"{above}{name}", one))
        inner = one.type.record
        found += every_setting(inner, f"{above}{name}.") if inner else []
    return found


@pytest.mark.parametrize(("path", "one"), every_setting(), ids=lambda value: value if isinstance(value, str) else "")
def test_an_example_is_a_value_and_a_default_is_too(path: str, one: Setting) -> None:
    one.type.parse(parse_value(one.type.example, path))
    assert one.description.endswith((".", '."'))
    jsonschema.Draft202012Validator(one.type.schema).validate(EDITOR.load(one.type.example))


def test_the_json_schema_takes_what_is_shipped_and_no_other_name() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for path in SHIPPED:
        jsonschema.Draft202012Validator(SCHEMA).validate(EDITOR.load(path.read_text()))
    faulty: tuple[dict[str, Any], ...] = (
        {"healht": {}},
        {"health": {"x": 1}},
        {"port": "8000"},
        {"kubernetes": {"volumes": [{"name": "a"}]}},
    )
    for wrong in faulty:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate(EDITOR.load(MINIMAL) | wrong)


def test_the_runtimes_copies_are_what_the_table_says() -> None:
    assert set(configuration.REPORTED) == set(REPORTED)
    assert len(configuration.REPORTED) == len(REPORTED)
    standalone = {one.gunicorn or path for path, one in SETTINGS.items() if "standalone" in (one.honoured_by or ())}
    assert standalone - {field.name for field in dataclasses.fields(Settings)} == set()
    assert len(standalone) > 10


def assigned(text: str) -> set[str]:
    """Names and attributes that a Python document assigns at its top level."""
    targets = [node.targets[0] for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return {t.id if isinstance(t, ast.Name) else t.attr for t in targets if isinstance(t, ast.Name | ast.Attribute)}


@pytest.mark.parametrize("server", ["gevent", "gthread", "sync", "pywsgi", "meinheld", "eventlet", "flask"])
def test_a_setting_that_a_server_honours_stands_in_its_configuration(server: str) -> None:
    more = ("connections=3", "proxy=true", "access_log=json", "python=3.13", "app.hooks=null")
    plan = plan_of("", f"server={server}", *(more if server not in ("flask",) else ()))
    names = assigned(render(plan)[f"{plan.folder}/{plan.server.configuration}"])
    elsewhere = ("gunicorn", "app.hooks", "websocket")  # the last is the proxy's; a server needs no setting for it
    honoured = [path for path in SERVED if plan.server.honours(path) and path not in elsewhere]
    assert [path for path in honoured if (SETTINGS[path].gunicorn or path) not in names] == []
    assert len(honoured) > 1


def test_explain_states_every_setting_that_it_should() -> None:
    plan = plan_of("", "server=pywsgi", "header_timeout=7")
    assert tuple(plan.explained) == EXPLAINED
    assert plan.explained["header_timeout"] == 7
    assert plan.explained["preload_app"] is True, "the server's own, which the profile leaves to it"


def test_what_a_profile_has_a_setting_for_is_refused_under_gunicorns_name() -> None:
    for name, path in GUNICORN_NAMES.items():
        (fault,) = faults_of("", f"gunicorn={{{name}: 1}}")
        assert fault.remedy == (
            f"{name} stands at the top level of a profile: move it there"
            if name == path
            else f"{name} is set by the kit: use {path}"
        )


def test_a_profile_knows_where_it_says_what() -> None:
    profile = plan_of("workers: {per_cpu: 2}\nheader_timeout: null\n", "app.path=docker/app").profile
    assert [profile.is_set(path) for path in ("workers", "workers.per_cpu", "workers.plus", "port", "app.path")] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert not profile.is_set("header_timeout"), "null is the default"
    assert (str(profile.place("workers.per_cpu")), str(profile.place("app.path"))) == (
        "web.yaml:6:20",
        "--set app.path:1:1",
    )
    assert str(profile.place("app.hooks")) == "web.yaml:2:6", "the section that would hold it"
    assert str(profile.place("health.readiness_path")) == "web.yaml:1:1"


@pytest.mark.parametrize(
    ("line", "module"),
    [("{}: 1\n", field_types), ("  {}: 1\n", gunicorn_settings)],
    ids=["settings", "settings of gunicorn"],
)
def test_thousands_of_unknown_names_are_counted_and_50_are_shown(
    line: str, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[str] = []
    monkeypatch.setattr(module, "nearest", lambda word, _: searches.append(word))
    extra = ("gunicorn:\n" if line.startswith(" ") else "") + "".join(line.format(f"x{n}") for n in range(9000))
    error = ProfileError(faults_of(extra))
    assert len(error.faults) == 9000
    assert len(searches) == FAULTS_SHOWN, "a search takes a millisecond"
    assert str(error).count("web.yaml:") == FAULTS_SHOWN
    assert str(error).endswith(f"\n... and {9000 - FAULTS_SHOWN} more faults")


def test_control_characters_of_a_files_name_are_escaped() -> None:
    assert str(Mark("a\x1b[31m\nb\udcff.yaml")) == "a\\x1b[31m\\nb\\udcff.yaml:1:1"
    with pytest.raises(ProfileError) as caught:
        read_profile("- a\n", "\x1b[2J.yaml")
    assert str(caught.value).startswith("\\x1b[2J.yaml:1:1: profile: no mapping")
