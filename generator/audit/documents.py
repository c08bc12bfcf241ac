"""YAML documents with the place of every value: Compose files and manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import Mark
from .given import Span
from .placed import Placed, plain, unquoted

#: Values of a file, all aliases replaced: what walks through them would take as long.
_MAX_VALUES = 1_000_000
#: Not libyaml's: composing what is nested deeply enough ends the process (SIGSEGV).
_LOADER = yaml.SafeLoader


@dataclass(frozen=True)
class Node:
    """One value of a document and where it stands."""

    raw: yaml.Node
    file: str

    @property
    def span(self) -> Span:
        """Its first line."""
        start, end = self.raw.start_mark, self.raw.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return Span(Mark(self.file, start.line + 1, start.column + 1), max(width, 1))

    @property
    def text(self) -> str:
        """A scalar's text, or nothing."""
        return str(self.raw.value) if isinstance(self.raw, yaml.ScalarNode) else ""

    def items(self) -> Iterator[tuple[str, Node, Node]]:
        """The keys of a mapping as text, the values, and the key's own nodes; its own before those that it merges."""
        seen: set[str] = set()
        for key, value in _pairs(self.raw):
            name = str(key.value)
            if name not in seen:
                seen.add(name)
                yield name, self._of(value), self._of(key)

    def list(self) -> list[Node]:
        """The items of a list; of anything else none."""
        return [self._of(item) for item in self.raw.value] if isinstance(self.raw, yaml.SequenceNode) else []

    def get(self, *path: str) -> Node | None:
        """What stands below a path of keys, or None."""
        found: Node | None = self
        for name in path:
            found = next((value for key, value, _ in found.items() if key == name), None) if found else None
        return found

    def key(self, name: str) -> Node | None:
        """The key itself, for its place."""
        return next((own for key, _, own in self.items() if key == name), None)

    @property
    def placed(self) -> Placed:
        """A scalar's text, with the place of each character: behind a quote, indented below a `|` or `>`."""
        start = self.raw.start_mark
        written = (start.buffer or "")[start.pointer : self.raw.end_mark.pointer] if self.text else ""
        source = plain(written, Mark(self.file, start.line + 1, start.column + 1))
        if (before := _PROPERTIES.match(written)) is not None:
            source = source.part(before.end(), len(written))
        return unquoted(self.text, source, getattr(self.raw, "style", None))

    def with_base(self, base: Node) -> Node:
        """This mapping with the values of another below its own, as a merge key would give them."""
        if not isinstance(self.raw, yaml.MappingNode):
            return self
        key = yaml.ScalarNode(_MERGE, "<<", self.raw.start_mark, self.raw.end_mark)
        pairs = [*self.raw.value, (key, base.raw)]
        return self._of(yaml.MappingNode(self.raw.tag, pairs, self.raw.start_mark, self.raw.end_mark))

    def _of(self, raw: yaml.Node) -> Node:
        return Node(raw, self.file)


#: An anchor and a tag, which PyYAML counts to their value.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)+")
#: The tag of a plain `<<`.
_MERGE = "tag:yaml.org,2002:merge"


def _pairs(raw: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The pairs of a mapping: its own, then those of the mappings that `<<` merges, the first of which decides."""
    waiting, seen = [raw], set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, yaml.MappingNode) or id(one) in seen:
            continue
        seen.add(id(one))
        merged: list[yaml.Node] = []
        for key, value in one.value:
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            else:
                yield key, value
        waiting[:0] = merged


class BadDocument(Exception):
    """The text is no YAML; carries the place."""

    def __init__(self, span: Span, message: str) -> None:
        super().__init__(message)
        self.span = span


def read_documents(text: str, file: str) -> list[Node]:
    """Every document of a file. Raises BadDocument."""
    try:
        found = [raw for raw in yaml.compose_all(text, Loader=_LOADER) if raw is not None]
        known: dict[int, int | None] = {}
        if sum(_size(raw, file, known) for raw in found) > _MAX_VALUES:
            raise BadDocument(Span(Mark(file)), "its aliases repeat more than a million values")
        return [Node(raw, file) for raw in found]
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        mark = Mark(file, min(at.line + 1, max(len(text.splitlines()), 1)), at.column + 1) if at else Mark(file)
        raise BadDocument(Span(mark), str(getattr(error, "problem", None) or error)) from error
    except RecursionError as error:
        raise BadDocument(Span(Mark(file)), "it is nested too deeply") from error


def _size(raw: yaml.Node, file: str, known: dict[int, int | None]) -> int:
    """How many values it has, aliases replaced. Raises BadDocument where one contains itself."""
    if isinstance(raw, yaml.ScalarNode):
        return 1
    if id(raw) not in known:
        known[id(raw)] = None  # begun
        below = raw.value if isinstance(raw, yaml.SequenceNode) else [one for pair in raw.value for one in pair]
        known[id(raw)] = 1 + sum(_size(one, file, known) for one in below)
    size = known[id(raw)]
    if size is None:
        start = raw.start_mark
        raise BadDocument(Span(Mark(file, start.line + 1, start.column + 1)), "an alias in it stands for the whole")
    return size


def template(document: Node) -> Span | None:
    """The place of a template's braces where they stand for more than a text; `{{ x }}` is a mapping as a key."""
    waiting, seen = [document.raw], set()
    while waiting:
        raw = waiting.pop()
        if id(raw) in seen:
            continue
        seen.add(id(raw))
        if isinstance(raw, yaml.SequenceNode):
            waiting += raw.value
        elif isinstance(raw, yaml.MappingNode):
            for key, value in raw.value:
                if isinstance(key, yaml.MappingNode):
                    start = raw.start_mark
                    return Span(Mark(document.file, start.line + 1, start.column + 1), 2)
                waiting += [key, value]
    return None


def is_number(text: str) -> bool:
    """Whether it is a whole number as a setting may have it: isdigit() takes ², int() no more than 4,300 digits."""
    return re.fullmatch(r"[0-9]{1,18}", text) is not None


def seconds(text: str) -> int | None:
    """A Compose duration like 1m30s or 45, in seconds."""
    if is_number(text):
        return int(text)
    match: Any = re.fullmatch(r"(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?(?:[0-9]+ms)?", text)
    if not match or not text:
        return None
    return sum(int(part or 0) * factor for part, factor in zip(match.groups(), (3600, 60, 1), strict=True))
