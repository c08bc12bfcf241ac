"""A text with the place of each of its characters, however it is quoted, indented or continued where it stands."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import Mark
from .given import Span

#: Characters of an escape, by the letter behind its backslash; of all others two.
_ESCAPES = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True)
class Placed:
    """A text taken from a source that begins at ``mark`` and has line breaks at ``breaks``."""

    text: str
    mark: Mark
    breaks: Sequence[int]
    #: Where each character, and the end, stands in the source.
    offsets: Sequence[int]

    def at(self, position: int) -> Mark:
        """The place of one character."""
        offset = self.offsets[position]
        line = bisect_left(self.breaks, offset)
        column = self.mark.column + offset if not line else offset - self.breaks[line - 1]
        return Mark(self.mark.file, self.mark.line + line, column)

    def span(self, start: int, end: int) -> Span:
        """The place of a part: its first line."""
        first = self.offsets[start]
        last = self.offsets[end - 1] + 1 if end > start else first
        line = bisect_left(self.breaks, first)
        if line < len(self.breaks):
            last = min(last, self.breaks[line])
        return Span(self.at(start), max(last - first, 1))

    def shifted(self, span: Span) -> Span:
        """A place in the text, given by line and column of the text alone, as a place in the source."""
        starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        start = min(starts[min(span.mark.line, len(starts)) - 1] + span.mark.column - 1, len(self.text))
        return Span(self.at(start), span.width)

    def part(self, start: int, end: int) -> Placed:
        """A part of it."""
        return Placed(self.text[start:end], self.mark, self.breaks, self.offsets[start : end + 1])

    def made_of(self, pieces: Iterable[tuple[str, Sequence[int]]], end: int) -> Placed:
        """Another text of the same source: each piece with the positions in this text that its characters have."""
        texts, offsets = [], []
        for text, positions in pieces:
            texts.append(text)
            offsets += [self.offsets[position] for position in positions]
        return Placed("".join(texts), self.mark, self.breaks, [*offsets, self.offsets[end]])


def plain(text: str, mark: Mark) -> Placed:
    """A text that stands at ``mark`` as it is."""
    return Placed(text, mark, [match.start() for match in re.finditer("\n", text)], range(len(text) + 1))


def unquoted(value: str, source: Placed, style: str | None) -> Placed:
    """What a scalar of YAML or JSON means, placed in its source; ``style`` is its quote, `|`, `>`, or nothing."""
    raw, at = source.text, 0
    offsets: list[int] = []
    if style in ("|", ">"):
        at = raw.find("\n") + 1
    elif style in ("'", '"'):
        at = 1
    for char in value:
        if style == '"':
            while match := _CONTINUED.match(raw, at):
                at = match.end()
        while at < len(raw) and not char.isspace() and raw[at] != char and raw[at].isspace():
            at += 1
        offsets.append(source.offsets[min(at, len(raw))])
        if style == '"' and raw.startswith("\\", at):
            letter = raw[at + 1 : at + 2]
            at += 12 if char > "\uffff" and letter == "u" else _ESCAPES.get(letter, 2)
        elif style == "'" and raw.startswith("''", at):
            at += 2
        elif not char.isspace() or raw[at : at + 1].isspace():
            at += 1
    return Placed(value, source.mark, source.breaks, [*offsets, source.offsets[min(at, len(raw))]])


#: A line break that a double-quoted scalar does not mean.
_CONTINUED = re.compile(r"\\\r?\n[ \t]*")
