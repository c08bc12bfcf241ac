"""Field types: each turns what stands in the document into a value, and knows what it allows, with an example."""

from __future__ import annotations

import ipaddress
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import FAULTS_SHOWN, nearest
from .document import Block, Items, Text

_MEMORY_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MEMORY_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
#: A DNS label, as Kubernetes names are, without its limit of 63 characters.
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#: A host name as routes have it: labels, the first of them perhaps a wildcard; without the limit of 253 characters.
HOST = rf"(\*\.)?{LABEL}(\.{LABEL})*"


@dataclass(frozen=True)
class Problem:
    """A fault by its path in the document, before anyone knows the file and the line.

    ``at_key``: the name is wrong, so the fault is reported where the name stands, not its value.
    """

    path: tuple[str, ...]
    allowed: str
    remedy: str
    given: str | None = None
    at_key: bool = False

    def below(self, name: str) -> Problem:
        """The same problem as seen from one level further up."""
        return replace(self, path=(name, *self.path))


class ProblemsError(ValueError):
    """Faults inside a mapping or a list; ``rest`` is what is left without the faulty parts, None if nothing is."""

    def __init__(self, problems: Sequence[Problem], rest: Any = None) -> None:
        super().__init__()
        self.problems = tuple(problems)
        self.rest = rest


@dataclass(frozen=True, eq=False)
class FieldType:
    """A field's type: ``parse`` raises ValueError (its message, if any, says what to do); ``schema`` is JSON schema.

    ``record`` is the class of a section's settings, None for every other type; ``show`` writes a value for people.
    """

    parse: Callable[[Any], Any]
    allowed: str
    example: str
    schema: Mapping[str, Any]
    record: Any = None
    show: Callable[[Any], str] = str

    def or_null(self) -> FieldType:
        """The same type, with ``null`` for None."""

        def parse(value: Any) -> Any:
            return None if isinstance(value, Text) and value.is_null else self.parse(value)

        schema = {"anyOf": [self.schema, {"type": "null"}]}
        return replace(self, parse=parse, allowed=f"{self.allowed}, or null", schema=schema)

    def problem(self, name: str, error: ValueError) -> list[Problem]:
        """What ``parse`` refused at ``name``: one problem, or those inside of it."""
        if isinstance(error, ProblemsError):
            return [problem.below(name) for problem in error.problems]
        return [Problem((name,), self.allowed, str(error) or f"write for example: {self.example}")]


def scalar(value: Any) -> Text:
    """The value as text. Raises ValueError for a list or a mapping."""
    if not isinstance(value, Text):
        raise ValueError("write a single value here, not a list or a mapping")
    return value


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


def advised(kind: FieldType, advice: Mapping[str, str]) -> FieldType:
    """The same type with words of its own for values that people often write, by a pattern of the whole value."""

    def parse(value: Any) -> Any:
        try:
            return kind.parse(value)
        except ValueError:
            if isinstance(value, Text):
                for pattern, remedy in advice.items():
                    if re.fullmatch(pattern, value[:200]):
                        raise ValueError(remedy) from None
            raise

    return replace(kind, parse=parse)


def boolean() -> FieldType:
    """``true`` or ``false``, unquoted; YAML 1.1's other spellings (``yes``, ``off``) are refused."""

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

    # An editor reads an unquoted 1.30 as a number.
    numbers = [float(option) for option in options if re.fullmatch(r"[0-9]+\.[0-9]+", option)]
    return FieldType(parse, "one of " + ", ".join(options), example or options[0], {"enum": [*options, *numbers]})


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
    return FieldType(parse, "CPUs as a Kubernetes quantity from 10m to 1024, like 2, 0.5 or 500m", "500m", schema)


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


def list_of(item_type: FieldType) -> FieldType:
    """A list; every item is checked, and a faulty one is named by its number from 0."""

    def parse(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, Items):
            raise ValueError(f"write a list, for example: [{item_type.example}]")
        values, problems = [], []
        for number, item in enumerate(value):
            try:
                values.append(item_type.parse(item))
            except ValueError as error:
                problems += item_type.problem(str(number), error)
        if problems:
            raise ProblemsError(problems)
        return tuple(values)

    schema = {"type": "array", "items": item_type.schema}
    return FieldType(parse, f"a list, each item {item_type.allowed}", f"[{item_type.example}]", schema)


def mapping_of(key_type: FieldType, value_type: FieldType) -> FieldType:
    """A mapping whose names and values each have a type; frozen as sorted pairs."""

    def parse(value: Any) -> tuple[tuple[str, Any], ...]:
        if not isinstance(value, Block):
            raise ValueError(f"write a mapping, for example: {example}")
        pairs, problems = [], []
        for name, item in value.items():
            try:
                key_type.parse(Text(name, value.key_marks[name], plain=False))
            except ValueError:
                remedy = f"rename it, for example {key_type.example}"
                problems.append(Problem((name,), f"a name that is {key_type.allowed}", remedy, at_key=True))
            try:
                pairs.append((str(name), value_type.parse(item)))
            except ValueError as error:
                problems += value_type.problem(name, error)
        if problems:
            raise ProblemsError(problems, tuple(sorted(pairs)))
        return tuple(sorted(pairs))

    example = f"{{{key_type.example}: {value_type.example}}}"
    schema = {"type": "object", "propertyNames": key_type.schema, "additionalProperties": value_type.schema}
    return FieldType(parse, f"a mapping from {key_type.allowed} to {value_type.allowed}", example, schema)


def unknown_names(
    value: Block, names: Sequence[str], given: str = "unknown setting", advice: Mapping[str, str] | None = None
) -> list[Problem]:
    """A problem for each name in the mapping that is none of ``names``; the first ones name the nearest.

    ``advice`` says what to do instead of writing a certain name.
    """
    allowed = "one of " + ", ".join(sorted(names))
    problems: list[Problem] = []
    for name in value:
        if name not in names:
            # A search takes a millisecond, and nobody sees the suggestion of a fault that is only counted.
            near = nearest(name, names) if len(problems) < FAULTS_SHOWN else None
            remedy = (advice or {}).get(name) or (f"did you mean {near}?" if near else "remove it")
            problems.append(Problem((name,), allowed, remedy, given, True))
    return problems


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


def peers() -> FieldType:
    """Addresses and networks, comma-separated, strict as gunicorn is (192.168.1.1/24 has host bits), or ``*``."""

    def parse(value: Any) -> str:
        given = scalar(value)
        if given == "*":
            return "*"
        return ",".join(_normalised(part.strip()) for part in given.split(","))

    schema = {"type": "string", "maxLength": 4096}
    return FieldType(parse, 'addresses and networks, comma-separated, or "*" in quotes', "10.0.0.0/8,127.0.0.1", schema)


def module() -> FieldType:
    """A Python module's dotted name."""

    def parse(value: Any) -> str:
        given = scalar(value)
        _refuse_unless_importable(given.split("."))
        return str(given)

    schema = {"type": "string", "maxLength": 200, "pattern": f"^{_MODULE}$"}
    return FieldType(parse, "a module name", "myapp.hooks", schema)


def arguments() -> FieldType:
    """Arguments of a factory, literals all of them: pairs of a keyword (None by position) and a frozen value."""

    def parse(value: Any) -> tuple[tuple[str | None, Any], ...]:
        if isinstance(value, Items):
            return tuple((None, _frozen(_plain(item))) for item in value)
        if not isinstance(value, Block):
            raise ValueError("write a list, for example: [production], or a mapping: {config_name: production}")
        for name in value:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or keyword.iskeyword(name):
                raise ValueError(f"rename {name[:60]!r}: no parameter of a Python function has such a name")
        return tuple((str(name), _frozen(_plain(item))) for name, item in value.items())

    schema: dict[str, Any] = {"type": ["array", "object"]}
    return FieldType(parse, "a list or a mapping of values", "[production]", schema)


def _frozen(value: Any) -> Any:
    """The same literal without a list or a mapping that somebody could change, for repr()."""
    if isinstance(value, dict):
        raise ValueError("write single values; for a mapping, call the factory in a module of your own")
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


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


_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"


def _refuse_unless_importable(names: Sequence[str]) -> None:
    if sum(map(len, names)) > 200 or not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names):
        raise ValueError()
    for name in names:
        if keyword.iskeyword(name):
            raise ValueError(f"rename it: {name} is a keyword of Python, so nothing can be imported by that name")


#: Registry with its port, path, tag and digest; ASCII only, as registries take nothing else.
_IMAGE = (
    r"([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


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


def yaml_value() -> FieldType:
    """Any YAML value, its plain scalars read by YAML 1.2: no field stands behind it that could decide."""
    return FieldType(_plain, "any YAML value", "{name: value}", {})


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
