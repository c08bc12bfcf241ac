"""The line that a message is about, with a caret below the place: for findings and for a profile's faults."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import click

from ..errors import Mark, lines_of

#: A longer line is cut around the place.
_WIDTH = 100


def excerpt(text: str, mark: Mark, width: int = 1, colour: str = "red") -> str:
    """The marked line of ``text`` with carets below ``width`` characters, or nothing where there is no such line."""
    lines = _lines(text)
    if not 1 <= mark.line <= len(lines):
        return ""
    line = "".join(c if c.isprintable() else " " for c in lines[mark.line - 1])
    start = min(mark.column - 1, len(line))
    cut = max(0, start - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = line[cut : cut + _WIDTH]
    marked = shown[start - cut : start - cut + max(width, 1)]
    gutter = f"{mark.line:5} | "
    below = " " * (len(gutter) - 2) + "| " + " " * _cells(shown[: start - cut])
    return f"{gutter}{shown}\n{below}" + click.style("^" * max(_cells(marked), 1), fg=colour, bold=True)


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    """Once a file, not once a finding: there may be thousands."""
    return lines_of(text)


def _cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
