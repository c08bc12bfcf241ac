"""A whole manifest, checked against all rules: each problem names the document and the field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from ..profile.document import LOADER
from .deprecations import warnings
from .fields import field_problems
from .problem import Key, Objects, Problem, object_key
from .references import reference_problems

_GATEWAY = "gateway.networking.k8s.io/"


def manifest_problems(text: str, minors: tuple[str, ...]) -> Iterator[str]:
    """Everything that a cluster of one of the ``minors`` would refuse; without minors the schemas are not used."""
    try:
        documents = list(yaml.load_all(text, Loader=LOADER))
    except yaml.YAMLError as error:
        yield f"not YAML: {' '.join(str(error).split())}"
        return
    titles: dict[Key, str] = {}
    broken = False
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= document.keys():
            yield f"document {number}: no API object: it needs apiVersion, kind and metadata"
            broken = True
            continue
        key = object_key(document)
        title = f"document {number} ({' '.join(key)})"
        if key in titles:
            yield f"{title}: metadata.name: a second {' '.join(key)} in one file; the first is {titles[key]}"
            broken = True
        titles[key] = title
        shape = list(_schema_problems(document, minors))
        broken = broken or bool(shape)
        yield from _titled(title, shape)
    if not broken:  # rules below look into fields whose types the schema has vouched for
        yield from _rules({object_key(document): document for document in documents}, titles, bool(minors))


def _schema_problems(document: Mapping[str, Any], minors: tuple[str, ...]) -> Iterator[Problem]:
    yield from warnings(document)
    if str(document["apiVersion"]).startswith(_GATEWAY) and document["kind"] == "HTTPRoute":
        from .httproute import route_problems

        yield from route_problems(document)
    elif minors:
        from .schema import schema_problems

        yield from schema_problems(document, minors)


def _rules(objects: Objects, titles: Mapping[Key, str], vouched: bool) -> Iterator[str]:
    try:
        for key, document in objects.items():
            yield from _titled(titles[key], field_problems(document))
        for key, field, message in reference_problems(objects):
            yield from _titled(titles.get(key, key[0]), [(field, message)])
    except (AttributeError, KeyError, TypeError) as error:
        if vouched:
            raise
        yield f"not as the schema has it: {type(error).__name__}: {error}"


def _titled(title: str, problems: Iterable[Problem]) -> Iterator[str]:
    for field, message in problems:
        yield f"{title}: {field}: {message}" if field else f"{title}: {message}"
