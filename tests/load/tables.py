"""The figures of `make bench` as Markdown."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence

from tests.containers.kit import ROOT
from tests.load.works import CPU, RATE, Figures

OURS = "this kit, "
#: Of each rival by its name, a round after the other.
Found = Mapping[str, Sequence[Figures]]


def table(title: str, found: Found) -> Iterator[str]:
    """One row a rival: the median of each figure, with its minimum and maximum."""
    columns = list(dict.fromkeys(name for rounds in found.values() for figures in rounds for name in figures))
    yield f"\n| {title} | " + " | ".join(columns) + " |"
    yield "| --- " * (len(columns) + 1) + "|"
    for rival, rounds in found.items():
        cells = [cell([figures.get(column) for figures in rounds]) for column in columns]
        yield f"| {rival} | " + " | ".join(cells) + " |"


def cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, middle, high = (f"{value:,.0f}" for value in (min(known), statistics.median(known), max(known)))
    return middle if low == high else f"{middle} ({low} to {high})"


def compared(found: Found) -> Iterator[str]:
    """What each of the kit's rows has of each other's requests/s and CPU, and which rows it loses to."""
    others = [name for name in found if not name.startswith(OURS)]
    for ours in (name for name in found if name.startswith(OURS)):
        shares, lost = [], []
        for other in others:
            rate, cpu = (ratio(found[ours], found[other], column) for column in (RATE, CPU))
            if rate is not None:
                shares.append(f"{rate:.2f} of {other}" + (f" ({cpu:.2f} of its CPU a request)" if cpu else ""))
                lost += [other] if rate < 1 else []
        if shares:
            yield f"\n{ours}, requests/s: {'; '.join(shares)}. Loses to: {', '.join(lost) or 'none of these'}."


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures], column: str) -> float | None:
    """The median of the rounds' ratios: what else the machine did in a round, hit both."""
    pairs = [(mine.get(column), his.get(column)) for mine, his in zip(ours, theirs, strict=False)]
    ratios = [mine / his for mine, his in pairs if mine is not None and his]
    return statistics.median(ratios) if ratios else None


def into_docs(group: str, lines: Sequence[str]) -> None:
    """Replace what docs/measurements.md has between the group's marks."""
    file = ROOT / "docs/measurements.md"
    text, mark = file.read_text(), re.escape(f"<!-- measured: {group} -->\n")
    found = re.search(f"{mark}(.*?)<!-- end -->", text, re.DOTALL)
    assert found, group
    body = "".join(f"{line}\n" for line in lines)
    file.write_text(f"{text[: found.start(1)]}{body}{text[found.end(1) :]}")
