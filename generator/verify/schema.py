"""The API server's own schemas, strict, for each given Kubernetes minor: every error of every document."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from .problem import Problem

#: Definition of each kind that the templates may write; HTTPRoute has none here (httproute.py has its rules).
KINDS: Mapping[tuple[str, str], str] = {
    ("v1", "ConfigMap"): "io.k8s.api.core.v1.ConfigMap",
    ("v1", "Namespace"): "io.k8s.api.core.v1.Namespace",
    ("v1", "Service"): "io.k8s.api.core.v1.Service",
    ("v1", "ServiceAccount"): "io.k8s.api.core.v1.ServiceAccount",
    ("apps/v1", "Deployment"): "io.k8s.api.apps.v1.Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    ("batch/v1", "Job"): "io.k8s.api.batch.v1.Job",
    ("networking.k8s.io/v1", "Ingress"): "io.k8s.api.networking.v1.Ingress",
    ("networking.k8s.io/v1", "NetworkPolicy"): "io.k8s.api.networking.v1.NetworkPolicy",
    ("rbac.authorization.k8s.io/v1", "Role"): "io.k8s.api.rbac.v1.Role",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "io.k8s.api.rbac.v1.RoleBinding",
    ("policy/v1", "PodDisruptionBudget"): "io.k8s.api.policy.v1.PodDisruptionBudget",
}
_MAX_CHARACTERS = 300  # of one message: some quote the whole value


def schema_problems(document: Mapping[str, Any], minors: tuple[str, ...]) -> Iterator[Problem]:
    """Each error of one API object under each of the Kubernetes minors, once, with the first minor that has it."""
    kind = (str(document["apiVersion"]), str(document["kind"]))
    if kind not in KINDS:
        yield "apiVersion", f"Kubernetes {minors[-1]} has no {kind[1]} in {kind[0]} that the kit may write"
        return
    reported = set()
    for minor in minors:
        try:
            found = list(_validator(minor, kind).iter_errors(document))
            errors = [(".".join(map(str, error.instance_path)), error.message) for error in found]
        except ValueError as error:  # what YAML has and JSON has not: a date, a number as key
            errors = list(_not_json(document, "")) or [("", str(error))]
        for field, message in sorted(errors):
            if (field, message) not in reported:
                reported.add((field, message))
                yield field, f"{message[:_MAX_CHARACTERS]} (schema of Kubernetes {minor})"


def _not_json(value: Any, field: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                yield field, f"the key {key!r} is read as a {type(key).__name__}: quote it"
            yield from _not_json(item, f"{field}.{key}" if field else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _not_json(item, f"{field}.{number}")
    elif not isinstance(value, str | int | float | None):
        yield field, f"{value!s} is read as a {type(value).__name__}: quote it"


@cache
def _bundle() -> Path:
    # Found without importing it: its import alone costs more than the whole stage.
    spec = importlib.util.find_spec("kubernetes_validate")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema"


@cache
def _definitions(minor: str) -> jsonschema_rs.Registry:
    """What KINDS reach of a file of four times as many definitions: a registry of all takes ten times as long."""
    text = (_bundle() / f"v{minor}.0-local-strict" / "_definitions.json").read_bytes()
    every = json.loads(text)["$defs"]
    reached: dict[str, Any] = {}
    names = [name for name in KINDS.values() if name in every]
    while names:
        name = names.pop()
        if name not in reached:
            reached[name] = every[name]
            names.extend(reference.removeprefix("#/$defs/") for reference in _references(every[name]))
    return jsonschema_rs.Registry([(f"urn:kubernetes:{minor}", {"$defs": reached})], draft=jsonschema_rs.Draft7)


def _references(definition: Any) -> Iterator[str]:
    nodes = [definition]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                yield reference
            nodes.extend(node.values())
        elif isinstance(node, list):
            nodes.extend(node)


@cache
def _validator(minor: str, kind: tuple[str, str]) -> jsonschema_rs.Draft7Validator:
    reference = {"$ref": f"urn:kubernetes:{minor}#/$defs/{KINDS[kind]}"}
    return jsonschema_rs.Draft7Validator(reference, registry=_definitions(minor))
