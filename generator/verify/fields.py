"""Fields of one API object that no schema expresses: ports, quantities, enums, names, probes, periods, stopping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .pods import KINDS as POD_KINDS
from .problem import Problem

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_QUANTITY = re.compile(r"[+-]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)([EPTGMk]i?|Ki|[mun]|[eE][+-]?[0-9]+)?")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_AT_LEAST_ONE = ("periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold")
_PORTS = ("containerPort", "hostPort", "port", "targetPort", "nodePort", "number")
#: What the API server accepts, by the field's name or, where one name has several meanings, with its parent's.
_ENUMS: Mapping[str, tuple[str, ...]] = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "pathType": ("Exact", "ImplementationSpecific", "Prefix"),
    "protocol": ("SCTP", "TCP", "UDP"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget"),
    "operator": ("DoesNotExist", "Equal", "Exists", "In", "NotIn"),
    "scheme": ("HTTP", "HTTPS"),
    "selectPolicy": ("Disabled", "Max", "Min"),
    "restartPolicy": ("Always", "Never", "OnFailure"),
    "emptyDir.medium": ("", "HugePages", "Memory"),
    "seccompProfile.type": ("Localhost", "RuntimeDefault", "Unconfined"),
    "strategy.type": ("Recreate", "RollingUpdate"),
    "policies.type": ("Percent", "Pods"),
    "target.type": ("AverageValue", "Utilization", "Value"),
    "metrics.type": ("ContainerResource", "External", "Object", "Pods", "Resource"),
    "Service.spec.type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    "policyTypes": ("Egress", "Ingress"),
}


def field_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Every fault of one object's own fields."""
    kind = str(document["kind"])
    yield from _names(document, kind)
    for field, name, parent, value in _walk(document, "", "", ""):
        place = (f"{parent}.{name}", name) if field != "spec.type" else (f"{kind}.{field}",)
        yield from _enum(field, place, value)
        if name in _PORTS and isinstance(value, int) and not 1 <= value <= 65535:
            yield field, f"{value} is no port: 1 to 65535"
        if name in _AT_LEAST_ONE and isinstance(value, int) and value < 1:
            yield field, f"{value} must be 1 or more"
        if (parent in ("requests", "limits") or name in ("sizeLimit", "divisor")) and not _is_quantity(value):
            yield field, f"{value!r} is no quantity, such as 500m or 256Mi"
        if name in _PROBES and isinstance(value, dict):
            yield from _probe(field, name, value)
    if kind in POD_KINDS:
        yield from _pod(document["spec"]["template"]["spec"])


def _walk(value: Any, field: str, name: str, parent: str) -> Iterator[tuple[str, str, str, Any]]:
    """(field, its name, its parent's name, value) of all there is; items of a list go by the list's name."""
    if name:
        yield field, name, parent, value
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "data":  # a ConfigMap's text is nobody's field
                yield from _walk(inner, f"{field}.{key}" if field else str(key), str(key), name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if isinstance(inner, dict):
                for key, item in inner.items():
                    yield from _walk(item, f"{field}.{number}.{key}", str(key), name)
            else:
                yield f"{field}.{number}", name, parent, inner


def _enum(field: str, places: tuple[str, ...], value: Any) -> Iterator[Problem]:
    allowed = next((_ENUMS[place] for place in places if place in _ENUMS), None)
    if allowed and isinstance(value, str) and value not in allowed:
        yield field, f"{value!r} is none of {', '.join(allowed)}"


def _names(document: Mapping[str, Any], kind: str) -> Iterator[Problem]:
    metadata = document["metadata"]
    for key in ("name", "namespace"):
        pattern = _SERVICE_LABEL if (kind, key) == ("Service", "name") else _LABEL
        if (value := metadata.get(key)) is not None and not pattern.fullmatch(str(value)):
            yield f"metadata.{key}", f"{value!r} is no DNS label of at most 63 characters"
    places = [("metadata.labels", metadata.get("labels"))]
    if kind in POD_KINDS:
        pod = document["spec"]["template"]
        places.append(("spec.template.metadata.labels", pod["metadata"].get("labels")))
        for group in ("initContainers", "containers", "volumes"):
            named = pod["spec"].get(group) or []
            yield from _unique(f"spec.template.spec.{group}", [str(item.get("name")) for item in named])
    for place, labels in places:
        for key, value in (labels or {}).items():
            if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
                yield f"{place}.{key}", f"{value!r} is no label value of at most 63 characters"


def _unique(field: str, names: list[str]) -> Iterator[Problem]:
    for number, name in enumerate(names):
        if not _LABEL.fullmatch(name):
            yield f"{field}.{number}.name", f"{name!r} is no DNS label of at most 63 characters"
        if name in names[:number]:
            yield f"{field}.{number}.name", f"{name!r} is taken already"


def _probe(field: str, name: str, probe: Mapping[str, Any]) -> Iterator[Problem]:
    handlers = [handler for handler in _HANDLERS if handler in probe]
    if len(handlers) != 1:
        found = ", ".join(handlers) or "none"
        yield field, f"a probe has exactly one of {', '.join(_HANDLERS)}; this one has {found}"
    if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        yield f"{field}.successThreshold", "must be 1 for startup and liveness"


def _pod(pod: Mapping[str, Any]) -> Iterator[Problem]:
    base = "spec.template.spec"
    grace = pod.get("terminationGracePeriodSeconds", 30)
    for group in ("initContainers", "containers"):
        for number, container in enumerate(pod.get(group) or []):
            field = f"{base}.{group}.{number}"
            yield from _container(field, container, grace)
    limits = [(c.get("resources") or {}).get("limits") or {} for c in pod["containers"]]
    memory = sum(_bytes(limit.get("memory", 0)) for limit in limits)
    folders = [
        (n, v["emptyDir"]) for n, v in enumerate(pod.get("volumes") or []) if isinstance(v.get("emptyDir"), dict)
    ]
    held = sum(_bytes(folder.get("sizeLimit", 0)) for _, folder in folders if folder.get("medium") == "Memory")
    if held > memory:
        yield f"{base}.volumes", f"folders in memory may take {held} bytes, the containers' limit is {memory}"
    for number, folder in folders:
        if "sizeLimit" not in folder:
            yield f"{base}.volumes.{number}.emptyDir", "has no sizeLimit: it may fill the node"


def _container(field: str, container: Mapping[str, Any], grace: int) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, port in enumerate(container.get("ports") or []):
        name = str(port.get("name", ""))
        if name and not _PORT_NAME.fullmatch(name):
            yield f"{field}.ports.{number}.name", f"{name!r} is no port name of at most 15 characters"
    for number, variable in enumerate(container.get("env") or []):
        if variable.get("name") in seen:
            yield f"{field}.env.{number}.name", f"{variable['name']!r} is set twice"
        seen.add(str(variable.get("name")))
    wait = (((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}).get("seconds", 0)
    if isinstance(wait, int) and isinstance(grace, int) and (wait < 0 or wait >= grace):
        yield f"{field}.lifecycle.preStop", f"sleeps {wait} s of the {grace} s of terminationGracePeriodSeconds"
    resources = container.get("resources") or {}
    for name, limit in (resources.get("limits") or {}).items():
        request = (resources.get("requests") or {}).get(name, limit)
        if _is_quantity(limit) and _is_quantity(request) and _bytes(request) > _bytes(limit):
            yield f"{field}.resources.requests.{name}", f"{request} is above the limit of {limit}"


def _is_quantity(value: Any) -> bool:
    return (
        not isinstance(value, bool) and _QUANTITY.fullmatch(str(value)) is not None and not str(value).startswith("-")
    )


def _bytes(value: Any) -> float:
    """A quantity as a number; 0 for what is none, since that is reported elsewhere."""
    match = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(value))
    if not match:
        return 0
    factors = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    return float(match[1]) * factors.get(match[2], 1)
