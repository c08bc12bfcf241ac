"""What a Dockerfile, a Compose file or a manifest says of the container: packages, resources, probes, replicas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from ..audit.containers import Container
from ..audit.dockerfile import Image, instructions
from ..audit.documents import Node, is_number
from ..audit.given import Run
from ..audit.sources import Source
from ..errors import Mark
from ..profile.schema import SETTINGS
from ..servers import SERVERS
from .settings import READ_BY_GUNICORN, Draft, Where, add_environment, add_unknown, is_variable, where_of

_COMPILERS = re.compile(r"(gcc|g\+\+|make|build-essential|pkg-config|git|cmake|rustc|cargo|libc6-dev|libc-dev|.+-dev)")
_HEALTH = ("curl", "wget")
_BYTES = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def add_image(image: Image, dockerfile: Source, draft: Draft) -> None:
    """Debian packages, the port and the Python of a Dockerfile."""
    begun = f"{dockerfile.name}:{image.begun}"
    base = _line(dockerfile, "FROM", image.base) or begun
    if "alpine" in image.base:
        draft.notes.append(
            f"{base}: {image.base}: the image is Debian's now; name its packages as app.runtime_packages"
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
            draft.set(path, merged, _line(dockerfile, "RUN", merged[-1]) or begun)
    if checks := [name for name in _HEALTH if name in last]:
        place = _line(dockerfile, "RUN", checks[0]) or begun
        draft.notes.append(f"{place}: {' and '.join(checks)}: left out, the health check here is Python's")
    if image.ports and is_number(image.ports[0]) and "port" not in draft.entries:
        draft.set("port", int(image.ports[0]), _line(dockerfile, "EXPOSE", image.ports[0]) or begun)
    server = SERVERS[draft.entries["server"].value]
    if (match := re.search(r"python:?(3\.[0-9]+)", image.base)) is not None:
        if match[1] not in server.pythons:
            draft.notes.append(f"{base}: Python {match[1]}: {server.name} is tested with {', '.join(server.pythons)}")
        elif match[1] != SETTINGS["python"].default:
            draft.set("python", match[1], base)
        else:
            draft.entries.pop("python", None)  # what the project asks for, which the image had another of


def _line(dockerfile: Source, instruction: str, word: str) -> str:
    """Where an instruction has a word, of several the last, which the last stage's most likely is."""
    place = ""
    for one in instructions(dockerfile.text, dockerfile.name):
        if one.name == instruction and (found := re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", one.text)):
            place = _shown(one.placed.span(*found.span()).mark)
    return place


def _shown(mark: Mark) -> str:
    return f"{mark.file}:{mark.line}"


def _place(node: Node, *path: str) -> str:
    """The line of a field, or, as far as there is none, of what it would stand in."""
    mark, above = node.span.mark, node
    for name in path:
        key, value = above.key(name), above.get(name)
        if key is None or value is None:
            break
        mark, above = key.span.mark, value
    return _shown(mark)


def _is_library(name: str) -> bool:
    return name.startswith(("lib", "default-lib")) and name.endswith("-dev") and name not in ("libc6-dev", "libc-dev")


#: Keys of a Compose service that are taken, and those that say nothing of the server.
_COMPOSE_TAKEN = {"command", "entrypoint", "environment", "env_file", "build", "image", "container_name", "deploy",
                  "cpus", "mem_limit", "stop_grace_period", "restart", "init", "expose", "hostname"}  # fmt: skip
#: YAML's key for what another mapping has.
_MERGE = "<<"
#: Fields of a pod and of its container that the profile has a setting for.
_SETTINGS_FOR = {
    "nodeSelector": "kubernetes.node_selector",
    "tolerations": "kubernetes.tolerations",
    "affinity": "kubernetes.affinity",
    "priorityClassName": "kubernetes.priority_class",
    "imagePullPolicy": "kubernetes.image_pull_policy",
    "initContainers": "app.before_start",
}
_POD_TAKEN = {"containers", "imagePullSecrets", "terminationGracePeriodSeconds", "volumes", "restartPolicy",
              "dnsPolicy", "schedulerName"}  # fmt: skip
_CONTAINER_TAKEN = {"name", "image", "command", "args", "ports", "env", "envFrom", "resources", "readinessProbe",
                    "livenessProbe", "startupProbe", "lifecycle", "volumeMounts", "terminationMessagePath",
                    "terminationMessagePolicy"}  # fmt: skip
#: What the kit's manifests have anyway, and stricter.
_HARDENED = ("securityContext", "topologySpreadConstraints", "automountServiceAccountToken", "enableServiceLinks",
             "strategy", "updateStrategy")  # fmt: skip
_DEPLOYMENT_TAKEN = {"replicas", "selector", "template", "revisionHistoryLimit", "progressDeadlineSeconds",
                     "serviceName", "podManagementPolicy"}  # fmt: skip


def add_container(container: Container, documents: Sequence[Node], draft: Draft) -> None:
    """Resources and, of a pod, probes, replicas and what its manifests say around it."""
    node, document = container.node, container.document
    if node is None or document is None:
        return
    _resources(node, draft)
    if image := _text(node, "image"):
        draft.notes.append(
            f"{_place(node, 'image')}: image {image}: another is built here; write as image where it will be pushed"
        )
    if "port" not in draft.entries and (port := _published(node)):
        draft.set(
            "port",
            int(port),
            _place(node, "ports"),
            "Where requests are sent to; what gunicorn listens on is not seen.",
        )
    if document.get("services") is not None:
        _compose(node, container.run.unknown, where_of(container.run, _place(node, "environment")), draft)
        return
    _probes(node, draft)
    _env_from(node, draft)
    _env(node, container.environment, container.run, draft)
    if (spec := document.get("spec", "template", "spec")) is not None:
        _pod(container, document, spec, draft)
        objects = [one for whole in documents for one in _objects(whole)]
        _scale(document, objects, draft)
        _services(container, document, objects, draft)
    _left_out(node, _CONTAINER_TAKEN, draft)


def _published(node: Node) -> str:
    """The port of a container that a manifest or a Compose file names first: `containerPort`, `80:5000`, `target`."""
    for one in _list(node, "ports"):
        match = re.search(r"(?:^|:)([0-9]{1,5})(?:/tcp)?$", one.text)
        found = match[1] if match is not None else _text(one, "containerPort") or _text(one, "target")
        if is_number(found):
            return found
    return ""


def _compose(node: Node, unknown: Set[str], where: Where, draft: Draft) -> None:
    """What a service says beside its command, its environment and its limits."""
    name, passed = draft.entries["name"].value, []
    if (environment := node.get("environment")) is not None:
        passed = [one.text for one in environment.list() if "=" not in one.text]
        passed += [key for key, value, _ in environment.items() if _has_tag(value, "null")]
        add_environment(
            {key: "" for key, value, _ in environment.items() if not value.text and _has_tag(value, "str")},
            where,
            draft,
        )
        given = {key for key, value, _ in environment.items() if not _has_tag(value, "null")}
        given |= {one.text.partition("=")[0] for one in environment.list() if "=" in one.text}
        for variable in sorted(given & unknown - {*READ_BY_GUNICORN}):
            add_unknown(variable, where(variable), draft)
    if passed:
        why = f"taken from where Compose runs; here .env.{name} in the project's folder may have it"
        draft.notes.append(f"{where(passed[0])}: {', '.join(passed)}: {why}")
    if (files := node.get("env_file")) is not None:
        named = [files.text, *(one.text or _text(one, "path") for one in files.list())]
        why = f"not read, since it may hold secrets; Compose takes variables from .env.{name} here"
        draft.notes.append(f"{_place(node, 'env_file')}: env_file {', '.join(filter(None, named))}: {why}")
    if node.get("build", "args") is not None:
        why = "left out; a variable that follows from one can stand in env"
        draft.notes.append(f"{_place(node, 'build', 'args')}: build arguments: {why}")
    if replicas := _text(node, "deploy", "replicas"):
        place = _place(node, "deploy", "replicas")
        draft.notes.append(f"{place}: deploy.replicas {replicas}: write it as kubernetes.replicas")
    deploy = [f"deploy.{key}" for key, _, _ in _items(node.get("deploy")) if key not in ("resources", "replicas")]
    if _text(node, "deploy", "resources", "reservations", "memory"):
        deploy.append("deploy.resources.reservations")
    others = [key for key, _, _ in node.items() if key not in _COMPOSE_TAKEN and not key.startswith(("x-", _MERGE))]
    if others := [*others, *deploy]:
        place = _place(node, *others[0].split("."))
        draft.notes.append(f"{place}: {', '.join(others)}: left out: the Compose file here is the kit's own")


def _left_out(node: Node, taken: Set[str], draft: Draft) -> None:
    """A note of the fields that are not taken, each with the setting for it, if there is one."""
    keys = [key for key, _, _ in node.items() if key not in taken]
    if hardened := [key for key in keys if key in _HARDENED]:
        place = _place(node, hardened[0])
        draft.notes.append(f"{place}: {', '.join(hardened)}: left out: the manifest here has its own")
    for key in keys:
        if (path := _SETTINGS_FOR.get(key)) is not None:
            draft.notes.append(f"{_place(node, key)}: {key}: left out; write it as {path}")
    if others := [key for key in keys if key not in _SETTINGS_FOR and key not in _HARDENED]:
        place = _place(node, others[0])
        draft.notes.append(f"{place}: {', '.join(others)}: left out; kubernetes.patches can add it")


def _pod(container: Container, document: Node, spec: Node, draft: Draft) -> None:
    """What the pod says beside its container."""
    if namespace := _text(document, "metadata", "namespace"):
        draft.set("kubernetes.namespace", namespace, _place(document, "metadata", "namespace"))
    if pull := [_text(one, "name") for one in _list(spec, "imagePullSecrets")]:
        draft.set("kubernetes.image_pull_secrets", pull, _place(spec, "imagePullSecrets"))
    if container.run.pre_stop_seconds:
        place = _place(container.node or spec, "lifecycle", "preStop")
        draft.set("kubernetes.pre_stop_seconds", container.run.pre_stop_seconds, place)
    if spec.get(name := "terminationGracePeriodSeconds") is not None:
        draft.notes.append(f"{_place(spec, name)}: {name}: follows from graceful_timeout")
    if volumes := [_text(one, "name") for one in _list(spec, "volumes")]:
        draft.notes.append(f"{_place(spec, 'volumes')}: volumes {', '.join(volumes)}: write them as kubernetes.volumes")
    if beside := [one for one in _list(spec, "containers") if _text(one, "name") != container.name]:
        names = ", ".join(_text(one, "name") for one in beside)
        draft.notes.append(f"{_place(beside[0])}: containers {names}: left out; kubernetes.patches can add them")
    if annotations := _pairs(document.get("spec", "template", "metadata", "annotations")):
        place = _place(document, "spec", "template", "metadata", "annotations")
        do = "left out; write what the app needs as kubernetes.pod_annotations"
        draft.notes.append(f"{place}: annotations {', '.join(annotations)}: {do}")
    if (kind := _text(document, "kind")) != "Deployment":
        draft.notes.append(f"{_place(document, 'kind')}: it was a {kind}; here it is a Deployment")
    _left_out(spec, _POD_TAKEN, draft)
    if (own := document.get("spec")) is not None:
        _left_out(own, _DEPLOYMENT_TAKEN, draft)


def _objects(document: Node) -> Iterator[Node]:
    """A document, or, where it is a List, what is in it."""
    items = _list(document, "items")
    yield from (one for item in items for one in _objects(item)) if items else [document]


def _scale(document: Node, documents: Sequence[Node], draft: Draft) -> None:
    """Replicas, or the autoscaler of these pods, among what else the documents hold."""
    name, kind = _text(document, "metadata", "name"), _text(document, "kind")
    autoscalers = [
        one
        for one in documents
        if _text(one, "kind") == "HorizontalPodAutoscaler"
        and _text(one, "spec", "scaleTargetRef", "name") == name
        and _text(one, "spec", "scaleTargetRef", "kind") in (kind, "")
    ]
    for one in autoscalers[:1]:
        for theirs, ours in (("minReplicas", "min_replicas"), ("maxReplicas", "max_replicas")):
            _number(one.get("spec", theirs), f"kubernetes.{ours}", draft)
        _number(one.get("spec", "targetCPUUtilizationPercentage"), "kubernetes.target_cpu_percent", draft)
        for metric in _list(one, "spec", "metrics"):
            if _text(metric, "resource", "name") == "cpu":
                _number(metric.get("resource", "target", "averageUtilization"), "kubernetes.target_cpu_percent", draft)
            else:
                draft.notes.append(f"{_place(metric)}: the autoscaler's other metrics: left out; here it is CPU")
    if not autoscalers:
        _number(document.get("spec", "replicas"), "kubernetes.replicas", draft)


def _services(container: Container, document: Node, documents: Sequence[Node], draft: Draft) -> None:
    """The port of the Service of these pods, and notes of the other ways in."""
    services = [one for one in documents if _text(one, "kind") == "Service" and _selects(one, document)]
    own = _own_ports(container, draft)
    found = [(service, port) for service in services for port in _list(service, "spec", "ports")]
    # Of several, the one that leads to gunicorn's port, and rather not the headless one that a StatefulSet has too.
    found.sort(key=lambda pair: (_target(pair[1]) not in own, _text(pair[0], "spec", "clusterIP") == "None"))
    for _, port in found[:1]:
        _number(port.get("port"), "kubernetes.service_port", draft)
    names = {_text(one, "metadata", "name") for one in services}
    for one in documents:
        if _text(one, "kind") in ("Ingress", "HTTPRoute") and names & set(_backends(one)):
            draft.notes.append(f"{_place(one, 'kind')}: {_text(one, 'kind')}: left out; write it as kubernetes.route")
    for service in services:
        if _text(service, "spec", "type") in ("NodePort", "LoadBalancer"):
            place, kind = _place(service, "spec", "type"), _text(service, "spec", "type")
            do = "kubernetes.route is a way in, and kubernetes.patches can change the Service"
            draft.notes.append(f"{place}: the Service was a {kind}: {do}")


def _backends(route: Node) -> Iterator[str]:
    """Names of the Services that an Ingress or an HTTPRoute leads to."""
    yield _text(route, "spec", "defaultBackend", "service", "name")
    for rule in _list(route, "spec", "rules"):
        yield from (_text(one, "name") for one in _list(rule, "backendRefs"))
        yield from (_text(one, "backend", "service", "name") for one in _list(rule, "http", "paths"))


def _selects(service: Node, document: Node) -> bool:
    """Whether a Service's selector matches the pods of a document, in its namespace."""
    labels = _pairs(document.get("spec", "template", "metadata", "labels"))
    selector = _pairs(service.get("spec", "selector"))
    spaces = {_text(one, "metadata", "namespace") for one in (service, document)} - {""}
    return bool(selector) and selector.items() <= labels.items() and len(spaces) < 2


def _pairs(node: Node | None) -> dict[str, str]:
    return {name: value.text for name, value, _ in _items(node)}


def _items(node: Node | None) -> Iterator[tuple[str, Node, Node]]:
    yield from node.items() if node is not None else ()


def _own_ports(container: Container, draft: Draft) -> set[str]:
    """The number and the names of the port that gunicorn listens on."""
    number = str(draft.entries["port"].value if "port" in draft.entries else SETTINGS["port"].default)
    ports = _list(container.node, "ports") if container.node is not None else []
    return {number, *(_text(one, "name") for one in ports if _text(one, "containerPort") == number)} - {""}


def _target(port: Node) -> str:
    return _text(port, "targetPort") or _text(port, "port")


def _resources(node: Node, draft: Draft) -> None:
    of_requests, of_compose = ("resources", "requests"), ("deploy", "resources", "limits")
    cpu, place = _first(node, ("resources", "limits", "cpu"), (*of_compose, "cpus"), ("cpus",))
    request, requested = _first(node, (*of_requests, "cpu"))
    if request and not cpu:
        cpu, place = request, requested
        draft.set("kubernetes.cpu_limit", "none", place)
    elif request and request != cpu:
        draft.set("resources.cpu_request", request, requested)
    if cpu:
        draft.set("resources.cpu", int(cpu) if is_number(cpu) else cpu, place)
    memory, place = _first(node, ("resources", "limits", "memory"), (*of_requests, "memory"))
    asked, at = _first(node, (*of_requests, "memory"))
    if asked != memory and asked:
        draft.notes.append(f"{at}: memory request {asked}: a pod here asks for its limit, {memory}")
    compose, at = _first(node, (*of_compose, "memory"), ("mem_limit",))
    if match := re.fullmatch(r"([0-9]{1,18})\s*([bkmg])b?", compose.lower()):
        memory, place = f"{int(match[1]) * _BYTES[match[2]] // 2**20}Mi", at
    if memory:
        draft.set("resources.memory", memory, place)


def _first(node: Node, *paths: tuple[str, ...]) -> tuple[str, str]:
    """The first of some fields that has a text, and its place."""
    return next(((text, _place(node, *path)) for path in paths if (text := _text(node, *path))), ("", ""))


def _probes(node: Node, draft: Draft) -> None:
    if path := _text(node, "readinessProbe", "httpGet", "path"):
        draft.set("health.readiness_path", path, _place(node, "readinessProbe", "httpGet", "path"))
    if path := _text(node, "livenessProbe", "httpGet", "path"):
        place, why = _place(node, "livenessProbe"), SETTINGS["health.liveness_path"].description
        draft.notes.append(f"{place}: livenessProbe of {path}: left out for the master's heartbeat. A page is: {why}")
    period = _text(node, "startupProbe", "periodSeconds") or "10"
    times = _text(node, "startupProbe", "failureThreshold") or "3"
    if node.get("startupProbe") is not None and is_number(period) and is_number(times):
        draft.set("health.startup_seconds", int(period) * int(times), _place(node, "startupProbe"))


def _env_from(node: Node, draft: Draft) -> None:
    """Secrets and ConfigMaps whose keys are variables."""
    sources: list[Any] = []
    for one in _list(node, "envFrom"):
        for theirs, ours in (("secretRef", "secret"), ("configMapRef", "config_map")):
            name, prefix = _text(one, theirs, "name"), _text(one, "prefix")
            if not name:
                continue
            source = {ours: name, "prefix": prefix} if prefix else {ours: name} if ours == "config_map" else name
            sources += [source] if source not in sources else []
            if _text(one, theirs, "optional") == "true":
                why = "was optional; here a pod does not start while it is missing"
                draft.notes.append(f"{_place(one)}: envFrom {name}: {why}")
    if sources:
        draft.set("kubernetes.env_from", sources, _place(node, "envFrom"))


#: A variable's value in another one's, which is left as it stands where nobody has it; `$$(NAME)` is only a text.
_IN_POD = re.compile(r"(?<!\$)(?:\$\$)*\$\(([A-Za-z_][\w.-]*)\)")


def _env(node: Node, known: Mapping[str, str], run: Run, draft: Draft) -> None:
    """Variables that other objects have, which a Secret or envFrom may be; never a value."""
    for one in _list(node, "env"):
        name, given, place = _text(one, "name"), one.get("valueFrom"), _place(one)
        secret, key = _text(given, "secretKeyRef", "name"), _text(given, "secretKeyRef", "key")
        config_map = _text(given, "configMapKeyRef", "name")
        if secret and key and is_variable(name):
            draft.entries.pop(f"env.{name}", None)  # the image's, which the pod's comes before
            draft.set(f"env_secrets.{name}", {"secret": secret, "key": key}, place)
        elif config_map:
            key = _text(given, "configMapKeyRef", "key")
            do = f"kubernetes.env_from: [{{config_map: {config_map}}}] takes all its keys, under their own names"
            draft.notes.append(f"{place}: {name} comes from the key {key} of the ConfigMap {config_map}: {do}")
        elif given is not None:
            draft.notes.append(f"{place}: {name} comes from another object: give it by a patch")
        elif one.get("value") is None:
            add_environment({name: ""}, where_of(run, place), draft)
        elif name not in READ_BY_GUNICORN and not set(_IN_POD.findall(_text(one, "value"))) <= known.keys():
            draft.entries.pop(f"env.{name}", None)
            add_unknown(name, place, draft)


def _has_tag(node: Node, name: str) -> bool:
    return bool(node.raw.tag == f"tag:yaml.org,2002:{name}")


def _number(node: Node | None, path: str, draft: Draft) -> None:
    if node is not None and is_number(node.text):
        draft.set(path, int(node.text), _place(node))


def _text(node: Node | None, *path: str) -> str:
    found = node.get(*path) if node is not None else None
    return found.text if found is not None else ""


def _list(node: Node, *path: str) -> list[Node]:
    found = node.get(*path)
    return found.list() if found is not None else []
