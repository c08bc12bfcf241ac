"""Field types: each turns what stands in the document into a value, and knows what it allows, with an example."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ..errors import FAULTS_SHOWN, nearest
from .document import Block, Items, Text


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
    code: str = "K006"

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

    ``record`` is the class of a section's settings, ``item`` that of a list's or a mapping's items, None for every
    other type; ``show`` writes a value for people.
    """

    parse: Callable[[Any], Any]
    allowed: str
    example: str
    schema: Mapping[str, Any]
    record: Any = None
    item: Any = None
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


def list_of(item_type: FieldType, split: Callable[[str], list[str]] | None = None) -> FieldType:
    """A list; every item is checked, and a faulty one is named by its number from 0.

    ``split`` makes items of a text that stands in place of the list; without it commas and blanks do, if anything.
    """

    def parse(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, Items):
            raise ValueError(f"write a list, for example: {_as_list(value, item_type, split)}")
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
    return FieldType(
        parse, f"a list, each item {item_type.allowed}", f"[{item_type.example}]", schema, item=item_type.record
    )


def _as_list(value: Any, item_type: FieldType, split: Callable[[str], list[str]] | None) -> str:
    """The list that a text is most likely meant to be, or else an example."""
    given = value if isinstance(value, Text) and not value.is_null else None
    ways = [] if given is None else [split(given)] if split else [[str(given)], re.split(r"[,\s]+", given)]
    for items in ways:
        try:
            for item in items:
                item_type.parse(Text(item, value.mark, plain=False))
        except ValueError:
            continue
        return yaml.safe_dump([str(item) for item in items], default_flow_style=True, width=2**31).strip()
    return f"[{item_type.example}]"


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
    allowed = f"a mapping from {key_type.allowed} to {value_type.allowed}"
    return FieldType(parse, allowed, example, schema, item=value_type.record)


def unknown_names(value: Block, names: Sequence[str]) -> list[Problem]:
    """A problem for each name in the mapping that is none of ``names``; the first ones name the nearest."""
    allowed = "one of " + ", ".join(sorted(names))
    problems: list[Problem] = []
    for name in value:
        if name not in names:
            # A search takes a millisecond, and nobody sees the suggestion of a fault that is only counted.
            near = nearest(name, names) if len(problems) < FAULTS_SHOWN else None
            remedy = f"did you mean {near}?" if near else "remove it"
            problems.append(Problem((name,), allowed, remedy, "unknown setting", True, "K004"))
    return problems


def yaml_value() -> FieldType:
    """Any YAML value, its plain scalars read by YAML 1.2: no field stands behind it that could decide."""
    return FieldType(plain_value, "any YAML value", "{name: value}", {})


def plain_value(value: Any) -> Any:
    """What stands in the document as Python's own values, its plain scalars read by YAML 1.2."""
    if isinstance(value, Block):
        return {str(name): plain_value(item) for name, item in value.items()}
    if isinstance(value, Items):
        return [plain_value(item) for item in value]
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
