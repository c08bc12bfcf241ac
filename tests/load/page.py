"""The tables of `make bench` as a page, each figure a chart of medians with their spread: build/bench.html."""

from __future__ import annotations

from collections.abc import Sequence

from generator.pages.draw import available
from generator.pages.measures import medians
from generator.pages.parts import Page, Section, Table
from generator.pages.write import write_page
from tests.containers.kit import ROOT
from tests.load.tables import OURS, Found, cell


def section(title: str, found: Found, compared: Sequence[str]) -> Section:
    """One table: a chart for each of its figures that several have, and all of it folded away."""
    columns = list(dict.fromkeys(name for rounds in found.values() for figures in rounds for name in figures))
    charts = []
    for column in columns:
        values = {rival: [figures.get(column) for figures in rounds] for rival, rounds in found.items()}
        known = {rival: [one for one in each if one is not None] for rival, each in values.items()}
        if sum(bool(each) for each in known.values()) > 1:
            kinds = {rival: "this kit" if rival.startswith(OURS) else "others" for rival in known}
            charts.append(medians(column, "Median, minimum and maximum of the rounds.", column, known, kinds))
    rows = [
        (rival, *(cell([figures.get(column) for figures in rounds]) for column in columns))
        for rival, rounds in found.items()
    ]
    table = Table((title, *columns), rows, numeric=tuple(range(1, len(columns) + 1)))
    return Section(title, charts=charts, folded={"The table": table}, lines=[line.strip() for line in compared])


def write(about: Sequence[str], sections: Sequence[Section]) -> None:
    """Nothing without the extra `pages`."""
    if available():
        write_page(Page("make bench", "make bench", about, sections), ROOT / "build/bench.html")
