"""Field types of what Kubernetes, networks, Python and registries define: quantities, addresses, names, references."""

from __future__ import annotations

import ipaddress
import keyword
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from .document import Block, Items
from .field_types import FieldType, plain_value, scalar, text

_MEMORY_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MEMORY_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_CPU = r"[0-9]{1,6}m|[0-9]{1,4}(?:\.[0-9]{1,3})?"
#: A DNS label, as Kubernetes names are, without its limit of 63 characters.
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#: A host name as routes have it: labels, the first of them perhaps a wildcard; without the limit of 253 characters.
HOST = rf"(\*\.)?{LABEL}(\.{LABEL})*"
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
#: Registry with its port, path, tag and digest; ASCII only, as registries take nothing else.
_IMAGE = (
    r"([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


def cpu_quantity() -> FieldType:
    """A Kubernetes CPU quantity, as thousandths of a CPU."""

    def parse(value: Any) -> int:
        given = scalar(value)
        if not re.fullmatch(_CPU, given):
            named = re.fullmatch(rf"({_CPU})\s*v?(cores?|cpus?)", given, re.IGNORECASE)
            raise ValueError(f"write {named[1]}" if named else "")
        millicores = int(given[:-1]) if given.endswith("m") else int(Decimal(given) * 1000)
        if not 10 <= millicores <= 1_024_000:
            raise ValueError()
        return millicores

    pattern = r"^([0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?)$"
    schema = {"anyOf": [{"type": "number", "minimum": 0.01, "maximum": 1024}, {"type": "string", "pattern": pattern}]}
    return FieldType(parse, "CPUs as a Kubernetes quantity from 10m to 1024, like 2, 0.5 or 500m", "500m", schema)


def memory_quantity() -> FieldType:
    """A Kubernetes memory quantity, in bytes."""

    def parse(value: Any) -> int:
        given = scalar(value)
        match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)(Ki|Mi|Gi|Ti|k|M|G|T)?", given)
        if not match:
            # 512 MB, 512m as Docker has it, 1 GiB: of people who mean powers of two.
            meant = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)\s*([kmgt])(i?b?)", given, re.IGNORECASE)
            raise ValueError(f"write {meant[1]}{meant[2].upper()}i" if meant else "")
        try:
            size = int(Decimal(match[1]) * _MEMORY_UNITS[match[2] or ""])
        except InvalidOperation:
            raise ValueError() from None
        if not 1024**2 <= size <= 64 * 1024**4:
            raise ValueError()
        return size

    pattern = r"^[0-9]{1,15}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)?$"
    schema = {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 1024**2}]}
    return FieldType(
        parse, "memory as a Kubernetes quantity from 1Mi to 64Ti, like 1Gi", "512Mi", schema, show=memory_text
    )


def memory_text(size: int) -> str:
    """Bytes as a Kubernetes quantity, in the largest unit that divides them."""
    for unit, factor in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


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


def network() -> FieldType:
    """One address or network, strict about host bits as Kubernetes is."""

    def parse(value: Any) -> str:
        return _normalised(scalar(value), with_prefix=True)

    return FieldType(parse, "a network in CIDR notation", "10.0.0.0/8", {"type": "string", "maxLength": 50})


def peers() -> FieldType:
    """Addresses and networks, comma-separated, strict as gunicorn is (192.168.1.1/24 has host bits), or ``*``."""

    def parse(value: Any) -> str:
        given = scalar(value)
        if given == "*":
            return "*"
        return ",".join(_normalised(part.strip()) for part in given.split(","))

    schema = {"type": "string", "maxLength": 4096}
    return FieldType(parse, 'addresses and networks, comma-separated, or "*" in quotes', "10.0.0.0/8,127.0.0.1", schema)


def _normalised(text: str, with_prefix: bool = False) -> str:
    """An address or network as every reader writes it, since it goes into nginx's configuration too. Raises ValueError.

    nginx knows no netmask after the slash. A scope (``fe80::1%eth0``) may hold any character, and Python keeps it.
    """
    if "%" in text:
        raise ValueError("leave out the scope behind %: it means something on one host only")
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"correct it: {error}") from None
    return str(network) if with_prefix or "/" in text else str(network.network_address)


def module() -> FieldType:
    """A Python module's dotted name."""

    def parse(value: Any) -> str:
        given = scalar(value)
        _refuse_unless_importable(given.split("."))
        return str(given)

    schema = {"type": "string", "maxLength": 200, "pattern": f"^{_MODULE}$"}
    return FieldType(parse, "a module name", "myapp.hooks", schema)


def application() -> FieldType:
    """What a server imports: a module, then the name of the app or of a factory without arguments."""

    def parse(value: Any) -> str:
        given = scalar(value)
        name, colon, attribute = given.partition(":")
        if not colon:
            raise ValueError()
        if re.fullmatch(r"[A-Za-z_]\w*\(.+\)", attribute, re.DOTALL):
            factory = attribute.partition("(")[0]
            wsgi = f"or import it in a wsgi.py of your own: from {name} import {factory}; app = {factory}(...)"
            raise ValueError(
                f"write module: {name}:{factory}() and its arguments, literals, as arguments: [...] beside it; {wsgi}"
            )
        _refuse_unless_importable([*name.split("."), attribute.removesuffix("()")])
        return str(given)

    schema = {"type": "string", "maxLength": 200, "pattern": rf"^{_MODULE}:[A-Za-z_]\w*(\(\))?$"}
    return FieldType(parse, "module:name or module:factory()", "flask_server:app", schema)


def _refuse_unless_importable(names: Sequence[str]) -> None:
    if sum(map(len, names)) > 200 or not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names):
        raise ValueError()
    for name in names:
        if keyword.iskeyword(name):
            raise ValueError(f"rename it: {name} is a keyword of Python, so nothing can be imported by that name")


def arguments() -> FieldType:
    """Arguments of a factory, literals all of them: pairs of a keyword (None by position) and a frozen value."""

    def parse(value: Any) -> tuple[tuple[str | None, Any], ...]:
        if isinstance(value, Items):
            return tuple((None, _frozen(plain_value(item))) for item in value)
        if not isinstance(value, Block):
            raise ValueError("write a list, for example: [production], or a mapping: {config_name: production}")
        for name in value:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or keyword.iskeyword(name):
                raise ValueError(f"rename {name[:60]!r}: no parameter of a Python function has such a name")
        return tuple((str(name), _frozen(plain_value(item))) for name, item in value.items())

    schema: dict[str, Any] = {"type": ["array", "object"]}
    return FieldType(parse, "a list or a mapping of values", "[production]", schema)


def _frozen(value: Any) -> Any:
    """The same literal without a list or a mapping that somebody could change, for repr()."""
    if isinstance(value, dict):
        raise ValueError("write single values; for a mapping, call the factory in a module of your own")
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def image(example: str = "registry.example/team/app:1.4") -> FieldType:
    """An image reference, as Docker and the kubelet read it."""
    reference = text("an image reference", example, _IMAGE, 500)

    def parse(value: Any) -> str:
        given: str = reference.parse(value)
        port = re.match(r"[A-Za-z0-9.-]+:([0-9]+)/", given)
        if port and not 1 <= int(port[1]) <= 65535:
            raise ValueError(f"correct the registry's port: {port[1]} is not from 1 to 65535")
        return given

    return replace(reference, parse=parse)
