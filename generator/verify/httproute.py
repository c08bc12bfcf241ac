"""The fields of a Gateway API HTTPRoute, for which Kubernetes itself bundles no schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..profile.formats import HOST
from .problem import Problem

_HOST = re.compile(HOST)
#: Field: (type, required, the names in it), for what the templates write and patches may add.
_SPEC: Mapping[str, tuple[type, bool]] = {"parentRefs": (list, True), "hostnames": (list, False), "rules": (list, True)}
_RULE: Mapping[str, tuple[type, bool]] = {
    "name": (str, False),
    "matches": (list, False),
    "filters": (list, False),
    "backendRefs": (list, True),
    "timeouts": (dict, False),
    "retry": (dict, False),
    "sessionPersistence": (dict, False),
}
_PARENT: Mapping[str, tuple[type, bool]] = {
    "group": (str, False),
    "kind": (str, False),
    "name": (str, True),
    "namespace": (str, False),
    "port": (int, False),
    "sectionName": (str, False),
}
_BACKEND: Mapping[str, tuple[type, bool]] = {
    "group": (str, False),
    "kind": (str, False),
    "name": (str, True),
    "namespace": (str, False),
    "port": (int, True),
    "weight": (int, False),
    "filters": (list, False),
}
_MATCH: Mapping[str, tuple[type, bool]] = {
    "path": (dict, False),
    "headers": (list, False),
    "queryParams": (list, False),
    "method": (str, False),
}
_TIMEOUTS: Mapping[str, tuple[type, bool]] = {"request": (str, False), "backendRequest": (str, False)}
#: As the CRD's own pattern: one to four numbers, each with its unit.
_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_PATH: Mapping[str, tuple[type, bool]] = {"type": (str, False), "value": (str, False)}
_PATH_TYPES = ("Exact", "PathPrefix", "RegularExpression")


def route_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Every field of an HTTPRoute that a Gateway controller would refuse."""
    spec = document.get("spec")
    yield from _shape("spec", spec, _SPEC)
    if not isinstance(spec, dict):
        return
    for number, parent in enumerate(_items(spec, "parentRefs")):
        yield from _shape(f"spec.parentRefs.{number}", parent, _PARENT)
    for number, host in enumerate(_items(spec, "hostnames")):
        if not isinstance(host, str) or not _HOST.fullmatch(host) or len(host) > 253:
            yield f"spec.hostnames.{number}", f"{host!r} is no host name"
    for number, rule in enumerate(_items(spec, "rules")):
        field = f"spec.rules.{number}"
        yield from _shape(field, rule, _RULE)
        yield from _timeouts(f"{field}.timeouts", rule)
        for place, backend in enumerate(_items(rule, "backendRefs")):
            yield from _shape(f"{field}.backendRefs.{place}", backend, _BACKEND)
        for place, match in enumerate(_items(rule, "matches")):
            yield from _match(f"{field}.matches.{place}", match)


def _timeouts(field: str, rule: Any) -> Iterator[Problem]:
    timeouts = rule.get("timeouts") if isinstance(rule, dict) else None
    if not isinstance(timeouts, dict):
        return
    yield from _shape(field, timeouts, _TIMEOUTS)
    for name, value in timeouts.items():
        if isinstance(value, str) and not _DURATION.fullmatch(value):
            yield f"{field}.{name}", f"{value!r} is no duration such as 300s"


def _match(field: str, match: Any) -> Iterator[Problem]:
    yield from _shape(field, match, _MATCH)
    path = match.get("path") if isinstance(match, dict) else None
    if not isinstance(path, dict):
        return
    yield from _shape(f"{field}.path", path, _PATH)
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind not in _PATH_TYPES:
        yield f"{field}.path.type", f"{kind!r} is none of {', '.join(_PATH_TYPES)}"
    elif kind != "RegularExpression" and isinstance(value, str) and not _is_path(value):
        yield f"{field}.path.value", f"{value!r} is no absolute path without empty or dotted parts"


def _is_path(value: str) -> bool:
    # As the CRD's own rules: no //, no /./ or /../, nothing encoded that means a slash, no fragment.
    return value.startswith("/") and not re.search(r"//|/\.{1,2}(/|$)|%2f|#", value, re.I)


def _items(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _shape(field: str, value: Any, names: Mapping[str, tuple[type, bool]]) -> Iterator[Problem]:
    """Unknown names, wrong types and what is missing, of one mapping."""
    if not isinstance(value, dict):
        yield field, "is no mapping"
        return
    for name, item in value.items():
        if name not in names:
            yield f"{field}.{name}", f"unknown field; there are {', '.join(names)}"
        elif not isinstance(item, names[name][0]) or isinstance(item, bool):
            yield f"{field}.{name}", f"{item!r} is no {names[name][0].__name__}"
    for name, (_, required) in names.items():
        if required and not value.get(name):
            yield f"{field}.{name}", "is missing"
