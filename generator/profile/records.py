"""Settings as fields of frozen dataclasses: the field says everything about the setting, and one reader reads them.

This is the one definition of a setting. The reader, the JSON schema, the tables of the documentation, ``--explain``,
the boot report's list and the capability tables of the servers all come from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

from ..errors import Mark
from .document import Block, parse_value
from .field_types import FieldType, Problem, ProblemsError, unknown_names

Family = Literal["gunicorn", "standalone", "development"]
#: Stands where a setting has no default, since None is one.
REQUIRED: Any = object()


@dataclass(frozen=True, eq=False)
class Setting:
    """What is known of one setting, beside its name and its default."""

    type: FieldType
    description: str
    #: The name of gunicorn's setting that it becomes, which the section `gunicorn` then refuses.
    gunicorn: str | None = None
    #: Whether the boot report states its value, by gunicorn's name.
    reported: bool = False
    #: Whether `--explain` states it: what no formula derives and an operator wants to see.
    explained: bool = False
    #: Whether null takes the value of the server's own attribute of the same name.
    server_default: bool = False
    #: Families of servers that honour it unless a server's own module says otherwise; None where no server sees it.
    honoured_by: tuple[Family, ...] | None = None
    #: The container test that shows that they do, or "unprobed: " and the reason why none does.
    shown_by: str = ""
    #: Whether no message may show its value.
    hidden: bool = False
    #: From the dataclass' field.
    name: str = ""
    default: Any = REQUIRED

    @property
    def is_required(self) -> bool:
        """Whether a profile must give it; of a section, whether it has such a setting."""
        if self.type.record is not None:
            return any(inner.is_required for inner in settings(self.type.record).values())
        return self.default is REQUIRED

    def stand_in(self) -> Any:
        """What stands for it where it is missing or faulty, so that faults elsewhere are reported in the same run."""
        if not self.is_required:
            return _without_problems(self.type.record) if self.type.record else self.default
        return self.type.parse(parse_value(self.type.example, "example"))


def setting(field_type: FieldType, description: str, *, default: Any = REQUIRED, **more: Any) -> Any:
    """A dataclass field for a setting; ``more`` are the fields of Setting. Without a default it is required."""
    given = dataclasses.MISSING if default is REQUIRED else default
    metadata = {"setting": Setting(field_type, description, default=default, **more)}
    return field(default=given, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of the profile, its sections and the items of its lists: settings, and where each of them stands."""

    #: Names of which exactly one must be given.
    ONE_OF: ClassVar[tuple[str, ...]] = ()

    mark: Mark = field(compare=False, repr=False)
    #: Where each setting stands that the document gives.
    places: Mapping[str, Mark] = field(compare=False, repr=False)

    def is_set(self, path: str) -> bool:
        """Whether the document gives the setting, so that it is not just the default; null counts as not given."""
        inner: Any = self
        for name in path.split("."):
            if name not in inner.places:
                return False
            inner = getattr(inner, name)
        return inner is not None

    def place(self, path: str) -> Mark:
        """Where the setting stands, or the section nearest to it that the document has."""
        found, inner = self.mark, self
        for name in path.split("."):
            if name not in inner.places:
                break
            found, inner = inner.places[name], getattr(inner, name)
        return found


R = TypeVar("R", bound=Record)


_tables: dict[type[Record], Mapping[str, Setting]] = {}


def settings(record: type[Record]) -> Mapping[str, Setting]:
    """The settings of a section, by name, in the order of their definition."""
    if record not in _tables:
        own = [one for one in dataclasses.fields(record) if "setting" in one.metadata]
        table = {one.name: dataclasses.replace(one.metadata["setting"], name=one.name) for one in own}
        _tables[record] = MappingProxyType(table)
    return _tables[record]


def all_settings(record: type[Record], above: str = "") -> Iterator[tuple[str, Setting]]:
    """Every setting with its dotted path, sections left out in favour of what is in them."""
    for name, one in settings(record).items():
        if one.type.record is not None:
            yield from all_settings(one.type.record, f"{above}{name}.")
        else:
            yield f"{above}{name}", one


def read(record: type[R], block: Block) -> R:
    """The record that a mapping holds. Raises ProblemsError with every fault and with what is left without them."""
    table = settings(record)
    problems = unknown_names(block, tuple(table))
    values: dict[str, Any] = {}
    places: dict[str, Mark] = {}
    for name, one in table.items():
        if name not in block:
            if one.is_required:
                problems.append(_missing(one))
            values[name] = one.stand_in()
            continue
        try:
            values[name] = one.type.parse(block[name])
            places[name] = block[name].mark
        except ValueError as error:
            problems += one.type.problem(name, error)
            rest = error.rest if isinstance(error, ProblemsError) else None
            values[name] = one.stand_in() if rest is None else rest
            if rest is not None:
                places[name] = block[name].mark
    if record.ONE_OF and len(block.keys() & set(record.ONE_OF)) != 1:
        allowed = f"exactly one of {', '.join(record.ONE_OF)}"
        problems.append(Problem((), allowed, "keep one of them, or write it as two items", code="K012"))
    made = record(mark=block.mark, places=MappingProxyType(places), **values)
    if problems:
        raise ProblemsError(problems, made)
    return made


def _missing(one: Setting) -> Problem:
    remedy = f"add {one.name}, for example: {one.name}: {one.type.example}"
    return Problem((one.name,), one.type.allowed, remedy, "missing", code="K005")


def _without_problems(record: type[R]) -> R:
    """The record of an empty mapping, every setting at its default."""
    return read(record, Block(Mark("default")))


def section(record: type[Record]) -> FieldType:
    """A mapping of settings as the type of a field."""

    def parse(value: Any) -> Record:
        if not isinstance(value, Block):
            raise ValueError(f"write its settings below it, indented: {', '.join(table)}")
        return read(record, value)

    table = settings(record)
    shown = [one for one in table.values() if one.is_required or one.name in record.ONE_OF[:1]] or [*table.values()][:1]
    example = "{" + ", ".join(f"{one.name}: {one.type.example}" for one in shown) + "}"
    names = ", ".join(name if one.is_required else f"{name} (optional)" for name, one in table.items())
    return FieldType(parse, f"a mapping with {names}", example, json_schema(record), record=record)


def record_or(record: type[Record], other: FieldType, title: str) -> FieldType:
    """A mapping of settings, or what the other type takes."""
    mapping = section(record)

    def parse(value: Any) -> Any:
        return mapping.parse(value) if isinstance(value, Block) else other.parse(value)

    schema = {"anyOf": [*other.schema.get("anyOf", [other.schema]), mapping.schema]}
    return FieldType(parse, f"{other.allowed} or {title}", other.example, schema)


def json_schema(record: type[Record]) -> Mapping[str, Any]:
    """JSON schema of a section. An editor cannot check more with it than types, names and limits."""
    properties = {}
    for name, one in settings(record).items():
        properties[name] = {**one.type.schema, "description": one.description}
        if one.type.record is None and not one.is_required:
            properties[name]["default"] = one.default
    required = [name for name, one in settings(record).items() if one.is_required]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }
