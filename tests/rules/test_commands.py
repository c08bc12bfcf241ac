"""What commands beside the server must not be: each row overrides, the setting that is named, part of the message."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import KitError
from generator.pipeline import read_plans
from tests.fast_support import MINIMAL, faults_of, plan_of

REFUSED = [
    (("app.before_start=flask db upgrade",), "app.before_start", "a list, each item a word of a command"),
    (("app.before_start=[[flask]]",), "app.before_start.0", "a word of a command"),
    (('app.before_start=["a\\nb"]',), "app.before_start.0", "a word of a command"),
    (('app.before_start=[""]',), "app.before_start.0", "a word of a command"),
    (("app.before_start=[--timeout, 1]",), "app.before_start.0", "a command: the image takes what begins with -"),
    (("app.before_start=[load, 'postgres://u:p@db/x']",), "app.before_start.1", "no secrets"),
    (("app.before_start=[sh, -c, 'API_TOKEN=abc flask db upgrade']",), "app.before_start.2", "no secrets"),
    (("app.before_start=[env, API_TOKEN=abc, flask]",), "app.before_start.1", "no secrets"),
    (("app.before_start=[flask, seed, --password, hunter2]",), "app.before_start.3", "no secrets"),
    (
        ("jobs=[{name: w, command: [x, '--password=hunter2'], resources: {cpu: 1, memory: 1Gi}}]",),
        "jobs.0.command.1",
        "no sec",
    ),
    (("app.before_start=[a]", "proxy_subnet=10.9.0.0/29"), "proxy_subnet", "at least /28: 1 containers beside"),
    (("app.before_start=[a]", "server=flask"), "app.before_start", "none with flask"),
    (("jobs=[{name: w, command: celery worker, resources: {cpu: 1, memory: 1Gi}}]",), "jobs.0.command", "a list"),
    (("jobs=[{name: w, command: [], resources: {cpu: 1, memory: 1Gi}}]",), "jobs.0.command", "a command"),
    (("jobs=[{name: w, command: [-x], resources: {cpu: 1, memory: 1Gi}}]",), "jobs.0.command.0", "begins with -"),
    (
        ("jobs=[{name: w, command: [x, 'redis://u:p@r'], resources: {cpu: 1, memory: 1Gi}}]",),
        "jobs.0.command.1",
        "no sec",
    ),
    (("jobs=[{name: w, command: [x]}]",), "jobs.0.resources", "a mapping with cpu, memory"),
    (("jobs=[{command: [x], resources: {cpu: 1, memory: 1Gi}}]",), "jobs.0.name", "a DNS label of at most 40"),
    (("jobs=[{name: W_1, command: [x], resources: {cpu: 1, memory: 1Gi}}]",), "jobs.0.name", "a DNS label"),
    (
        ("jobs=[{name: app, command: [x], resources: {cpu: 1, memory: 1Gi}}]",),
        "jobs.0.name",
        "beside app, proxy, before-",
    ),
    (("jobs=[{name: before-start, command: [x], resources: {cpu: 1, memory: 1Gi}}]",), "jobs.0.name", "a name beside"),
    (
        (f"jobs=[{', '.join(['{name: w, command: [x], resources: {cpu: 1, memory: 1Gi}}'] * 2)}]",),
        "jobs.1.name",
        "a name beside app, proxy, before-start, w",
    ),
    (("jobs=[{name: w, command: [x], replicas: 0, resources: {cpu: 1, memory: 1Gi}}]",), "jobs.0.replicas", "from 1"),
    (
        ("jobs=[{name: w, command: [x], resources: {cpu: 1, memory: 16Mi}}]",),
        "jobs.0.resources.memory",
        "at least 32Mi",
    ),
    (
        ("jobs=[{name: w, command: [x], resources: {cpu: 1, cpu_request: 2, memory: 1Gi}}]",),
        "jobs.0.resources.cpu_request",
        "at most cpu",
    ),
    (
        ("jobs=[{name: w, command: [x], resources: {cpu: 1, memory: 1Gi}}]", "server=flask"),
        "jobs.0.command",
        "none with",
    ),
    (
        (
            "jobs=[{name: w, command: [x], resources: {cpu: 1, memory: 1Gi}}]",
            "volumes=[{name: data, mount_path: /data, claim: c}]",
            "kubernetes.replicas=1",
        ),
        "volumes.0.access_mode",
        "beside jobs, whose pods have the volumes too",
    ),
]


@pytest.mark.parametrize(("overrides", "path", "message"), REFUSED)
def test_refused(overrides: tuple[str, ...], path: str, message: str) -> None:
    faults = faults_of("", *overrides)
    assert any(fault.path == path and message in fault.allowed for fault in faults), [str(fault) for fault in faults]
    assert all(fault.remedy for fault in faults)


def test_a_secret_is_not_shown_in_the_message() -> None:
    for override in (
        "app.before_start=[flask, seed, --password, hunter2]",
        "app.before_start=[sh, -c, 'TOKEN=hunter2 x']",
        "app.wrapper=[x, --api-key, hunter2]",
        "app.build_commands=['TOKEN=hunter2 make']",
        "gunicorn.logconfig_dict={handlers: {a: {class: x, password: hunter2}}, loggers: {}, root: {handlers: [a]}}",
    ):
        (fault,) = faults_of("", override)
        assert (fault.code, "hunter2" in str(fault), "value not shown" in str(fault)) == ("K014", False, True)


@pytest.mark.parametrize(
    "override",
    [
        "app.build_commands=['TOKEN=hunter2 make']",
        "app.before_start=[sh, -c, 'export TOKEN=hunter2; flask db upgrade']",
        "app.before_start=[env, TOKEN=hunter2, flask]",
        "app.wrapper=[env, TOKEN=hunter2]",
        "jobs=[{name: w, command: [env, TOKEN=hunter2, x], resources: {cpu: 1, memory: 1Gi}}]",
    ],
)
def test_a_variable_of_a_command_may_be_allowed(override: str) -> None:
    (fault,) = faults_of("", override)
    assert fault.code == "K014" and "env_allowed: [NAME]" in fault.remedy
    plan_of("", override, "env_allowed=[TOKEN]")
    (fault,) = faults_of("", override.replace("TOKEN=", "A=1 API_TOKEN="), "env_allowed=[A]")
    assert fault.code == "K014"


def test_a_jobs_name_is_no_longer_than_a_label() -> None:
    longest = plan_of("", "app.before_start=[a]", base=MINIMAL.replace("name: web", f"name: {'n' * 40}"))
    assert len(longest.before_start.name) + 1 + 8 <= 63
    (fault,) = faults_of("group: team\n", "app.before_start=[a]", base=MINIMAL.replace("web", "n" * 40))
    assert fault.path == "group" and "its Job is named" in fault.allowed


def test_a_jobs_objects_have_names_no_longer_than_a_label() -> None:
    job = f"jobs: [{{name: {'w' * 40}, command: [x], resources: {{cpu: 1, memory: 1Gi}}}}]\n"
    (fault,) = faults_of(job, base=MINIMAL.replace("name: web", f"name: {'n' * 23}"))
    assert fault.path == "jobs.0.name" and "1 characters less: its objects are named" in fault.allowed
    assert plan_of(job, base=MINIMAL.replace("name: web", f"name: {'n' * 22}")).jobs[0].name.startswith("nnn")


def test_two_profiles_must_not_have_the_same_objects(tmp_path: Path) -> None:
    """`web` in the group `before-start` is called as the Job's objects of `web` are."""
    files = []
    for number, extra in enumerate(("", "group: before-start\n")):
        file = tmp_path / f"{number}.yaml"
        command = "before_start: [a], " if not extra else ""
        file.write_text(MINIMAL.replace("app: {", "app: {" + command) + extra)
        files.append(str(file))
    with pytest.raises(KitError, match="objects named web-before-start"):
        read_plans(files)
