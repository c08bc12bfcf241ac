"""Charts as plain numbers: where each line and tick lies in a drawing of WIDTH x HEIGHT; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..runtime.sizing import ceil_div

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 40

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One curve of a chart, in the coordinates of its SVG."""

    name: str
    points: str  # as SVG's polyline takes them


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """All that the template draws of one chart."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def line_chart(
    title: str, x_label: str, y_label: str, series: Mapping[str, Points], log_x: bool = False
) -> Chart | None:
    """None where there is nothing to draw."""
    series = {name: points for name, points in series.items() if len(points) > 1}
    if not series:
        return None
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    low, high = (max(0.1, min(xs)), max(1.0, *xs)) if log_x else (0.0, max(1.0, *xs))
    top = max(1.0, *ys)

    def across(x: float) -> float:
        part = math.log(max(x, low) / low) / math.log(high / low) if log_x and high > low else (x - low) / (high - low)
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM), 1)

    lines = [Line(name, " ".join(f"{across(x)},{up(y)}" for x, y in thin(points))) for name, points in series.items()]
    x_values = _decades(low, high) if log_x else _steps(high)
    return Chart(
        title,
        x_label,
        y_label,
        tuple(lines),
        tuple(Tick(across(value), f"{value:g}") for value in x_values),
        tuple(Tick(up(value), f"{value:g}") for value in _steps(top)),
    )


def thin(points: Points, limit: int = 400) -> Points:
    """Every so many of them: more than the drawing has pixels show nothing more."""
    step = ceil_div(len(points), limit)
    return [*points[::step], points[-1]]


def _steps(top: float) -> list[float]:
    """Round numbers from 0 to the top, about five."""
    raw = top / 5
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    return [step * i for i in range(int(top / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def cumulated(rows: Sequence[Sequence[float]]) -> Points:
    """A histogram (upper edge, count) as the share of responses, in per cent, that came within each time."""
    total, seen, points = sum(count for _, count in rows), 0.0, []
    for edge, count in rows:
        seen += count
        points.append((edge, 100 * seen / total))
    return points


def charts_of(report: Mapping[str, Any]) -> list[Chart]:
    """Latency, connections over time, memory over connections, of the claims that were measured."""
    data = {claim["name"]: claim["data"] for claim in report["claims"]}
    loads = {name: found["load"] for name, found in data.items() if "histogram_ms" in found.get("load", {})}
    heavy = {name: load for name, load in loads.items() if name.startswith(("holds", "over"))}
    for name, found in data.items():
        if "theirs" in found:
            heavy["the copied configuration"] = found["theirs"]
        if "among" in found:
            loads |= {f"{name}": found["among"]}
    quiet = {name: load for name, load in loads.items() if name not in heavy}
    latency = {name: cumulated(load["histogram_ms"]) for name, load in {**heavy, **quiet}.items()}
    held = {name: [(row[0] + 1, row[1]) for row in load["timeline"]] for name, load in heavy.items()}
    by_count = sorted((row[1], row[2], row[3]) for row in report["samples"])
    memory = {
        "cgroup without page cache": _highest([(row[0], row[1]) for row in by_count]),
        "PSS of all processes": _highest([(row[0], row[2]) for row in by_count]),
    }
    found = (
        line_chart("Latency: responses within a time", "ms (log)", "% of responses", latency, log_x=True),
        line_chart("Connections held over time", "s", "connections open", held),
        line_chart("Memory over connections", "connections open", "MiB", memory),
    )
    return [chart for chart in found if chart]


def _highest(rows: Sequence[tuple[float, float | None]]) -> Points:
    """The highest memory seen at up to so many connections, in MiB."""
    points: list[tuple[float, float]] = []
    for count, memory in rows:
        if memory is not None:
            points.append((count, max(memory / 2**20, points[-1][1] if points else 0.0)))
    return points
