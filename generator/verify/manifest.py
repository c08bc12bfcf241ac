"""A whole manifest, checked against all rules: each problem names the document and the field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from .deprecations import warnings
from .fields import field_problems
from .problem import Problem
from .references import reference_problems

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_GATEWAY = "gateway.networking.k8s.io/"


def manifest_problems(text: str, minors: tuple[str, ...]) -> Iterator[str]:
    """Everything that a cluster of one of the ``minors`` would refuse; without minors the schemas are not used."""
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        yield f"not YAML: {' '.join(str(error).split())}"
        return
    titles: dict[str, str] = {}
    broken = False
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= document.keys():
            yield f"document {number}: no API object: it needs apiVersion, kind and metadata"
            broken = True
            continue
        kind = str(document["kind"])
        title = f"document {number} ({kind} {(document['metadata'] or {}).get('name')})"
        if kind in titles:
            yield f"{title}: kind: a second {kind} in one file; the first is {titles[kind]}"
            broken = True
        titles[kind] = title
        shape = list(_schema_problems(document, minors))
        broken = broken or bool(shape)
        yield from _titled(title, shape)
    if not broken:  # rules below look into fields whose types the schema has vouched for
        yield from _rules({str(document["kind"]): document for document in documents}, titles, bool(minors))


def _schema_problems(document: Mapping[str, Any], minors: tuple[str, ...]) -> Iterator[Problem]:
    yield from warnings(document)
    if str(document["apiVersion"]).startswith(_GATEWAY) and document["kind"] == "HTTPRoute":
        from .httproute import route_problems

        yield from route_problems(document)
    elif minors:
        from .schema import schema_problems

        yield from schema_problems(document, minors)


def _rules(objects: Mapping[str, Any], titles: Mapping[str, str], vouched: bool) -> Iterator[str]:
    try:
        for kind, document in objects.items():
            yield from _titled(titles[kind], field_problems(document))
        for kind, field, message in reference_problems(objects):
            yield from _titled(titles.get(kind, kind), [(field, message)])
    except (AttributeError, KeyError, TypeError) as error:
        if vouched:
            raise
        yield f"not as the schema has it: {type(error).__name__}: {error}"


def _titled(title: str, problems: Iterable[Problem]) -> Iterator[str]:
    for field, message in problems:
        yield f"{title}: {field}: {message}" if field else f"{title}: {message}"
