"""Field types of lists whose items are mappings: volumes, peers and patches of the manifests."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Mark, nearest
from .document import Block, Items, Text
from .field_type import FieldType, Inside, scalar


@dataclass(frozen=True)
class Volume:
    """A folder of the app: one of a PersistentVolumeClaim, a Secret, a ConfigMap, or an empty folder of a size."""

    name: str
    mount_path: str
    mark: Mark
    claim: str | None = None
    secret: str | None = None
    config_map: str | None = None
    size: int | None = None
    read_only: bool = False


@dataclass(frozen=True)
class Peer:
    """Where the pods may connect to: a network or the pods of a namespace, on one port or on all."""

    mark: Mark
    cidr: str | None = None
    namespace: str | None = None
    port: int | None = None


@dataclass(frozen=True)
class Patch:
    """One change of the generated manifest; ``path`` is a JSON pointer whose first step is the object's kind."""

    op: str
    path: str
    why: str
    mark: Mark
    value: Any = None
    has_value: bool = False


@dataclass(frozen=True)
class Entry:
    """One name of a record; ``kind`` decides what it may hold."""

    kind: FieldType
    required: bool = False


def records(make: Callable[..., Any], entries: Mapping[str, Entry], one_of: tuple[str, ...], example: str) -> FieldType:
    """A list of mappings, each made into a ``make``; ``one_of`` names those of which each item takes exactly one."""
    names = ", ".join(f"{name}{'' if entry.required else ' (optional)'}" for name, entry in entries.items())
    allowed = f"a list of mappings with {names}"

    def parse(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, Items):
            raise ValueError(f"write a list, for example: {example}")
        faults: list[tuple[Any, str, str]] = []
        made = [_record(item, number, make, entries, one_of, faults) for number, item in enumerate(value)]
        if faults:
            raise Inside(faults)
        return tuple(made)

    item = {
        "type": "object",
        "properties": {name: entry.kind.schema for name, entry in entries.items()},
        "required": [name for name, entry in entries.items() if entry.required],
        "additionalProperties": False,
    }
    return FieldType(parse, allowed, example, {"type": "array", "items": item})


def _record(
    item: Any, number: int, make: Any, entries: Mapping[str, Entry], one_of: tuple[str, ...], faults: list[Any]
) -> Any:
    place = (str(number),)
    if not isinstance(item, Block):
        faults.append((place, "a mapping with " + ", ".join(entries), "write its names with their values"))
        return None
    before = len(faults)
    values: dict[str, Any] = {}
    for name in item.keys() - entries.keys():
        near = nearest(name, [*entries])
        faults.append(
            ((*place, name), "one of " + ", ".join(entries), f"did you mean {near}?" if near else "remove it")
        )
    for name, entry in entries.items():
        if name in item:
            try:
                values[name] = entry.kind.parse(item[name])
            except ValueError as error:
                remedy = str(error) or f"write for example: {entry.kind.example}"
                faults.append(((*place, name), entry.kind.allowed, remedy))
        elif entry.required:
            faults.append((place, f"{name}: {entry.kind.allowed}", f"add {name}, for example: {entry.kind.example}"))
    if one_of and len(item.keys() & set(one_of)) != 1:
        faults.append((place, f"exactly one of {', '.join(one_of)}", "keep one of them, or write it as two items"))
    if len(faults) > before:
        return None
    if make is Patch:
        values["has_value"] = "value" in values
    return make(mark=item.mark, **values)


def network() -> FieldType:
    """One address or network, strict about host bits as Kubernetes is."""

    def parse(value: Any) -> str:
        try:
            return str(ipaddress.ip_network(scalar(value)))
        except ValueError as error:
            raise ValueError(f"correct it: {error}") from None

    return FieldType(parse, "a network in CIDR notation", "10.0.0.0/8", {"type": "string", "maxLength": 50})


def yaml_value() -> FieldType:
    """Any YAML value, its plain scalars read by YAML 1.2: no field stands behind it that could decide."""
    everything: dict[str, Any] = {}
    return FieldType(_plain, "any YAML value", "{name: value}", everything)


def _plain(value: Any) -> Any:
    if isinstance(value, Block):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, Items):
        return [_plain(item) for item in value]
    text: Text = value
    if not text.plain:
        return str(text)
    if text.is_null:
        return None
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    if re.fullmatch(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}", text):
        return float(text)
    return str(text)
