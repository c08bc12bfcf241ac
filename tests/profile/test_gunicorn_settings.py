"""The table of gunicorn's settings is gunicorn's own, each setting has one place, and the locks are complete."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from gunicorn import config
from packaging.requirements import Requirement

from generator.profile.document import parse_value
from generator.profile.gunicorn_settings import CHOICES, MISTAKEN, OWNED, known_settings, typed
from generator.profile.schema import GUNICORN_NAMES, SETTINGS
from generator.servers import SERVERS
from generator.servers.lock import TOOLS
from generator.servers.lock import gunicorn_settings as installed_settings
from tests.fast_support import ROOT, faults_of, plan_of

VALUES = {
    "int": ("5", 5, "'5'", "remove the quotes"),
    "bool": ("true", True, "1", "write true or false"),
    "str": ("some text", "some text", "[a]", "write a single value"),
    "list": ("[a, 010]", ["a", "010"], "a", "write a list"),
    "dict": ("{a: 010}", {"a": "010"}, "[a]", "write a mapping"),
}
#: As logging.config wants it.
NESTED = (
    "{version: 1, handlers: {a: {class: logging.StreamHandler, stream: ext://sys.stdout}}, root: {handlers: [a]}, "
    "loggers: {}}",
    {
        "version": 1,
        "handlers": {"a": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
        "root": {"handlers": ["a"]},
        "loggers": {},
    },
)
#: Settings for which gunicorn takes only certain words or sizes.
STRICT = {
    "header_map": "drop",
    "http2_cleartext": "off",
    "http2_max_frame_size": "16384",
    "http_parser": "python",
    "http_protocols": "h1",
    "proxy_allow_ips": "10.0.0.0/8",
    "proxy_protocol": "off",
    "uwsgi_allow_ips": "10.0.0.0/8",
}
FOLDER = ROOT / "generator/servers/locks"
LOCKS = [FOLDER / f"{server.name}.txt" for server in SERVERS.values() if server.packages]
PACKAGE = re.compile(r"([a-z0-9._-]+)==([0-9][A-Za-z0-9.]*)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def test_the_table_is_what_the_installed_gunicorn_knows() -> None:
    assert json.loads((ROOT / "generator/profile/gunicorn_settings.json").read_text()) == installed_settings()
    pinned = {package for server in SERVERS.values() for package in server.packages if package.startswith("gunicorn==")}
    assert f"gunicorn=={version('gunicorn')}" in pinned


def test_every_setting_has_exactly_one_place() -> None:
    known = {setting.name for setting in config.KNOWN_SETTINGS}
    assert known_settings().keys() == known
    assert OWNED.keys() - known == set()
    assert GUNICORN_NAMES.keys() - known == set()
    assert OWNED.keys() & GUNICORN_NAMES.keys() == set()
    assert all(remedy and "\n" not in remedy for remedy in OWNED.values())


@pytest.mark.parametrize("name", sorted(config.Config().settings))
def test_each_setting_is_accepted_typed_owned_at_the_top_or_a_hook(name: str) -> None:
    gunicorn_type = known_settings()[name]["type"]
    ignored = name in SERVERS["gevent"].settings and SERVERS["gevent"].settings[name].verdict != "honoured"
    if name in GUNICORN_NAMES or name in OWNED or gunicorn_type == "hook" or ignored:
        (fault,) = faults_of("", f"gunicorn.{name}={VALUES.get(gunicorn_type, ('x',))[0]}")
        path = GUNICORN_NAMES.get(name)
        instead = f"use {path}" if path else OWNED.get(name, "app.hooks")
        expected = "stands at the top level" if path == name else instead
        assert (expected in fault.remedy) or (ignored and "gevent honours" in fault.allowed)
        return
    good, value, bad, remedy = VALUES[gunicorn_type]
    if name == "logconfig_dict":
        good, value = NESTED
    if name in CHOICES:
        good = value = CHOICES[name][0]
        (fault,) = faults_of("", f"gunicorn.{name}=nonsense")
        assert f"{name} is one of {good}, " in fault.remedy
    assert plan_of("", f"gunicorn.{name}={good}").settings == {name: value}
    (fault,) = faults_of("", f"gunicorn.{name}={bad}")
    assert fault.path == f"gunicorn.{name}"
    assert f"{name} is of type {gunicorn_type}: {remedy}" in fault.remedy


@pytest.mark.parametrize("name", sorted(config.Config().settings))
def test_gunicorn_takes_what_the_table_lets_through(name: str) -> None:
    gunicorn_type = known_settings()[name]["type"]
    if name in OWNED or name in GUNICORN_NAMES or gunicorn_type == "hook" or name.startswith("asgi_"):
        assert gunicorn_type in (*VALUES, "hook")
        return
    given = STRICT.get(name, VALUES[gunicorn_type][0])
    value = typed(name, parse_value(given, "x"))
    config.Config().set(name, value)


def test_mistaken_names_lead_to_existing_ones() -> None:
    for wrong, right in MISTAKEN.items():
        assert wrong not in known_settings()
        assert right in OWNED or right in GUNICORN_NAMES or right in SETTINGS


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_holds_hashes_of_every_package_for_both_architectures(path: Path) -> None:
    text = path.read_text()
    header, _, body = text.partition("\n")
    assert header.startswith("# Renewed by `make locks`; Python ")
    assert header.endswith(" on x86_64 and aarch64.")
    pythons = header.removeprefix("# Renewed by `make locks`; Python ").partition(" on ")[0].split(", ")
    assert PACKAGE.sub("", body) == "", "a line that is no package with hashes"
    locked = {name: (number, found.count("sha256:")) for name, number, found in PACKAGE.findall(body)}
    assert list(locked) == sorted(locked)
    for name in {"gevent", "greenlet", "zope.interface"} & locked.keys():
        assert locked[name][1] == 2 * len(pythons), f"{name}: one binary wheel an architecture and Python"
    assert all(count in (1, 2, 2 * len(pythons)) for _, count in locked.values())
    server = SERVERS[path.stem]
    assert tuple(pythons) == server.pythons
    assert {package for package in server.packages if "==" in package} <= {f"{n}=={v}" for n, (v, _) in locked.items()}


def test_every_server_with_packages_has_a_lock() -> None:
    assert {server.name for server in SERVERS.values() if server.packages} <= {path.stem for path in LOCKS}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_constraints_pin_the_servers_own_packages_and_leave_the_rest_its_range(path: Path) -> None:
    lines = path.with_name(f"{path.stem}-constraints.txt").read_text().splitlines()[1:]
    found = {requirement.name: requirement.specifier for requirement in map(Requirement, lines)}
    pins = SERVERS[path.stem].pins
    assert {name: str(found[name]) for name in pins} == {name: f"=={version}" for name, version in pins.items()}
    locked = {name: number for name, number, _ in PACKAGE.findall(path.read_text())}
    for name, specifier in found.items():
        assert specifier.contains(locked.get(name) or pins[name])
        assert name in pins or "==" not in str(specifier), "what a server merely needs is not pinned"


@pytest.mark.parametrize("name", TOOLS)
def test_the_tools_for_the_apps_own_locks_are_pinned_by_hash(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text()
    assert {f"{package}=={number}" for package, number, _ in PACKAGE.findall(text)} >= set(TOOLS[name])
