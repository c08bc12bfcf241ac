"""A name that is a setting of another section, or another tool's word for one: the fault says where it belongs."""

from __future__ import annotations

import pytest

from generator.profile.elsewhere import OTHER_NAMES, RECORDS, SECTIONS, remedy_of
from generator.profile.records import settings
from tests.fast_support import faults_of


@pytest.mark.parametrize(
    ("line", "path", "remedy"),
    [
        ("memory: 1Gi", "memory", "memory stands in resources: move it there"),
        ("requirements: r.txt", "requirements", "requirements stands in app: move it there"),
        ("readinessPath: /", "readinessPath", "readiness_path stands in health: move it there"),
        ("host: a.example", "host", "host stands in health and in kubernetes.route: move it to the one that is meant"),
        ("route: {kind: ingress}", "route", "route stands in kubernetes: move it there"),
        ("limit_request_fields: 50", "limit_request_fields",
         "limit_request_fields is a setting of gunicorn's own: move it below gunicorn"),
        ("worker_class: gevent", "worker_class", "worker_class is set by the kit: use server"),
        ("bind: 0.0.0.0:8000", "bind", "bind is set by the kit: use port"),
        ("daemon: true", "daemon",
         "daemon is set by the kit: leave it out: a container's server stays in the foreground"),
        ("ingress: a.example", "ingress", "write kubernetes.route.kind, kubernetes.route.host"),
        ("pythonpath: src", "pythonpath", "write app.python_path"),
        ("kubernetes: {ingress: a.example}", "kubernetes.ingress",
         "write kubernetes.route.kind, kubernetes.route.host"),
        ("kubernetes: {image: a:1}", "kubernetes.image", "image stands at the top level of a profile: move it there"),
        ("kubernetes: {host: a.example}", "kubernetes.host", "host stands in kubernetes.route: move it there"),
        ("kubernetes: {livenessProbe: {}}", "kubernetes.livenessProbe", "write health.liveness_path"),
        ("kubernetes: {route: {tls: a}}", "kubernetes.route.tls", "write kubernetes.route.tls_secret"),
        ("kubernetes: {nodeSelector: {}}", "kubernetes.nodeSelector", "write node_selector"),
        ("gunicorn: {access_log: json}", "gunicorn.access_log",
         "access_log stands at the top level of a profile: move it there"),
        ("gunicorn: {memory: 1Gi}", "gunicorn.memory", "memory stands in resources: move it there"),
        ("jobs: [{name: a, command: [b], resources: {cpu: 1, memory: 1Gi}, memory: 1Gi}]", "jobs.0.memory",
         "memory stands in jobs.resources: move it there"),
        ("jobs: [{name: a, command: [b], resources: {cpu: 1, memory: 1Gi, limits: {}}}]", "jobs.0.resources.limits",
         "write jobs.resources.cpu, jobs.resources.memory"),
        ("volumes: [{name: a, path: /a, mount_path: /a, size: 1Gi}]", "volumes.0.path",
         "write volumes.mount_path"),
        ("env_secrets: {A: {secret: b, key: c, server: d}}", "env_secrets.A.server", "did you mean secret?"),
        ("workers: {per_cpu: 2, memory: 1Gi}", "workers.memory", "remove it"),
    ],
)  # fmt: skip
def test_where_it_belongs(line: str, path: str, remedy: str) -> None:
    (fault,) = faults_of(line)
    assert (fault.path, fault.remedy, fault.code) == (path, remedy, "K004")


@pytest.mark.parametrize("section", [*SECTIONS, "gunicorn"])
def test_every_setting_is_found_from_every_section(section: str) -> None:
    above = section.split(".") if section else []
    own = settings(SECTIONS[section]) if section in SECTIONS else ()
    for home, record in SECTIONS.items():
        for name in settings(record).keys() - set(own):
            remedy = remedy_of([*above, name])
            is_gunicorns = section == "gunicorn" and remedy is None  # it says so itself, by gunicorn's name
            assert is_gunicorns or remedy is not None, (section, home, name)


def test_other_names_are_no_settings_and_give_some() -> None:
    paths = {f"{section}.{name}".lstrip(".") for section, record in RECORDS.items() for name in settings(record)}
    assert not paths & OTHER_NAMES.keys()
    assert {path for others in OTHER_NAMES.values() for path in others} <= paths
    assert {key.rpartition(".")[0] for key in OTHER_NAMES} <= RECORDS.keys()
