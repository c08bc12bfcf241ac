"""What refers to something else finds it: selectors, ports, volumes, keys, a scaler's target, a route's Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .problem import ObjectProblem

Objects = Mapping[str, Any]


def reference_problems(objects: Objects) -> Iterator[ObjectProblem]:
    """Every reference among the objects of one manifest, by kind, that leads nowhere."""
    for kind in ("ServiceAccount", "ConfigMap", "Service", "Deployment"):
        if kind not in objects:
            yield kind, "", "is missing"
            return
    yield from _namespaces(objects)
    yield from _selectors(objects)
    yield from _ports(objects)
    yield from _volumes(objects)
    yield from _autoscaler(objects)
    account = _pod(objects).get("serviceAccountName")
    if account != objects["ServiceAccount"]["metadata"]["name"]:
        yield "Deployment", "spec.template.spec.serviceAccountName", f"no ServiceAccount is named {account!r}"


def _pod(objects: Objects) -> Any:
    return objects["Deployment"]["spec"]["template"]["spec"]


def _containers(objects: Objects) -> Iterator[tuple[str, Any]]:
    for group in ("initContainers", "containers"):
        for number, container in enumerate(_pod(objects).get(group) or []):
            yield f"spec.template.spec.{group}.{number}", container


def _namespaces(objects: Objects) -> Iterator[ObjectProblem]:
    expected = objects["Deployment"]["metadata"].get("namespace")
    for kind, document in objects.items():
        metadata = document["metadata"]
        found = metadata.get("name") if kind == "Namespace" else metadata.get("namespace")
        if found != expected:
            field = "metadata.name" if kind == "Namespace" else "metadata.namespace"
            yield kind, field, f"{found!r}, but the Deployment is in {expected!r}"


def _selectors(objects: Objects) -> Iterator[ObjectProblem]:
    labels = objects["Deployment"]["spec"]["template"]["metadata"].get("labels") or {}
    spread = _pod(objects).get("topologySpreadConstraints") or []
    found = [("Deployment", "spec.selector.matchLabels"), ("Service", "spec.selector")]
    found += [("PodDisruptionBudget", "spec.selector.matchLabels"), ("NetworkPolicy", "spec.podSelector.matchLabels")]
    found += [
        ("Deployment", f"spec.template.spec.topologySpreadConstraints.{number}.labelSelector.matchLabels")
        for number in range(len(spread))
    ]
    for kind, field in found:
        if kind not in objects:
            continue
        selector = _at(objects[kind], field)
        if not selector:
            yield kind, field, "selects every pod of the namespace"
        elif not selector.items() <= labels.items():
            yield kind, field, f"{_text(selector)} matches no pod: they have {_text(labels)}"


def _ports(objects: Objects) -> Iterator[ObjectProblem]:
    named = {port.get("name") for _, container in _containers(objects) for port in container.get("ports") or []}
    service = objects["Service"]["spec"].get("ports") or []
    for number, port in enumerate(service):
        yield from _port("Service", f"spec.ports.{number}.targetPort", port.get("targetPort"), named)
    for field, container in _containers(objects):
        own = {port.get("name") for port in container.get("ports") or []}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for handler in ("httpGet", "tcpSocket"):
                handled = (container.get(probe) or {}).get(handler)
                if isinstance(handled, dict):
                    yield from _port("Deployment", f"{field}.{probe}.{handler}.port", handled.get("port"), own)
    for number, rule in enumerate(_at(objects.get("NetworkPolicy", {}), "spec.ingress") or []):
        for place, port in enumerate(rule.get("ports") or []):
            yield from _port("NetworkPolicy", f"spec.ingress.{number}.ports.{place}.port", port.get("port"), named)
    yield from _routes(objects, service)


def _port(kind: str, field: str, port: Any, names: set[Any]) -> Iterator[ObjectProblem]:
    if isinstance(port, str) and port not in names:
        yield kind, field, f"no port is named {port!r}; there are {', '.join(sorted(map(str, names)))}"


def _routes(objects: Objects, service: list[Any]) -> Iterator[ObjectProblem]:
    name = objects["Service"]["metadata"]["name"]
    for rule in _at(objects.get("Ingress", {}), "spec.rules") or []:
        for place, path in enumerate((rule.get("http") or {}).get("paths") or []):
            backend = path["backend"].get("service") or {}
            field = f"spec.rules.0.http.paths.{place}.backend.service"
            if backend.get("name") != name:
                yield "Ingress", f"{field}.name", f"no Service is named {backend.get('name')!r}"
            port = backend.get("port") or {}
            if not any(port in ({"name": p.get("name")}, {"number": p.get("port")}) for p in service):
                yield "Ingress", f"{field}.port", f"the Service has no port {_text(port)}"
    for number, rule in enumerate(_at(objects.get("HTTPRoute", {}), "spec.rules") or []):
        for place, backend in enumerate(rule.get("backendRefs") or []):
            field = f"spec.rules.{number}.backendRefs.{place}"
            if backend.get("name") != name:
                yield "HTTPRoute", f"{field}.name", f"no Service is named {backend.get('name')!r}"
            if backend.get("port") not in [p.get("port") for p in service]:
                yield "HTTPRoute", f"{field}.port", f"the Service has no port {backend.get('port')!r}"


def _volumes(objects: Objects) -> Iterator[ObjectProblem]:
    volumes = {volume.get("name"): volume for volume in _pod(objects).get("volumes") or []}
    own = objects["ConfigMap"]
    mounted: set[Any] = set()
    for field, container in _containers(objects):
        for number, mount in enumerate(container.get("volumeMounts") or []):
            place = f"{field}.volumeMounts.{number}"
            volume = volumes.get(mount.get("name"))
            mounted.add(mount.get("name"))
            if volume is None:
                yield "Deployment", f"{place}.name", f"no volume is named {mount.get('name')!r}"
                continue
            configures = (volume.get("configMap") or {}).get("name") == own["metadata"]["name"]
            # Without a subPath the volume is the whole folder, as one of kubernetes.volumes may be.
            if configures and "subPath" in mount and mount["subPath"] not in own.get("data", {}):
                yield "Deployment", f"{place}.subPath", f"the ConfigMap has no key {mount.get('subPath')!r}"
        paths = [mount.get("mountPath") for mount in container.get("volumeMounts") or []]
        for path in sorted({path for path in paths if paths.count(path) > 1}):
            yield "Deployment", f"{field}.volumeMounts", f"{path} is mounted twice"
    for name in sorted(map(str, volumes.keys() - mounted)):
        yield "Deployment", "spec.template.spec.volumes", f"nothing mounts {name!r}"


def _autoscaler(objects: Objects) -> Iterator[ObjectProblem]:
    scaler, deployment = objects.get("HorizontalPodAutoscaler"), objects["Deployment"]
    if scaler is None:
        return
    kind, spec = "HorizontalPodAutoscaler", scaler["spec"]
    target = spec["scaleTargetRef"]
    expected = (deployment["apiVersion"], deployment["kind"], deployment["metadata"]["name"])
    if (target.get("apiVersion"), target.get("kind"), target.get("name")) != expected:
        yield kind, "spec.scaleTargetRef", f"{_text(target)} is not the Deployment"
    if "replicas" in deployment["spec"]:
        yield "Deployment", "spec.replicas", "an autoscaler sets them: applying the file would undo it"
    if spec.get("minReplicas", 1) > spec["maxReplicas"]:
        yield kind, "spec.maxReplicas", f"{spec['maxReplicas']} is below minReplicas {spec['minReplicas']}"
    names = [container.get("name") for _, container in _containers(objects)]
    for number, metric in enumerate(spec.get("metrics") or []):
        container = (metric.get("containerResource") or {}).get("container")
        if container is not None and container not in names:
            yield kind, f"spec.metrics.{number}.containerResource.container", f"no container is named {container!r}"


def _at(value: Any, field: str) -> Any:
    """The value of a dotted field; None where it is not there."""
    for step in field.split("."):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _text(mapping: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in mapping.items())
