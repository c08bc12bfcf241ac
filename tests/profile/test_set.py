"""``--set`` takes the same way as the file, names itself in faults; and no message ever shows a secret."""

from __future__ import annotations

import pytest

from generator.errors import ProfileError
from tests.fast_support import faults_of, plan_of


@pytest.mark.parametrize(
    "line",
    [
        "env: {PASSWORD: s3cr3t}",
        "env: {URL: 'postgres://user:s3cr3t@db/x'}",
        "env: {BAD-NAME: s3cr3t}",
        "env: {GREETING: [s3cr3t]}",
        "env: [s3cr3t]",
        "env: s3cr3t",
        "environment: {PASSWORD: s3cr3t}",
        "app_password: s3cr3t",
        "env: {PASSWORD: s3cr3t, PASSWORD: s3cr3t}",
    ],
)
def test_a_secret_is_never_shown(line: str) -> None:
    for faults in (faults_of(line), faults_of("", line.replace(": ", "=", 1))):
        assert "s3cr3t" not in str(ProfileError(faults))


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("port=9000", "port", 9000),
        ("access_log=off", "access_log", "off"),
        ("workers={per_cpu: 2, plus: 1}", "workers.plus", 1),
        ("workers.per_cpu=3", "workers.per_cpu", 3),
        ("resources.cpu=1.5", "resources.cpu", 1500),
        ("env.A='x=y: z'", "env", (("A", "x=y: z"),)),
        ("health={readiness_path: /r}", "health.readiness_path", "/r"),
        ("connections=50", "connections", 50),
    ],
)
def test_set_takes_the_same_way(override: str, field: str, value: object) -> None:
    found: object = plan_of("", override).profile
    for name in field.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    ("override", "place", "path", "given"),
    [
        ("port=010", "--set port:1:1", "port", "'010'"),
        ("port='8000'", "--set port:1:1", "port", "'8000'"),
        ("port=", "--set port:1:1", "port", "''"),
        ("resources.cpus=1", "--set resources.cpus:1:1", "resources.cpus", "unknown setting"),
        ("nowhere.x=1", "--set nowhere.x:1:1", "nowhere", "unknown setting"),
        ("app.module.x=1", "--set app.module.x:1:1", "app.module.x", "module is not a section"),
        ("port", "--set port:1:1", "", "port"),
        ("=1", "--set :1:1", "", "=1"),
        ("a..b=1", "--set a..b:1:1", "", "a..b=1"),
        ("env.A=[1", "--set env.A:2:1", "", "not YAML: "),
        ("port=8000\nbacklog: 99", "--set port:1:1", "", "more than one setting"),
        ("env.A=&x y", "--set env.A:1:1", "", "an anchor or alias"),
        ("env.A=x\n---\n", "--set env.A:2:1", "", "a second document"),
        ("python=3.10", "--set python:1:1", "python", "'3.10'"),
    ],
)
def test_set_names_itself_in_faults(override: str, place: str, path: str, given: str) -> None:
    (fault,) = faults_of("", override)
    assert (str(fault.mark), fault.path) == (place, path)
    assert given in fault.given


def test_a_set_value_replaces_the_files_faulty_one() -> None:
    assert plan_of("port: 1\n", "port=8001").profile.port == 8001
