"""Charts of what load tests measure, made from plain values: latency, courses over time, figures side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from . import charts
from .parts import Chart, Frame, Spec, Table

#: Percentiles that a chart of latencies shows, and those with a mark on its axis.
PERCENTILES = (50, 75, 90, 95, 99, 99.5, 99.9, 99.99)
_TICKS = {50: "p50", 90: "p90", 99: "p99", 99.9: "p99.9", 99.99: "p99.99"}

Histogram = Sequence[Sequence[float]]


def percentiles(histogram: Histogram) -> list[tuple[float, float]]:
    """(per cent, milliseconds) of a histogram of (upper edge, count); the last pair is the maximum, as 100 %.

    A percentile that fewer than one response lies above is left out: the maximum says it.
    """
    total = sum(count for _, count in histogram)
    found, seen, remaining = [], 0.0, [one for one in PERCENTILES if round(total * (100 - one), 6) >= 100]
    for edge, count in histogram:
        seen += count
        while remaining and seen >= total * remaining[0] / 100:
            found.append((remaining.pop(0), edge))
    return [*found, (100, histogram[-1][0])] if histogram else []


def latency(title: str, histograms: Mapping[str, Histogram]) -> Chart | None:
    """Percentiles of each histogram; its number of responses places the maximum on the axis."""
    rows: list[dict[str, Any]] = []
    cells = []
    for name, histogram in histograms.items():
        count = sum(row[1] for row in histogram)
        for percent, value in percentiles(histogram):
            label = "max" if percent == 100 else f"p{percent:g}"
            at = math.log10(max(2, count)) if percent == 100 else _nines(percent)
            text = f"{name}: {label} {_ms(value)}"
            rows.append({"series": name, "x": at, "y": max(value, 0.01), "text": text, "joined": True})
            cells.append((name, label, f"{value:,.1f}"))
    if not rows:
        return None
    ticks = {round(_nines(percent), 3): name for percent, name in _TICKS.items()}
    last = max(row["x"] for row in rows)
    words = " : ".join(f"abs(datum.value - {at}) < 0.01 ? '{name}'" for at, name in ticks.items())
    x = {
        "title": "percentile",
        "scale": {"domain": [0.25, max(2.1, last + 0.1)], "nice": False},
        "axis": {"values": [at for at in ticks if at < last + 0.1], "labelExpr": f"{words} : ''"},
    }
    y = charts.log("milliseconds (log)", [row["y"] for row in rows])
    return Chart(
        title,
        "Of 100 requests 99 take at most what p99 says; the last point of a line is its slowest request.",
        lambda frame: charts.lines(frame, rows, x, y),
        Table(("load", "percentile", "ms"), cells, numeric=(2,)),
    )


def _nines(percent: float) -> float:
    """Each step to the right is a tenth of the requests that are left."""
    return math.log10(100 / (100 - percent))


def _ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def courses(
    title: str,
    note: str,
    x_title: str,
    y_title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    at: str,
) -> Chart | None:
    """A line with its points for each series, both axes from 0; ``at`` is x's unit in the words of a value."""
    rows: list[dict[str, Any]] = [
        {"series": name, "x": x, "y": y, "text": f"{name}: {y:,.0f} {y_title} at {x:,g} {at}", "joined": True}
        for name, points in series.items()
        for x, y in points
    ]
    if not rows:
        return None
    cells = [(row["series"], f"{row['x']:,g}", f"{row['y']:,.0f}") for row in rows]
    return Chart(
        title,
        note,
        lambda frame: charts.lines(frame, rows, {"title": x_title}, {"title": y_title, "scale": {"domainMin": 0}}),
        Table(("load", x_title, y_title), cells, numeric=(1, 2)),
    )


def medians(title: str, note: str, unit: str, values: Mapping[str, Sequence[float]], kinds: Mapping[str, str]) -> Chart:
    """The median of each name's values with their spread, coloured by ``kinds``; names without a value are left out."""
    rows: list[dict[str, Any]] = []
    for name, known in values.items():
        if known:
            low, middle, high = min(known), median(known), max(known)
            spread = f", {_figure(low)} to {_figure(high)} in {len(known)}" if low < high else ""
            figures = {"low": low, "middle": middle, "high": high, "label": _figure(middle)}
            words = f"{name}: {_figure(middle)} {unit}{spread}"
            rows.append({"name": name, "series": kinds[name], **figures, "text": words})
    cells = [(row["name"], row["label"], _figure(row["low"]), _figure(row["high"])) for row in rows]
    table = Table(("of", unit, "minimum", "maximum"), cells, numeric=(1, 2, 3))
    return Chart(title, note, lambda frame: charts.ranges(frame, rows, unit), table)


def side_by_side(title: str, note: str, measures: Mapping[str, Mapping[str, float]], full: bool = False) -> Chart:
    """Bars of each measure (named with its unit) by series, every measure on a scale of its own."""
    rows: list[dict[str, Any]] = [
        {
            "measure": measure,
            "series": name,
            "value": value,
            "label": _figure(value),
            "text": _text(measure, name, value),
        }
        for measure, values in measures.items()
        for name, value in values.items()
    ]
    cells = [(row["measure"], row["series"], row["label"]) for row in rows]

    def draw(frame: Frame) -> Spec:
        return charts.bars(frame, rows)

    return Chart(title, note, draw, Table(("measure", "of", "value"), cells, numeric=(2,)), full)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def _text(measure: str, name: str, value: float) -> str:
    return f"{measure}: {name} {_figure(value)}"
