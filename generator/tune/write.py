"""The measured figures in the profile itself: nothing else of it changes, each figure gets a comment with its source.

The text is edited where YAML's parser says that a value stands: writing the parsed document anew would change
indentation, spaces and line ends everywhere.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from ..errors import KitError, ProfileError
from ..files import read_regular
from ..pipeline import plan_profile
from ..profile.document import LOADER, MAX_BYTES

#: What our comments begin with, by which a later run finds them.
MARK = "container-kit tune"


@dataclass(frozen=True)
class Setting:
    """One setting to write: dotted path, value (None: the setting goes), and the figure that it comes from."""

    path: str
    value: str | int | None
    why: str = ""  # without "; ", which separates comments


class _ByHandError(Exception):
    """The profile is written in a way that this does not edit."""


def written(text: str, file: str, settings: Sequence[Setting], root: Path) -> str:
    """The profile with these settings; what it says already stays as it stands, comments and order included.

    Raises KitError, with the settings to write by hand, where the profile cannot be edited, or where they and the rest
    of it do not go together.
    """
    made, by_hand = text, f"write by hand {listed(settings)}"
    try:
        for setting in settings:
            made = _with(made, setting)
        # Whatever stands where it was not expected: no value is lost, and none lands in a comment.
        if yaml.load(made, Loader=LOADER) != _expected(text, settings):  # noqa: S506
            raise _ByHandError("its YAML is written in a way that this does not edit")
        plan_profile(made, file, (), root)
    except (_ByHandError, yaml.YAMLError) as error:
        why = error if isinstance(error, _ByHandError) else "its YAML is written in a way that this does not edit"
        raise KitError(f"{file}: not written, since {why}; {by_hand}") from error
    except ProfileError as error:
        raise KitError(f"{file}: not written, since it would be wrong; {by_hand}\n{error}") from error
    return made


def _expected(text: str, settings: Sequence[Setting]) -> Any:
    """The profile's values with the settings."""
    document = yaml.load(text, Loader=LOADER)  # noqa: S506
    for setting in settings:
        *above, name = setting.path.split(".")
        section = document
        for part in above:
            section = section.setdefault(part, {})
        if setting.value is None:
            section.pop(name, None)
        else:
            section[name] = setting.value
    return document


def listed(settings: Sequence[Setting]) -> str:
    """What there is to write, on one line."""
    return ", ".join(f"{one.path}: {one.value}" for one in settings if one.value is not None)


def _with(text: str, setting: Setting) -> str:
    document = yaml.compose(text, Loader=LOADER)
    if re.search(r"\r(?!\n)", text):
        raise _ByHandError("it has a carriage return that ends no line")
    if not isinstance(document, MappingNode) or document.flow_style:
        raise _ByHandError("a profile in braces has no room for comments")
    *above, name = setting.path.split(".")
    section = document
    for part in above:
        _, found = _entry(section, part)
        if found is None:
            return text if setting.value is None else _added(text, section, f"{part}:", setting)
        if not isinstance(found, MappingNode):
            raise _ByHandError(f"{part} is no mapping")
        section = found
    key, value = _entry(section, name)
    if setting.value is None:
        return text if key is None or value is None else _without(text, section, key, value)
    if value is None:
        return _added(text, section, "", setting)
    if not isinstance(value, ScalarNode) or key is None or value.start_mark.index < key.end_mark.index:
        raise _ByHandError(f"{setting.path} is no plain value")
    start, end = value.start_mark.index, value.end_mark.index
    space = "" if text[start - 1].isspace() else " "  # there is none where the value is empty
    made = f"{text[:start]}{space}{setting.value}{text[end:]}"
    moved = len(made) - len(text)
    if section.flow_style:
        return _commented(made, section.end_mark.index + moved, f"{MARK} {name}: ", setting.why)
    return _commented(made, end + moved, f"{MARK}: ", setting.why)


def _entry(section: MappingNode, name: str) -> tuple[Node | None, Node | None]:
    return next(((key, value) for key, value in section.value if key.value == name), (None, None))


def _added(text: str, section: MappingNode, head: str, setting: Setting) -> str:
    """The setting behind the last entry of a section, or in a new section of it, whose line is ``head``."""
    name = setting.path.rpartition(".")[2]
    if section.flow_style:
        # Behind the last value, before its comma or comment, if any.
        last = section.value[-1][1] if section.value else None
        at = last.end_mark.index if last else section.start_mark.index + 1
        entry = f"{', ' if last else ''}{name}: {setting.value}"
        made = text[:at] + entry + text[at:]
        return _commented(made, section.end_mark.index + len(entry), f"{MARK} {name}: ", setting.why)
    indent = " " * section.value[0][0].start_mark.column
    comment = f"  # {MARK}: {setting.why}" if setting.why else ""
    entry = f"{name}: {setting.value}{comment}"
    lines = [indent + head, f"{indent}  {entry}"] if head else [indent + entry]
    at, newline = _line_end(text, _last_index(text, section)), "\r\n" if "\r\n" in text else "\n"
    return text[:at] + "".join(newline + line for line in lines) + text[at:]


def _without(text: str, section: MappingNode, key: Node, value: Node) -> str:
    if section.flow_style:
        raise _ByHandError(f"{key.value} stands in braces")
    start, end = text.rfind("\n", 0, key.start_mark.index) + 1, _line_end(text, _last_index(text, value))
    return text[:start] + text[text.find("\n", end) + 1 if "\n" in text[end:] else len(text) :]


def _commented(text: str, index: int, mark: str, why: str) -> str:
    """Add to the comment behind the value that ends at ``index``; one of ours goes, whatever else is there stays."""
    end = _line_end(text, index)
    rest = text[index:end]
    comment = rest.lstrip()
    if comment and not comment.startswith("#"):
        raise _ByHandError(f"something stands behind a value: {comment!r}")
    space = rest[: len(rest) - len(comment)] if comment else "  "
    parts = [part for part in comment.split("; ") if not part.removeprefix("# ").startswith(mark)] if comment else []
    parts += [f"{mark}{why}"] if why else []
    found = "; ".join(parts)
    found = found if found.startswith("#") or not found else f"# {found}"
    return text[:index] + (f"{space}{found}" if found else "") + text[end:]


def _line_end(text: str, index: int) -> int:
    """Before the line break, which may be two characters."""
    end = text.find("\n", index)
    end = len(text) if end < 0 else end
    return end - (end > index and text[end - 1] == "\r")


def _last_index(text: str, node: Node, after: int = 0) -> int:
    """Where the text of a node ends: YAML's parser takes what follows a block to its end. An alias is taken to end
    ``after``, its key's end."""
    if node.end_mark.index < after:
        return after
    if isinstance(node, CollectionNode) and not node.flow_style:
        key, value = node.value[-1] if isinstance(node, MappingNode) else (None, node.value[-1])
        return _last_index(text, value, key.end_mark.index if key else after)
    in_block = isinstance(node, ScalarNode) and node.style in ("|", ">")
    return len(text[: node.end_mark.index].rstrip()) if in_block else int(node.end_mark.index)


def replace(path: Path, text: str, before: str, settings: str) -> None:
    """Write the file whole or not at all, with its mode kept.

    Raises KitError, with the ``settings`` to write by hand, where it is no longer what it was ``before``: measuring
    takes minutes, in which somebody may have edited it.
    """
    if read_regular(path, MAX_BYTES) != before.encode():
        raise KitError(f"{path} was changed meanwhile, and nothing was written to it; it would be {settings}")
    mode = path.stat().st_mode
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.resolve().parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path.resolve())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
