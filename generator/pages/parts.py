"""What a page is made of: sections of tables and charts; plain values, which one template shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Cells are text; the first column names its row. ``verdicts`` marks rows by their verdict, where there is one."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[str] = ()
    #: Columns that hold numbers, aligned to the right.
    numeric: Sequence[int] = ()


@dataclass(frozen=True)
class Frame:
    """The room that a chart has, in CSS pixels; ``narrow`` on a phone."""

    width: int
    narrow: bool = False


@dataclass(frozen=True)
class Chart:
    """A picture with its values behind it.

    ``draw`` makes the Vega-Lite specification for a room. Its marks with a ``description`` are the values that are
    shown on hover and on focus, in the order of the data.
    """

    title: str
    #: What it shows and how to read it, a sentence or two.
    note: str
    draw: Callable[[Frame], Spec]
    table: Table
    #: Across the whole page instead of half of it.
    full: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and what is below it, in this order."""

    title: str
    note: str = ""
    table: Table | None = None
    charts: Sequence[Chart] = ()
    #: Tables that are folded away, by their title.
    folded: Mapping[str, Table] = field(default_factory=dict)
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """One file; ``verdict`` colours the heading."""

    title: str
    heading: str
    lead: Sequence[str]
    sections: Sequence[Section]
    verdict: str = ""
