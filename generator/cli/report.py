"""`report`: the plan of a profile as a page for people, without a measurement."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from ..output.paths import output_root
from ..pages.draw import require
from ..pages.plan import report_page
from ..pipeline import read_plans
from . import options
from .pages import draw
from .progress import READING, waiting


@click.command()
@options.profiles
@click.option("--output", default=".", metavar="DIR", help="Root below which build/report/ lies.")
@options.overrides
@options.json_faults
@options.debug
def report(profiles: tuple[str, ...], output: str, overrides: tuple[str, ...]) -> int:
    """Write the plan of each PROFILE (a YAML file) as a page: build/report/<profile>.html.

    The numbers as a picture, the timeouts and the memory to scale, and what the server makes of each setting. Needs no
    engine, but the extra `pages`: in a checkout pip install '.[pages]'. `prove` and `tune` write pages with what
    they measured.
    """
    require()
    root = output_root(output)
    with waiting(READING):
        plans = read_plans(profiles, overrides, Path(output))
    for plan in plans:
        place = plan.manifest.removeprefix("k8s/").removesuffix(".yaml")  # with the group, if it has one
        click.echo(draw(partial(report_page, plan), root / "build" / "report" / f"{place}.html"))
    return 0
