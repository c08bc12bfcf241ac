"""What the pods of a manifest refer to: labels, ports, volumes, keys, accounts; of Deployments and Jobs alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .problem import Key, ObjectProblem, Objects, at, pairs

KINDS = ("Deployment", "Job")
FIELD = "spec.template.spec"


@dataclass(frozen=True)
class Pods:
    """The pods that one object makes."""

    key: Key
    labels: Mapping[str, Any]
    spec: Any

    def containers(self) -> Iterator[tuple[str, Any]]:
        """Each container with its field."""
        for group in ("initContainers", "containers"):
            for number, container in enumerate(self.spec.get(group) or []):
                yield f"{FIELD}.{group}.{number}", container

    def port_names(self) -> set[Any]:
        """Of all their containers."""
        return {port.get("name") for _, container in self.containers() for port in container.get("ports") or []}


def pods_of(objects: Objects) -> list[Pods]:
    """Of each Deployment and Job, in the manifest's order."""
    found = []
    for key, document in objects.items():
        if key[0] in KINDS:
            template = document["spec"]["template"]
            found.append(Pods(key, template["metadata"].get("labels") or {}, template["spec"]))
    return found


def pod_problems(objects: Objects, pods: Pods) -> Iterator[ObjectProblem]:
    """Every reference of these pods that leads nowhere."""
    document = objects[pods.key]
    if pods.key[0] == "Deployment":
        yield from selector_problems(pods.key, "spec.selector.matchLabels", document, [pods])
    for number in range(len(pods.spec.get("topologySpreadConstraints") or [])):
        field = f"{FIELD}.topologySpreadConstraints.{number}.labelSelector.matchLabels"
        yield from selector_problems(pods.key, field, document, [pods])
    for field, container in pods.containers():
        own = {port.get("name") for port in container.get("ports") or []}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for handler in ("httpGet", "tcpSocket"):
                action = (container.get(probe) or {}).get(handler)
                if isinstance(action, dict):
                    yield from port_problems(pods.key, f"{field}.{probe}.{handler}.port", action.get("port"), own)
    yield from _volumes(objects, pods)
    account = pods.spec.get("serviceAccountName")
    if ("ServiceAccount", account) not in objects:
        yield pods.key, f"{FIELD}.serviceAccountName", f"no ServiceAccount is named {account!r}"


def selector_problems(key: Key, field: str, document: Any, all_pods: list[Pods]) -> Iterator[ObjectProblem]:
    """A selector of labels selects some of the pods, and not all there are."""
    selector = at(document, field)
    if not selector:
        yield key, field, "selects every pod of the namespace"
    elif not any(selector.items() <= pods.labels.items() for pods in all_pods):
        have = "; ".join(pairs(pods.labels) for pods in all_pods)
        yield key, field, f"{pairs(selector)} matches no pod: they have {have}"


def port_problems(key: Key, field: str, port: Any, names: set[Any]) -> Iterator[ObjectProblem]:
    """A port that is referred to by name has that name."""
    if isinstance(port, str) and port not in names:
        yield key, field, f"no port is named {port!r}; there are {', '.join(sorted(map(str, names)))}"


def _volumes(objects: Objects, pods: Pods) -> Iterator[ObjectProblem]:
    volumes = {volume.get("name"): volume for volume in pods.spec.get("volumes") or []}
    mounted: set[Any] = set()
    for field, container in pods.containers():
        for number, mount in enumerate(container.get("volumeMounts") or []):
            place = f"{field}.volumeMounts.{number}"
            volume = volumes.get(mount.get("name"))
            mounted.add(mount.get("name"))
            if volume is None:
                yield pods.key, f"{place}.name", f"no volume is named {mount.get('name')!r}"
                continue
            own = objects.get(("ConfigMap", str((volume.get("configMap") or {}).get("name"))))
            # Without a subPath the volume is the whole folder, as one of kubernetes.volumes may be.
            if own is not None and "subPath" in mount and mount["subPath"] not in own.get("data", {}):
                yield pods.key, f"{place}.subPath", f"the ConfigMap has no key {mount.get('subPath')!r}"
        paths = [mount.get("mountPath") for mount in container.get("volumeMounts") or []]
        for path in sorted({path for path in paths if paths.count(path) > 1}):
            yield pods.key, f"{field}.volumeMounts", f"{path} is mounted twice"
    for name in sorted(map(str, volumes.keys() - mounted)):
        yield pods.key, f"{FIELD}.volumes", f"nothing mounts {name!r}"
