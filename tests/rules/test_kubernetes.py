"""What the kubernetes section refuses: each row a section, the setting that is named, and a part of the message."""

from __future__ import annotations

import pytest

from tests.fast_support import MINIMAL, faults_of, places, plan_of

REFUSED = [
    ("{replicas: 2, min_replicas: 2}", "kubernetes.min_replicas", "not beside replicas"),
    ("{replicas: 2, max_replicas: 4}", "kubernetes.max_replicas", "not beside replicas"),
    ("{replicas: 9, connections: 12000}", "kubernetes.replicas", "at least 10: 12000 connections, 1200 a pod"),
    ("{min_replicas: 9, connections: 12000}", "kubernetes.min_replicas", "at least 10"),
    ("{max_replicas: 9, connections: 12000}", "kubernetes.max_replicas", "at least 10"),
    ("{max_replicas: 10, connections: 12000}", "kubernetes.max_replicas", "at least the minimum of 11"),
    ("{min_replicas: 5, max_replicas: 4}", "kubernetes.max_replicas", "at least the minimum of 5"),
    ("{minimum_version: 1.31, maximum_version: 1.30}", "kubernetes.maximum_version", "minimum_version (1.31) or newer"),
    ("{minimum_version: 1.24}", "kubernetes.minimum_version", "one of 1.27"),
    ("{create_namespace: true}", "kubernetes.create_namespace", "only with a namespace"),
    ("{create_namespace: true, namespace: default}", "kubernetes.create_namespace", "only with a namespace"),
    ("{namespace: Web}", "kubernetes.namespace", "a DNS label"),
    ("{backend_pool: 5}", "kubernetes.backend_pool", "only with backend_connections"),
    ("{route: {host: a.b}}", "kubernetes.route.host", "only with kind: ingress or httproute"),
    ("{route: {class_name: nginx}}", "kubernetes.route.class_name", "only with kind: ingress"),
    ("{route: {path: //}}", "kubernetes.route.path", "without empty or dotted parts"),
    ("{route: {path: /a/../b}}", "kubernetes.route.path", "without empty or dotted parts"),
    ("{route: {path: /a/.}}", "kubernetes.route.path", "without empty or dotted parts"),
    ("{allowed_namespaces: [a], route: {kind: ingress}}", "kubernetes.route.host", "a host name"),
    ("{route: {kind: ingress, host: a.b}}", "kubernetes.allowed_namespaces", "the namespace that the requests"),
    ("{allowed_namespaces: [a], route: {kind: httproute, host: a.b}}", "kubernetes.route.gateway", "the name of a Gat"),
    (
        "{allowed_namespaces: [a], route: {kind: httproute, host: a.b, gateway: g, tls_secret: t}}",
        "kubernetes.route.tls_secret",
        "only with kind: ingress",
    ),
    ("{route: {annotations: {a: b}}}", "kubernetes.route.annotations", "only with kind: ingress or httproute"),
    ("{route: {annotations: {a b: c}}}", "kubernetes.route.annotations.a b", "a key of a label or an annotation"),
    ("{allowed_namespaces: [a], route: {kind: ingress, host: a.b}}", "kubernetes.route.kind", "what ends TLS"),
    (
        "{allowed_cidrs: [{cidr: 10.0.0.0/8, proxy: false}], route: {kind: httproute, host: a.b, gateway: g}}",
        "kubernetes.route.kind",
        "takes every request for http",
    ),
    (
        "{allowed_cidrs: [{cidr: 0.0.0.0/0}], route: {kind: ingress, host: a.b}}",
        "kubernetes.route.kind",
        "every request",
    ),
    ("{allowed_cidrs: [{cidr: 0.0.0.0/0, proxy: true}]}", "kubernetes.allowed_cidrs.0.cidr", "a network of proxies"),
    ("{allowed_cidrs: [{cidr: '::/0', proxy: true}]}", "kubernetes.allowed_cidrs.0.cidr", "a network of proxies"),
    ("{allowed_cidrs: [{cidr: 10.0.0.1/8}]}", "kubernetes.allowed_cidrs.0.cidr", "a network"),
    ("{metrics: prometheus}", "kubernetes.metrics_image", "an image, since metrics is on"),
    ("{metrics_image: a/b}", "kubernetes.metrics_image", "only with metrics"),
    ("{proxy: true, minimum_version: 1.28}", "kubernetes.minimum_version", "1.29 or newer"),
    ("{volumes: [{name: tmp, mount_path: /data, size: 1Gi}]}", "kubernetes.volumes.0.name", "a name beside"),
    ("{volumes: [{name: a, mount_path: /tmp/x, size: 1Gi}]}", "kubernetes.volumes.0.mount_path", "not /tmp or below"),
    (
        "{volumes: [{name: a, mount_path: /d, size: 1Gi}, {name: b, mount_path: /d, size: 1Gi}]}",
        "kubernetes.volumes.1.mount_path",
        "not /d or below it",
    ),
    ("{volumes: [{name: a, mount_path: /d}]}", "kubernetes.volumes.0", "exactly one of claim, secret"),
    ("{volumes: [{name: a, mount_path: /d, claim: c, secret: s}]}", "kubernetes.volumes.0", "exactly one of"),
    (
        "{volumes: [{nam: a, mount_path: /d, claim: c}]}",
        "kubernetes.volumes.0.nam",
        "one of claim, config_map, mount_path, name",
    ),
    ("{volumes: [a]}", "kubernetes.volumes.0", "a mapping with name"),
    ("{volumes: a}", "kubernetes.volumes", "a list, each item a mapping with name, mount_path, claim (optional)"),
    ("{egress: [{cidr: 10.0.0.1/8}]}", "kubernetes.egress.0.cidr", "a network"),
    ("{egress: [{port: 1}]}", "kubernetes.egress.0", "exactly one of cidr, namespace"),
    ("{env_from: [Bad_Name]}", "kubernetes.env_from.0", "an object's name"),
    ("{volumes: [{name: a, mount_path: /opt, size: 1Gi}]}", "kubernetes.volumes.0.mount_path", "not hide /opt/venv"),
    ("{volumes: [{name: a, mount_path: /app, size: 1Gi}]}", "kubernetes.volumes.0.mount_path", "not hide /app"),
    ("{volumes: [{name: a, mount_path: /usr, size: 1Gi}]}", "kubernetes.volumes.0.mount_path", "not hide /usr/bin"),
    ("{volumes: [{name: a, mount_path: /lib, size: 1Gi}]}", "kubernetes.volumes.0.mount_path", "not hide /usr/lib"),
    (
        "{volumes: [{name: a, mount_path: /run/d, size: 1Gi}, {name: b, mount_path: /var/run/d, size: 1Gi}]}",
        "kubernetes.volumes.1.mount_path",
        "not /run/d or below it",
    ),
    ("{volumes: [{name: a, mount_path: /d/../tmp, size: 1Gi}]}", "kubernetes.volumes.0.mount_path", "an absolute path"),
    ("{env_from: [{secret: a, config_map: b}]}", "kubernetes.env_from.0", "exactly one of secret, config_map"),
    ("{env_from: [{prefix: A_}]}", "kubernetes.env_from.0", "exactly one of"),
    ("{env_from: [{secret: a, prefix: 1-}]}", "kubernetes.env_from.0.prefix", "a variable name"),
    ("{patches: [{op: move, path: /Service/spec/x, why: x}]}", "kubernetes.patches.0.op", "one of add, replace"),
    ("{patches: [{op: add, path: spec/x, value: 1, why: x}]}", "kubernetes.patches.0.path", "a JSON pointer"),
    ("{patches: [{op: add, path: /Service/spec/x, value: 1}]}", "kubernetes.patches.0.why", "one line"),
    ("{patches: [{op: add, path: /Service/spec/x, why: x}]}", "kubernetes.patches.0", "a value with add"),
    ("{patches: [{op: remove, path: /Service/spec/x, value: 1, why: x}]}", "kubernetes.patches.0", "no value with"),
]


@pytest.mark.parametrize(("section", "path", "message"), REFUSED)
def test_refused(section: str, path: str, message: str) -> None:
    faults = faults_of(f"kubernetes: {section}\n")
    assert any(fault.path == path and message in fault.allowed for fault in faults), [str(fault) for fault in faults]
    assert all(fault.remedy and str(fault.mark).startswith("web.yaml:6:") for fault in faults)


ROUTED = "route: {kind: ingress, host: a.b}"
NAMED = [
    f"kubernetes: {{allowed_cidrs: [{{cidr: 10.7.0.0/24}}], {ROUTED}}}\n",
    f"forwarded_allow_ips: 10.244.0.0/16\nkubernetes: {{allowed_namespaces: [a], {ROUTED}}}\n",
    f"forwarded_allow_ips: '127.0.0.1,::1'\nkubernetes: {{allowed_namespaces: [a], {ROUTED}}}\n",
    f"kubernetes: {{allowed_cidrs: [{{cidr: 10.7.0.0/24, proxy: true}}], {ROUTED}}}\n",
    "kubernetes: {allowed_cidrs: [{cidr: 0.0.0.0/0}]}\n",
]


@pytest.mark.parametrize("extra", NAMED)
def test_a_route_is_accepted_where_its_proxies_are_named(extra: str) -> None:
    plan_of(extra)


def test_a_route_without_them_is_refused_with_what_to_write_and_where_to_look() -> None:
    """Every way that the remedy names is taken."""
    refused = f"kubernetes: {{allowed_namespaces: [edge], {ROUTED}}}\n"
    (fault,) = faults_of(refused)
    assert "kubectl get pods -n edge" in fault.remedy
    named, cidrs = "forwarded_allow_ips: 10.244.0.0/16", "allowed_cidrs: [{cidr: 10.7.0.0/24}]"
    assert named in fault.remedy and f"kubernetes.{cidrs}" in fault.remedy
    plan_of(f"{named}\n{refused}")
    plan_of(refused.replace("{allowed", f"{{{cidrs}, allowed"))


def test_records_are_reported_with_their_own_place() -> None:
    faults = faults_of(
        "kubernetes:\n  volumes:\n    - {name: up, mount_path: /d, claim: c}\n    - {name: Up, size: x}\n"
    )
    assert places(faults) == [
        ("web.yaml:9:7", "kubernetes.volumes.1.mount_path"),
        ("web.yaml:9:14", "kubernetes.volumes.1.name"),
        ("web.yaml:9:24", "kubernetes.volumes.1.size"),
    ]


@pytest.mark.parametrize("server", ["pywsgi"])
def test_metrics_only_of_servers_that_count(server: str) -> None:
    faults = faults_of("kubernetes: {metrics: prometheus, metrics_image: a/b}\n", f"server={server}")
    assert [fault.path for fault in faults] == ["kubernetes.metrics"]


@pytest.mark.parametrize(("port", "section"), [(9102, "metrics: prometheus, metrics_image: a"), (8080, "proxy: true")])
def test_a_sidecars_port_is_in_use(port: int, section: str) -> None:
    (fault,) = faults_of(f"kubernetes: {{{section}}}\n", f"port={port}")
    assert fault.path == "port"


def test_one_page_for_readiness_and_liveness_is_refused() -> None:
    (fault,) = faults_of("health: {readiness_path: /ok, liveness_path: /ok}\n")
    assert fault.path == "health.liveness_path"
    assert plan_of("health: {readiness_path: /ok}\n").profile.health.liveness_path is None


def test_names_longer_than_a_label_are_refused() -> None:
    name, group = "n" * 40, "g" * 23
    (fault,) = faults_of(f"group: {group}\n", base=MINIMAL.replace("name: web", f"name: {name}"))
    assert fault.path == "group" and "at most 22 characters" in fault.allowed
