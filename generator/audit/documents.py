"""YAML documents with the place of every value: Compose files and manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import Mark
from .given import Span

#: Values of a file, all aliases replaced: what walks through them would take as long.
_MAX_VALUES = 1_000_000
#: Not libyaml's: composing what is nested deeply enough ends the process (SIGSEGV).
_LOADER = yaml.SafeLoader


@dataclass(frozen=True)
class Node:
    """One value of a document and where it stands."""

    raw: yaml.Node
    file: str
    lines: tuple[str, ...]

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
        """The keys of a mapping as text, the values, and the key's own nodes."""
        if isinstance(self.raw, yaml.MappingNode):
            for key, value in self.raw.value:
                yield str(key.value), self._of(value), self._of(key)

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
    def content_mark(self) -> Mark:
        """Where a scalar's text itself begins: after a quote, or on the line below a `|` or `>`."""
        start = self.raw.start_mark
        style = getattr(self.raw, "style", None)
        if style in ("|", ">") and start.line + 1 < len(self.lines):
            line = self.lines[start.line + 1]
            return Mark(self.file, start.line + 2, len(line) - len(line.lstrip()) + 1)
        return Mark(self.file, start.line + 1, start.column + (2 if style in ("'", '"') else 1))

    def _of(self, raw: yaml.Node) -> Node:
        return Node(raw, self.file, self.lines)


class BadDocument(Exception):
    """The text is no YAML; carries the place."""

    def __init__(self, span: Span, message: str) -> None:
        super().__init__(message)
        self.span = span


def read_documents(text: str, file: str) -> list[Node]:
    """Every document of a file. Raises BadDocument."""
    lines = tuple(text.splitlines())
    try:
        found = [raw for raw in yaml.compose_all(text, Loader=_LOADER) if raw is not None]
        known: dict[int, int | None] = {}
        if sum(_size(raw, file, known) for raw in found) > _MAX_VALUES:
            raise BadDocument(Span(Mark(file)), "its aliases repeat more than a million values")
        return [Node(raw, file, lines) for raw in found]
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        mark = Mark(file, min(at.line + 1, max(len(lines), 1)), at.column + 1) if at else Mark(file)
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


def seconds(text: str) -> int | None:
    """A Compose duration like 1m30s or 45, in seconds."""
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    match: Any = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:\d+ms)?", text)
    if not match or not text:
        return None
    return sum(int(part or 0) * factor for part, factor in zip(match.groups(), (3600, 60, 1), strict=True))
