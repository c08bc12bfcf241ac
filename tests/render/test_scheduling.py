"""Where the pods run, what they request and what is noted on the objects, read back from the manifest."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from generator.profile.document import parse_value
from generator.profile.field_types import yaml_value
from generator.render.filters import yaml_block
from generator.render.render import render
from tests.fast_support import HOSTILE_STRINGS, faults_of, plan_of, yaml_quoted
from tests.render.test_compose import app
from tests.render.test_manifest import container, objects, pod


def test_request_below_the_limit() -> None:
    found = container("", "resources.cpu=2", "resources.cpu_request=500m")["resources"]
    assert (found["requests"]["cpu"], found["limits"]["cpu"]) == ("500m", "2")
    assert plan_of("", "resources.cpu=2", "resources.cpu_request=500m").numbers.cpus.value == 2
    target = plan_of("", "resources.cpu=2", "resources.cpu_request=500m").kubernetes.target_cpu
    assert "the request of 0.5 CPU" in target.reason and "more than 0.35 CPU" in target.reason


def test_devices_are_request_and_limit() -> None:
    extra = "resources.extended={nvidia.com/gpu: 2, example.com/fpga: 1}"
    found = container("", extra)["resources"]
    for part in ("requests", "limits"):
        assert (found[part]["nvidia.com/gpu"], found[part]["example.com/fpga"]) == (2, 1)
    devices = [{"driver": "nvidia", "count": 2, "capabilities": ["gpu"]}]
    assert app("", extra)["deploy"]["resources"]["reservations"]["devices"] == devices
    assert "deploy" not in app("", "resources.extended={example.com/fpga: 1}")


def test_what_preloading_loads_is_counted_once() -> None:
    """The trial's case: a model of 2.5 GB in each worker's figure leaves room for one of them, shared for all."""
    limits = ("resources.cpu=8", "resources.memory=6Gi", "preload_app=true")
    each = plan_of("", *limits, "resources.worker_memory=2800Mi").numbers.workers.value
    shared = plan_of("", *limits, "resources.worker_memory=300Mi", "resources.shared_memory=2500Mi")
    assert (each, shared.numbers.workers.value) == (1, 7)
    assert "(2500 MiB of it shared_memory, which workers share)" in shared.kubernetes.memory.reason
    files = render(shared)
    assert "resources.shared_memory (2500Mi), loaded once." in files["docker/web/gunicorn.conf.py"]


def test_pods_go_where_the_profile_says() -> None:
    section = (
        "{priority_class: high, node_selector: {a.b/c: 'on'}, tolerations: [{key: k, value: v, effect: NoExecute, "
        "seconds: 0}, {operator: Exists}], affinity: {podAffinity: {x: [{y: [1, 'yes', null, true, 1.5, {}, []]}]}}}"
    )
    found = pod(f"kubernetes: {section}\n")
    assert found["priorityClassName"] == "high" and found["nodeSelector"] == {"a.b/c": "on"}
    assert found["tolerations"] == [
        {"operator": "Equal", "key": "k", "value": "v", "effect": "NoExecute", "tolerationSeconds": 0},
        {"operator": "Exists"},
    ]
    assert found["affinity"] == {"podAffinity": {"x": [{"y": [1, "yes", None, True, 1.5, {}, []]}]}}
    assert not {"priorityClassName", "nodeSelector", "tolerations", "affinity"} & pod().keys()


def test_annotations_are_noted_on_their_objects() -> None:
    noted = "{a.b/role: 'arn:aws:iam::1:role/web', plain: 'true'}"
    found = objects(f"kubernetes: {{service_annotations: {noted}, service_account_annotations: {noted}}}\n")
    expected = {"a.b/role": "arn:aws:iam::1:role/web", "plain": "true"}
    assert found["Service"]["metadata"]["annotations"] == expected
    assert found["ServiceAccount"]["metadata"]["annotations"] == expected
    pods = objects(f"kubernetes: {{pod_annotations: {noted}}}\n")["Deployment"]["spec"]["template"]["metadata"]
    assert expected.items() <= pods["annotations"].items() and len(pods["annotations"]) == 3
    assert "annotations" not in objects()["Service"]["metadata"]


VALUES: list[Any] = [
    {"a": {"b": []}, "c": [[1, [2]], {"d": None, "e": {"f": "g"}}]},
    [],
    {"on": "off", "": " ", "x: y": "# z", "-": ["- a"]},
]


@pytest.mark.parametrize(
    "value", [*VALUES, {"list": list(HOSTILE_STRINGS)}, {text[:80]: text for text in HOSTILE_STRINGS}]
)
def test_any_value_is_read_back_as_it_was(value: Any) -> None:
    assert yaml.safe_load(yaml_block(value, 4)) == value


def test_text_of_a_profile_goes_through_unchanged() -> None:
    for text in HOSTILE_STRINGS:
        given = yaml_value().parse(parse_value(f"{{a: [{yaml_quoted(text)}]}}", "x"))
        assert yaml.safe_load(yaml_block(given, 0)) == {"a": [text]}


REFUSED = [
    (("resources.cpu_request=2",), "resources.cpu_request", "at most resources.cpu"),
    (
        ("resources.cpu_request=500m", "kubernetes.cpu_limit=none"),
        "resources.cpu_request",
        "not beside cpu_limit: none",
    ),
    (("resources.shared_memory=100Mi", "preload_app=false"), "resources.shared_memory", "only with preload_app"),
    (("resources.extended={gpu: 1}",), "resources.extended.gpu", "a resource of a domain"),
    (("kubernetes.affinity=none",), "kubernetes.affinity", "a mapping with nodeAffinity"),
    (("kubernetes.node_selector={a: 'b c'}",), "kubernetes.node_selector.a", "a label's value"),
    (("kubernetes.tolerations=[{value: v}]",), "kubernetes.tolerations.0", "a key with operator: Equal"),
    (("kubernetes.tolerations=[{key: k, operator: Exists, value: v}]",), "kubernetes.tolerations.0.value", "none with"),
    (("kubernetes.tolerations=[{key: k, seconds: 1}]",), "kubernetes.tolerations.0.seconds", "only with effect"),
    (("kubernetes.pod_annotations={container-kit.dev/configuration-sha256: x}",), "kubernetes.pod_annotations", "none"),
    (
        (
            "kubernetes.pod_annotations={prometheus.io/port: '1'}",
            "kubernetes.metrics=prometheus",
            "kubernetes.metrics_image=r/statsd:1",
        ),
        "kubernetes.pod_annotations",
        "none that the manifest has by itself",
    ),
]


@pytest.mark.parametrize(("overrides", "path", "allowed"), REFUSED)
def test_refused(overrides: tuple[str, ...], path: str, allowed: str) -> None:
    assert [(f.path, allowed in f.allowed) for f in faults_of("", *overrides)] == [(path, True)]


#: As an API server refused them: they were accepted here.
NO_RESOURCES = ("requests.a.example/gpu", f"a.example/{'g' * 64}", f"{'a' * 237}.example/gpu")


@pytest.mark.parametrize("name", NO_RESOURCES)
def test_a_resource_that_no_cluster_takes_is_refused(name: str) -> None:
    (fault,) = faults_of("", f"resources.extended={{{name}: 1}}")
    assert "a resource of a domain" in fault.allowed


def test_the_longest_resource_is_taken() -> None:
    plan_of("", f"resources.extended={{{'a' * 236}.example/{'g' * 63}: 1}}")
