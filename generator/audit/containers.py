"""Compose services and pods: what they start, with which environment and limits, and what is wrong around that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .dockerfile import starts_under_a_shell
from .documents import Node, is_number, seconds
from .expansion import expand, interpolated
from .finding import Finding
from .given import Run, Span, Unseen
from .placed import Placed, plain
from .words import Word, find_gunicorn, line_words, list_words

_POD_GRACE = 30
_COMPOSE_GRACE = 10
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
#: How far services that extend others are followed.
_MAX_EXTENDED = 8


@dataclass(frozen=True)
class Build:
    """What a Compose service is built from; ``file`` is the Compose file's own."""

    file: str
    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str = ""


@dataclass
class Container:
    """One container of a document, before its command is read."""

    name: str
    words: list[Word] = field(default_factory=list)
    #: Whether it says what to start, instead of leaving that to its image.
    starts: bool = False
    #: Whether it says so instead of its image's ENTRYPOINT, and not only of the CMD.
    has_entry: bool = False
    #: The items of what it starts, before they are read, where they are a list's.
    items: list[Placed] = field(default_factory=list)
    image: str = ""
    build: Build | None = None
    is_service: bool = False
    #: Those that it names, and those that its probes ask.
    ports: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    run: Run = field(default_factory=lambda: Run(place="container"))
    findings: list[Finding] = field(default_factory=list)
    #: Itself, and the document that it stands in.
    node: Node | None = None
    document: Node | None = None
    span: Span | None = None


def is_compose(document: Node) -> bool:
    """Whether a document is a Compose file."""
    return document.get("services") is not None


def compose_services(document: Node) -> Iterator[Container]:
    """Every service of a Compose file."""
    services = document.get("services") or document
    by_name = {name: service for name, service, _ in services.items()}
    for name, node, key in services.items():
        found = Container(name, node=node, document=document, is_service=True, span=key.span)
        _service(_extended(by_name, node, found), key, found)
        yield _finished(found)


def _service(service: Node, key: Node, found: Container) -> None:
    """What a service says, with what it extends."""
    run = found.run
    found.environment |= _environment(service.get("environment"), run, interpolated)
    if (file := service.get("env_file")) is not None:
        run.open = True
        run.unseen.append(Unseen(file.span, "variables that the env_file sets"))
    _commands(service, found)
    found.image = expand(_text(service, "image"), {})[0]
    if (build := service.get("build")) is not None:
        found.build = _build(build)
    elif not found.image:
        run.partial = True
        run.unseen.append(Unseen(key.span, f"{found.name}: what the Compose file says that this one overrides"))
    run.read_only = _text(service, "read_only") == "true"
    run.writable_tmp = any("/tmp" in node.text for node in _all(service, "tmpfs", "volumes"))
    limit = service.get("deploy", "resources", "limits", "cpus") or service.get("cpus")
    run.cpu_limit = limit.text or None if limit else None
    grace = service.get("stop_grace_period")
    run.grace = grace.span if grace else key.span
    run.grace_seconds = seconds(expand(grace.text, {})[0]) if grace else _COMPOSE_GRACE


def _commands(service: Node, found: Container) -> None:
    """What a service starts: a text is split into words, by no shell; a list is words."""
    texts: list[Word] = []
    for own in ("entrypoint", "command"):
        node = service.get(own)
        if node is None:
            continue
        found.items += [interpolated(item.placed) for item in node.list()]
        texts += line_words(interpolated(node.placed), found.environment) if node.text else []
        found.has_entry |= own == "entrypoint" and bool(found.items or texts)
    found.words = [*list_words(found.items, found.environment), *texts]
    if found.has_entry and texts and found.items and not service.get("entrypoint").list():  # type: ignore[union-attr]
        found.words = [*texts, *list_words(found.items, found.environment)]
    found.starts = bool(found.words)


def _extended(services: Mapping[str, Node], service: Node, found: Container) -> Node:
    """A service with what it extends below its own; the variables of that are taken over."""
    whole, environments = service, []
    above: Node | None = service
    for _ in range(_MAX_EXTENDED):
        extends = above.get("extends") if above is not None else None
        if extends is None:
            break
        if (file := extends.get("file")) is not None:
            found.run.partial = True
            found.run.unseen.append(Unseen(file.span, f"{found.name}: what it extends, in {file.text:.60}"))
            break
        above = services.get(extends.text or _text(extends, "service"))
        if above is not None:
            whole = whole.with_base(above)
            environments.append(above.get("environment"))
    for environment in reversed(environments):
        found.environment |= _environment(environment, found.run, interpolated)
    return whole


def _build(node: Node) -> Build:
    if node.text:
        return Build(node.file, node.text)
    inline = "dockerfile_inline"
    dockerfile = inline if node.get(inline) is not None else _text(node, "dockerfile") or "Dockerfile"
    return Build(node.file, _text(node, "context") or ".", dockerfile, _text(node, "target"))


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
        found = Container(_text(node, "name"), node=node, document=document, span=node.span)
        run = found.run

        def references(text: Placed, found: Container = found) -> Placed:
            unknown: dict[str, str | None] = dict.fromkeys(found.run.unknown)
            return interpolated(text, {**found.environment, **unknown})

        found.environment |= _environment(node.get("env"), run, references, found.environment)
        if (source := node.get("envFrom")) is not None and source.list():
            run.open = True
            run.unseen.append(Unseen((node.key("envFrom") or source).span, "variables that envFrom sets", True))
        for own in ("command", "args"):
            items = node.get(own)
            found.items += [references(item.placed) for item in (items.list() if items else [])]
            found.has_entry |= own == "command" and bool(found.items)
        found.words = list_words(found.items, found.environment)
        found.starts = bool(found.items)
        found.image = _text(node, "image")
        ports = node.get("ports")
        found.ports = [_text(port, "containerPort") for port in (ports.list() if ports else [])]
        found.ports += [_text(node, probe, kind, "port") for probe in _PROBES for kind in ("httpGet", "tcpSocket")]
        found.ports = [port for port in found.ports if port]
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
        if starts_under_a_shell(found.words, command, True):
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


def _environment(
    node: Node | None, run: Run, reads: Callable[[Placed], Placed], known: dict[str, str] | None = None
) -> dict[str, str]:
    """Known variables of a container, in ``known`` too while it is filled; of others the run has the names."""
    found: dict[str, str] = {} if known is None else known
    for name, value, place, elsewhere in _variables(node):
        text, missing = expand(reads(value).text, None) if value is not None else ("", name)
        run.places[name] = place
        if missing is None:
            found[name] = text
            run.unknown -= {name}
            continue
        run.unknown |= {name}
        found.pop(name, None)
        of = "another object" if elsewhere else "outside this file"
        run.unseen.append(Unseen(place, f"{name} comes from {of}", elsewhere))
    return found


def _variables(node: Node | None) -> Iterator[tuple[str, Placed | None, Span, bool]]:
    """Name, value, place, and whether another object has the value, of each variable."""
    if node is None:
        return
    for name, value, _ in node.items():
        is_null = value.raw.tag == "tag:yaml.org,2002:null"
        yield name, None if is_null else value.placed, value.span, False
    for item in node.list():
        if item.text:
            name, equals, _ = item.text.partition("=")
            placed = item.placed
            yield name, placed.part(len(name) + 1, len(item.text)) if equals else None, item.span, False
        elif _text(item, "name"):
            plain_value = item.get("value")
            elsewhere = plain_value is None and item.get("valueFrom") is not None
            given = plain_value.placed if plain_value is not None else plain("", item.span.mark)
            yield _text(item, "name"), None if elsewhere else given, (plain_value or item).span, elsewhere


def _pre_stop(node: Node) -> int:
    sleep = _text(node, "lifecycle", "preStop", "sleep", "seconds")
    command = node.get("lifecycle", "preStop", "exec", "command")
    words = [word for item in (command.list() if command else []) for word in item.text.split()]
    after = words[words.index("sleep") + 1] if "sleep" in words[:-1] else ""
    return next((int(text) for text in (sleep, after) if is_number(text)), 0)


def _probes(node: Node) -> Iterator[Finding]:
    for name in _PROBES:
        probe = node.get(name)
        if probe is None or probe.get("timeoutSeconds") is not None:
            continue
        if probe.get("httpGet") or probe.get("exec"):
            span = (node.key(name) or probe).span
            yield Finding("K203", span, f"{name} has no timeoutSeconds")
