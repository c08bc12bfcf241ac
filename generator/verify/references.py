"""What refers to something else finds it: selectors, ports, a scaler's target, a route's Service, a Role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .pods import Pods, pod_problems, pods_of, port_problems, selector_problems
from .problem import Key, ObjectProblem, Objects, at, pairs

#: The app's own are the first of their kind in the file; what runs beside it comes after them.
_NEEDED = ("ServiceAccount", "ConfigMap", "Service", "Deployment")
_SELECTORS = {
    "Service": "spec.selector",
    "PodDisruptionBudget": "spec.selector.matchLabels",
    "NetworkPolicy": "spec.podSelector.matchLabels",
}


def reference_problems(objects: Objects) -> Iterator[ObjectProblem]:
    """Every reference among the objects of one manifest that leads nowhere, or to what it must not."""
    kinds = [kind for kind, _ in objects]
    for kind in _NEEDED:
        if kind not in kinds:
            yield (kind, ""), "", "is missing"
            return
    all_pods = pods_of(objects)
    app = next(pods for pods in all_pods if pods.key[0] == "Deployment")
    yield from _namespaces(objects, app)
    yield from _selectors(objects, all_pods, app)
    for pods in all_pods:
        yield from pod_problems(objects, pods)
    yield from _ports(objects, all_pods, app)
    yield from _autoscaler(objects, app)
    yield from _roles(objects)


def _of_kind(objects: Objects, kind: str) -> Iterator[tuple[Key, Any]]:
    return ((key, document) for key, document in objects.items() if key[0] == kind)


def _namespaces(objects: Objects, app: Pods) -> Iterator[ObjectProblem]:
    expected = objects[app.key]["metadata"].get("namespace")
    for key, document in objects.items():
        metadata = document["metadata"]
        found = metadata.get("name") if key[0] == "Namespace" else metadata.get("namespace")
        if found != expected:
            field = "metadata.name" if key[0] == "Namespace" else "metadata.namespace"
            yield key, field, f"{found!r}, but the Deployment is in {expected!r}"


def _selectors(objects: Objects, all_pods: list[Pods], app: Pods) -> Iterator[ObjectProblem]:
    for key, document in objects.items():
        if (field := _SELECTORS.get(key[0])) is None:
            continue
        yield from selector_problems(key, field, document, all_pods)
        selector = at(document, field) or {}
        for pods in all_pods:
            if pods is not app and key[0] != "NetworkPolicy" and selector.items() <= pods.labels.items():
                yield key, field, f"{pairs(selector)} matches the pods of {' '.join(pods.key)} too, which serve nothing"
    selectors = [at(objects[pods.key], "spec.selector.matchLabels") or {} for pods in all_pods]
    for pods, selector in zip(all_pods, selectors, strict=True):
        for other in all_pods:
            if selector and other is not pods and selector.items() <= other.labels.items():
                yield pods.key, "spec.selector.matchLabels", f"matches the pods of {' '.join(other.key)} too"


def _ports(objects: Objects, all_pods: list[Pods], app: Pods) -> Iterator[ObjectProblem]:
    for key, document in _of_kind(objects, "Service"):
        for number, port in enumerate(document["spec"].get("ports") or []):
            field = f"spec.ports.{number}.targetPort"
            yield from port_problems(key, field, port.get("targetPort"), app.port_names())
    for key, document in _of_kind(objects, "NetworkPolicy"):
        selector = at(document, _SELECTORS["NetworkPolicy"]) or {}
        names = {name for pods in all_pods if selector.items() <= pods.labels.items() for name in pods.port_names()}
        for number, rule in enumerate(at(document, "spec.ingress") or []):
            for place, port in enumerate(rule.get("ports") or []):
                field = f"spec.ingress.{number}.ports.{place}.port"
                yield from port_problems(key, field, port.get("port"), names)
    for key, document in _of_kind(objects, "Service"):
        service = document["spec"].get("ports") or []
        yield from _ingresses(objects, key[1], service)
        yield from _httproutes(objects, key[1], service)


def _ingresses(objects: Objects, name: str, service: list[Any]) -> Iterator[ObjectProblem]:
    for key, document in _of_kind(objects, "Ingress"):
        for rule in at(document, "spec.rules") or []:
            for place, path in enumerate((rule.get("http") or {}).get("paths") or []):
                backend = path["backend"].get("service") or {}
                field = f"spec.rules.0.http.paths.{place}.backend.service"
                if backend.get("name") != name:
                    yield key, f"{field}.name", f"no Service is named {backend.get('name')!r}"
                port = backend.get("port") or {}
                if not any(port in ({"name": p.get("name")}, {"number": p.get("port")}) for p in service):
                    yield key, f"{field}.port", f"the Service has no port {pairs(port)}"


def _httproutes(objects: Objects, name: str, service: list[Any]) -> Iterator[ObjectProblem]:
    for key, document in _of_kind(objects, "HTTPRoute"):
        for number, rule in enumerate(at(document, "spec.rules") or []):
            for place, backend in enumerate(rule.get("backendRefs") or []):
                field = f"spec.rules.{number}.backendRefs.{place}"
                if backend.get("name") != name:
                    yield key, f"{field}.name", f"no Service is named {backend.get('name')!r}"
                if backend.get("port") not in [p.get("port") for p in service]:
                    yield key, f"{field}.port", f"the Service has no port {backend.get('port')!r}"


def _autoscaler(objects: Objects, app: Pods) -> Iterator[ObjectProblem]:
    deployment = objects[app.key]
    for key, scaler in _of_kind(objects, "HorizontalPodAutoscaler"):
        spec = scaler["spec"]
        target = spec["scaleTargetRef"]
        expected = (deployment["apiVersion"], *app.key)
        if (target.get("apiVersion"), target.get("kind"), target.get("name")) != expected:
            yield key, "spec.scaleTargetRef", f"{pairs(target)} is not the Deployment"
        if "replicas" in deployment["spec"]:
            yield app.key, "spec.replicas", "an autoscaler sets them: applying the file would undo it"
        if spec.get("minReplicas", 1) > spec["maxReplicas"]:
            yield key, "spec.maxReplicas", f"{spec['maxReplicas']} is below minReplicas {spec['minReplicas']}"
        names = [container.get("name") for _, container in app.containers()]
        for number, metric in enumerate(spec.get("metrics") or []):
            container = (metric.get("containerResource") or {}).get("container")
            if container is not None and container not in names:
                yield key, f"spec.metrics.{number}.containerResource.container", f"no container is named {container!r}"


def _roles(objects: Objects) -> Iterator[ObjectProblem]:
    for key, document in _of_kind(objects, "RoleBinding"):
        role = document["roleRef"]
        if (role.get("kind"), role.get("name")) not in objects:
            yield key, "roleRef.name", f"no {role.get('kind')} is named {role.get('name')!r}"
        for number, subject in enumerate(document.get("subjects") or []):
            if (subject.get("kind"), subject.get("name")) not in objects:
                yield key, f"subjects.{number}.name", f"no {subject.get('kind')} is named {subject.get('name')!r}"
    for key, document in _of_kind(objects, "Role"):
        for number, rule in enumerate(document.get("rules") or []):
            for place, name in enumerate(rule.get("resourceNames") or [None]):
                if "configmaps" in rule.get("resources", ()) and ("ConfigMap", name) not in objects:
                    yield key, f"rules.{number}.resourceNames.{place}", f"no ConfigMap is named {name!r}"
