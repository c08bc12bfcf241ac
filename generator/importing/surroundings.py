"""What a Dockerfile, a Compose file or a manifest says of the container: packages, resources, probes, replicas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..audit.containers import Container
from ..audit.dockerfile import Image
from ..audit.documents import Node
from ..profile.schema import SETTINGS
from ..servers import SERVERS
from .settings import Draft

_COMPILERS = re.compile(r"(gcc|g\+\+|make|build-essential|pkg-config|git|cmake|rustc|cargo|libc6-dev|libc-dev|.+-dev)")
_HEALTH = ("curl", "wget")
_BYTES = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def add_image(image: Image, file: str, draft: Draft) -> None:
    """Debian packages, the port and the Python of a Dockerfile."""
    if "alpine" in image.base:
        draft.notes.append(
            f"{file}: {image.base}: the image is Debian's now; name its packages as app.runtime_packages"
        )
        return
    stages = list(image.packages.values())
    last = stages[-1] if stages else []
    build = [name for names in stages[:-1] for name in names] + [name for name in last if _COMPILERS.fullmatch(name)]
    # A library's -dev package in the last stage brings the library itself.
    run = [name for name in last if name not in _HEALTH and (not _COMPILERS.fullmatch(name) or _is_library(name))]
    for path, names in (("app.build_packages", build), ("app.runtime_packages", run)):
        former = draft.entries.get(path)
        merged = list(dict.fromkeys([*(former.value if former else []), *names]))
        if merged:
            draft.set(path, merged, file)
    if checks := [name for name in _HEALTH if name in last]:
        draft.notes.append(f"{file}: {' and '.join(checks)}: left out, the health check here is Python's")
    if image.ports and image.ports[0].isdigit() and "port" not in draft.entries:
        draft.set("port", int(image.ports[0]), file)
    server = SERVERS[draft.entries["server"].value]
    if (match := re.search(r"python:?(3\.[0-9]+)", image.base)) is not None:
        if match[1] not in server.pythons:
            draft.notes.append(f"{file}: Python {match[1]}: {server.name} is tested with {', '.join(server.pythons)}")
        elif match[1] != SETTINGS["python"].default:
            draft.set("python", match[1], file)


def _is_library(name: str) -> bool:
    return name.startswith(("lib", "default-lib")) and name.endswith("-dev") and name not in ("libc6-dev", "libc-dev")


def add_container(container: Container, documents: Sequence[Node], draft: Draft) -> None:
    """Resources and, of a pod, probes, replicas and what its manifests say around it."""
    node, document = container.node, container.document
    if node is None or document is None:
        return
    place = f"{node.file}:{node.span.mark.line}"
    _resources(node, place, draft)
    if document.get("services") is not None:
        return
    _probes(node, place, draft)
    _secrets(node, place, draft)
    if (spec := document.get("spec", "template", "spec")) is not None:
        _pod(container, document, spec, place, draft)
        _around(document, documents, draft)


def _pod(container: Container, document: Node, spec: Node, place: str, draft: Draft) -> None:
    """What the pod says beside its container."""
    if namespace := _text(document, "metadata", "namespace"):
        draft.set("kubernetes.namespace", namespace, place)
    if pull := [_text(one, "name") for one in _list(spec, "imagePullSecrets")]:
        draft.set("kubernetes.image_pull_secrets", pull, place)
    if container.run.pre_stop_seconds:
        draft.set("kubernetes.pre_stop_seconds", container.run.pre_stop_seconds, place)
    if (grace := spec.get("terminationGracePeriodSeconds")) is not None:
        mark = grace.span.mark
        draft.notes.append(f"{mark.file}:{mark.line}: terminationGracePeriodSeconds: follows from graceful_timeout")
    if volumes := [_text(one, "name") for one in _list(spec, "volumes")]:
        draft.notes.append(f"{place}: volumes {', '.join(volumes)}: write them as kubernetes.volumes")


def _around(document: Node, documents: Sequence[Node], draft: Draft) -> None:
    """Replicas, autoscaler and Service."""
    autoscalers = [one for one in documents if _text(one, "kind") == "HorizontalPodAutoscaler"]
    for one in autoscalers[:1]:
        for theirs, ours in (("minReplicas", "min_replicas"), ("maxReplicas", "max_replicas")):
            _number(one.get("spec", theirs), f"kubernetes.{ours}", draft)
    if not autoscalers:
        _number(document.get("spec", "replicas"), "kubernetes.replicas", draft)
    for one in documents:
        if _text(one, "kind") == "Service" and (ports := _list(one, "spec", "ports")):
            _number(ports[0].get("port"), "kubernetes.service_port", draft)


def _resources(node: Node, place: str, draft: Draft) -> None:
    limits, requests = node.get("resources", "limits"), node.get("resources", "requests")
    cpu = _text(limits, "cpu") or _text(node, "deploy", "resources", "limits", "cpus") or _text(node, "cpus")
    memory = _text(limits, "memory") or _text(requests, "memory")
    compose = _text(node, "deploy", "resources", "limits", "memory") or _text(node, "mem_limit")
    if not cpu and (cpu := _text(requests, "cpu")):
        draft.set("kubernetes.cpu_limit", "none", place)
    if cpu:
        draft.set("resources.cpu", int(cpu) if cpu.isdigit() else cpu, place)
    if match := re.fullmatch(r"([0-9]+)\s*([bkmg])b?", compose.lower()):
        memory = f"{int(match[1]) * _BYTES[match[2]] // 2**20}Mi"
    if memory:
        draft.set("resources.memory", memory, place)


def _probes(node: Node, place: str, draft: Draft) -> None:
    if path := _text(node, "readinessProbe", "httpGet", "path"):
        draft.set("health.readiness_path", path, place)
    if path := _text(node, "livenessProbe", "httpGet", "path"):
        why = SETTINGS["health.liveness_path"].description
        draft.notes.append(f"{place}: livenessProbe of {path}: left out for the master's heartbeat. A page is: {why}")
    period = _text(node, "startupProbe", "periodSeconds") or "10"
    times = _text(node, "startupProbe", "failureThreshold") or "3"
    if node.get("startupProbe") is not None and period.isdigit() and times.isdigit():
        draft.set("health.startup_seconds", int(period) * int(times), place)


def _secrets(node: Node, place: str, draft: Draft) -> None:
    """Names of Secrets whose keys are variables; never a value."""
    secrets = [_text(one, "secretRef", "name") for one in _list(node, "envFrom")]
    for one in _list(node, "env"):
        name, key = _text(one, "name"), _text(one, "valueFrom", "secretKeyRef", "key")
        secret = _text(one, "valueFrom", "secretKeyRef", "name")
        if secret and key == name:
            secrets.append(secret)
        elif secret:
            draft.notes.append(f"{place}: {name}: rename the key {key} of the Secret {secret}, and add it to env_from")
        elif one.get("valueFrom") is not None:
            draft.notes.append(f"{place}: {name} comes from another object: give it by a patch")
    named = list(dict.fromkeys(name for name in secrets if name))
    if named:
        draft.set("kubernetes.env_from", named, place)


def _number(node: Node | None, path: str, draft: Draft) -> None:
    if node is not None and node.text.isdigit():
        draft.set(path, int(node.text), f"{node.file}:{node.span.mark.line}")


def _text(node: Node | None, *path: str) -> str:
    found = node.get(*path) if node is not None else None
    return found.text if found is not None else ""


def _list(node: Node, *path: str) -> list[Node]:
    found = node.get(*path)
    return found.list() if found is not None else []
