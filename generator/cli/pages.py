"""Pages on disk, and what is said where the extra that draws them is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ..pages.draw import MISSING, available
from ..pages.parts import Page
from ..pages.write import write_page
from .progress import waiting


def page_beside(path: Path, make: Callable[[], Page]) -> None:
    """Write the page beside its JSON report and print its path; without the extra, say what to install."""
    if not available():
        click.echo(f"no page: {MISSING}", err=True)
        return
    page = path.with_suffix(".html")
    click.echo(draw(make, page))


def draw(make: Callable[[], Page], path: Path) -> str:
    """Write a page; its path."""
    with waiting(f"drawing {path}"):
        return str(write_page(make(), path))
