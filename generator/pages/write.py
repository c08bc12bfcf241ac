"""A page as text: the template, its style and script inline, allowed by their hashes and nothing else."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..render.render import TEMPLATES
from .draw import FULL, HALF, NARROW, require, svg
from .parts import Chart, Page

FOLDER = TEMPLATES / "pages"


def write_page(page: Page, path: Path) -> Path:
    """Write it, and the folder above it. Raises KitError, and writes nothing, where the extra is missing."""
    text = html(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    # An argument that is not UTF-8 reaches Python as lone surrogates, which no file takes.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def html(page: Page) -> str:
    """The page's text; everything that it is given is escaped. Raises KitError where the extra is missing."""
    require()
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return environment.get_template("page.html.j2").render(
        page=page,
        draw=_drawings,
        style=Markup(style),  # noqa: S704 (our own file)
        script=Markup(script),  # noqa: S704 (our own file)
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; "
        "form-action 'none'",
    )


def _drawings(chart: Chart) -> dict[str, Markup]:
    wide = FULL if chart.full else HALF
    return {
        name: Markup(svg(chart, frame))  # noqa: S704 (escaped by Vega's writer, as a test shows)
        for name, frame in (("wide", wide), ("narrow", NARROW))
    }


def _hash(text: str) -> str:
    """Of an inline element's whole text, as a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
