"""What the consumers of the output accept, asked before anything is written; it repairs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from .errors import OwnFault
from .gunicorn_settings import known_settings

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def verify(files: Mapping[str, str]) -> None:
    """Raise OwnFault with everything that a consumer of these files would refuse."""
    problems: list[str] = []
    for path, text in files.items():
        if path.endswith("gunicorn.conf.py"):
            problems += [f"{path}: {problem}" for problem in configuration_problems(text)]
        elif path.endswith(".yaml"):
            problems += [f"{path}: {problem}" for problem in manifest_problems(text)]
    if problems:
        raise OwnFault("\n".join(problems))


def configuration_problems(text: str) -> Iterator[str]:
    """gunicorn ignores a name that it does not know without a word, so every public name must be a setting."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        yield f"not Python: {error}"
        return
    for node in tree.body:
        for name in _bound_names(node):
            if not name.startswith("_") and name not in known_settings():
                yield f"line {node.lineno}: gunicorn has no setting {name}"


def _bound_names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.FunctionDef):
        yield node.name


def manifest_problems(text: str) -> Iterator[str]:
    """Every document is one API object, and what refers to another finds it."""
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        yield f"not YAML: {error}"
        return
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= document.keys():
            yield f"document {number} is no API object"
            return
    by_kind = {document["kind"]: document for document in documents}
    if len(by_kind) != len(documents):
        yield "two objects of one kind"
    yield from _references(by_kind)


def _references(by_kind: Mapping[str, Any]) -> Iterator[str]:
    pod = by_kind["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    for kind, selector in (
        ("Deployment", by_kind["Deployment"]["spec"]["selector"]["matchLabels"]),
        ("Service", by_kind["Service"]["spec"]["selector"]),
    ):
        if not selector.items() <= labels:
            yield f"{kind}: selector {selector} matches no pod"
    ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    for port in by_kind["Service"]["spec"]["ports"]:
        if port["targetPort"] not in ports:
            yield f"Service: no port is named {port['targetPort']}"
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    data = by_kind["ConfigMap"]["data"]
    for container in pod["spec"]["containers"]:
        for mount in container["volumeMounts"]:
            volume = volumes.get(mount["name"])
            if volume is None:
                yield f"Deployment: mount {mount['name']} has no volume"
            elif "configMap" in volume and mount["subPath"] not in data:
                yield f"ConfigMap: no key {mount['subPath']}"
