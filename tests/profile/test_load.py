"""What the loader makes of YAML: text stays text until its field decides, and every refusal says where and why."""

from __future__ import annotations

import pytest

from generator.errors import ProfileError
from generator.profile.load import read_profile
from tests.fast_support import MINIMAL, faults_of, places, plan_of


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("access_log: off", "access_log", "off"),
        ('access_log: "off"', "access_log", "off"),
        ("access_log: text", "access_log", "text"),
        ("python: 3.13", "python", "3.13"),
        ('python: "3.13"', "python", "3.13"),
        ("port: 8080", "port", 8080),
        ("port: 8_080 # comment", None, "'8_080'"),
        ("preload_app: false", "preload_app", False),
        ("preload_app: null", "preload_app", None),
        ("preload_app: ~", "preload_app", None),
        ("group: y", "group", "y"),
        ("group: 0x1", "group", "0x1"),
        ("env: {A: 010, B: yes, C: 1e3, D: 'null', E: \"\"}", "env",
         (("A", "010"), ("B", "yes"), ("C", "1e3"), ("D", "null"), ("E", ""))),
        ("env: {B: '2', A: '1'}", "env", (("A", "1"), ("B", "2"))),
        ("gunicorn: {limit_request_fields: 50, permit_obsolete_folding: true, dogstatsd_tags: off}", "gunicorn",
         (("dogstatsd_tags", "off"), ("limit_request_fields", 50), ("permit_obsolete_folding", True))),
    ],
)  # fmt: skip
def test_the_fields_type_decides(line: str, field: str | None, value: object) -> None:
    if field is None:
        assert faults_of(line)[0].given == value
    else:
        assert getattr(plan_of(line).profile, field) == value


@pytest.mark.parametrize(
    ("line", "place", "path", "given", "allowed", "remedy"),
    [
        ("port: 010", "6:7", "port", "'010'", "a whole number from 1024 to 65535", "write for example: 8000"),
        ("port: 0x1F40", "6:7", "port", "'0x1F40'", "a whole number from 1024 to 65535", "write for example: 8000"),
        ("port: 8000.0", "6:7", "port", "'8000.0'", "a whole number from 1024 to 65535", "write for example: 8000"),
        ('port: "8000"', "6:7", "port", "'8000'", "a whole number from 1024 to 65535", "remove the quotes"),
        ("port: 80", "6:7", "port", "'80'", "a whole number from 1024 to 65535", "kubernetes.service_port"),
        ("port: ٨٠٨٠", "6:7", "port", "'٨٠٨٠'", "a whole number from 1024 to 65535", "write for example: 8000"),
        ("port: [8000]", "6:7", "port", "a list", "a whole number from 1024 to 65535", "not a list or a mapping"),
        ("port:", "6:6", "port", "''", "a whole number from 1024 to 65535", "write for example: 8000"),
        ("max_requests: true", "6:15", "max_requests", "'true'", "a whole number from 0", "write for example: 10000"),
        ("preload_app: yes", "6:14", "preload_app", "'yes'", "true or false, or null", "without quotes"),
        ("preload_app: 1", "6:14", "preload_app", "'1'", "true or false, or null", "write true or false"),
        ('preload_app: "true"', "6:14", "preload_app", "'true'", "true or false, or null", "without quotes"),
        ("python: 3.10", "6:9", "python", "'3.10'", "one of 3.11, 3.12, 3.13, 3.14 for gevent", "write 3.11"),
        ("python: null", "6:9", "python", "'null'", "a Python version", "in quotes if the text itself is meant"),
        ("access_log: false", "6:13", "access_log", "'false'", "one of off, text, json", "write for example: off"),
        ("access_log: jsn", "6:13", "access_log", "'jsn'", "one of off, text, json", "write json"),
        ("accesslog: off", "6:1", "accesslog", "unknown setting", "one of access_log,",
         "accesslog is set by the kit: use access_log"),
        ("zzz: 1", "6:1", "zzz", "unknown setting", "one of access_log,", "remove it"),
        ("health: {readynes_path: /}", "6:10", "health.readynes_path", "unknown setting", "one of",
         "did you mean readiness_path?"),
        ("healht:\n  readiness_path: /", "6:1", "healht", "unknown setting", "one of", "did you mean health?"),
        ("workers: {plus: 2}", "6:10", "workers.per_cpu", "missing", "from 0 to 64", "for example: per_cpu: 2"),
        ("workers: many", "6:10", "workers", "'many'", "a whole number from 1 to 1024, or null", "for example: 4"),
        ("server: gvent", "6:1", "", "'server' stands twice", "each key once", "the first is in line 3"),
        ("env: {A: 1,\n A: 2}", "7:2", "", "'A' stands twice", "each key once", "the first is in line 6"),
        ("env: &a {A: 1}", "6:6", "", "an anchor or alias", "plain values", "write the value out"),
        ("env: *a", "6:6", "", "an anchor or alias", "plain values", "write the value out"),
        ("env: {<<: {A: b}}", "6:7", "", "a merge key", "plain values", "write the settings out"),
        ("env: !!map {A: b}", "6:6", "", "a tag, 'tag:yaml.org,2002:map'", "plain values", "remove the tag"),
        ("env: {A: !!python/object/apply:os.system [id]}", "6:10", "", "a tag, ", "plain values", "remove the tag"),
        ("---\nname: other", "6:1", "", "a second document", "one document a file", "a file of its own"),
        ("? [a, b]\n: 1", "6:3", "", "a key that is not text", "a setting's name", "plain text"),
        ("env: {A: [", "7:1", "", "not YAML: ", "one YAML mapping", "correct the line"),
        ("\tport: 8000", "6:1", "", "not YAML: ", "one YAML mapping", "correct the line"),
        ("env: " + "[" * 5000, "6:25", "", "nested too deeply", "at most 20 levels", "flatten it"),
        ("env: {A: a\x00b}", "6:1", "", "a character that YAML does not allow", "printable text", "remove or escape"),
        ("env: {A: a\x1bb}", "6:1", "", "a character that YAML does not allow", "printable text", "remove or escape"),
        ("# " + "x" * 256 * 1024, "1:1", "", "the file is over 256 KiB", "a few lines", "shorten it"),
        ('"a\\nb\\e[31m": 1', "6:1", "'a\\nb\\x1b[31m'", "unknown setting", "one of", "remove it"),
        ("jobs: flower", "6:7", "jobs", "'flower'", "a list", "write a list, for example: [{name: worker"),
        ("env_allowed: A_TOKEN, B_TOKEN", "6:14", "env_allowed", "'A_TOKEN, B", "a list", ": [A_TOKEN, B_TOKEN]"),
        ("somaxconn: 1024", "1:1", "backlog", "not set, so the default", "at most somaxconn (1024)", "lower it"),
        ("group: ../x", "6:8", "group", "'../x'", "a DNS label", "write for example: servers"),
    ],
)  # fmt: skip
def test_refused(line: str, place: str, path: str, given: str, allowed: str, remedy: str) -> None:
    (fault,) = faults_of(line)
    assert (str(fault.mark), fault.path) == (f"web.yaml:{place}", path)
    assert (given in fault.given, allowed in fault.allowed, remedy in fault.remedy) == (True, True, True), str(fault)
    assert str(fault).startswith(f"web.yaml:{place}: {path or 'profile'}: ")


@pytest.mark.parametrize(
    ("path", "value", "remedy"),
    [
        ("app.before_start", "alembic upgrade head", "write a list, for example: [alembic, upgrade, head]"),
        ("app.before_start", "flask db 'a, b'", "write a list, for example: [flask, db, 'a, b']"),
        ("app.before_start", "a && b", "write a list, for example: [sh, -c, a && b]"),
        ("app.before_start", "", "write a list, for example: [celery]"),
        ("app.wrapper", "newrelic-admin run-program", "write a list, for example: [newrelic-admin, run-program]"),
        ("app.runtime_packages", "libpq5, gcc", "write a list, for example: [libpq5, gcc]"),
        ("app.runtime_packages", "Libpq5", "write a list, for example: [libpq5]"),
        ("app.build_commands", "python manage.py x", "write a list, for example: [python manage.py x]"),
        ("resources.cpu", "1 core", "write 1"),
        ("resources.cpu", "0.5 vCPUs", "write 0.5"),
        ("resources.cpu", "many", "write for example: 500m"),
        ("resources.memory", "300 MB", "write 300Mi"),
        ("resources.memory", "300m", "write 300Mi"),
        ("resources.memory", "1.5 GiB", "write 1.5Gi"),
        ("resources.memory", "much", "write for example: 512Mi"),
    ],
)
def test_the_remedy_has_what_was_given(path: str, value: str, remedy: str) -> None:
    (fault,) = faults_of("", f"{path}={value}")
    assert (fault.path, fault.remedy) == (path, remedy)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("", "no mapping at the top"),
        ("# only a comment\n", "no mapping at the top"),
        ("- name: web\n", "no mapping at the top"),
        ("just text\n", "no mapping at the top"),
        ("null\n", "no mapping at the top"),
    ],
)
def test_refused_as_a_whole(text: str, given: str) -> None:
    with pytest.raises(ProfileError) as caught:
        read_profile(text, "web.yaml")
    assert [(str(fault.mark), fault.given) for fault in caught.value.faults] == [("web.yaml:1:1", given)]


@pytest.mark.parametrize("text", [MINIMAL.replace("\n", "\r\n"), "\ufeff" + MINIMAL, "---\n" + MINIMAL + "...\n"])
def test_other_line_ends_a_byte_order_mark_and_document_marks_are_no_fault(text: str) -> None:
    assert plan_of(base=text).profile == plan_of().profile


@pytest.mark.parametrize("character", ["\ufeff", "\x85", "\u2028", "\u2029"])
def test_what_parsers_read_differently_is_refused_unless_escaped(character: str) -> None:
    (fault,) = faults_of(f'{MINIMAL}env:\n  NAME: "a{character}b"\n')
    assert f"U+{ord(character):04X}" in str(fault)
    plan_of(f'env:\n  NAME: "a\\u{ord(character):04x}b"\n')


def test_every_fault_at_once_in_order_and_nothing_about_the_faulty_ones_twice() -> None:
    text = """\
name: Web
app: {module: "no module", path: ../x, requirement: r.txt}
server: gunicorn
connections: 0
resources: {cpu: 0, memory: 1}
workers: {per_cpu: 1, at_least: 3, at_most: 2}
max_requests_jitter: 5
env: {A B: x, PASSWORD: y, LD_PRELOAD: z, LIST: [a]}
gunicorn: {bind: x, nope: 1, limit_request_line: ten}
"""
    assert places(faults_of(base=text)) == [
        ("web.yaml:1:7", "name"),
        ("web.yaml:2:15", "app.module"),
        ("web.yaml:2:34", "app.path"),
        ("web.yaml:2:40", "app.requirement"),
        ("web.yaml:3:9", "server"),
        ("web.yaml:4:14", "connections"),
        ("web.yaml:5:18", "resources.cpu"),
        ("web.yaml:5:29", "resources.memory"),
        ("web.yaml:6:45", "workers.at_most"),
        ("web.yaml:7:22", "max_requests_jitter"),
        ("web.yaml:8:7", "env.A B"),
        ("web.yaml:8:25", "env.PASSWORD"),
        ("web.yaml:8:40", "env.LD_PRELOAD"),
        ("web.yaml:8:49", "env.LIST"),
        ("web.yaml:9:12", "gunicorn.bind"),
        ("web.yaml:9:21", "gunicorn.nope"),
        ("web.yaml:9:50", "gunicorn.limit_request_line"),
    ]


def test_faults_of_fields_and_of_their_combination_together() -> None:
    found = places(faults_of("port: 1\nmax_requests_jitter: 5\nenv: {API_KEY: x, B: y}\nserver_: 1\n"))
    assert found == [
        ("web.yaml:6:7", "port"),
        ("web.yaml:7:22", "max_requests_jitter"),
        ("web.yaml:8:16", "env.API_KEY"),
        ("web.yaml:9:1", "server_"),
    ]


def test_missing_settings_are_all_named() -> None:
    faults = faults_of(base="name: web\napp: {}\n")
    assert [(fault.path, fault.given) for fault in faults] == [
        ("connections", "missing"),
        ("resources", "missing"),
        ("server", "missing"),
        ("app.module", "missing"),
        ("app.path", "missing"),
    ]
