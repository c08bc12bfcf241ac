"""The schemas: the same places and as many errors as jsonschema's, and what YAML has but JSON has not."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from generator.plan.plan import Plan
from generator.render.render import render
from generator.verify import schema
from generator.verify.schema import KINDS, schema_problems
from tests.fast_support import plan_of
from tests.verify.broken import bundled_minors

FULL = """\
forwarded_allow_ips: 10.244.0.0/16
kubernetes:
  namespace: web
  create_namespace: true
  allowed_namespaces: [ingress]
  volumes: [{name: cache, mount_path: /cache, size: 10Mi}]
  route: {kind: ingress, host: app.example.com}
"""


def documents(plan: Plan) -> dict[str, Any]:
    return {document["kind"]: document for document in yaml.safe_load_all(render(plan)[plan.manifest])}


@pytest.fixture
def deployment() -> Any:
    return documents(plan_of())["Deployment"]


@cache
def reference(minor: str, kind: tuple[str, str]) -> Draft7Validator:
    """The same definitions, read by the reference implementation."""
    path = schema._bundle() / f"v{minor}.0-local-strict" / "_definitions.json"
    registry = Registry().with_resource("urn:k8s", DRAFT7.create_resource(json.loads(path.read_text())))
    return Draft7Validator({"$ref": f"urn:k8s#/$defs/{KINDS[kind]}"}, registry=registry)


#: (kind, where, value): each must be refused.
WRONG: list[tuple[str, tuple[str | int, ...], object]] = [
    ("Deployment", ("spec", "replicas"), True),
    ("Deployment", ("spec", "replicas"), 1.5),
    ("Deployment", ("spec", "unknown"), 1),
    ("Deployment", ("spec", "template", "spec", "containers"), {}),
    ("Deployment", ("spec", "template", "spec", "containers", 0, "image"), ["x"]),
    ("Deployment", ("spec", "template", "spec", "containers", 0, "readynessProbe"), {}),
    ("Deployment", ("spec", "selector"), "app=web"),
    ("Deployment", ("metadata", "labels"), {"a": 1, "b": 2}),
    ("Deployment", ("spec", "strategy", "rollingUpdate", "maxSurge"), []),
    ("Service", ("spec", "ports", 0, "port"), "http"),
    ("Service", ("spec", "ports"), [{"port": "a", "x": 1}, {}]),
    ("ConfigMap", ("data",), {"a": {"b": "c"}}),
    ("HorizontalPodAutoscaler", ("spec", "maxReplicas"), None),
    ("NetworkPolicy", ("spec", "ingress"), "all"),
    ("PodDisruptionBudget", ("spec", "maxUnavailable"), {}),
    ("Ingress", ("spec", "rules", 0, "http", "paths", 0), {"path": 1}),
    ("Namespace", ("metadata",), []),
    ("ServiceAccount", ("automountServiceAccountToken",), "false"),
]


@pytest.mark.parametrize(("kind", "where", "value"), WRONG, ids=[f"{row[0]}-{row[1][-1]}-{row[2]}" for row in WRONG])
@pytest.mark.parametrize("minor", ["1.27", "1.30", "1.37"])
def test_every_error_of_the_reference_is_reported(
    kind: str, where: tuple[str | int, ...], value: object, minor: str
) -> None:
    document = documents(plan_of(FULL))[kind]
    section = document
    for name in where[:-1]:
        section = section[name]
    section[where[-1]] = value
    expected = sorted(
        ".".join(map(str, error.absolute_path))
        for error in reference(minor, (document["apiVersion"], kind)).iter_errors(document)
    )
    assert expected
    assert [field for field, _ in schema_problems(document, (minor,))] == expected


def test_what_is_generated_fits_every_minor_since_the_default() -> None:
    assert len(bundled_minors()) >= 12
    for document in documents(plan_of(FULL)).values():
        assert list(schema_problems(document, bundled_minors()[bundled_minors().index("1.30") :])) == []


def test_an_error_of_several_minors_is_reported_once(deployment: Any) -> None:
    deployment["spec"]["replicas"] = "two"
    (problem,) = schema_problems(deployment, ("1.30", "1.37"))
    assert problem[0] == "spec.replicas"
    assert problem[1].endswith("(schema of Kubernetes 1.30)")


def test_a_kind_without_a_schema_is_refused(deployment: Any) -> None:
    deployment["apiVersion"] = "apps/v1beta1"
    assert list(schema_problems(deployment, ("1.30",))) == [
        ("apiVersion", "Kubernetes 1.30 has no Deployment in apps/v1beta1 that the kit may write")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{since: 2020-01-01}", ("data.since", "2020-01-01 is read as a date: quote it")),
        ("{1: one}", ("data", "the key 1 is read as a int: quote it")),
        ("{a: [{2020-01-01: x}]}", ("data.a.0", "the key datetime.date(2020, 1, 1) is read as a date: quote it")),
        ("{a: !!binary eA==}", ("data.a", "b'x' is read as a bytes: quote it")),
    ],
)
def test_what_json_has_not_is_reported_where_it_is(text: str, problem: tuple[str, str]) -> None:
    document = documents(plan_of())["ConfigMap"] | {"data": yaml.safe_load(text)}
    ((field, message),) = schema_problems(document, ("1.30",))
    assert (field, message) == (problem[0], f"{problem[1]} (schema of Kubernetes 1.30)")
