"""Charts to SVG text: Vega-Lite in vl-convert, an optional extra; neither a browser nor the network takes part."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from ..errors import KitError
from .parts import Chart, Frame

#: What Vega-Lite and the page's column have room for; below 760 pixels (page.css) the narrow drawing is shown.
NARROW, HALF, FULL = Frame(344, narrow=True), Frame(548), Frame(1120)
MISSING = (
    "pages need vl-convert, which draws their charts: install the kit's extra, in a checkout: pip install '.[pages]'"
)
#: Letters of a text in a chart.
LONGEST = 300
_COLOURS = [f"var(--c{number})" for number in range(6)]
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "aria": False,
        "labelColor": "var(--muted)",
        "labelFontSize": 12,
        "labelPadding": 6,
        "titleColor": "var(--muted)",
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": "var(--grid)",
        "domainColor": "var(--grid)",
        "tickColor": "var(--grid)",
    },
    "axisX": {"labelSeparation": 12, "labelOverlap": True},
    "axisY": {"titlePadding": 12},  # the labels are wider in the reader's font
    "legend": {
        "aria": False,
        "labelColor": "var(--text)",
        "labelFontSize": 12,
        "symbolOpacity": 1,
        "symbolStrokeWidth": 0,
    },
    "title": {"aria": False, "color": "var(--text)"},
    "text": {"fontSize": 12},
    "range": {"category": _COLOURS},
}


def available() -> bool:
    """Whether the extra is installed."""
    return find_spec("vl_convert") is not None


def require() -> None:
    """Raises KitError where it is not."""
    if not available():
        raise KitError(MISSING)


def svg(chart: Chart, frame: Frame) -> str:
    """The drawing, every text from the data escaped by Vega's own writer. Raises KitError without the extra."""
    require()
    import vl_convert

    return vl_convert.vegalite_to_svg(_printable(chart.draw(frame)), config=CONFIG, allowed_base_urls=[])


def _printable(value: Any) -> Any:
    """Texts without what cannot be drawn, and not endless.

    A control character or a noncharacter ends the process (vl-convert 1.9 aborts), a line separator is a fault in
    Vega-Lite's expressions. The page's tables have the texts as they are.
    """
    if isinstance(value, str):
        text = "".join(letter if letter.isprintable() else " " for letter in value)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    if isinstance(value, dict):
        return {name: _printable(one) for name, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, (list, tuple)) else value
