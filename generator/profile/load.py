"""A profile's text to a Profile: every fault of its own fields, each with its place; nothing of servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Fault, Mark, ProfileError
from .document import Block, Items, Text, parse, parse_value
from .elsewhere import remedy_of
from .field_types import Problem, ProblemsError
from .records import read
from .schema import SETTINGS, Profile

_HIDDEN = tuple(path for path, one in SETTINGS.items() if one.hidden)
#: Instead of what was given, where that may be a secret.
NOT_SHOWN = "(value not shown)"


@dataclass(frozen=True)
class Draft:
    """A profile with the faults of its fields; ``profile`` has stand-ins and defaults for faulty settings.

    Rules that follow add their faults, so that all are reported in one run.
    """

    profile: Profile
    document: Block
    faults: tuple[Fault, ...]

    def fault(self, path: str, allowed: str, remedy: str, given: str | None = None, code: str = "K012") -> Fault:
        """A fault at the setting ``path``, or at the section nearest to it that the profile has."""
        return _fault(self.document, Problem(tuple(path.split(".")), allowed, remedy, given, code=code))

    def has_fault(self, *paths: str) -> bool:
        """Whether one of the settings has a fault already, so that its value cannot be judged."""
        return any(fault.path == path or fault.path.startswith(f"{path}.") for fault in self.faults for path in paths)


def read_profile(text: str, file: str, overrides: Sequence[str] = ()) -> Draft:
    """Read one profile; ``overrides`` are ``path=value`` as in ``--set``. Raises ProfileError only for bad syntax."""
    document = parse(text, file)
    for override in overrides:
        _override(document, override)
    try:
        return Draft(read(Profile, document), document, ())
    except ProblemsError as error:
        return Draft(error.rest, document, tuple(_fault(document, _placed(problem)) for problem in error.problems))


def _override(document: Block, override: str) -> None:
    path, separator, value = override.partition("=")
    mark = Mark(f"--set {path}")
    names = path.split(".")
    if not separator or not all(names):
        raise ProfileError(
            [Fault(mark, "", override[:80], "PATH=VALUE", "write for example: --set resources.cpu=4", "K007")]
        )
    section = document
    for name in names[:-1]:
        section.key_marks.setdefault(name, mark)
        inner = section.setdefault(name, Block(mark))
        if not isinstance(inner, Block):
            raise ProfileError(
                [Fault(mark, path, f"{name} is not a section", "a setting's path", "correct the path", "K007")]
            )
        section = inner
    section[names[-1]] = parse_value(value, f"--set {path}")
    section.key_marks[names[-1]] = mark


def _placed(problem: Problem) -> Problem:
    """The problem of an unknown name, with the section where the name is a setting: sure, while a near name is not."""
    remedy = remedy_of(problem.path) if problem.code == "K004" and problem.at_key else None
    return problem if remedy is None else replace(problem, remedy=remedy)


def _fault(document: Block, problem: Problem) -> Fault:
    """The problem with its place: that of the value, of the key, or of the nearest section that is there."""
    value: Any = document
    mark = document.mark
    found = True
    for name in problem.path:
        found = False
        if isinstance(value, Block) and name in value:
            key_mark, value, found = value.key_marks[name], value[name], True
            mark = key_mark if problem.at_key and name == problem.path[-1] else value.mark
        elif isinstance(value, Items) and name.isdigit() and int(name) < len(value):
            value, found = value[int(name)], True
            mark = value.mark
        else:
            value = None
    path = ".".join(map(_short, problem.path))
    given = problem.given
    if given is None:
        given = _shown(problem.path, value) if found else "not set, so the default"
    return Fault(mark, path, given, problem.allowed, problem.remedy, problem.code)


def _short(name: str) -> str:
    """A key as it stands, or, since a quoted key may hold anything, on one line and cut short."""
    return name if name.isprintable() and len(name) <= 60 else f"{name[:60]!r}"


def _shown(path: Sequence[str], value: Any) -> str:
    """What was given, cut short; never a value of a hidden setting, which may be a secret by mistake."""
    if any(f"{'.'.join(path)}.".startswith(f"{hidden}.") for hidden in _HIDDEN):
        return NOT_SHOWN
    if isinstance(value, Text):
        return f"{str(value)[:60]!r}" + ("…" if len(value) > 60 else "")
    return "a mapping" if isinstance(value, Block) else "a list"
