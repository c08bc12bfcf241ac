"""A profile's text to a Profile: every fault of its own fields, each with its place; nothing of servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import Fault, Mark, ProfileError, nearest
from .document import Block, Items, Text, parse, parse_value
from .schema import Profile


@dataclass(frozen=True)
class Draft:
    """A profile with the faults of its fields; ``profile`` leaves faulty settings at their defaults.

    None where too little is left of it. Later checks add their faults, so that all are told at once.
    """

    profile: Profile | None
    document: Block
    faults: tuple[Fault, ...]

    def fault(self, path: str, allowed: str, remedy: str, given: str | None = None) -> Fault:
        """A fault at the setting ``path``, or at the section nearest to it that the profile has."""
        return _fault(self.document, tuple(path.split(".")), given, allowed, remedy)

    def has_fault(self, *paths: str) -> bool:
        """Whether one of the settings has a fault already, so that nothing can be said of its value."""
        return any(fault.path == path for fault in self.faults for path in paths)


def read_profile(text: str, file: str, overrides: Sequence[str] = ()) -> Draft:
    """Read one profile; ``overrides`` are ``path=value`` as in ``--set``. Raises ProfileError only for bad syntax."""
    document = parse(text, file)
    for override in overrides:
        _override(document, override)
    try:
        return Draft(Profile.model_validate(document), document, ())
    except ValidationError as error:
        faults = tuple(fault for item in error.errors() for fault in _from_pydantic(document, item))
        return Draft(_without_faulty(document, error), document, faults)


def _override(document: Block, override: str) -> None:
    path, separator, value = override.partition("=")
    mark = Mark(f"--set {path}")
    names = path.split(".")
    if not separator or not all(names):
        raise ProfileError([Fault(mark, "", override[:80], "PATH=VALUE", "write for example: --set resources.cpu=4")])
    section = document
    for name in names[:-1]:
        section.key_marks.setdefault(name, mark)
        inner = section.setdefault(name, Block(mark))
        if not isinstance(inner, Block):
            raise ProfileError([Fault(mark, path, f"{name} is not a section", "a setting's path", "correct the path")])
        section = inner
    section[names[-1]] = parse_value(value, f"--set {path}")
    section.key_marks[names[-1]] = mark


def _from_pydantic(document: Block, item: Any) -> list[Fault]:
    location, kind = tuple(item["loc"]), item["type"]
    context = item.get("ctx", {})
    if kind == "inside":
        # A fault inside a list's mapping has a tuple for its name: the item's number, and the name in it.
        inside = [(name if isinstance(name, tuple) else (name,), *rest) for name, *rest in context["faults"]]
        return [_fault(document, (*location, *names), None, allowed, do) for names, allowed, do in inside]
    return [_one_from_pydantic(document, location, kind, context)]


def _one_from_pydantic(document: Block, location: Sequence[Any], kind: str, context: Any) -> Fault:
    if kind == "kit":
        return _fault(document, location, None, context["allowed"], context["remedy"])
    if kind == "extra_forbidden":
        names = sorted(_section_at(location[:-1]).model_fields)
        near = nearest(str(location[-1]), names)
        allowed = "one of " + ", ".join(names)
        return _fault(document, location, "unknown setting", allowed, f"did you mean {near}?" if near else "remove it")
    if kind == "missing":
        return _fault(document, location, "missing", "", f"add {location[-1]}; profiles/large.yaml shows it")
    return _fault(document, location, None, "a mapping of settings", "write the section's settings below it, indented")


def _section_at(location: Sequence[Any]) -> type[BaseModel]:
    section: Any = Profile
    for name in location:
        field = section.model_fields.get(name) if name != "rule" else None
        if field is not None:
            section = field.annotation
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        from .schema import CpuRule

        return CpuRule
    return section


def _fault(document: Block, location: Sequence[Any], given: str | None, allowed: str, remedy: str) -> Fault:
    value, mark, path = _find(document, location)
    return Fault(mark, path, _shown(path, value) if given is None else given, allowed, remedy)


class _NotGiven:
    """Stands for a setting that the profile leaves at its default."""


def _find(document: Block, location: Sequence[Any]) -> tuple[Any, Mark, str]:
    """The value at a location, its place and its dotted path; pydantic's union tags are no part of the document."""
    value: Any = document
    mark, path = document.mark, []
    for name in location:
        if isinstance(value, Block) and name in value:
            mark, value = value.key_marks[name], value[name]
            mark = getattr(value, "mark", mark)
        elif name in ("rule", "number"):
            continue
        elif isinstance(value, Items) and str(name).isdigit() and int(name) < len(value):
            value = value[int(name)]
            mark = getattr(value, "mark", mark)
        else:
            value = _NotGiven()
        path.append(_printable(str(name)))
    return value, mark, ".".join(path)


def _printable(name: str) -> str:
    """A key as it stands, or, since a quoted key may hold anything, on one line and cut short."""
    return name if name.isprintable() and len(name) <= 60 else f"{name[:60]!r}"


def _shown(path: str, value: Any) -> str:
    """What was given, cut short; never a value of ``env``, which may be a secret by mistake."""
    if isinstance(value, _NotGiven):
        return "not set, so the default"
    if path.startswith("env"):
        return "(value not shown)"
    if isinstance(value, Text):
        return f"{str(value)[:60]!r}" + ("…" if len(value) > 60 else "")
    return "a mapping" if isinstance(value, Block) else "a list"


#: Stands in for a required setting that is missing or faulty, so that faults elsewhere are told in the same go.
_STAND_INS = {
    "name": "x",
    "app.module": "x:x",
    "app.path": "x",
    "server": "x",
    "connections": "1",
    "resources.cpu": "1",
    "resources.memory": "1Gi",
}


def _without_faulty(document: Block, error: ValidationError) -> Profile | None:
    """The profile without its faulty settings, to find what else is wrong; None if it cannot stand without them."""
    copy = _copied(document)
    for _ in range(2):  # a CPU rule that lost its factor goes as a whole in the second round
        for item in error.errors():
            _remove(copy, item)
        for path, text in _STAND_INS.items():
            section: Any = copy
            *names, last = path.split(".")
            for name in names:
                section = section.setdefault(name, Block(document.mark))
            section.setdefault(last, Text(text, document.mark, plain=True))
        try:
            return Profile.model_validate(copy)
        except ValidationError as again:
            error = again
    return None


def _remove(copy: Block, item: Any) -> None:
    section: Any = copy
    location = [str(name) for name in item["loc"] if name not in ("rule", "number")]
    if item["type"] == "missing":
        location.pop()
    inside = [name for name, _, _ in item.get("ctx", {}).get("faults", ()) if isinstance(name, str)]
    for name in location if inside else location[:-1]:
        section = section.get(name) if isinstance(section, Block) else None
    for name in inside or location[-1:]:
        if isinstance(section, Block):
            section.pop(name, None)


def _copied(block: Block) -> Block:
    copy = Block(block.mark)
    copy.key_marks = block.key_marks
    copy.update({key: _copied(value) if isinstance(value, Block) else value for key, value in block.items()})
    return copy
