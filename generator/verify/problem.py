"""What a rule of this package yields, and how it names the object that has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Kind and name: what no two objects of a file have in common.
Key = tuple[str, str]
#: The objects of a manifest, in its order.
Objects = Mapping[Key, Any]
#: Field path in one document, and what is wrong with it.
Problem = tuple[str, str]
#: The document, then the same.
ObjectProblem = tuple[Key, str, str]


def object_key(document: Mapping[str, Any]) -> Key:
    """Kind and name of one API object."""
    return str(document["kind"]), str((document["metadata"] or {}).get("name"))


def at(value: Any, field: str) -> Any:
    """The value of a dotted field; None where it is not there."""
    for step in field.split("."):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def pairs(mapping: Mapping[str, Any]) -> str:
    """Labels and the like for a message."""
    return ", ".join(f"{key}={value}" for key, value in mapping.items())
