"""`report`: the plan of a profile as a page for people, without a measurement."""

from __future__ import annotations

from pathlib import Path

import click

from ..output.paths import output_root
from ..pages.draw import require
from ..pages.plan import report_page
from ..pages.write import write_page
from ..pipeline import read_plans
from . import options


@click.command()
@options.profiles
@click.option("--output", default=".", metavar="DIR", help="Root below which build/report/ lies.")
@options.overrides
@options.json_faults
@options.debug
def report(profiles: tuple[str, ...], output: str, overrides: tuple[str, ...]) -> int:
    """Write the plan of each PROFILE (a YAML file) as a page: build/report/<profile>.html.

    The numbers as a picture, the timeouts and the memory to scale, and what the server makes of each setting. Needs no
    engine, but the extra `pages`: pip install 'flask-container-kit[pages]'. `prove` and `tune` write pages with what
    they measured.
    """
    require()
    root = output_root(output)
    for plan in read_plans(profiles, overrides, Path(output)):
        place = plan.manifest.removeprefix("k8s/").removesuffix(".yaml")  # with the group, if it has one
        click.echo(str(write_page(report_page(plan), root / "build" / "report" / f"{place}.html")))
    return 0
