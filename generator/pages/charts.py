"""The kinds of charts as Vega-Lite specifications: lines, spans to scale, bars side by side, ranges.

Colours are CSS variables, which the page sets for light and for dark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .parts import Frame, Spec

HEIGHT = 300
#: Of one bar or span with the gap to the next.
STEP, NARROW_STEP = 30, 44
#: Series are told apart by shapes and dashes too, not by colour alone; of 5 shapes and 6 colours there are 30 pairs.
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
_SHAPES = ["circle", "square", "diamond", "triangle-up", "cross"]
_TEXT, _MUTED = "var(--text)", "var(--muted)"

Row = Mapping[str, Any]


def _frame(frame: Frame, rows: Sequence[Row], height: int) -> Spec:
    return {
        "width": frame.width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": list(rows)},
    }


def _legend(frame: Frame, names: Sequence[str]) -> Spec | None:
    if len(names) < 2:
        return None
    one_row = sum(_wide(name) + 45 for name in names) < frame.width
    columns = len(names) if one_row else 1 if frame.narrow else 2
    # The columns are placed for a narrow font; in the reader's the labels may be a fifth wider.
    padding = 12 + max(map(_wide, names)) / 5
    room = frame.width // columns - 30
    return {"orient": "top", "columns": columns, "columnPadding": padding, "title": None, "labelLimit": room}


def _wide(text: str) -> float:
    """Pixels of a text in a wide font: which one the reader's browser has is not known here."""
    return 7.5 * len(text)


def _names(frame: Frame, rows: Sequence[Row]) -> tuple[Spec, list[Spec]]:
    """The axis of names beside the bars, or on a phone above each of them; and the layers that this takes."""
    names = [row["name"] for row in rows]
    y: Spec = {"field": "name", "type": "nominal", "sort": names, "title": None}
    if not frame.narrow:
        extent = min(300, max(map(_wide, names)))
        return {**y, "axis": {"labelLimit": extent, "minExtent": extent, "ticks": False}}, []
    words = {"type": "text", "aria": False, "align": "left", "baseline": "bottom", "dy": -9, "color": _TEXT}
    layer = {
        "mark": {**words, "limit": frame.width},
        "encoding": {"x": {"value": 0}, "text": {"field": "name"}, "color": None},
    }
    return {**y, "axis": None}, [layer]


def _heights(frame: Frame, rows: Sequence[Row]) -> tuple[int, Spec]:
    """Of the chart, and of its bars."""
    step, bar = (NARROW_STEP, 14) if frame.narrow else (STEP, 18)
    legend = 24 * len({row["series"] for row in rows}) if frame.narrow else 24
    return step * len(rows) + 60 + legend, {"height": bar, "yOffset": 6 if frame.narrow else 0}


def _series(frame: Frame, rows: Sequence[Row]) -> Spec:
    names = list(dict.fromkeys(row["series"] for row in rows))
    # The domain is given, so that colour and shape have one legend although their layers have different rows.
    return {"field": "series", "type": "nominal", "scale": {"domain": names}, "legend": _legend(frame, names)}


def lines(
    frame: Frame,
    rows: Sequence[Row],
    x: Spec,
    y: Spec,
    levels: Mapping[str, float] | None = None,
) -> Spec:
    """Rows have ``series``, ``x``, ``y``, ``text`` and ``joined``: whether the series is a line or points only.

    ``x`` and ``y`` are what the axes add to Vega-Lite's encoding; ``levels`` are horizontal lines with their names.
    """
    series = _series(frame, rows)
    names = series["scale"]
    shapes = {**series, "scale": {**names, "range": _SHAPES}}
    dashes = {**series, "scale": {**names, "range": _DASHES}, "legend": None}
    legend = 18 * len(names["domain"]) if frame.narrow else 0
    layers: list[Spec] = [
        {
            "transform": [{"filter": "datum.joined"}],
            "mark": {"type": "line", "aria": False, "strokeWidth": 2, "strokeJoin": "round"},
            "encoding": {"strokeDash": dashes},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 34, "opacity": 1},
            "encoding": {"shape": shapes, "description": {"field": "text"}},
        },
    ]
    for name, level in (levels or {}).items():
        layers += _level(name, level)
    return {
        **_frame(frame, rows, HEIGHT + legend),
        "encoding": {
            "color": series,
            "x": _axis("x", x, tickCount=4 if frame.narrow else 7, tickMinStep=1),
            "y": _axis("y", y, tickCount=5, tickMinStep=1),
        },
        "layer": layers,
    }


def _axis(field: str, given: Spec, **usual: float) -> Spec:
    return {"field": field, "type": "quantitative", **given, "axis": {**usual, **given.get("axis", {})}}


def log(title: str, values: Sequence[float]) -> Spec:
    """A logarithmic axis for these values: marks at 1, 2 and 5 of each decade, or at its beginning if they are many."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1, 2, 5) if high - low <= 2 else (1,)
    marks = [step * 10**power for power in range(low, high + 1) for step in steps]
    return {"title": title, "scale": {"type": "log"}, "axis": {"values": marks, "format": ",~f"}}


def _level(name: str, level: float) -> list[Spec]:
    only = {"values": [{"y": level, "name": name}]}
    at = {"y": {"field": "y", "type": "quantitative"}, "x": None, "color": None}
    rule = {"type": "rule", "aria": False, "strokeDash": [3, 3], "color": _MUTED}
    words = {"type": "text", "aria": False, "align": "right", "baseline": "bottom", "dx": -4, "dy": -3, "color": _TEXT}
    return [
        {"data": only, "mark": rule, "encoding": at},
        {
            "data": only,
            "mark": words,
            "encoding": {**at, "x": {"value": "width"}, "text": {"field": "name"}},
        },
    ]


def spans(frame: Frame, rows: Sequence[Row], unit: str) -> Spec:
    """Rows have ``name``, ``series``, ``start``, ``end``, ``label`` and ``text``: bars on one scale, one a row."""
    y, names = _names(frame, rows)
    height, bar = _heights(frame, rows)
    x = _to_the_end(frame, "start", max(row["end"] for row in rows), unit)
    return {
        **_frame(frame, rows, height),
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "bar", **bar, "cornerRadius": 2},
                "encoding": {
                    "x": x,
                    "x2": {"field": "end"},
                    "color": _series(frame, rows),
                    "description": {"field": "text"},
                },
            },
            {
                "mark": {"type": "text", "aria": False, "align": "left", "dx": 5, "dy": bar["yOffset"], "color": _TEXT},
                "encoding": {"x": {**x, "field": "end"}, "text": {"field": "label"}},
            },
            *names,
        ],
    }


def _to_the_end(frame: Frame, field: str, end: float, unit: str) -> Spec:
    """A scale from 0 with room for the label of the longest bar."""
    domain = [0, end * (1.12 if frame.width > 1000 else 1.25)]
    axis = {"tickCount": 5 if frame.narrow else 10}
    scale = {"domain": domain, "nice": False}
    return {"field": field, "type": "quantitative", "title": unit, "scale": scale, "axis": axis}


def bars(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Rows have ``measure``, ``series``, ``value``, ``label`` and ``text``: a scale of its own for each measure."""
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    extent = max(_wide(row["series"]) for row in rows)
    return {"vconcat": [_bars(frame, rows, measure, extent) for measure in measures], "spacing": 14}


def _bars(frame: Frame, rows: Sequence[Row], measure: str, extent: float) -> Spec:
    own = [row for row in rows if row["measure"] == measure]
    series = _series(frame, own)
    # Room for the label of the longest bar.
    scale = {"domain": [0, 1.3 * max(1e-9, *(row["value"] for row in own))]}
    x = {"field": "value", "type": "quantitative", "axis": None, "scale": scale}
    axis = {"labelLimit": extent, "minExtent": extent, "ticks": False, "domain": False}
    return {
        "title": {"text": measure, "anchor": "start", "fontSize": 12, "offset": 4},
        "width": frame.width - extent,
        "height": {"step": 24},
        "data": {"values": own},
        "encoding": {
            "y": {"field": "series", "type": "nominal", "sort": series["scale"]["domain"], "title": None, "axis": axis}
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.7}, "cornerRadius": 2},
                "encoding": {"x": x, "color": {**series, "legend": None}, "description": {"field": "text"}},
            },
            {
                "mark": {"type": "text", "aria": False, "align": "left", "dx": 5, "color": _TEXT},
                "encoding": {"x": x, "text": {"field": "label"}},
            },
        ],
    }


def ranges(frame: Frame, rows: Sequence[Row], unit: str) -> Spec:
    """Medians with their spread: rows of ``name``, ``series``, ``low``, ``middle``, ``high``, ``label``, ``text``."""
    y, names = _names(frame, rows)
    height, bar = _heights(frame, rows)
    offset = bar["yOffset"]
    x = _to_the_end(frame, "low", max(1.0, *(row["high"] for row in rows)), unit)
    return {
        **_frame(frame, rows, height),
        "encoding": {"y": y, "color": _series(frame, rows)},
        "layer": [
            {
                "mark": {"type": "rule", "aria": False, "strokeWidth": 6, "opacity": 0.45, "yOffset": offset},
                "encoding": {"x": x, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "yOffset": offset},
                "encoding": {"x": {**x, "field": "middle"}, "description": {"field": "text"}},
            },
            {
                "mark": {"type": "text", "aria": False, "align": "left", "dx": 8, "dy": offset, "color": _TEXT},
                "encoding": {"x": {**x, "field": "high"}, "text": {"field": "label"}, "color": None},
            },
            *names,
        ],
    }
