"""Field types: each turns a scalar's source text into its value, and knows what it allows, with an example."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import nearest
from .document import Block, Items, Text
from .field_type import FieldType, Inside, scalar

_MEMORY_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MEMORY_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def integer(minimum: int, maximum: int, example: int) -> FieldType:
    """A whole number, unquoted, decimal: ``010`` and ``1_000`` mean different things to different readers."""

    def parse(value: Any) -> int:
        text = scalar(value)
        if not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
            raise ValueError()
        if not text.plain:
            raise ValueError("remove the quotes")
        if not minimum <= int(text) <= maximum:
            raise ValueError()
        return int(text)

    schema = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return FieldType(parse, f"a whole number from {minimum} to {maximum}", str(example), schema)


def boolean() -> FieldType:
    def parse(value: Any) -> bool:
        text = scalar(value)
        if text not in ("true", "false") or not text.plain:
            raise ValueError("write true or false, without quotes")
        return text == "true"

    return FieldType(parse, "true or false", "true", {"type": "boolean"})


def text(allowed: str, example: str, pattern: str | None = None, maximum: int = 10_240) -> FieldType:
    """Text of at most ``maximum`` characters, fully matching ``pattern``; any scalar is text, but for a bare null."""

    def parse(value: Any) -> str:
        given = scalar(value)
        if given.is_null:
            raise ValueError(f'write a value, or "{given}" in quotes if the text itself is meant')
        if len(given) > maximum:
            raise ValueError(f"shorten it to at most {maximum} characters; it has {len(given)}")
        if pattern is not None and not re.fullmatch(pattern, given):
            raise ValueError()
        return str(given)

    schema: dict[str, Any] = {"type": "string", "maxLength": maximum}
    if pattern is not None:
        schema["pattern"] = f"^(?:{pattern})$"
    return FieldType(parse, allowed, example, schema)


def choice(options: Sequence[str], example: str | None = None) -> FieldType:
    """One word of a list; ``off`` and ``none`` are words here, whatever YAML thinks of them."""

    def parse(value: Any) -> str:
        given = scalar(value)
        if given in options:
            return str(given)
        near = nearest(given, options)
        raise ValueError(f"write {near}" if near else "")

    return FieldType(
        parse, "one of " + ", ".join(options), example or options[0], {"type": "string", "enum": [*options]}
    )


def cpu_quantity() -> FieldType:
    """A Kubernetes CPU quantity, as thousandths of a CPU."""

    def parse(value: Any) -> int:
        given = scalar(value)
        if not re.fullmatch(r"[0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?", given):
            raise ValueError()
        millicores = int(given[:-1]) if given.endswith("m") else int(Decimal(given) * 1000)
        if not 10 <= millicores <= 1_024_000:
            raise ValueError()
        return millicores

    pattern = r"^([0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?)$"
    schema = {"anyOf": [{"type": "number", "minimum": 0.01, "maximum": 1024}, {"type": "string", "pattern": pattern}]}
    return FieldType(parse, "CPUs as a Kubernetes quantity from 10m to 1024", "2, 0.5 or 500m", schema)


def memory_quantity() -> FieldType:
    """A Kubernetes memory quantity, in bytes."""

    def parse(value: Any) -> int:
        match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)(Ki|Mi|Gi|Ti|k|M|G|T)?", scalar(value))
        if not match:
            raise ValueError()
        try:
            size = int(Decimal(match[1]) * _MEMORY_UNITS[match[2] or ""])
        except InvalidOperation:
            raise ValueError() from None
        if not 1024**2 <= size <= 64 * 1024**4:
            raise ValueError()
        return size

    pattern = r"^[0-9]{1,15}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)?$"
    schema = {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 1024**2}]}
    return FieldType(parse, "memory as a Kubernetes quantity from 1Mi to 64Ti", "1Gi or 512Mi", schema)


def relative_path(what: str, example: str) -> FieldType:
    """A path below the output root. Docker reads ``*?[\\$`` in COPY as patterns and variables, so they are refused."""

    def parse(value: Any) -> str:
        given = scalar(value)
        parts = given.split("/")
        if given.is_null or not given.strip() or given != given.strip() or len(given) > 1024:
            raise ValueError()
        if given.startswith(("/", "~")) or ".." in parts:
            raise ValueError("write it relative to the folder that --output names, without ..")
        if re.search(r"""[\x00-\x1f\x7f*?\[\]\\$"']""", given) or given.startswith("-"):
            raise ValueError("rename it: COPY reads such characters as patterns, variables or options")
        return "/".join(part for part in parts if part not in ("", ".")) or "."

    schema = {"type": "string", "minLength": 1, "maxLength": 1024}
    return FieldType(parse, f"{what}, relative to the build context", example, schema)


def list_of(kind: FieldType) -> FieldType:
    def parse(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, Items):
            raise ValueError(f"write a list, for example: [{kind.example}]")
        return tuple(kind.parse(item) for item in value)

    return FieldType(
        parse, f"a list, each item {kind.allowed}", f"[{kind.example}]", {"type": "array", "items": kind.schema}
    )


def mapping_of(key: FieldType, kind: FieldType) -> FieldType:
    """A mapping whose own values are checked by ``key`` and ``kind``; frozen as sorted pairs."""

    def parse(value: Any) -> tuple[tuple[str, Any], ...]:
        if not isinstance(value, Block):
            raise ValueError(f"write a mapping, for example: {{{key.example}: {kind.example}}}")
        pairs, faults = [], []
        for name, item in value.items():
            try:
                key.parse(Text(name, value.key_marks[name], plain=False))
            except ValueError:
                faults.append((str(name), f"a name that is {key.allowed}", f"rename it, for example {key.example}"))
            try:
                pairs.append((str(name), kind.parse(item)))
            except ValueError as error:
                faults.append((str(name), kind.allowed, str(error) or f"write for example: {kind.example}"))
        if faults:
            raise Inside(faults)
        return tuple(sorted(pairs))

    schema = {"type": "object", "propertyNames": key.schema, "additionalProperties": kind.schema}
    return FieldType(
        parse, f"a mapping from {key.allowed} to {kind.allowed}", f"{{{key.example}: {kind.example}}}", schema
    )


def subnet() -> FieldType:
    """A private IPv4 network with room for a gateway and two containers."""

    def parse(value: Any) -> str:
        try:
            network = ipaddress.IPv4Network(scalar(value))
        except ValueError as error:
            raise ValueError(f"correct it: {error}") from None
        if not network.is_private or not 8 <= network.prefixlen <= 29:
            raise ValueError()
        return str(network)

    return FieldType(
        parse, "a private IPv4 network from /8 to /29", "10.20.30.0/29", {"type": "string", "maxLength": 18}
    )


def peers() -> FieldType:
    """Addresses and networks, comma-separated, strict as gunicorn is (192.168.1.1/24 has host bits), or ``*``."""

    def parse(value: Any) -> str:
        given = scalar(value)
        if given != "*":
            for part in given.split(","):
                try:
                    ipaddress.ip_network(part.strip())
                except ValueError as error:
                    raise ValueError(f"correct it: {error}") from None
        return ",".join(part.strip() for part in given.split(","))

    schema = {"type": "string", "maxLength": 4096}
    return FieldType(parse, 'addresses and networks, comma-separated, or "*" in quotes', "10.0.0.0/8,127.0.0.1", schema)
