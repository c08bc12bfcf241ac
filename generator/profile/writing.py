"""A profile's text from settings: in the schema's order, quoted as YAML needs it, each with its comment."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import printable
from .records import Record, settings
from .schema import Profile

_WIDTH = 120
#: The column of a comment behind a value, where the value leaves it free.
_COLUMN = 32


@dataclass(frozen=True)
class Entry:
    """One setting to write: its dotted path, its value as YAML has it, why, and what to say above it."""

    path: str
    value: Any
    why: str = ""
    above: tuple[str, ...] = ()


def profile_text(head: Iterable[str], entries: Iterable[Entry]) -> str:
    """The profile: comment lines, then every setting once; of two entries with one path the later one counts."""
    tree: dict[str, Any] = {}
    for entry in entries:
        *above, name = entry.path.split(".")
        inner = tree
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = entry
    lines = [*(line for text in head for line in _comment(text, "")), *_section(tree, Profile, "")]
    return "\n".join(lines) + "\n"


def _section(tree: dict[str, Any], record: type[Record] | None, indent: str) -> Iterator[str]:
    table = settings(record) if record else {}
    order = {name: number for number, name in enumerate(table)}
    for name in sorted(tree, key=lambda name: order.get(name, len(order))):
        found = tree[name]
        if isinstance(found, Entry):
            yield from _setting(name, found, indent)
            continue
        short = f"{indent}{name}: {_scalar({key: one.value for key, one in found.items()})}" if _is_plain(found) else ""
        if short and len(short) <= _WIDTH and len(found) > 1:
            yield short
            continue
        yield f"{indent}{name}:"
        yield from _section(found, table[name].type.record if name in table else None, f"{indent}  ")


def _is_plain(tree: dict[str, Any]) -> bool:
    """Whether a section fits on its own line: settings without comments."""
    return all(isinstance(one, Entry) and not (one.why or one.above) for one in tree.values())


def _setting(name: str, entry: Entry, indent: str) -> Iterator[str]:
    for text in entry.above:
        yield from _comment(text, indent)
    line = f"{indent}{_scalar(name)}: {_scalar(entry.value)}"
    why = printable(entry.why)
    behind = f"{line:{_COLUMN - 1}} # {why}" if why else line
    if why and len(behind) > _WIDTH:
        yield from _comment(why, indent)
        behind = line
    yield behind


def _comment(text: str, indent: str) -> Iterator[str]:
    width = _WIDTH - len(indent) - 2
    for line in textwrap.wrap(printable(text), width, break_long_words=False, break_on_hyphens=False) or [""]:
        yield f"{indent}# {line}".rstrip()


def _scalar(value: Any) -> str:
    """A value on one line, as YAML in any place reads it back."""
    written = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=2**31, sort_keys=False)
    return written.removesuffix("\n").removesuffix("\n...")


class _Dumper(yaml.SafeDumper):
    """Writes each text on one line: what is not printable is escaped."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if value.isprintable() else '"')


_Dumper.add_representer(str, _text)
