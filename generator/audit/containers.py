"""Compose services and pods: what they start, with which environment and limits, and what is wrong around that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .dockerfile import starts_under_a_shell
from .documents import Node, seconds
from .finding import Finding
from .given import Run, Unseen
from .words import Word, expand, find_gunicorn, split

_POD_GRACE = 30
_COMPOSE_GRACE = 10


@dataclass
class Container:
    """One container of a document, before its command is read."""

    name: str
    words: list[Word] = field(default_factory=list)
    #: Whether it says what to start, instead of leaving that to its image.
    starts: bool = False
    is_list: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    run: Run = field(default_factory=lambda: Run(place="container"))
    findings: list[Finding] = field(default_factory=list)
    #: Itself, and the document that it stands in.
    node: Node | None = None
    document: Node | None = None


def is_compose(document: Node) -> bool:
    """Whether a document is a Compose file."""
    return document.get("services") is not None


def compose_services(document: Node) -> Iterator[Container]:
    """Every service of a Compose file."""
    for name, service, key in (document.get("services") or document).items():
        found = Container(name, node=service, document=document)
        found.environment = _environment(service.get("environment"), found.run)
        for own in ("entrypoint", "command"):
            if (node := service.get(own)) is not None:
                found.words += _words(node, found.environment)
                found.starts |= bool(found.words)
        run = found.run
        run.read_only = _text(service, "read_only") == "true"
        run.writable_tmp = any("/tmp" in node.text for node in _all(service, "tmpfs", "volumes"))
        limit = service.get("deploy", "resources", "limits", "cpus") or service.get("cpus")
        run.cpu_limit = limit.text or None if limit else None
        grace = service.get("stop_grace_period")
        run.grace = grace.span if grace else key.span
        run.grace_seconds = seconds(grace.text) if grace else _COMPOSE_GRACE
        yield _finished(found)


def pod_containers(document: Node) -> Iterator[Container]:
    """Every container of a manifest's pods; of a List, those of its items."""
    for item in document.get("items").list() if document.get("items") else []:  # type: ignore[union-attr]
        yield from pod_containers(item)
    spec = document.get("spec", "template", "spec") or document.get("spec", "jobTemplate", "spec", "template", "spec")
    if spec is None and _text(document, "kind") == "Pod":
        spec = document.get("spec")
    containers = spec.get("containers") if spec else None
    if spec is None or containers is None:
        return
    grace = spec.get("terminationGracePeriodSeconds")
    for node in containers.list():
        found = Container(_text(node, "name"), node=node, document=document)
        variables = node.get("env")
        found.environment = _environment(variables, found.run)
        for own in ("command", "args"):
            for item in node.get(own).list() if node.get(own) else []:  # type: ignore[union-attr]
                found.words += _item(item, found.words, found.environment)
                found.starts = True
        run = found.run
        run.read_only = _text(node, "securityContext", "readOnlyRootFilesystem") == "true"
        mounts = node.get("volumeMounts")
        run.writable_tmp = any(_text(mount, "mountPath") == "/tmp" for mount in mounts.list()) if mounts else False
        run.cpu_limit = _text(node, "resources", "limits", "cpu") or None
        run.grace = (grace or containers.list()[0]).span if grace else (spec.key("containers") or spec).span
        run.grace_seconds = seconds(grace.text) if grace else _POD_GRACE
        run.pre_stop_seconds = _pre_stop(node)
        found.findings += _probes(node)
        yield _finished(found)


def configurations(document: Node) -> Iterator[tuple[str, Node]]:
    """gunicorn configurations that a ConfigMap holds: name and text."""
    if _text(document, "kind") == "ConfigMap" and (data := document.get("data")) is not None:
        for name, value, _ in data.items():
            if name.endswith(".py") and ("gunicorn" in name or "workers" in value.text):
                yield name, value


def _finished(found: Container) -> Container:
    command = find_gunicorn(found.words)
    if command is not None:
        found.run.command = command.word.span
        if starts_under_a_shell(found.words, command, found.is_list):
            found.findings.append(Finding("K201", command.word.span, f"{found.name}: a shell starts gunicorn"))
    return found


def _text(node: Node, *path: str) -> str:
    found = node.get(*path)
    return found.text if found else ""


def _all(node: Node, *names: str) -> Iterator[Node]:
    for name in names:
        if (found := node.get(name)) is not None:
            yield found
            yield from found.list()


def _words(node: Node, environment: Mapping[str, str]) -> list[Word]:
    if not node.list():
        return split(node.text, node.content_mark, environment) if node.text else []
    words: list[Word] = []
    for item in node.list():
        words += _item(item, words, environment)
    return words


def _item(item: Node, before: list[Word], environment: Mapping[str, str]) -> list[Word]:
    """One word of a list, or, behind `sh -c`, the words of a shell."""
    is_script = bool(before) and re.fullmatch(r"-[a-z]*c", before[-1].text) is not None and " " in item.text
    if is_script and before[0].text.rsplit("/", 1)[-1] in ("sh", "bash", "ash", "dash"):
        return split(item.text, item.content_mark, environment)
    text, unknown = expand(item.text.replace("$(", "${").replace(")", "}") if "$(" in item.text else item.text,
                           environment)  # fmt: skip
    return [Word(text, item.span, unknown)]


def _environment(node: Node | None, run: Run) -> dict[str, str]:
    """Known variables of a container; what a Secret or another object gives is not known."""
    if node is None:
        return {}
    found: dict[str, str] = {}
    for name, value, _ in node.items():
        if value.text:
            found[name] = expand(value.text, {})[0]
    for item in node.list():
        if item.text:
            name, equals, text = item.text.partition("=")
            if equals:
                found[name] = expand(text, {})[0]
        elif (plain := item.get("value")) is not None:
            found[_text(item, "name")] = plain.text
        else:
            run.unseen.append(Unseen(item.span, f"{_text(item, 'name')} comes from another object", True))
    return found


def _pre_stop(node: Node) -> int:
    sleep = _text(node, "lifecycle", "preStop", "sleep", "seconds")
    command = node.get("lifecycle", "preStop", "exec", "command")
    words = [word for item in (command.list() if command else []) for word in item.text.split()]
    after = words[words.index("sleep") + 1] if "sleep" in words[:-1] else ""
    return int(sleep) if sleep.isdigit() else int(after) if after.isdigit() else 0


def _probes(node: Node) -> Iterator[Finding]:
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = node.get(name)
        if probe is None or probe.get("timeoutSeconds") is not None:
            continue
        if probe.get("httpGet") or probe.get("exec"):
            span = (node.key(name) or probe).span
            yield Finding("K203", span, f"{name} has no timeoutSeconds")
